/** Who is online and who types, as far as a device is told. */
import { expect, it } from 'vitest'
import { Device } from './device'
import { Link } from './link'
import { Moment } from './moment'
import { MemoryDisk, MemoryStorage } from './storage/memory'
import { TestClock } from './testing/clock'
import { applyPatch, emptyView } from './view'
import type { ClientFrame } from './wire/protocol'
import type { ServerFrame } from './wire/codec'

const ME = '9001'

async function begin() {
  const clock = new TestClock()
  const view = emptyView()
  const device = new Device({ userId: ME, storage: new MemoryStorage(new MemoryDisk()), log: () => {}, show: () => {} })
  await device.load()
  const sent: ClientFrame[] = []
  let answer: (frame: ServerFrame) => void = () => {}
  const link = {
    send: (frame: ClientFrame) => sent.push(frame),
    request: (frame: ClientFrame, answered: (frame: ServerFrame) => void) => {
      sent.push(frame)
      answer = answered
    },
  } as unknown as Link
  const moment = new Moment({ device, link, clock, show: (patch) => applyPatch(view, patch) })
  const meet = (id: string, peer: string) => {
    device.timeline(id, 'single').record.peer = peer
  }
  return { clock, view, moment, sent, meet, answer: (frame: ServerFrame) => answer(frame) }
}

const typing = (from: string, more = {}) => ({ type: 'TYPING' as const, conversationId: '7', from, expiresInMs: 6_000, ...more })

it('asks for those with whom the user speaks, once, and again when there are others', async () => {
  const { clock, view, moment, sent, meet, answer } = await begin()
  meet('7', '9002')
  moment.look()
  moment.look()
  await clock.pass(1_000)
  expect(sent).toEqual([{ type: 'PRESENCE_SUBSCRIBE', users: ['9002'] }])
  answer({ type: 'PRESENCE_STATE', items: [{ user: '9002', online: true }] })
  expect(view.presence.get('9002')).toEqual({ user: '9002', online: true })
  moment.look()
  await clock.pass(1_000)
  expect(sent).toHaveLength(1)
  meet('8', '9003')
  moment.look()
  await clock.pass(1_000)
  expect(sent[1]).toEqual({ type: 'PRESENCE_SUBSCRIBE', users: ['9002', '9003'] })
})

it('a refused subscription is tried again when something changes', async () => {
  const { clock, moment, sent, meet, answer } = await begin()
  meet('7', '9002')
  moment.look()
  await clock.pass(1_000)
  answer({ type: 'ERROR', reason: 'server_busy', message: '' })
  moment.look()
  await clock.pass(1_000)
  expect(sent).toHaveLength(2)
})

it('who types is shown until it is over, stopped or said', async () => {
  const { clock, view, moment } = await begin()
  moment.receive(typing('9002'))
  moment.receive(typing('9003'))
  expect(view.typing.get('7')).toEqual(['9002', '9003'])
  moment.spoke('7', '9003')
  expect(view.typing.get('7')).toEqual(['9002'])
  await clock.pass(5_000)
  moment.receive(typing('9002'))
  await clock.pass(5_000)
  expect(view.typing.get('7')).toEqual(['9002'])
  await clock.pass(1_000)
  expect(view.typing.has('7')).toBe(false)
  moment.receive(typing('9002'))
  moment.receive(typing('9002', { stopped: true, expiresInMs: 0 }))
  expect(view.typing.has('7')).toBe(false)
})

it('says that the user types every three seconds, however fast, and once that it is over', async () => {
  const { clock, moment, sent } = await begin()
  moment.type('7', true)
  moment.type('7', false)
  moment.type('7', false)
  await clock.pass(3_000)
  moment.type('7', false)
  moment.type('7', true)
  moment.type('7', true)
  expect(sent).toEqual([
    { type: 'TYPING', conversationId: '7' },
    { type: 'TYPING', conversationId: '7' },
    { type: 'TYPING', conversationId: '7', stopped: true },
  ])
})

it('nothing of it outlasts the connection', async () => {
  const { clock, view, moment } = await begin()
  moment.receive({ type: 'PRESENCE', items: [{ user: '9002', online: true }] })
  moment.receive(typing('9002'))
  moment.stop()
  expect([view.presence.size, view.typing.size]).toEqual([0, 0])
  await clock.pass(10_000)
  expect(view.typing.size).toBe(0)
})
