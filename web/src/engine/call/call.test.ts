/** One call in the tab that has it, with a connection that does what it is told. */
import { expect, it } from 'vitest'
import { settled, TestClock } from '../testing/clock'
import { TestPeer } from '../testing/peer'
import { Call, type CallState } from './call'
import type { CallRequest, CallView } from './view'

function begin() {
  const clock = new TestClock()
  const said: CallRequest[] = []
  const states: CallState[] = []
  let peer!: TestPeer
  const call = new Call({
    callId: 'c1',
    tab: 'here',
    clock,
    log: () => {},
    connect: (listener) => (peer = new TestPeer(listener)),
    say: (request) => said.push(request),
    onChange: (state) => states.push(state),
  })
  return { call, clock, peer, said, states, phases: () => states.map(({ phase }) => phase) }
}

const outgoing = (more: Partial<CallView>): CallView => ({ callId: 'c1', peer: '9002', direction: 'outgoing', media: 'audio', phase: 'dialling', tab: 'here', candidates: [], ...more })
const incoming = (more: Partial<CallView> = {}): CallView => ({ callId: 'c1', peer: '9002', direction: 'incoming', media: 'video', phase: 'ringing', sdp: 'their offer', candidates: [], ...more })

it('calls: describes itself, then tells ways to it, takes the answer, and is connected', async () => {
  const { call, peer, said, phases, clock } = begin()
  call.dial('9002', 'audio')
  // Found before the other side can know of the call.
  peer.finds('way 1')
  expect(said).toEqual([])
  await settled()
  peer.finds('way 2')
  expect(said).toEqual([
    { kind: 'offer', callId: 'c1', tab: 'here', to: '9002', media: 'audio', sdp: 'the offer' },
    { kind: 'candidate', callId: 'c1', candidate: 'way 1' },
    { kind: 'candidate', callId: 'c1', candidate: 'way 2' },
  ])
  call.hear(outgoing({}))
  call.hear(outgoing({ phase: 'ringing' }))
  call.hear(outgoing({ phase: 'answered', sdp: 'their answer' }))
  await settled()
  expect(peer.done).toEqual(['offer', 'heard their answer'])
  peer.is('connected')
  expect(phases()).toEqual(['dialling', 'ringing', 'connecting', 'connected'])
  expect(call.state.connectedAt).toBe(clock.now())
})

it('takes ways to the other side that come before its description only after it', async () => {
  const { call, peer } = begin()
  call.dial('9002', 'audio')
  await settled()
  call.hear(outgoing({ phase: 'ringing', candidates: ['theirs 1'] }))
  await settled()
  expect(peer.done).toEqual(['offer'])
  call.hear(outgoing({ phase: 'answered', sdp: 'their answer', candidates: ['theirs 1', 'theirs 2'] }))
  call.hear(outgoing({ phase: 'answered', sdp: 'their answer', candidates: ['theirs 1', 'theirs 2', 'theirs 3'] }))
  await settled()
  expect(peer.done).toEqual(['offer', 'heard their answer', 'took theirs 1', 'took theirs 2', 'took theirs 3'])
})

it('answers: takes what was offered and kept, and says so before any way to it', async () => {
  const { call, peer, said, phases } = begin()
  call.answer(incoming({ tab: 'here', candidates: ['theirs 1'] }))
  peer.finds('way 1')
  await settled()
  expect(peer.done).toEqual(['heard their offer', 'answer', 'took theirs 1'])
  expect(said).toEqual([
    { kind: 'answer', callId: 'c1', tab: 'here', sdp: 'the answer' },
    { kind: 'candidate', callId: 'c1', candidate: 'way 1' },
  ])
  call.hear(incoming({ tab: 'here', phase: 'answered', candidates: ['theirs 1', 'theirs 2'] }))
  peer.is('connected')
  await settled()
  expect(peer.done.at(-1)).toBe('took theirs 2')
  expect(phases()).toEqual(['connecting', 'connected'])
})

