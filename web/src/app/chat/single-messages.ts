/**
 * Messages that are shown outside of their place, pinned ones above all. Those that are not in the open part of the
 * conversation are asked for one by one, and again when they change.
 */
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { eventOf } from '../../engine/event'
import { indexFrom } from '../../engine/window'
import type { TimelineEvent } from '../../engine'
import { useMessenger } from '../stores/messenger'
import { useSession } from '../stores/session'
import { eventsFrom } from './events-api'

const KEPT_MAX = 200

export const useSingleMessages = defineStore('singleMessages', () => {
  const messenger = useMessenger()
  const fetchEvents = eventsFrom(useSession().http)
  /** By conversation and place; null for what is not to be had. */
  const fetched = shallowReactive(new Map<string, TimelineEvent | null>())
  const asked = new Set<string>()
  const keyOf = (conversationId: string, seq: number) => `${conversationId} ${seq}`

  messenger.onPatch((patch) => {
    if (patch.reset) forgetAll()
    for (const { conversationId, events } of patch.timelines ?? []) {
      if (fetched.size === 0) return
      for (const { what } of events) {
        if (what.kind !== 'change' || !('targetSeq' in what.change)) continue
        const key = keyOf(conversationId, what.change.targetSeq)
        asked.delete(key)
        fetched.delete(key)
      }
    }
  })

  function forgetAll(): void {
    fetched.clear()
    asked.clear()
  }

  /** The message; null if it is not to be had, undefined while it is asked for. */
  function get(conversationId: string, seq: number): TimelineEvent | null | undefined {
    const events = messenger.timelines.get(conversationId)?.events ?? []
    const here = events[indexFrom(events, seq)]
    if (here?.seq === seq) return here
    const key = keyOf(conversationId, seq)
    if (!asked.has(key)) {
      asked.add(key)
      void ask(conversationId, seq, key)
    }
    return fetched.get(key)
  }

  async function ask(conversationId: string, seq: number, key: string): Promise<void> {
    let found: TimelineEvent | null = null
    try {
      const { events } = await fetchEvents(conversationId, { afterSeq: seq - 1, limit: 1 })
      const frame = events.find(({ msgSeq }) => msgSeq === seq)
      if (frame) found = eventOf(frame)
    } catch {
      // It is asked for again when it is shown the next time the page is opened.
    }
    // What changed meanwhile was asked for anew.
    if (!asked.has(key)) return
    const [oldest] = fetched.keys()
    if (fetched.size >= KEPT_MAX && oldest !== undefined) {
      fetched.delete(oldest)
      asked.delete(oldest)
    }
    fetched.set(key, found)
  }

  return { get }
})
