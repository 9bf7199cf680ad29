/** One conversation that is looked at: its rows, what is read of it, and jumping about in it. */
import { useDocumentVisibility, useWindowFocus } from '@vueuse/core'
import { computed, effectScope, onScopeDispose, ref, shallowRef, watch, watchEffect } from 'vue'
import type { OutboxEntry, TimelineView } from '../../engine'
import { useMessenger } from '../stores/messenger'
import { useSession } from '../stores/session'
import { RowMaker, type Row } from './rows'

/** How many older pages are fetched to get to something. */
const PAGES_MAX = 200

export function useOpenChat(conversationId: string) {
  const messenger = useMessenger()
  const me = useSession().userId
  const maker = new RowMaker(me)

  const conversation = computed(() => messenger.conversations.get(conversationId))
  const timeline = computed(() => messenger.timelines.get(conversationId))
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
    const { events = [], hasOlder = true } = timeline.value ?? {}
    rows.value = timeline.value ? maker.make(events, pending.value, unreadAfter.value, hasOlder) : []
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

  let reading = 0
  /** The user has had this in sight. */
  function saw(seq: number): void {
    const known = conversation.value
    if (!known || !isLooking.value || seq <= known.read || seq <= reading) return
    reading = seq
    messenger.markRead(conversationId, seq)
  }

  let askedFrom = -1
  function loadOlder(): void {
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
          loadOlder()
          return
        }
        scope.stop()
        resolve(found)
      }
      scope.run(() => watch(timeline, look))
      look(timeline.value)
    })
  }

  /** The events down to a seq. */
  const reach = (seq: number) => fetchUntil(({ events }) => (events[0]?.seq ?? Infinity) <= seq)
  /** The events down to a moment. */
  const reachTime = (ts: number) => fetchUntil(({ events }) => (events[0]?.ts ?? Infinity) <= ts)

  return { conversation, timeline, rows, changes, unreadAfter, saw, loadOlder, reach, reachTime, isLooking }
}

export type OpenChat = ReturnType<typeof useOpenChat>

/** Whether somebody looks at this page. */
function useIsLooking() {
  const visibility = useDocumentVisibility()
  const hasFocus = useWindowFocus()
  return computed(() => visibility.value === 'visible' && hasFocus.value)
}
