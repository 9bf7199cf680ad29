/** Calls as far as the session goes: what is said to the server, and what the tabs are shown. */
import { expect, it } from 'vitest'
import type { Link } from '../link'
import { TestClock } from '../testing/clock'
import { applyPatch, emptyView } from '../view'
import type { ServerFrame } from '../wire/codec'
import type { ClientFrame } from '../wire/protocol'
import { Calls } from './calls'

function begin() {
  const clock = new TestClock()
  const view = emptyView()
  const sent: ClientFrame[] = []
  const questions: ((frame: ServerFrame) => void)[] = []
  const link = {
    send: (frame: ClientFrame) => sent.push(frame),
    request: (frame: ClientFrame, answered: (frame: ServerFrame) => void) => {
      sent.push(frame)
      questions.push(answered)
    },
  } as unknown as Link
  const shown: string[] = []
  const calls = new Calls({
    clock,
    log: () => {},
    show: (patch) => {
      applyPatch(view, patch)
      if (patch.call) shown.push(patch.call.phase)
    },
  })
  calls.attach(link)
  return { calls, clock, view, sent, shown, answer: (frame: ServerFrame) => questions.shift()?.(frame) }
}

const offer = { kind: 'offer' as const, callId: 'c1', tab: 'one', to: '9002', media: 'audio' as const, sdp: 'our offer' }
const ring = { type: 'CALL_OFFER' as const, callId: 'r1', from: '9002', media: 'video' as const, sdp: 'their offer', ringsForMs: 30_000 }
const state = (callId: string, what: 'ringing' | 'answered' | 'ended', reason?: 'hungUp' | 'cancelled' | 'rejected' | 'noAnswer' | 'answeredElsewhere') =>
  ({ type: 'CALL_STATE' as const, callId, state: what, ...(reason === undefined ? {} : { reason }) })
const refusal = (reason: string, callId = 'c1') => ({ type: 'ERROR' as const, reason, message: 'the server says so', callId })

it('calls, is answered, hears ways to the other side, and is hung up on', () => {
  const { calls, clock, view, sent, answer } = begin()
  calls.request(offer)
  expect(sent).toEqual([{ type: 'CALL_OFFER', callId: 'c1', to: '9002', media: 'audio', sdp: 'our offer' }])
  expect(view.call).toMatchObject({ peer: '9002', direction: 'outgoing', phase: 'dialling', tab: 'one' })
  calls.request({ kind: 'candidate', callId: 'c1', candidate: 'our way' })
  expect(sent.at(-1)).toEqual({ type: 'CALL_ICE', callId: 'c1', candidate: 'our way' })
  answer(state('c1', 'ringing'))
  expect(view.call?.phase).toBe('ringing')
  calls.receive({ type: 'CALL_ANSWER', callId: 'c1', sdp: 'their answer' })
  expect(view.call).toMatchObject({ phase: 'answered', sdp: 'their answer', answeredAt: clock.now() })
  calls.receive({ type: 'CALL_ICE', callId: 'c1', candidate: 'their way' })
  expect(view.call?.candidates).toEqual(['their way'])
  calls.receive({ type: 'CALL_ICE', callId: 'another', candidate: 'of no concern' })
  expect(view.call?.candidates).toEqual(['their way'])
  calls.receive(state('c1', 'ended', 'hungUp'))
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'hungUp' }, candidates: [] })
  expect(calls.snapshot()).toEqual({})
})

