/** The conversations as a list that people look through: titles, order, what is unread. */
import { defineStore } from 'pinia'
import { computed } from 'vue'
import type { ConversationView } from '../../engine'
import { useDrafts } from './drafts'
import { useMessenger } from './messenger'
import { usePeople } from './people'
import { useSession } from './session'

export const useConversations = defineStore('conversations', () => {
  const messenger = useMessenger()
  const people = usePeople()
  const session = useSession()
  const drafts = useDrafts()

  function get(id: string): ConversationView | undefined {
    return messenger.conversations.get(id)
  }

  /** What it is called by this user. */
  function title(id: string): string {
    const conversation = get(id)
    if (!conversation) return ''
    if (conversation.kind === 'single') return conversation.peer === undefined ? '' : people.name(conversation.peer, id)
    if (conversation.title) return conversation.title
    const members = Object.keys(conversation.group?.members ?? {}).filter((user) => user !== session.userId)
    return members.slice(0, 4).map((user) => people.name(user, id)).join(', ')
  }

  /** By what happened last, drafts included: ids, so that the list changes only when the order does. */
  const order = computed(() => {
    const placed = [...messenger.conversations.values()].map(({ conversationId, ts, settings }) => ({
      id: conversationId,
      isPinned: settings?.pinned === true,
      ts: Math.max(ts, drafts.touched.get(conversationId) ?? 0),
    }))
    return placed.sort((one, other) => Number(other.isPinned) - Number(one.isPinned) || other.ts - one.ts).map(({ id }) => id)
  })

  const unread = computed(() => {
    let sum = 0
    for (const { unread: count, settings } of messenger.conversations.values()) if (!settings?.muted && !settings?.archived) sum += count
    return sum
  })

  /** Those whose title has these words, best first: it begins with them, a word of it does, it has them somewhere. */
  function matching(words: string): string[] {
    const wanted = words.trim().toLocaleLowerCase()
    if (wanted === '') return order.value
    const ranked: { id: string; rank: number }[] = []
    for (const id of order.value) {
      const place = title(id).toLocaleLowerCase()
      const index = place.indexOf(wanted)
      if (index >= 0) ranked.push({ id, rank: index === 0 ? 0 : place[index - 1] === ' ' ? 1 : 2 })
    }
    return ranked.sort((one, other) => one.rank - other.rank).map(({ id }) => id)
  }

  /** The single chat with a user, if it has begun. */
  function withPeer(userId: string): string | undefined {
    for (const { conversationId, peer } of messenger.conversations.values()) if (peer === userId) return conversationId
    return undefined
  }

  return { order, unread, get, title, matching, withPeer }
})
