/**
 * Tells of new messages while the page is not in front: a count in the title and on the app's
 * icon, and, if the user wants, notices and a sound. Of several tabs only one speaks.
 */
import { watch, watchEffect } from 'vue'
import type { Router } from 'vue-router'
import type { Patch, TimelineEvent } from '../../engine'
import { isMissed } from '../chat/call-text'
import { lineOf } from '../chat/message-text'
import { i18n } from '../i18n'
import { useConversations } from '../stores/conversations'
import { useMessenger } from '../stores/messenger'
import { useNoticeSettings } from '../stores/notices'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'
import { chime } from './chime'

/** Older messages come from catching up, and are no news, in milliseconds. */
const NEWS_MS = 60_000
/** The length of a text in a notice, in UTF-16 units. */
const TEXT_MAX = 140

export function startNotices(router: Router): void {
  const conversations = useConversations()
  const messenger = useMessenger()
  const people = usePeople()
  const session = useSession()
  const settings = useNoticeSettings()
  /** The last event told of, by conversation. */
  const told = new Map<string, number>()

  watchEffect(() => {
    const count = conversations.unread
    document.title = count > 0 ? `(${count > 99 ? '99+' : count}) Petrel` : 'Petrel'
    const badge = navigator as Navigator & { setAppBadge?: (count: number) => Promise<void>; clearAppBadge?: () => Promise<void> }
    void (count > 0 ? badge.setAppBadge?.(count) : badge.clearAppBadge?.())?.catch(() => {})
  })

  watch(() => session.userId, () => told.clear())
  messenger.onPatch((patch) => {
    for (const event of newsOf(patch)) tell(event)
  })

  /** Messages of others that came in just now. */
  function newsOf({ conversations: changed = [], reset }: Patch): TimelineEvent[] {
    return changed.flatMap(({ conversationId, last, unread }) => {
      const before = told.get(conversationId)
      if (last) told.set(conversationId, Math.max(before ?? 0, last.seq))
      if (!last || reset || unread === 0 || (before !== undefined && last.seq <= before)) return []
      const isNew = last.what.kind === 'message' && last.from !== session.userId && Date.now() - last.ts < NEWS_MS
      // Of a call that was talked in, or was not wanted, nobody has to be told.
      const isSettled = last.what.kind === 'message' && last.what.call !== undefined && !isMissed(last.what.call, false)
      return isNew && !isSettled ? [last] : []
    })
  }

  function tell(event: TimelineEvent): void {
    if (document.visibilityState === 'visible' && document.hasFocus()) return
    void navigator.locks.request(`petrel.notice.${event.conversationId}.${event.seq}`, { ifAvailable: true }, async (lock) => {
      // Another tab speaks of it.
      if (!lock) return
      if (settings.playsSound) chime()
      if (settings.isWanted && settings.permission === 'granted') show(event)
      // Held for as long as another tab may hear of the same event.
      await new Promise((resolve) => setTimeout(resolve, 2_000))
    })
  }

  function show({ conversationId, from, what }: TimelineEvent): void {
    const isGroup = conversations.get(conversationId)?.kind === 'group'
    const name = people.nameNow(from, conversationId)
    const title = isGroup ? `${name} · ${conversations.title(conversationId)}` : name
    const words = what.kind === 'message' ? lineOf(what) : what.fallback
    const body = settings.showsText ? words.slice(0, TEXT_MAX) : i18n.global.t('chat.newMessages')
    const notice = new Notification(title, { body, tag: `petrel-${conversationId}`, icon: '/icon-192.png' })
    notice.onclick = () => {
      window.focus()
      void router.push(`/chats/${conversationId}`)
      notice.close()
    }
  }
}