it('rings, keeps what comes meanwhile for who answers, and the first tab that takes it has it', () => {
  const { calls, view, sent, answer } = begin()
  calls.receive(ring)
  calls.receive({ type: 'CALL_ICE', callId: 'r1', candidate: 'their way' })
  // The same call may come twice.
  calls.receive(ring)
  expect(view.call).toMatchObject({ callId: 'r1', direction: 'incoming', media: 'video', phase: 'ringing', sdp: 'their offer', candidates: ['their way'] })
  expect(calls.snapshot().call).toEqual(view.call)
  calls.request({ kind: 'take', callId: 'r1', tab: 'one' })
  calls.request({ kind: 'take', callId: 'r1', tab: 'two' })
  calls.request({ kind: 'answer', callId: 'r1', tab: 'two', sdp: 'of the other tab' })
  expect(sent).toEqual([])
  calls.request({ kind: 'answer', callId: 'r1', tab: 'one', sdp: 'our answer' })
  expect(sent).toEqual([{ type: 'CALL_ANSWER', callId: 'r1', sdp: 'our answer' }])
  expect(view.call).toMatchObject({ phase: 'answering', tab: 'one' })
  answer(state('r1', 'answered'))
  expect(view.call?.phase).toBe('answered')
})

it('says that somebody does not want to, or hangs up', () => {
  const { calls, view, sent } = begin()
  calls.receive(ring)
  calls.request({ kind: 'reject', callId: 'r1' })
  expect(sent).toEqual([{ type: 'CALL_REJECT', callId: 'r1' }])
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'rejected' } })
  calls.request(offer)
  calls.request({ kind: 'hangUp', callId: 'c1' })
  expect(sent.at(-1)).toEqual({ type: 'CALL_HANGUP', callId: 'c1' })
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'cancelled' } })
})

it.each([
  ['busy', 'busy'],
  ['not_friends', 'not_friends'],
  ['in_call', 'in_call'],
])('a call that is refused as %s is over, and says why', (reason, end) => {
  const { calls, view, answer } = begin()
  calls.request(offer)
  answer(refusal(reason))
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: end, message: 'the server says so' } })
})

it.each([
  ['call_elsewhere', 'answeredElsewhere'],
  ['call_not_found', 'cancelled'],
])('an answer that is refused as %s was %s', (reason, end) => {
  const { calls, view, answer } = begin()
  calls.receive(ring)
  calls.request({ kind: 'answer', callId: 'r1', tab: 'one', sdp: 'our answer' })
  answer(refusal(reason, 'r1'))
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: end } })
})

it('of two that call each other, the later one has the other call ring', () => {
  const { calls, view, shown, answer } = begin()
  calls.request(offer)
  calls.receive(ring)
  calls.receive({ type: 'CALL_ICE', callId: 'r1', candidate: 'their way' })
  expect(view.call?.callId).toBe('c1')
  answer(refusal('glare'))
  expect(shown).toEqual(['dialling', 'over', 'ringing'])
  expect(view.call).toMatchObject({ callId: 'r1', direction: 'incoming', candidates: ['their way'] })
})

it('and if the other call is over by then, nothing rings', () => {
  const { calls, view, answer } = begin()
  calls.request(offer)
  calls.receive(ring)
  calls.receive(state('r1', 'ended', 'cancelled'))
  answer(refusal('glare'))
  expect(view.call).toMatchObject({ callId: 'c1', phase: 'over', end: { reason: 'glare' } })
})

it('a lost session ends the call; the next one knows nothing of it', () => {
  const { calls, view, sent, answer } = begin()
  calls.request(offer)
  answer(state('c1', 'ringing'))
  calls.detach()
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'lost' } })
  calls.receive({ type: 'CALL_ANSWER', callId: 'c1', sdp: 'too late' })
  expect(view.call?.phase).toBe('over')
  sent.length = 0
  calls.request(offer)
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'offline' } })
  expect(sent).toEqual([])
})

it('rings no longer than the server said, should nothing be heard', async () => {
  const { calls, clock, view } = begin()
  calls.receive({ ...ring, ringsForMs: 10_000 })
  await clock.pass(12_999)
  expect(view.call?.phase).toBe('ringing')
  await clock.pass(1)
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'noAnswer' } })
})

it('waits for an answer no longer than a server may let it ring, and hangs up', async () => {
  const { calls, clock, view, sent, answer } = begin()
  calls.request(offer)
  answer(state('c1', 'ringing'))
  await clock.pass(60_000)
  expect(view.call).toMatchObject({ phase: 'over', end: { reason: 'noAnswer' } })
  expect(sent.at(-1)).toEqual({ type: 'CALL_HANGUP', callId: 'c1' })
})

