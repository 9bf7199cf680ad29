/** One conversation that is looked at: its rows, what is read of it, and jumping about in it. */
import { useDocumentVisibility, useWindowFocus } from '@vueuse/core'
import { computed, effectScope, onScopeDispose, ref, shallowRef, watch, watchEffect } from 'vue'
import type { OutboxEntry, TimelineView } from '../../engine'
import { useMessenger } from '../stores/messenger'
import { useSession } from '../stores/session'
import { eventsFrom } from './events-api'
import { useFarStretch } from './far-stretch'
import { RowMaker, type Row } from './rows'

/** How many older pages are fetched to get to something. */
const PAGES_MAX = 200
/** What is further away than so many events is not reached page by page. */
const NEAR = 400

export function useOpenChat(conversationId: string) {
  const messenger = useMessenger()
  const session = useSession()
  const me = session.userId
  const maker = new RowMaker(me)

  const conversation = computed(() => messenger.conversations.get(conversationId))
  const timeline = computed(() => messenger.timelines.get(conversationId))
  const far = useFarStretch(conversationId, () => timeline.value, eventsFrom(session.http))
  /** Where the line is that says what is new. It stays where it was when the chat was opened. */
  const unreadAfter = ref<number>()
  const isLooking = useIsLooking()

  messenger.open(conversationId)
  onScopeDispose(() => messenger.close(conversationId))

  const pending = computed(() => {
    const { kind, peer } = conversation.value ?? {}
    const entries: OutboxEntry[] = []
    for (const entry of messenger.outbox.values()) {
      const { request } = entry
      const isHere = request.type === 'GROUP_CHAT' ? request.groupId === conversationId : request.type === 'SINGLE_CHAT' && kind === 'single' && request.to === peer
      if (isHere) entries.push(entry)
    }
    return entries
  })
  /** Recalls and edits on their way, by the place that they are about. */
  const changes = computed(() => {
    const bySeq = new Map<number, OutboxEntry>()
    for (const entry of messenger.outbox.values()) {
      const { request } = entry
      if (request.type !== 'MESSAGE_EDIT' && request.type !== 'MESSAGE_REVOKE') continue
      if (request.conversationId === conversationId && request.msgSeq !== undefined) bySeq.set(request.msgSeq, entry)
    }
    return bySeq
  })

  const rows = shallowRef<readonly Row[]>([])
  watchEffect(() => {
    const { events = [], hasOlder = true, gapAfter } = far.shown.value ?? {}
    rows.value = far.shown.value ? maker.make(events, pending.value, unreadAfter.value, hasOlder, gapAfter) : []
  }, { flush: 'pre' })

  // Once, when it is known how far the user has read.
  const stop = watch(
    () => conversation.value,
    (known) => {
      if (!known || messenger.status.kind === 'catchingUp') return
      if (known.unread > 0) unreadAfter.value = known.read
      queueMicrotask(() => stop())
    },
    { immediate: true },
  )
  // What comes while nobody looks is new to who comes back.
  watch(isLooking, (looks) => {
    if (!looks) unreadAfter.value = conversation.value?.last?.seq
  })

  onScopeDispose(
    messenger.onPatch(({ timelines = [] }) => {
      for (const patch of timelines) {
        if (patch.conversationId !== conversationId) continue
        if (patch.reset) void far.reload()
        else far.hear(patch.events)
      }
    }),
  )

  let reading = 0
  /** The user has had this in sight. */
  function saw(seq: number): void {
    const known = conversation.value
    if (!known || !isLooking.value || seq <= known.read || seq <= reading) return
    reading = seq
    messenger.markRead(conversationId, seq)
  }

  /** More of what comes before the first row. */
  function loadOlder(): void {
    if (far.isOpen.value) void (far.shown.value?.hasOlder && far.older())
    else loadOlderHeld()
  }

  /** The gap is in sight: it is closed from both sides. */
  function closeGap(): void {
    void far.newer()
    loadOlderHeld()
  }

  let askedFrom = -1
  function loadOlderHeld(): void {
    const known = timeline.value
    if (!known?.hasOlder) return
    const first = known.events[0]?.seq ?? 0
    if (askedFrom === first) return
    askedFrom = first
    messenger.loadOlder(conversationId)
  }
  watch(() => messenger.isOnline, () => (askedFrom = -1))

  /** Fetches older pages until something is here. Resolves to whether it is. */
  function fetchUntil(isHere: (known: TimelineView) => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      let pages = 0
      const scope = effectScope()
      const look = (known: TimelineView | undefined) => {
        const found = known !== undefined && isHere(known)
        if (!found && known?.hasOlder !== false && pages < PAGES_MAX) {
          pages += 1
          loadOlderHeld()
          return
        }
        scope.stop()
        resolve(found)
      }
      scope.run(() => watch(timeline, look))
      look(timeline.value)
    })
  }

  /** Gets what is around a place: page by page if it is near, else as a stretch of its own. Returns whether it is here. */
  async function reach(seq: number): Promise<boolean> {
    if (far.covers(seq)) return true
    const isFar = far.heldFrom() - seq > NEAR
    if (isFar && (await far.open(seq))) return true
    return fetchUntil(({ events }) => (events[0]?.seq ?? Infinity) <= seq)
  }

  /** The place of the first event from a moment on; undefined if there is none. */
  async function placeAt(ts: number): Promise<number | undefined> {
    const events = timeline.value?.events ?? []
    if (timeline.value?.hasOlder && (events[0]?.ts ?? Infinity) > ts) {
      // Without a network it is what is here.
      const place = await far.placeOf(ts).catch(() => undefined)
      if (place !== undefined) return place
    }
    return events.find((event) => event.ts >= ts)?.seq
  }

  /** Somebody goes to the end: what is far away from there is not needed any more. */
  function forgetFar(): void {
    if (!far.isJoined.value) far.close()
  }

  return { conversation, timeline, rows, changes, unreadAfter, saw, loadOlder, closeGap, reach, placeAt, forgetFar, isLooking }
}

export type OpenChat = ReturnType<typeof useOpenChat>

/** Whether somebody looks at this page. */
function useIsLooking() {
  const visibility = useDocumentVisibility()
  const hasFocus = useWindowFocus()
  return computed(() => visibility.value === 'visible' && hasFocus.value)
}
