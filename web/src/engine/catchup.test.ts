import { expect, it } from 'vitest'
import { Catchup } from './catchup'
import { Device } from './device'
import type { Link } from './link'
import { MemoryStorage } from './storage/memory'
import { TestClock } from './testing/clock'
import type { EventsFrame, PlacedFrame, ServerFrame } from './wire/codec'
import type { ClientFrame, Limits } from './wire/protocol'

const ID = '7'

function page(fromSeq: number, toSeq: number, seqs: number[]): EventsFrame {
  const events = seqs.map((msgSeq): PlacedFrame => ({
    type: 'GROUP_CHAT', from: '9002', serverMsgId: `${msgSeq}`, conversationId: ID, msgSeq, ts: 1, clientMsgId: `m${msgSeq}`, groupId: ID, msgType: 'TEXT', body: 'b',
  }))
  return { type: 'EVENTS', conversationId: ID, fromSeq, toSeq, headSeq: 500, trimmedBefore: 1, hasMore: true, events }
}

it('scrolling back goes on over pages of which the user has deleted everything', () => {
  const asked: { frame: ClientFrame; answer: (frame: ServerFrame) => void }[] = []
  const device = new Device({ userId: '9001', storage: new MemoryStorage(), log: () => {}, show: () => {} })
  const timeline = device.timeline(ID, 'group')
  device.step((step) => timeline.begin(step, page(401, 500, [450])))
  const link = { request: (frame: ClientFrame, answer: (frame: ServerFrame) => void) => asked.push({ frame, answer }) } as unknown as Link
  const limits = { pullEvents: 200 } as Limits
  const catchup = new Catchup({ device, link, clock: new TestClock(), log: () => {}, limits, onEpoch: () => {}, onCaughtUp: () => {} })
  catchup.older(timeline)
  asked[0]!.answer(page(201, 400, []))
  expect(asked[1]?.frame).toMatchObject({ type: 'PULL', beforeSeq: 201 })
  asked[1]!.answer(page(1, 200, [7]))
  expect(timeline.events.map(({ seq }) => seq)).toEqual([7, 450])
  expect(asked).toHaveLength(2)
})
