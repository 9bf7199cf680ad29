import { flushPromises, mount } from '@vue/test-utils'
import { beforeAll, expect, it, vi } from 'vitest'
import { ref } from 'vue'
import { i18n, loadLocale } from '../../i18n'
import { useAdminTexts } from '../texts'
import { gridOf } from './grid'
import LinePlot from './LinePlot.vue'

// Nothing is laid out here: the plot is 562 pixels wide, of which 500 are for the lines.
vi.mock('@vueuse/core', () => ({ useElementSize: () => ({ width: ref(562), height: ref(164) }) }))

beforeAll(async () => {
  await loadLocale('en')
  useAdminTexts()
})

const END = new Date(2026, 4, 1, 12).getTime()
const figures = { stepMs: 5_000, endTs: END, series: { ackMsP50: [1, 0, 10, 10], ackMsP99: [100, 0, 0, 100], syncMsP99: [0, 0, 0, 0], readMsP99: [0, 0, 0, 0], httpMsP99: [0, 0, 0, 0] } }
const SERIES = Object.keys(figures.series)

function shown(place?: number) {
  const grid = gridOf(figures, 30_000, 0, () => true)
  return mount(LinePlot, { props: { plot: { key: 'latencies', unit: 'ms', series: SERIES }, grid, place, 'onUpdate:place': () => {} }, global: { plugins: [i18n] } })
}

it('lines stop at gaps, lone numbers are dots, and the time before the first number is hatched', () => {
  const plot = shown()
  const lines = plot.findAll('path.line').map((path) => path.attributes('d'))
  // Drawn from the last series to the first, so that the first is on top. Places are 100 pixels apart, from 52 on.
  expect(lines.slice(-2)).toEqual(['M252.0 8.0h0M552.0 8.0h0', 'M252.0 142.0h0M452.0 75.0L552.0 75.0'])
  expect(lines.slice(0, 3)).toEqual(['', '', ''])
  const hatched = plot.findAll('rect')
  expect(hatched.map((rect) => [rect.attributes('x'), rect.attributes('width')])).toEqual([['52', '200']])
})

it('pointing at a place tells its time and values, and that nothing was measured as a dash', async () => {
  const plot = shown()
  const area = plot.get('[role=slider]')
  area.element.getBoundingClientRect = () => ({ left: 20 }) as DOMRect
  await area.trigger('pointermove', { clientX: 20 + 52 + 310 })
  expect(plot.emitted('update:place')).toEqual([[3]])
  await plot.setProps({ place: 3 })
  expect(plot.get('.said').text()).toContain('11:59:50')
  expect(plot.findAll('.said b').map((value) => value.text())).toEqual(['–', '–', '–', '–', '–'])
  await area.trigger('pointermove', { clientX: 20 + 52 + 500 })
  await plot.setProps({ place: 5 })
  expect(plot.findAll('.said b').map((value) => value.text())).toEqual(['10 ms', '100 ms', '–', '–', '–'])
  expect(plot.findAll('circle')).toHaveLength(2)
})

it('arrow keys move the cursor, which is spoken, and Escape takes it away', async () => {
  const plot = shown(5)
  const area = plot.get('[role=slider]')
  expect(area.attributes('aria-valuetext')).toBe('12:00:00: Sending, p50 10 ms, Sending, p99 100 ms, Disk sync, p99 –, Reading, p99 –, HTTP, p99 –')
  for (const key of ['ArrowRight', 'ArrowLeft', 'Home', 'Escape']) await area.trigger('keydown', { key })
  await flushPromises()
  expect(plot.emitted('update:place')).toEqual([[4], [0], [undefined]])
})

it('a cursor that keys have moved stays when the page moves below a pointer', async () => {
  const plot = shown(5)
  const area = plot.get('[role=slider]')
  await area.trigger('keydown', { key: 'Home' })
  await area.trigger('pointerleave')
  expect(plot.emitted('update:place')).toEqual([[0]])
  await area.trigger('pointermove', { clientX: 62 })
  await area.trigger('pointerleave')
  expect(plot.emitted('update:place')).toEqual([[0], [0], [undefined]])
})

it('a cursor of a plot beside it shows no values here, and is not taken away when a pointer leaves', async () => {
  const plot = shown(5)
  expect(plot.find('.said').exists()).toBe(false)
  expect(plot.find('.cursor').exists()).toBe(true)
  const area = plot.get('[role=slider]')
  await area.trigger('pointerleave')
  await area.trigger('blur')
  expect(plot.emitted('update:place')).toBeUndefined()
  // Nor if it was here before.
  await area.trigger('pointermove', { clientX: 62 })
  await plot.setProps({ place: 0 })
  expect(plot.find('.said').exists()).toBe(true)
  await plot.setProps({ place: 3 })
  expect(plot.find('.said').exists()).toBe(false)
  await area.trigger('pointerleave')
  expect(plot.emitted('update:place')).toEqual([[0]])
})
