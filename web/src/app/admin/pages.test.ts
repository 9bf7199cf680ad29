import { expect, it } from 'vitest'
import { effectScope } from 'vue'
import type { Page } from './admin-api'
import { usePages } from './pages'

const inScope = <T>(what: () => T): T => effectScope().run(what)!

it('an answer that found nothing but says where to go on is followed at once', async () => {
  const answers: Page<string>[] = [{ items: [], next: '10' }, { items: [], next: '20' }, { items: ['ada'], next: '30' }, { items: ['bob'] }]
  const asked: (string | undefined)[] = []
  const pages = inScope(() => usePages(async (next) => (asked.push(next), answers[asked.length - 1]!)))
  await pages.restart()
  expect([pages.items.value, pages.hasMore.value]).toEqual([['ada'], true])
  await pages.more()
  expect([pages.items.value, pages.hasMore.value]).toEqual([['ada', 'bob'], false])
  expect(asked).toEqual([undefined, '10', '20', '30'])
})

it('what never finds anything stops, and can be asked to go on', async () => {
  let asked = 0
  const pages = inScope(() => usePages(async () => ({ items: [], next: String(++asked) })))
  await pages.restart()
  expect([asked, pages.items.value, pages.hasMore.value, pages.isBusy.value]).toEqual([10, [], true, false])
})

it('a late answer to an earlier question changes nothing', async () => {
  const waiting: ((page: Page<string>) => void)[] = []
  const pages = inScope(() => usePages<string>(() => new Promise((resolve) => waiting.push(resolve))))
  const [early, late] = [pages.restart(), pages.restart()]
  waiting[1]!({ items: ['new'] })
  await late
  waiting[0]!({ items: ['old'], next: '9' })
  await early
  expect([pages.items.value, pages.hasMore.value, pages.isBusy.value]).toEqual([['new'], false, false])
})
