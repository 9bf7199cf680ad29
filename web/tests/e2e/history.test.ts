/** A long history: scrolling through it draws little, and shows all of it, once and in order. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { ServerApi } from './server-api'
import { Stage } from './stage'

const MESSAGES = 2_000
/** Rows that may be drawn at a time. */
const DRAWN_MAX = 120

let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

it(`${MESSAGES} messages scroll from the last to the first`, async () => {
  const api = new ServerApi(stage.server.http)
  const [ada, bob] = [await api.register('ada'), await api.register('bob')]
  const bodies = Array.from({ length: MESSAGES }, (_, index) => `message ${index}${index % 7 === 0 ? `\n${'and more of it '.repeat(index % 40)}` : ''}`)
  const conversation = await bob.saysAll(ada.userId, bodies)
  // Otherwise the chat opens at what is new: at the very beginning.
  await ada.post(`/api/conversations/${conversation}/receipts`, { ackType: 'read', msgSeq: MESSAGES })
  const visitor = await stage.visitor('ada')
  await visitor.logIn()
  await visitor.opensChat('bob')
  const { page } = visitor
  await visitor.sees(`message ${MESSAGES - 1}`)
  // Going up page by page, everything that comes by is written down.
  const seen = await page.evaluate(async () => {
    const scroller = document.querySelector<HTMLElement>('[role=list][tabindex="0"]')!
    const numbers: number[] = []
    let most = 0
    let stuck = 0
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    while (stuck < 600) {
      const drawn = [...scroller.querySelectorAll('article .text')].map(({ textContent }) => Number(/^message (\d+)/.exec(textContent ?? '')?.[1]))
      most = Math.max(most, drawn.length)
      if (drawn.some((number, index) => index > 0 && number !== drawn[index - 1]! + 1)) throw new Error(`not in order: ${drawn}`)
      const before = numbers.length
      numbers.push(...drawn.filter((number) => !numbers.includes(number)))
      stuck = numbers.length === before ? stuck + 1 : 0
      if (drawn.includes(0)) break
      scroller.scrollTop -= scroller.clientHeight * 0.8
      await frame()
    }
    return { numbers: numbers.sort((one, other) => one - other), most }
  })
  expect(seen.numbers).toEqual(Array.from({ length: MESSAGES }, (_, index) => index))
  expect(seen.most).toBeLessThan(DRAWN_MAX)
  // And back to the end with one button.
  await page.getByRole('button', { name: /newest messages/ }).click()
  await visitor.sees(`message ${MESSAGES - 1}`)
})
