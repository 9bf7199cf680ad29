import { expect, it, vi } from 'vitest'
import { shallowRef } from 'vue'
import type { TimelineEvent, TimelineView } from '../../engine'
import type { EventsFrame, PlacedFrame } from '../../engine/wire/codec'
import { eventOf } from '../../engine/event'
import type { FetchEvents, Wanted } from './events-api'
import { useFarStretch } from './far-stretch'

const ID = '9'
const HEAD = 1_000

const frameOf = (msgSeq: number): PlacedFrame => ({ type: 'GROUP_CHAT', from: '2', serverMsgId: `${msgSeq}`, conversationId: ID, msgSeq, ts: msgSeq * 1_000, clientMsgId: `m${msgSeq}`, groupId: ID, msgType: 'TEXT', body: `text ${msgSeq}` })
const places = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

/** A server with so many events, but for those that are hidden, and a device that holds the last of them. */
function scene(heldFrom: number, hidden = new Set<number>()) {
  const fetchEvents = vi.fn<FetchEvents>(async (_, wanted: Wanted): Promise<EventsFrame> => {
    const isAfter = 'afterSeq' in wanted
    const all = places(1, HEAD).filter((seq) => !hidden.has(seq) && (isAfter ? seq > wanted.afterSeq : seq < wanted.beforeSeq))
    const seqs = isAfter ? all.slice(0, wanted.limit) : all.slice(-wanted.limit)
    const hasMore = all.length > seqs.length
    const range = isAfter ? { fromSeq: wanted.afterSeq + 1, toSeq: hasMore ? seqs.at(-1)! : HEAD } : { fromSeq: hasMore ? seqs[0]! : 1, toSeq: wanted.beforeSeq - 1 }
    return { type: 'EVENTS', conversationId: ID, ...range, headSeq: HEAD, trimmedBefore: 1, hasMore, events: seqs.map(frameOf) }
  })
  const held = shallowRef<TimelineView>({ events: places(heldFrom, HEAD).map((seq) => eventOf(frameOf(seq))), hasOlder: true } as TimelineView)
  const far = useFarStretch(ID, () => held.value, fetchEvents)
  const seqs = () => far.shown.value!.events.map(({ seq }) => seq)
  return { far, held, fetchEvents, seqs, hidden }
}

it('shows what is around a place, then a gap, then what is held', async () => {
  const { far, fetchEvents, seqs } = scene(951)
  expect(seqs()).toEqual(places(951, HEAD))
  expect(await far.open(300)).toBe(true)
  expect(seqs()).toEqual([...places(261, 340), ...places(951, HEAD)])
  expect(far.shown.value).toMatchObject({ gapAfter: 340, hasOlder: true })
  expect(fetchEvents).toHaveBeenCalledTimes(2)
  expect([260, 261, 340, 341, 950, 951].map(far.covers)).toEqual([false, true, true, false, false, true])
})

it('pages close the gap from both sides, once each, until all is one piece', async () => {
  const { far, held, fetchEvents, seqs } = scene(700)
  await far.open(500)
  held.value = { ...held.value, events: places(650, HEAD).map((seq) => eventOf(frameOf(seq))) }
  await Promise.all([far.newer(), far.newer()])
  expect(far.shown.value?.gapAfter).toBe(640)
  await far.newer()
  expect(seqs()).toEqual(places(461, HEAD))
  expect(far.shown.value).not.toHaveProperty('gapAfter')
  const { length } = fetchEvents.mock.calls
  await far.newer()
  expect(fetchEvents.mock.calls.length).toBe(length)
  await far.older()
  expect(seqs()).toEqual(places(361, HEAD))
})

it('joins what is held also where nothing is left of what lay between', async () => {
  const { far, seqs } = scene(600, new Set(places(520, 599)))
  await far.open(500)
  await far.newer()
  expect(far.isJoined.value).toBe(true)
  expect(seqs()).toEqual([...places(461, 519), ...places(600, HEAD)])
})

it('heeds what becomes of its messages', async () => {
  const { far, hidden, seqs } = scene(951)
  await far.open(300)
  const recall = { seq: 1_001, from: '2', what: { kind: 'change', change: { kind: 'recalled', targetSeq: 305 }, fallback: '' } } as TimelineEvent
  far.hear([recall])
  expect(far.shown.value?.events.find(({ seq }) => seq === 305)?.what).toMatchObject({ recalled: true, body: '' })
  hidden.add(299)
  await far.reload()
  expect(seqs()).toEqual([...places(261, 298), ...places(300, 340), ...places(951, HEAD)])
})

it.each([[0, 1], [1_500, 2], [300_000, 300], [949_500, 950]])('the first event from %i on is at %i', async (ts, seq) => {
  const { far, fetchEvents } = scene(951)
  expect(await far.placeOf(ts)).toBe(seq)
  expect(fetchEvents.mock.calls.length).toBeLessThan(15)
})

it('a moment of which nothing is left leads to the next event', async () => {
  const { far } = scene(951, new Set(places(200, 400)))
  expect(await far.placeOf(250_000)).toBe(401)
  expect(await far.placeOf(150_000)).toBe(150)
})

it('what can not be fetched leaves what is held', async () => {
  const { far, fetchEvents, seqs } = scene(951)
  fetchEvents.mockRejectedValue(new Error('offline'))
  expect(await far.open(300)).toBe(false)
  expect(seqs()).toEqual(places(951, HEAD))
})
