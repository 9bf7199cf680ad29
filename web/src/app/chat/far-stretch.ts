/**
 * A stretch of a conversation far before what this device holds: what somebody wants to see who jumps to a date, a quote or
 * something found, without everything that was said since. Between the stretch and the copy there is a gap, until pages from
 * either side have closed it. It is kept in memory only, for as long as the chat is open.
 */
import { computed, shallowRef } from 'vue'
import { amended, amendmentOf, eventOf, type TimelineEvent } from '../../engine/event'
import type { TimelineView } from '../../engine'
import type { EventsFrame } from '../../engine/wire/codec'
import type { FetchEvents } from './events-api'

/** How much is fetched at once, on each side of what somebody jumps to, and after that. */
const AROUND = 40
const PAGE = 100
/** A page of more is not given. */
const PAGE_MAX = 200

interface Stretch {
  /** What it covers, both included. */
  from: number
  to: number
  hasOlder: boolean
  events: TimelineEvent[]
}

/** What is shown of a conversation. */
export interface Shown {
  events: readonly TimelineEvent[]
  hasOlder: boolean
  /** After this event others are missing. */
  gapAfter?: number
}

export function useFarStretch(conversationId: string, held: () => TimelineView | undefined, fetchEvents: FetchEvents) {
  const stretch = shallowRef<Stretch>()
  /** Rises when another stretch is wanted, so that what was asked for before no longer matters. */
  let wanted = 0
  const underWay = new Set<'older' | 'newer'>()

  /** The first event of the copy that is in memory. */
  const heldFrom = () => held()?.events[0]?.seq ?? Infinity
  const isJoined = computed(() => stretch.value === undefined || stretch.value.to >= heldFrom() - 1)

  const shown = computed<Shown | undefined>(() => {
    const copy = held()
    const far = stretch.value
    if (!copy || !far) return copy
    const first = copy.events[0]?.seq ?? Infinity
    const before = far.events.filter(({ seq }) => seq < first)
    return { events: [...before, ...copy.events], hasOlder: far.hasOlder, ...(isJoined.value || before.length === 0 ? {} : { gapAfter: before.at(-1)!.seq }) }
  })

  const covers = (seq: number) => seq >= heldFrom() || (stretch.value !== undefined && stretch.value.from <= seq && seq <= stretch.value.to)

  /** Shows what is around a place. Returns whether that could be had. */
  async function open(seq: number): Promise<boolean> {
    const asked = (wanted += 1)
    try {
      const [before, after] = await Promise.all([
        fetchEvents(conversationId, { beforeSeq: seq + 1, limit: AROUND }),
        fetchEvents(conversationId, { afterSeq: seq, limit: AROUND }),
      ])
      if (asked !== wanted) return false
      stretch.value = { from: before.fromSeq, to: Math.max(before.toSeq, after.toSeq), hasOlder: before.hasMore, events: [...before.events, ...after.events].map(eventOf) }
      return true
    } catch {
      return false
    }
  }

  /** The place of the first event from a moment on, of those before the copy; looked for by halving. */
  async function placeOf(ts: number): Promise<number | undefined> {
    let low = 1
    let high = heldFrom()
    // At or before `high` there is an event from then on; before `low` there is none.
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const { events: [event] } = await fetchEvents(conversationId, { afterSeq: middle - 1, limit: 1 })
      if (event && event.msgSeq < high && event.ts < ts) low = event.msgSeq + 1
      else high = middle
    }
    const { events: [event] } = await fetchEvents(conversationId, { afterSeq: low - 1, limit: 1 })
    return event?.msgSeq
  }

  async function page(side: 'older' | 'newer', ask: (far: Stretch) => Promise<EventsFrame>, take: (far: Stretch, answer: EventsFrame) => Stretch): Promise<void> {
    const far = stretch.value
    if (!far || underWay.has(side)) return
    const asked = wanted
    underWay.add(side)
    try {
      const answer = await ask(far)
      if (asked === wanted && stretch.value) stretch.value = take(stretch.value, answer)
    } catch {
      // It is asked again when somebody scrolls there again.
    } finally {
      underWay.delete(side)
    }
  }

  const older = () =>
    page(
      'older',
      ({ from }) => fetchEvents(conversationId, { beforeSeq: from, limit: PAGE }),
      (far, { fromSeq, hasMore, events }) => ({ ...far, from: Math.min(far.from, fromSeq), hasOlder: hasMore, events: [...events.map(eventOf), ...far.events] }),
    )
  const newer = () =>
    isJoined.value
      ? Promise.resolve()
      : page(
          'newer',
          ({ to }) => fetchEvents(conversationId, { afterSeq: to, limit: PAGE }),
          (far, { toSeq, events }) => ({ ...far, to: Math.max(far.to, toSeq), events: [...far.events, ...events.map(eventOf)] }),
        )

  /** Something happened that may be about messages of it. */
  function hear(events: readonly TimelineEvent[]): void {
    const far = stretch.value
    if (!far) return
    let isNews = false
    const next = [...far.events]
    for (const { seq, from, what } of events) {
      const amendment = what.kind === 'change' ? amendmentOf(seq, from, what.change) : undefined
      const index = amendment ? next.findIndex((event) => event.seq === amendment.targetSeq) : -1
      if (!amendment || index < 0) continue
      next[index] = amended(next[index]!, amendment)
      isNews = true
    }
    if (isNews) stretch.value = { ...far, events: next }
  }

  /** Fetches it anew: some of it may have been deleted for the user. */
  async function reload(): Promise<void> {
    const far = stretch.value
    if (!far) return
    const asked = (wanted += 1)
    const events: TimelineEvent[] = []
    try {
      for (let to = far.from - 1; to < far.to; ) {
        const answer = await fetchEvents(conversationId, { afterSeq: to, limit: PAGE_MAX })
        events.push(...answer.events.filter(({ msgSeq }) => msgSeq <= far.to).map(eventOf))
        if (answer.toSeq <= to) break
        to = answer.toSeq
      }
      if (asked === wanted) stretch.value = { ...far, events }
    } catch {
      if (asked === wanted) close()
    }
  }

  function close(): void {
    wanted += 1
    stretch.value = undefined
  }

  return { shown, isJoined, isOpen: computed(() => stretch.value !== undefined), covers, heldFrom, open, placeOf, older, newer, hear, reload, close }
}
