/** What two engines and the real server say to each other about calls; sound and picture are none of theirs. */
import { expect, it } from 'vitest'
import type { CallRequest, View } from '../../src/engine'
import type { Person } from './person'
import { useScene } from './scene'

const { register, anotherDevice, cable } = useScene()

const offer = (to: Person, callId: string): CallRequest => ({ kind: 'offer', callId, tab: 'here', to: to.userId, media: 'audio', sdp: `v=0 ${callId}` })
const answer = (callId: string): CallRequest => ({ kind: 'answer', callId, tab: 'here', sdp: 'v=0 answer' })
const is = (person: Person, callId: string, phase: string) => person.sees(`${callId} ${phase}`, ({ call }) => call?.callId === callId && call.phase === phase && call)
const ends = async (person: Person, callId: string) => (await is(person, callId, 'over')).end?.reason
const records = ({ timelines }: View, id: string) => timelines.get(id)?.events.flatMap(({ what }) => (what.kind === 'message' && what.call ? [what.call] : [])) ?? []

it('a call is offered, answered, has ways found in both directions, and is written down', async () => {
  const [ada, bob] = [await register(), await register()]
  ada.engine.call(offer(bob, 'c-1'))
  ada.engine.call({ kind: 'candidate', callId: 'c-1', candidate: '{"candidate":"one"}' })
  const ring = await bob.sees('the call and a way', ({ call }) => call?.candidates.length === 1 && call)
  expect(ring).toMatchObject({ callId: 'c-1', peer: ada.userId, direction: 'incoming', media: 'audio', sdp: 'v=0 c-1', candidates: ['{"candidate":"one"}'] })
  await is(ada, 'c-1', 'ringing')
  bob.engine.call(answer('c-1'))
  bob.engine.call({ kind: 'candidate', callId: 'c-1', candidate: '{"candidate":"two"}' })
  const answered = await ada.sees('the answer and a way', ({ call }) => call?.candidates.length === 1 && call)
  expect(answered).toMatchObject({ phase: 'answered', sdp: 'v=0 answer', candidates: ['{"candidate":"two"}'] })
  await is(bob, 'c-1', 'answered')
  bob.engine.call({ kind: 'hangUp', callId: 'c-1' })
  expect(await ends(ada, 'c-1')).toBe('hungUp')
  for (const [person, other] of [[ada, bob], [bob, ada]] as const) {
    const chat = await person.chatWith(other.userId)
    const [record] = await person.sees('the record', (view) => records(view, chat).length === 1 && records(view, chat))
    expect(record).toMatchObject({ callId: 'c-1', media: 'audio', outcome: 'answered' })
  }
})

it('a second device rings, too, and is told that the first one has answered', async () => {
  const [ada, bob] = [await register(), await register()]
  const tablet = await anotherDevice(bob.name)
  await tablet.online()
  ada.engine.call(offer(bob, 'c-2'))
  await Promise.all([is(bob, 'c-2', 'ringing'), is(tablet, 'c-2', 'ringing')])
  bob.engine.call(answer('c-2'))
  expect(await ends(tablet, 'c-2')).toBe('answeredElsewhere')
  await is(ada, 'c-2', 'answered')
})

it('busy, rejected, cancelled: each side hears which', async () => {
  const [ada, bob, cem] = [await register(), await register(), await register()]
  ada.engine.call(offer(bob, 'c-3'))
  await is(bob, 'c-3', 'ringing')
  cem.engine.call(offer(bob, 'c-4'))
  expect(await ends(cem, 'c-4')).toBe('busy')
  bob.engine.call({ kind: 'reject', callId: 'c-3' })
  expect(await ends(ada, 'c-3')).toBe('rejected')
  ada.engine.call(offer(bob, 'c-5'))
  await is(bob, 'c-5', 'ringing')
  ada.engine.call({ kind: 'hangUp', callId: 'c-5' })
  expect(await ends(bob, 'c-5')).toBe('cancelled')
})

it('of two who call each other at the same moment one call goes on, and rings at who was later', async () => {
  const [ada, bob] = [await register(), await register()]
  ada.engine.call(offer(bob, 'c-6'))
  bob.engine.call(offer(ada, 'c-7'))
  const rings = ({ call }: View) => call?.direction === 'incoming' && call.phase === 'ringing' && call
  const later = await Promise.race([ada, bob].map((person) => person.sees('the other call', rings).then((call) => ({ person, call }))))
  const earlier = later.person === ada ? bob : ada
  await is(earlier, later.call.callId, 'ringing')
  later.person.engine.call(answer(later.call.callId))
  await is(earlier, later.call.callId, 'answered')
  earlier.engine.call({ kind: 'hangUp', callId: later.call.callId })
  await is(later.person, later.call.callId, 'over')
})

it('a line that is lost ends the call on both sides', async () => {
  const line = await cable()
  const [ada, bob] = [await register(line.port), await register()]
  ada.engine.call(offer(bob, 'c-8'))
  await is(bob, 'c-8', 'ringing')
  bob.engine.call(answer('c-8'))
  await is(ada, 'c-8', 'answered')
  line.cut()
  expect(await ends(ada, 'c-8')).toBe('lost')
  expect(await ends(bob, 'c-8')).toBe('disconnected')
})