it('a way that is interrupted may come back; one that does not ends the call', async () => {
  const { call, peer, clock, said } = begin()
  call.answer(incoming({ tab: 'here' }))
  await settled()
  peer.is('connected')
  peer.is('disconnected')
  expect(call.state.phase).toBe('reconnecting')
  await clock.pass(29_000)
  peer.is('connected')
  expect(call.state.phase).toBe('connected')
  await clock.pass(60_000)
  peer.is('disconnected')
  await clock.pass(30_000)
  expect(call.state).toMatchObject({ phase: 'over', end: { reason: 'mediaFailed' } })
  expect(said.at(-1)).toEqual({ kind: 'hangUp', callId: 'c1' })
  expect(peer.isClosed).toBe(true)
})

const word = (restart: object) => JSON.stringify({ restart })
const words = (said: CallRequest[]) => said.flatMap((request) => (request.kind === 'candidate' ? [request.candidate] : []))

it('looks for another way, as the one that called: tells its new name first, then what it finds', async () => {
  const { call, peer, clock, said } = begin()
  call.dial('9002', 'audio')
  await settled()
  const answered = outgoing({ phase: 'answered', sdp: 'their answer', candidates: ['theirs'] })
  call.hear(answered)
  peer.is('connected')
  peer.is('disconnected')
  await clock.pass(1_999)
  expect(words(said)).toEqual([])
  peer.findsAnew = 'way 2'
  await clock.pass(1)
  const theirs = [...answered.candidates, word({ kind: 'answer', number: 1, name: 'theirs', password: 'secret' }), 'theirs 2']
  call.hear({ ...answered, candidates: theirs })
  await settled()
  expect(words(said)).toEqual([word({ kind: 'offer', number: 1, name: 'mine', password: 'secret' }), 'way 2'])
  expect(peer.done.slice(-3)).toEqual(['restart', 'heard theirs', 'took theirs 2'])
  peer.is('connected')
  await clock.pass(60_000)
  expect([call.state.phase, words(said)]).toEqual(['connected', [word({ kind: 'offer', number: 1, name: 'mine', password: 'secret' }), 'way 2']])
})

it('tries again as long as nothing is heard, and takes no late answer for the one that counts', async () => {
  const { call, peer, clock, said } = begin()
  call.dial('9002', 'audio')
  await settled()
  const answered = outgoing({ phase: 'answered', sdp: 'their answer' })
  call.hear(answered)
  peer.is('connected')
  peer.is('failed')
  expect(call.state.phase).toBe('reconnecting')
  await clock.pass(6_000)
  expect(words(said).map((text) => JSON.parse(text).restart.number)).toEqual([1, 2])
  call.hear({ ...answered, candidates: [word({ kind: 'answer', number: 1, name: 'late', password: 'secret' }), word({ kind: 'answer', number: 2, name: 'theirs', password: 'secret' })] })
  await settled()
  expect(peer.done).toContain('heard theirs')
  expect(peer.done).not.toContain('heard late')
})

it('looks for another way, as the one that was called: asks for it, and answers', async () => {
  const { call, peer, clock, said } = begin()
  const taken = incoming({ tab: 'here', phase: 'answered' })
  call.answer({ ...taken, phase: 'ringing' })
  await settled()
  peer.is('connected')
  // The network changes before anybody misses a word.
  call.networkChanged()
  peer.findsAnew = 'way 2'
  await clock.pass(0)
  expect(words(said)).toEqual([word({ kind: 'wanted' })])
  call.hear({ ...taken, candidates: [word({ kind: 'offer', number: 1, name: 'theirs', password: 'secret' }), 'theirs 2'] })
  await settled()
  expect(peer.done.slice(-3)).toEqual(['heard theirs', 'answer', 'took theirs 2'])
  expect(words(said)).toEqual([word({ kind: 'wanted' }), word({ kind: 'answer', number: 1, name: 'mine', password: 'secret' }), 'way 2'])
  await clock.pass(60_000)
  expect(words(said)).toHaveLength(3)
})

