import { expect, it } from 'vitest'
import { Engine } from '../engine'
import { MemoryDisk, MemoryStorage } from '../storage/memory'
import { settled } from '../testing/clock'
import { TestNetwork } from '../testing/network'
import { TabHub } from '../testing/tabs'
import { World } from '../testing/world'
import { Messenger } from './messenger'

const USER = '9001'

/** Tabs of one user, on one disk. */
class Browser {
  readonly hub = new TabHub()
  readonly disk = new MemoryDisk()
  readonly networks: TestNetwork[] = []
  #names = 0

  constructor(readonly world: World) {}

  async open(): Promise<Messenger> {
    const random = { fraction: this.world.fraction, uuid: () => `tab-${(this.#names += 1)}` }
    const messenger = new Messenger({
      tabs: this.hub.open(),
      random,
      lead: (show) => {
        const network = new TestNetwork(this.world.server)
        this.networks.push(network)
        return Promise.resolve(
          new Engine({
            userId: USER,
            deviceId: 'browser',
            client: 'test/1',
            platform: 'web',
            grant: { userId: USER, accessToken: `token of ${USER}`, expiresInMs: 900_000 },
            renew: () => Promise.resolve({ kind: 'unavailable' }),
            transport: network,
            clock: this.world.clock,
            random,
            storage: new MemoryStorage(this.disk),
            log: () => {},
            show,
          }),
        )
      },
      onChange: () => {},
      onProblem: (problem) => {
        throw problem
      },
    })
    await this.settle()
    return messenger
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 60; round += 1) {
      await settled()
      this.hub.deliver()
      for (const { line } of this.networks) {
        while (line?.forward('up') === true);
        while (line?.forward('down') === true);
      }
      if (round % 10 === 9) await this.world.clock.pass(500)
    }
  }
}

it('one tab leads, the others show the same and may send', async () => {
  const browser = new Browser(new World(1))
  const one = await browser.open()
  const other = await browser.open()
  expect([one.isLeader, other.isLeader]).toEqual([true, false])
  other.send({ type: 'SINGLE_CHAT', to: '9002', body: 'from the other tab' })
  await browser.settle()
  const [conversation] = [...other.view.conversations.values()]
  expect(conversation?.last?.what).toMatchObject({ body: 'from the other tab' })
  other.open(conversation!.conversationId)
  await browser.settle()
  expect(other.view).toEqual(one.view)
  expect(browser.networks.length).toBe(1)
})

it('when the leader goes, another takes over, and nothing asked for is lost or done twice', async () => {
  const browser = new Browser(new World(1))
  const one = await browser.open()
  const other = await browser.open()
  const third = await browser.open()
  other.send({ type: 'SINGLE_CHAT', to: '9002', body: 'first' })
  await browser.settle()
  const id = [...third.view.conversations.keys()][0]!
  third.open(id)
  await browser.settle()
  // Asked for, and not heard by the leader that is about to go.
  third.send({ type: 'SINGLE_CHAT', to: '9002', body: 'second' })
  browser.hub.words.length = 0
  third.send({ type: 'SINGLE_CHAT', to: '9002', body: 'third' })
  await one.leave()
  await browser.settle()
  expect([other.isLeader, third.isLeader]).toEqual([true, false])
  const stored = browser.world.server.conversations.get(id)!.events.map(({ body }) => body)
  expect(stored).toEqual(['first', 'second', 'third'])
  const shown = third.view.timelines.get(id)!.events.map(({ what }) => (what.kind === 'message' ? what.body : ''))
  expect(shown).toEqual(stored)
  expect(third.view.status).toEqual({ kind: 'online' })
})

it('a conversation stays open as long as one tab looks at it', async () => {
  const browser = new Browser(new World(1))
  const one = await browser.open()
  const other = await browser.open()
  one.send({ type: 'SINGLE_CHAT', to: '9002', body: 'hello' })
  await browser.settle()
  const id = [...one.view.conversations.keys()][0]!
  one.open(id)
  other.open(id)
  await browser.settle()
  one.close(id)
  await browser.settle()
  expect(other.view.timelines.has(id)).toBe(true)
  await other.leave()
  await browser.settle()
  expect(one.view.timelines.has(id)).toBe(false)
})

it('a call is shown in every tab, and ends when the tab that has it is gone', async () => {
  const browser = new Browser(new World(1))
  const one = await browser.open()
  const other = await browser.open()
  const { line } = browser.networks[0]!
  line!.toClient.push('{"type":"CALL_OFFER","callId":"r1","from":"9002","media":"audio","sdp":"v=0","ringsForMs":30000}')
  await browser.settle()
  expect(other.view.call).toMatchObject({ callId: 'r1', phase: 'ringing' })
  other.call({ kind: 'answer', callId: 'r1', tab: other.tab, sdp: 'v=0' })
  await browser.settle()
  expect(one.view.call?.tab).toBe(other.tab)
  await other.leave()
  await browser.settle()
  expect(one.view.call).toMatchObject({ phase: 'over', end: { reason: 'hungUp' } })
})

it('a call does not outlive the tab that leads, and the others hear of it', async () => {
  const browser = new Browser(new World(1))
  const one = await browser.open()
  const other = await browser.open()
  other.call({ kind: 'offer', callId: 'c1', tab: other.tab, to: '9002', media: 'audio', sdp: 'v=0' })
  await browser.settle()
  expect(other.view.call?.phase).toBe('ringing')
  await one.leave()
  await browser.settle()
  expect(other.isLeader).toBe(true)
  expect(other.view.call).toBeUndefined()
})
