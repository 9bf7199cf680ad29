import { expect, it } from 'vitest'
import { Device } from './device'
import { eventOf } from './event'
import { MemoryStorage } from './storage/memory'
import type { Batch } from './storage/records'
import { applyPatch, emptyView } from './view'

/** A disk that finishes a write when it is told to. */
class SlowStorage extends MemoryStorage {
  readonly begun: Batch[] = []
  readonly #finish: ((failed: boolean) => void)[] = []

  override commit(batch: Batch): Promise<void> {
    this.begun.push(batch)
    return new Promise((resolve, reject) => {
      this.#finish.push((failed) => (failed ? reject(new Error('the disk is full')) : resolve(super.commit(batch))))
    })
  }

  async finish(failed = false): Promise<void> {
    await turn()
    this.#finish.shift()?.(failed)
    await turn()
  }
}

/** Lets everything happen that waits for nothing. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function begin(storage = new SlowStorage()) {
  const view = emptyView()
  const device = new Device({ userId: '9001', storage, log: () => {}, show: (patch) => applyPatch(view, patch) })
  await device.load()
  const durable: number[] = []
  device.onDurable = (records) => durable.push(...[...records].map(({ head }) => head))
  const hear = (head: number) => device.step((step) => device.timeline('7', 'group').hear(step, head))
  return { device, storage, view, durable, hear }
}

it('writes one step after the other, and tells of each when it is on disk', async () => {
  const { storage, durable, hear } = await begin()
  hear(1)
  hear(2)
  await turn()
  expect(storage.begun).toHaveLength(1)
  expect(durable).toEqual([])
  await storage.finish()
  expect(durable).toEqual([1])
  expect(storage.begun).toHaveLength(2)
  await storage.finish()
  expect(durable).toEqual([1, 2])
  expect(storage.disk.conversations.get('7')?.head).toBe(2)
})

it('a step that was taken before is not changed by a later one', async () => {
  const { storage, hear } = await begin()
  hear(1)
  hear(2)
  await turn()
  expect(storage.begun[0]?.conversations.get('7')?.head).toBe(1)
})

it('an entry is sent when it is on disk, not before', async () => {
  const { device, storage } = await begin()
  const request = { type: 'CONTACT', user: '9002', action: 'apply' } as const
  const entry = device.outbox.add('c-1', 'contact:9002', request, 1)
  device.step((step) => step.putEntry(entry))
  expect(device.isWritten(entry)).toBe(false)
  await storage.finish()
  expect(device.isWritten(entry)).toBe(true)
})

it('goes on without a disk that fails, writes nothing more to it, and says so', async () => {
  const { storage, view, durable, hear } = await begin()
  hear(1)
  hear(2)
  await storage.finish(true)
  expect(view.durable).toBe(false)
  expect(durable).toEqual([1, 2])
  expect(storage.begun).toHaveLength(1)
})

it('another epoch takes contacts and settings away with everything else', async () => {
  const { device, view } = await begin()
  device.step((step) => {
    const { record } = device.timeline('8', 'personal')
    record.settings = { findable: true }
    step.touch('8')
  })
  expect(view.personal).toEqual({ settings: { findable: true } })
  device.restart('2')
  expect(view.personal).toBeUndefined()
})

it('takes away, also from disk, what the user has deleted on another device', async () => {
  const { device, storage, view } = await begin()
  const place = (conversationId: string, msgSeq: number) => ({ from: '9001', serverMsgId: `${msgSeq}`, conversationId, msgSeq, ts: 1 })
  const say = (msgSeq: number) => eventOf({ type: 'GROUP_CHAT', ...place('7', msgSeq), clientMsgId: `m${msgSeq}`, groupId: '7', msgType: 'TEXT', body: 'b' })
  device.look('7')
  device.step((step) => {
    for (const seq of [1, 2, 3]) device.timeline('7', 'group').place(step, say(seq))
  })
  const change = { kind: 'messagesHidden' as const, conversationId: '7', msgSeqs: [2] }
  device.step((step) => device.timeline('8', 'personal').place(step, eventOf({ type: 'EVENT', ...place('8', 1), change, fallback: '' })))
  expect(view.timelines.get('7')?.events.map(({ seq }) => seq)).toEqual([1, 3])
  for (let step = 0; step < 2; step += 1) await storage.finish()
  expect(storage.disk.events.get('7')?.map(({ seq }) => seq)).toEqual([1, 3])
})

it('does not show a message whose deletion came first', async () => {
  const { device, view } = await begin()
  const place = (conversationId: string, msgSeq: number) => ({ from: '9001', serverMsgId: `${msgSeq}`, conversationId, msgSeq, ts: 1 })
  const change = { kind: 'messagesHidden' as const, conversationId: '7', msgSeqs: [1] }
  device.look('7')
  device.step((step) => device.timeline('8', 'personal').place(step, eventOf({ type: 'EVENT', ...place('8', 1), change, fallback: '' })))
  expect(view.conversations.has('7')).toBe(false)
  for (const msgSeq of [1, 2]) {
    const said = eventOf({ type: 'GROUP_CHAT', ...place('7', msgSeq), clientMsgId: `m${msgSeq}`, groupId: '7', msgType: 'TEXT', body: 'b' })
    device.step((step) => device.timeline('7', 'group').place(step, said))
  }
  expect(view.timelines.get('7')?.events.map(({ seq }) => seq)).toEqual([2])
})