it('a talk goes on for as long as it likes', async () => {
  const { calls, clock, view } = begin()
  calls.receive(ring)
  calls.request({ kind: 'answer', callId: 'r1', tab: 'one', sdp: 'our answer' })
  calls.receive(state('r1', 'answered'))
  await clock.pass(3_600_000)
  expect(view.call?.phase).toBe('answered')
})

it('a tab that goes takes its call with it, and no other', () => {
  const { calls, view, sent } = begin()
  calls.receive(ring)
  calls.tabGone('one')
  expect(view.call?.phase).toBe('ringing')
  calls.request({ kind: 'answer', callId: 'r1', tab: 'one', sdp: 'our answer' })
  calls.tabGone('two')
  expect(view.call?.phase).toBe('answering')
  calls.tabGone('one')
  expect(sent.at(-1)).toEqual({ type: 'CALL_HANGUP', callId: 'r1' })
  expect(view.call?.phase).toBe('over')
})

it('what was taken in a tab that can not answer it rings again', () => {
  const { calls, view, sent } = begin()
  calls.receive(ring)
  calls.request({ kind: 'take', callId: 'r1', tab: 'one' })
  calls.request({ kind: 'leave', callId: 'r1', tab: 'two' })
  expect(view.call?.tab).toBe('one')
  calls.request({ kind: 'leave', callId: 'r1', tab: 'one' })
  expect(view.call).not.toHaveProperty('tab')
  calls.request({ kind: 'take', callId: 'r1', tab: 'two' })
  calls.tabGone('two')
  expect(view.call).toMatchObject({ phase: 'ringing' })
  expect(view.call).not.toHaveProperty('tab')
  expect(sent).toEqual([])
})

it('there is one call at a time', () => {
  const { calls, view, sent } = begin()
  calls.request(offer)
  calls.request({ ...offer, callId: 'c2', tab: 'two' })
  expect(sent).toHaveLength(1)
  expect(view.call?.callId).toBe('c1')
  calls.request({ kind: 'hangUp', callId: 'c2' })
  expect(view.call?.phase).toBe('dialling')
})

it('says which call goes on with another, and hears it', () => {
  const { calls, view, sent } = begin()
  calls.request({ ...offer, resumes: 'c0' })
  expect(sent.at(-1)).toEqual({ type: 'CALL_OFFER', callId: 'c1', to: '9002', media: 'audio', sdp: 'our offer', resumes: 'c0' })
  expect(view.call).toMatchObject({ callId: 'c1', resumes: 'c0' })
  calls.request({ kind: 'hangUp', callId: 'c1' })
  calls.receive({ ...ring, resumes: 'c0' })
  expect(view.call).toMatchObject({ callId: 'r1', resumes: 'c0', phase: 'ringing' })
})

it.each(['disconnected', 'hungUp'] as const)('whether the server still has to hear that a call does not go on: %s', (reason) => {
  const { calls, sent } = begin()
  calls.receive(ring)
  calls.request({ kind: 'answer', callId: 'r1', tab: 'one', sdp: 'our answer' })
  calls.receive({ type: 'CALL_STATE', callId: 'r1', state: 'ended', reason })
  calls.request({ kind: 'hangUp', callId: 'r1' })
  // The server knows it by its first name.
  calls.receive({ ...ring, callId: 'r2', resumes: 'r1' })
  calls.request({ kind: 'answer', callId: 'r2', tab: 'one', sdp: 'our answer' })
  calls.receive({ type: 'CALL_STATE', callId: 'r2', state: 'ended', reason })
  calls.request({ kind: 'hangUp', callId: 'r2' })
  const said = sent.filter(({ type }) => type === 'CALL_HANGUP')
  expect(said).toEqual(reason === 'disconnected' ? [{ type: 'CALL_HANGUP', callId: 'r1' }, { type: 'CALL_HANGUP', callId: 'r1' }] : [])
})
