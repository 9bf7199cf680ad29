import { expect, it } from 'vitest'
import { Catchup } from './catchup'
import { Device } from './device'
import type { Link } from './link'
import { MemoryStorage } from './storage/memory'
import { TestClock } from './testing/clock'
import type { AnySyncConversation, EventsFrame, PlacedFrame, ServerFrame, SyncStateFrame } from './wire/codec'
import type { ClientFrame, Limits } from './wire/protocol'

const ID = '7'
const PERSONAL = '8'

interface Asked {
  frame: ClientFrame
  answer: (frame: ServerFrame) => void
}

/** Catching up of a device, whose questions are answered by hand. */
function begin(device = new Device({ userId: '9001', storage: new MemoryStorage(), log: () => {}, show: () => {} })) {
  device.record ??= { userId: '9001', epoch: '1' }
  const asked: Asked[] = []
  const link = { request: (frame: ClientFrame, answer: (frame: ServerFrame) => void) => asked.push({ frame, answer }) } as unknown as Link
  const limits = { pullEvents: 200, syncConversations: 200, headMembers: 0 } as Limits
  const catchup = new Catchup({ device, link, clock: new TestClock(), log: () => {}, limits, onEpoch: () => {}, onCaughtUp: () => {} })
  device.onStep = ({ touched }) => catchup.look(touched)
  /** The questions since they were looked at last. */
  const questions = () => asked.splice(0)
  return { device, catchup, questions }
}

const synced = (...conversations: AnySyncConversation[]): SyncStateFrame => ({ type: 'SYNC_STATE', epoch: '1', conversations, token: 't', more: false })
const known = (conversationId: string, kind: 'group' | 'personal', headSeq: number) => ({ conversationId, kind, headSeq, headMsgNo: 0, readSeq: 0, deliveredSeq: 0, unread: 0, ts: kind === 'group' ? 9 : 1 })

function page(fromSeq: number, toSeq: number, seqs: number[]): EventsFrame {
  const events = seqs.map((msgSeq): PlacedFrame => ({
    type: 'GROUP_CHAT', from: '9002', serverMsgId: `${msgSeq}`, conversationId: ID, msgSeq, ts: 1, clientMsgId: `m${msgSeq}`, groupId: ID, msgType: 'TEXT', body: 'b',
  }))
  return { type: 'EVENTS', conversationId: ID, fromSeq, toSeq, headSeq: 500, trimmedBefore: 1, hasMore: true, events }
}

it('scrolling back goes on over pages of which the user has deleted everything', () => {
  const { device, catchup, questions } = begin()
  const timeline = device.timeline(ID, 'group')
  device.step((step) => timeline.begin(step, page(401, 500, [450])))
  questions()
  catchup.older(timeline)
  questions()[0]!.answer(page(201, 400, []))
  const [next] = questions()
  expect(next?.frame).toMatchObject({ type: 'PULL', beforeSeq: 201 })
  next!.answer(page(1, 200, [7]))
  expect(timeline.events.map(({ seq }) => seq)).toEqual([7, 450])
  expect(questions()).toEqual([])
})

it('a device that holds nothing begins its personal timeline first, with the last page', () => {
  const { catchup, questions } = begin()
  catchup.start()
  const [sync] = questions()
  sync!.answer(synced(known(ID, 'group', 500), known(PERSONAL, 'personal', 300)))
  expect(questions().map(({ frame }) => frame)).toMatchObject([
    { type: 'PULL', conversationId: PERSONAL, beforeSeq: 301 },
    { type: 'PULL', conversationId: ID, beforeSeq: 501 },
  ])
})

it('one that holds something begins it at the start, as any of that may have been deleted', () => {
  const { device, catchup, questions } = begin()
  device.record = { userId: '9001', epoch: '1', syncToken: 't' }
  device.step((step) => device.timeline(ID, 'group').begin(step, page(401, 500, [450])))
  questions()
  catchup.start()
  const [sync] = questions()
  sync!.answer(synced(known(PERSONAL, 'personal', 3_000)))
  expect(questions()[0]!.frame).toMatchObject({ type: 'PULL', conversationId: PERSONAL, afterSeq: 0 })
  // However much of it was missed: 3,000 events are more than are pulled of other conversations.
  expect(device.timelines.get(PERSONAL)?.record.contacts.kind).toBe('known')
})

it('one whose personal timeline was trimmed before it came pulls anew what it holds', () => {
  const { device, catchup, questions } = begin()
  device.record = { userId: '9001', epoch: '1', syncToken: 't' }
  device.step((step) => device.timeline(ID, 'group').begin(step, page(401, 500, [450])))
  questions()
  catchup.start()
  questions()[0]!.answer(synced(known(PERSONAL, 'personal', 80)))
  questions()[0]!.answer({ ...page(60, 80, []), conversationId: PERSONAL, headSeq: 80, trimmedBefore: 60, hasMore: false })
  expect(device.timelines.get(ID)?.events).toEqual([])
  expect(questions().map(({ frame }) => frame)).toContainEqual(expect.objectContaining({ type: 'PULL', conversationId: ID, beforeSeq: 501 }))
})

it('a conversation of which no more is known than that it is there waits for the sync', () => {
  const { device, catchup, questions } = begin()
  device.record = { userId: '9001', epoch: '1', syncToken: 't' }
  device.step((step) => device.timeline(ID, 'group').begin(step, page(401, 500, [450])))
  catchup.start()
  const [sync] = questions()
  device.step((step) => device.timeline(PERSONAL).hear(step, 80))
  expect(questions()).toEqual([])
  sync!.answer(synced(known(PERSONAL, 'personal', 80)))
  expect(questions()[0]!.frame).toMatchObject({ type: 'PULL', conversationId: PERSONAL, afterSeq: 0 })
})
