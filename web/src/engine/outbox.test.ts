import { describe, expect, it } from 'vitest'
import { Outbox } from './outbox'
import type { AnyError } from './wire/codec'

const always = () => true
const refusal = (reason: string, more: object = {}) =>
  ({ type: 'ERROR', reason, message: reason, ...more }) as AnyError

function outboxOf(...names: string[]): Outbox {
  const outbox = new Outbox()
  for (const name of names) add(outbox, name)
  return outbox
}

function add(outbox: Outbox, name: string, lane = 'user:2'): void {
  outbox.add(name, lane, { type: 'SINGLE_CHAT', to: '2', body: name }, 0)
}

/** Sends what may go, and says what that was. */
function send(outbox: Outbox, now: number, room = 64): string[] {
  const sent: string[] = []
  for (let next = outbox.next(now, room, always); next; next = outbox.next(now, room, always)) {
    outbox.send(next, now)
    sent.push(next.clientMsgId)
  }
  return sent
}

describe('a lane', () => {
  it('begins again with the refused one, after everything under way is answered', () => {
    const outbox = outboxOf('a', 'b')
    expect(send(outbox, 0)).toEqual(['a', 'b'])
    outbox.fail('a', refusal('server_busy', { retryAfterMs: 200 }), 0)
    add(outbox, 'c')
    // The answer to b is on its way: c would overtake it.
    expect(send(outbox, 1_000)).toEqual([])
    outbox.fail('b', refusal('after_refused'), 10)
    expect(send(outbox, 100)).toEqual([])
    expect(outbox.dueAt(100)).toBe(200)
    expect(send(outbox, 200)).toEqual(['a', 'b', 'c'])
  })
  it('does not hold up another', () => {
    const outbox = outboxOf('a')
    send(outbox, 0)
    outbox.fail('a', refusal('storage_full', { retryAfterMs: 5_000 }), 0)
    add(outbox, 'x', 'user:3')
    expect(send(outbox, 0)).toEqual(['x'])
  })
  it('goes on after a refusal that is final, which is shown', () => {
    const outbox = outboxOf('a', 'b')
    send(outbox, 0)
    expect(outbox.fail('a', refusal('body_too_long'), 0)).toMatchObject({ state: 'refused', error: { reason: 'body_too_long' } })
    outbox.save('b', { conversationId: '7', seq: 1 })
    add(outbox, 'c')
    expect(send(outbox, 0)).toEqual(['c'])
  })
})

it('an unknown outcome is asked for again', () => {
  const outbox = outboxOf('a')
  send(outbox, 0)
  expect(outbox.fail('a', refusal('timeout', { outcome: 'unknown' }), 0)?.state).toBe('waiting')
  expect(send(outbox, 500)).toEqual(['a'])
})

it('what was under way when the connection was lost goes first, in order', () => {
  const outbox = outboxOf('a', 'b')
  send(outbox, 0)
  add(outbox, 'c')
  outbox.disconnect()
  expect(send(outbox, 1)).toEqual(['a', 'b', 'c'])
})

it('no more are under way than there is room for', () => {
  const outbox = outboxOf('a', 'b', 'c')
  expect(send(outbox, 0, 2)).toEqual(['a', 'b'])
  outbox.save('a', { conversationId: '7', seq: 1 })
  expect(send(outbox, 0, 2)).toEqual(['c'])
})

it('what was kept keeps its order and its first time over a reload', () => {
  const outbox = outboxOf('a', 'b')
  send(outbox, 77)
  const again = new Outbox(outbox.entries.reverse())
  expect(again.entries.map(({ clientMsgId, state, firstSentTs }) => [clientMsgId, state, firstSentTs])).toEqual([
    ['a', 'waiting', 77],
    ['b', 'waiting', 77],
  ])
})

it('what is done, and has no place in a timeline, makes room for what follows', () => {
  const outbox = outboxOf('a')
  outbox.add('b', 'user:2', { type: 'CONTACT', user: '2', action: 'apply' }, 0)
  expect(send(outbox, 0, 1)).toEqual(['a'])
  expect(send(outbox, 0, 1)).toEqual([])
  outbox.save('a', { conversationId: '7', seq: 1 })
  expect(send(outbox, 0, 1)).toEqual(['b'])
  expect(outbox.finish('b')).toBe(true)
  expect(outbox.get('b')).toBeUndefined()
  expect(outbox.finish('b')).toBe(false)
  add(outbox, 'c')
  expect(send(outbox, 0, 1)).toEqual(['c'])
})
