import { describe, expect, it } from 'vitest'
import { gridOf, pathOf, runsOf } from './grid'
import { bytesScale, linearScale, logScale, timeTicks } from './scale'

describe('scales', () => {
  it.each([
    [0, 0],
    [3, 1],
    [7, 1],
    [1_000, 1],
    [0.3, 0],
  ])('a linear one to %s with steps of at least %s has few lines and holds the greatest', (greatest, leastStep) => {
    const { ticks, fraction } = linearScale(greatest, leastStep)
    expect(ticks[0]).toBe(0)
    expect(ticks.length).toBeLessThanOrEqual(6)
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(greatest)
    expect(fraction(ticks.at(-1)!)).toBe(1)
    expect(fraction(greatest)).toBeGreaterThanOrEqual(greatest > 0 ? 0.5 : 0)
  })

  it('lines are at round numbers, whole ones where there are no halves', () => {
    expect(linearScale(3, 1).ticks).toEqual([0, 1, 2, 3])
    expect(linearScale(0, 1).ticks).toEqual([0, 1])
    expect(linearScale(0.3).ticks).toEqual([0, 0.1, 0.2, 0.3])
    expect(linearScale(1_700).ticks).toEqual([0, 500, 1_000, 1_500, 2_000])
    expect(bytesScale(3 * 1024).ticks).toEqual([0, 1024, 2048, 3072])
    expect(bytesScale(0).ticks).toEqual([0, 1])
  })

  it('latencies stand on decades', () => {
    const { ticks, fraction } = logScale(0.5, 250)
    expect(ticks).toEqual([0.1, 1, 10, 100, 1_000])
    expect([fraction(0.1), fraction(10), fraction(1_000), fraction(0)]).toEqual([0, 0.5, 1, 0])
    expect(logScale(1, 1).ticks).toEqual([1, 10])
    expect(logScale(10, 1_000).ticks).toEqual([10, 100, 1_000])
    expect(logScale(NaN, NaN).ticks).toEqual([1, 10])
  })

  it('times are round where the reader is, and no more than there is room for', () => {
    const HOUR = 3_600_000
    const noon = Date.UTC(2026, 4, 1, 12)
    expect(timeTicks(noon - HOUR, noon, 4, 0)).toEqual([0, 15, 30, 45, 60].map((minutes) => noon - HOUR + minutes * 60_000))
    // Half an hour before UTC a full hour is at half past.
    expect(timeTicks(noon - 3 * HOUR, noon, 3, HOUR / 2)).toEqual([1, 2, 3].map((hours) => noon - 3 * HOUR + hours * HOUR - HOUR / 2))
    for (const most of [1, 2, 3, 6, 12]) expect(timeTicks(noon - 24 * HOUR + 7, noon, most, 0).length).toBeLessThanOrEqual(Math.max(2, most))
  })
})

describe('gaps', () => {
  const figures = { stepMs: 5_000, endTs: 1_000_000, series: { connections: [1, 0, 2], ackMsP50: [4, 0, 8] } }
  const measured = (name: string) => name === 'ackMsP50'

  it('before the server began there is nothing, and where nothing was measured neither', () => {
    const grid = gridOf(figures, 25_000, 0, measured)
    expect(grid).toMatchObject({ fromTs: 980_000, length: 5, knownFrom: 2, knownTo: 5 })
    expect(grid.series.connections).toEqual([NaN, NaN, 1, 0, 2])
    expect(grid.series.ackMsP50).toEqual([NaN, NaN, 4, NaN, 8])
  })

  it('a server that has fallen silent leaves a gap that grows', () => {
    expect(gridOf(figures, 25_000, 14_000, measured).series.connections).toEqual([NaN, NaN, 1, 0, 2])
    const grid = gridOf(figures, 25_000, 20_000, measured)
    expect(grid).toMatchObject({ fromTs: 1_000_000, knownFrom: 0, knownTo: 1 })
    expect(grid.series.connections).toEqual([2, NaN, NaN, NaN, NaN])
    expect(gridOf(figures, 25_000, 90_000, measured).series.connections).toEqual([NaN, NaN, NaN, NaN, NaN])
  })

  it('more numbers than there is room for lose the oldest', () => {
    expect(gridOf(figures, 10_000, 0, measured).series.connections).toEqual([0, 2])
  })

  it('no line goes across a gap, and a number on its own is still seen', () => {
    const numbers = [NaN, 1, 2, NaN, 3, NaN]
    expect(runsOf(numbers)).toEqual([[1, 3], [4, 5]])
    expect(runsOf([])).toEqual([])
    expect(pathOf(numbers, (place) => place * 10, (value) => 100 - value)).toBe('M10.0 99.0L20.0 98.0M40.0 97.0h0')
  })
})
