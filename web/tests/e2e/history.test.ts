/** A long history: scrolling through it draws little, and shows all of it, once and in order. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { plain } from './picture'
import { ServerApi } from './server-api'
import { Stage } from './stage'
import type { Visitor } from './visitor'

const MESSAGES = 2_000
/** One long ago. */
const FAR = 150
/** Rows that may be drawn at a time. */
const DRAWN_MAX = 120

let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
  const api = new ServerApi(stage.server.http)
  const [ada, bob] = [await api.register('ada'), await api.register('bob')]
  const bodies = Array.from({ length: MESSAGES }, (_, index) => `message ${index}${index % 7 === 0 ? `\n${'and more of it '.repeat(index % 40)}` : ''}`)
  const conversation = await bob.saysAll(ada.userId, bodies)
  // Otherwise the chat opens at what is new: at the very beginning.
  await ada.post(`/api/conversations/${conversation}/receipts`, { ackType: 'read', msgSeq: MESSAGES })
  // The last one answers one of the first.
  await bob.post('/api/messages', { to: ada.userId, body: 'And about this:', replyTo: FAR + 1 })
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

/** Everything that comes by on the way to one end, page by page: the numbers of the messages, and how many were drawn at once. */
function scrollsThrough({ page }: Visitor, direction: -1 | 1, end: number): Promise<{ numbers: number[]; most: number }> {
  return page.evaluate(async ([direction, end]) => {
    const scroller = document.querySelector<HTMLElement>('[role=list][tabindex="0"]')!
    const numbers = new Set<number>()
    let most = 0
    let stuck = 0
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    while (stuck < 600) {
      // A gap is not a number.
      const drawn = [...scroller.querySelectorAll('.bubble > .text, .gap')].flatMap((element) => {
        const number = /^message (\d+)/.exec(element.textContent ?? '')?.[1]
        return element.className.includes('gap') ? [NaN] : number === undefined ? [] : [Number(number)]
      })
      most = Math.max(most, drawn.length)
      if (drawn.some((number, index) => index > 0 && !Number.isNaN(number - drawn[index - 1]!) && number !== drawn[index - 1]! + 1)) throw new Error(`not in order: ${drawn}`)
      const before = numbers.size
      const isGap = drawn.some(Number.isNaN)
      for (const number of drawn) if (!Number.isNaN(number)) numbers.add(number)
      stuck = numbers.size === before ? stuck + 1 : 0
      if (numbers.has(end!)) break
      if (!isGap) scroller.scrollTop += direction! * scroller.clientHeight * 0.8
      await frame()
    }
    return { numbers: [...numbers].sort((one, other) => one - other), most }
  }, [direction, end] as const)
}

const places = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

it(`${MESSAGES} messages scroll from the last to the first`, async () => {
  const visitor = await stage.visitor('ada')
  await visitor.logIn()
  await visitor.opensChat('bob')
  const { page } = visitor
  await visitor.sees(`message ${MESSAGES - 1}`)
  const seen = await scrollsThrough(visitor, -1, 0)
  expect(seen.numbers).toEqual(places(0, MESSAGES - 1))
  expect(seen.most).toBeLessThan(DRAWN_MAX)
  // And back to the end with one button.
  await page.getByRole('button', { name: /newest messages/ }).click()
  await visitor.sees(`message ${MESSAGES - 1}`)
})

it('a jump to what was said long ago fetches what is around it, and the rest when somebody scrolls there', async () => {
  const visitor = await stage.visitor('ada')
  await visitor.logIn()
  await visitor.opensChat('bob')
  const { page } = visitor
  await visitor.sees('And about this:')
  let fetched = 0
  page.on('response', (response) => {
    if (/\/events\?/.test(response.url())) fetched += 1
  })
  // What is not fetched over HTTP would come as frames of events.
  let pulls = 0
  const session = await visitor.context.newCDPSession(page)
  await session.send('Network.enable')
  session.on('Network.webSocketFrameSent', ({ response }) => (pulls += response.payloadData.includes('"PULL"') ? 1 : 0))
  await page.getByRole('button', { name: 'Go to the message' }).click()
  await visitor.sees(`message ${FAR}`)
  expect(fetched).toBeLessThan(5)
  expect(pulls).toBe(0)
  // One gets on from there in both directions, and nothing is missing.
  const later = await scrollsThrough(visitor, 1, MESSAGES - 1)
  expect(later.numbers).toEqual(places(later.numbers[0]!, MESSAGES - 1))
  expect(later.numbers[0]).toBeLessThanOrEqual(FAR)
  await page.getByRole('button', { name: /newest messages/ }).click({ timeout: 2_000 }).catch(() => {})
  await visitor.sees('And about this:')
})

it('a chat opens at its end, also where rows are much lower than they seemed', async () => {
  const api = new ServerApi(stage.server.http)
  const [cem, dora] = [await api.register('cem'), await api.register('dora')]
  const bodies = Array.from({ length: 40 }, (_, index) => `${index}: ${'il '.repeat(index === 39 ? 1 : 250)}`)
  const conversation = await dora.saysAll(cem.userId, bodies)
  await cem.post(`/api/conversations/${conversation}/receipts`, { ackType: 'read', msgSeq: bodies.length })
  const visitor = await stage.visitor('cem')
  await visitor.logIn()
  await visitor.opensChat('dora')
  const last = visitor.messages.getByRole('article').last()
  await expect.poll(async () => {
    const [line, list] = await Promise.all([last.boundingBox(), visitor.messages.boundingBox()])
    return (await last.innerText()).startsWith('39:') && line!.y + line!.height <= list!.y + list!.height
  }).toBe(true)
  expect(await visitor.page.getByRole('button', { name: /newest messages/ }).count()).toBe(0)
})

it('a group opens at its end, below its pictures and what is pinned', async () => {
  const api = new ServerApi(stage.server.http)
  const [eve, finn] = [await api.register('eve'), await api.register('finn')]
  const { conversationId: groupId } = await eve.post('/api/groups', { title: 'Pier', members: [finn.userId] })
  const picture = async (width: number, height: number) => finn.post('/api/messages', { groupId, msgType: 'IMAGE', attachment: { fileId: await finn.upload('pier.png', 'image/png', plain(width, height, 20, 90, 120)) } })
  const { serverMsgId } = await finn.post('/api/messages', { groupId, body: 'Who has the key to the boathouse?' })
  for (let line = 0; line < 4; line += 1) await finn.post('/api/messages', { groupId, body: `line ${line}` })
  await picture(960, 600)
  await picture(480, 720)
  await eve.post('/api/messages', { groupId, body: 'A longer one, that goes over more than a single line of the chat on most screens, as it has much to say.' })
  await finn.post('/api/messages', { groupId, body: '🐦🌊' })
  await eve.post(`/api/messages/${serverMsgId}/pin`)
  const visitor = await stage.visitor('eve')
  await visitor.logIn()
  await visitor.page.goto(`/chats/${groupId}`)
  await visitor.page.getByRole('region', { name: /pinned message/ }).waitFor()
  const beyond = () => visitor.messages.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)
  await expect.poll(beyond).toBeLessThan(2)
})
