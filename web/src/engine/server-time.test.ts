import { expect, it } from 'vitest'
import { ServerTime } from './server-time'
import { TestClock } from './testing/clock'
import type { ServerFrame } from './wire/codec'

const pong = (ts: number): ServerFrame => ({ type: 'PONG', ts })

it('follows the server when the clock of this device is set', async () => {
  const clock = new TestClock()
  const time = new ServerTime(clock)
  time.hear(pong(clock.now() + 5_000))
  expect(time.now() - clock.now()).toBe(5_000)
  await clock.pass(60_000)
  expect(time.now() - clock.now()).toBe(5_000)
  time.hear(pong(clock.now() - 3_600_000))
  expect(time.now() - clock.now()).toBe(-3_600_000)
})

it('takes no time from what tells of the past', () => {
  const clock = new TestClock()
  const time = new ServerTime(clock)
  const ack = {
    type: 'ACK' as const, ackType: 'saved' as const, clientMsgId: 'm', serverMsgId: '1', conversationId: '7', msgSeq: 1, durability: 'fsync' as const,
  }
  time.hear({ ...ack, ts: clock.now() + 9_000 })
  expect(time.now() - clock.now()).toBe(9_000)
  time.hear({ ...ack, ts: 1, duplicate: true })
  expect(time.now() - clock.now()).toBe(9_000)
})