it('begins when it is asked to, and takes nothing for a name that could be more than that', async () => {
  const { call, peer, clock, said } = begin()
  call.dial('9002', 'audio')
  await settled()
  const answered = outgoing({ phase: 'answered', sdp: 'their answer' })
  call.hear(answered)
  peer.is('connected')
  const forged = word({ kind: 'answer', number: 1, name: 'x\r\na=fingerprint:no', password: 'secret' })
  call.hear({ ...answered, candidates: [word({ kind: 'wanted' })] })
  await clock.pass(0)
  call.hear({ ...answered, candidates: [word({ kind: 'wanted' }), forged] })
  await settled()
  expect(words(said)).toEqual([word({ kind: 'offer', number: 1, name: 'mine', password: 'secret' })])
  expect(peer.done.at(-1)).toBe(`took ${forged}`)
})

it.each([
  ['that the other side hangs up', outgoing({ phase: 'over', end: { reason: 'hungUp' } }), 'hungUp'],
  ['that nobody answers', outgoing({ phase: 'over', end: { reason: 'noAnswer' } }), 'noAnswer'],
  ['that the session is lost', outgoing({ phase: 'over', end: { reason: 'lost' } }), 'lost'],
  ['that another tab has it', outgoing({ phase: 'answered', tab: 'there' }), 'answeredElsewhere'],
  ['that a new leader knows of no call', undefined, 'lost'],
  ['that there is another call', outgoing({ callId: 'c2' }), 'lost'],
])('ends when it hears %s, and tells nobody', async (_, view, reason) => {
  const { call, peer, said } = begin()
  call.dial('9002', 'audio')
  await settled()
  call.hear(outgoing({ phase: 'ringing' }))
  const before = said.length
  call.hear(view)
  expect(call.state).toEqual({ phase: 'over', end: { reason } })
  expect(peer.isClosed).toBe(true)
  expect(said).toHaveLength(before)
  peer.finds('a way')
  peer.is('connected')
  expect(call.state.phase).toBe('over')
  expect(said).toHaveLength(before)
})

it('hangs up, once', async () => {
  const { call, said } = begin()
  call.dial('9002', 'audio')
  await settled()
  call.hangUp()
  call.hangUp()
  expect(said.map(({ kind }) => kind)).toEqual(['offer', 'hangUp'])
  expect(call.state.end).toEqual({ reason: 'cancelled' })
})

it('hung up before it was described, it calls nobody', async () => {
  const { call, said } = begin()
  call.dial('9002', 'audio')
  call.hangUp()
  await settled()
  expect(said.map(({ kind }) => kind)).toEqual(['hangUp'])
})

it('another call that is still shown is not the end of one that begins', async () => {
  const { call } = begin()
  call.dial('9002', 'audio')
  await settled()
  call.hear(outgoing({ callId: 'the last one', phase: 'over' }))
  expect(call.state.phase).toBe('dialling')
})

it('gives up if the session never hears of it', async () => {
  const { call, clock } = begin()
  call.dial('9002', 'audio')
  await clock.pass(15_000)
  expect(call.state.end).toEqual({ reason: 'offline' })
})

it('gives up if two devices do not find each other after the answer', async () => {
  const { call, clock } = begin()
  call.dial('9002', 'audio')
  await settled()
  call.hear(outgoing({ phase: 'ringing' }))
  // However long it rings.
  await clock.pass(29_000)
  call.hear(outgoing({ phase: 'answered', sdp: 'their answer' }))
  await clock.pass(24_000)
  call.hear(outgoing({ phase: 'answered', sdp: 'their answer', candidates: ['late'] }))
  expect(call.state.phase).toBe('connecting')
  await clock.pass(1_000)
  expect(call.state.end).toEqual({ reason: 'mediaFailed' })
})

it('a description that can not be made ends the call', async () => {
  const { call, peer, said } = begin()
  peer.failure = new Error('no codec')
  call.answer(incoming({ tab: 'here' }))
  await settled()
  expect(call.state.end).toEqual({ reason: 'mediaFailed' })
  expect(said).toEqual([{ kind: 'hangUp', callId: 'c1' }])
})
