/** Naming members of a group while writing, and why one may not write. */
import { computed, reactive, ref, type Ref } from 'vue'
import type { ConversationView } from '../../engine'
import { i18n } from '../i18n'
import { useMessenger } from '../stores/messenger'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'
import { shortMoment } from './times'

export interface Offer {
  /** A user id, or `all`. */
  key: string
  name: string
}

const OFFERED_MAX = 8
/** The most members that a message may name. */
const NAMED_MAX = 50

/** Words that name everybody, in all languages. */
const EVERYBODY = ['everybody', '所有人']

/** An `@` before the cursor, at the beginning of a word, and what was typed after it. */
const TYPED = /(?:^|[\s,.;:!?()（），。])@([^\s@]{0,32})$/u

export function useMentionPicker(field: Ref<HTMLTextAreaElement | undefined>, text: Ref<string>, conversationId: string) {
  const messenger = useMessenger()
  const people = usePeople()
  const me = useSession().userId
  /** What was typed after the `@`, while the picker is open. */
  const typed = ref<string>()
  const index = ref(0)
  /** Whom the text names, by the name that it uses. */
  const chosen = reactive(new Map<string, string>())

  const offers = computed<Offer[]>(() => {
    const group = messenger.conversations.get(conversationId)?.group
    if (typed.value === undefined || !group) return []
    const wanted = typed.value.toLocaleLowerCase()
    const found: Offer[] = []
    const role = group.members[me]?.role
    const everybody = i18n.global.t('chat.mentionAll')
    if ((role === 'owner' || role === 'admin') && everybody.startsWith(wanted)) found.push({ key: 'all', name: everybody })
    for (const user of Object.keys(group.members)) {
      if (user === me) continue
      const name = people.nameNow(user, conversationId)
      if (name.toLocaleLowerCase().includes(wanted)) found.push({ key: user, name })
    }
    return found.sort((one, other) => rank(one, wanted) - rank(other, wanted)).slice(0, OFFERED_MAX)
  })

  function rank({ key, name }: Offer, wanted: string): number {
    if (key === 'all') return 0
    return name.toLocaleLowerCase().startsWith(wanted) ? 1 : 2
  }

  function look(): void {
    const element = field.value
    const before = element && element.selectionStart === element.selectionEnd ? text.value.slice(0, element.selectionStart) : ''
    const next = TYPED.exec(before)?.[1]
    if (next !== typed.value) index.value = 0
    typed.value = next
  }

  function close(): void {
    typed.value = undefined
  }

  function choose(offer: Offer): void {
    const element = field.value
    if (!element || typed.value === undefined) return
    const end = element.selectionStart
    const start = end - typed.value.length
    const words = `${offer.name} `
    chosen.set(offer.name, offer.key)
    text.value = text.value.slice(0, start) + words + text.value.slice(end)
    close()
    requestAnimationFrame(() => {
      element.focus()
      element.setSelectionRange(start + words.length, start + words.length)
    })
  }

  function point(at: number): void {
    index.value = at
  }

  /** Takes the keys that are for the picker. Returns whether it was one. */
  function onKeydown(event: KeyboardEvent): boolean {
    const { length } = offers.value
    if (length === 0) return false
    if (event.key === 'ArrowDown') index.value = (index.value + 1) % length
    else if (event.key === 'ArrowUp') index.value = (index.value + length - 1) % length
    else if (event.key === 'Enter' || event.key === 'Tab') choose(offers.value[index.value]!)
    else if (event.key === 'Escape') close()
    else return false
    event.preventDefault()
    event.stopPropagation()
    return true
  }

  return { offers, index, chosen, look, close, choose, point, onKeydown }
}

export type MentionPicker = ReturnType<typeof useMentionPicker>

/** Whom a text names: those chosen in the picker whose name is still in it. */
export function mentionsIn(text: string, chosen: ReadonlyMap<string, string>, conversationId: string): { mentions?: string[]; mentionAll?: true } {
  const members = useMessenger().conversations.get(conversationId)?.group?.members ?? {}
  const named = [...chosen].filter(([name]) => text.includes(`@${name}`)).map(([, key]) => key)
  const role = members[useSession().userId]?.role
  const isAll = (named.includes('all') || EVERYBODY.some((word) => text.includes(`@${word}`))) && (role === 'owner' || role === 'admin')
  const users = [...new Set(named.filter((key) => key !== 'all' && key in members))].slice(0, NAMED_MAX)
  return { ...(users.length > 0 ? { mentions: users } : {}), ...(isAll ? { mentionAll: true as const } : {}) }
}

/** Why the user may not write here, if so. */
export function hintOf(conversation: ConversationView | undefined): string | undefined {
  if (!conversation) return undefined
  const { t } = i18n.global
  const me = useSession().userId
  if (conversation.kind === 'single') {
    const contact = conversation.peer === undefined ? undefined : useMessenger().personal?.contacts?.[conversation.peer]
    return contact?.blocked ? t('chat.blocked') : undefined
  }
  if (!conversation.present) {
    const { last } = conversation
    return last?.what.kind === 'change' && last.what.change.kind === 'groupDissolved' ? t('chat.dissolved') : t('chat.notMember')
  }
  const { role, mutedUntilTs = 0 } = conversation.group?.members[me] ?? { role: 'member' }
  if (role === 'member' && conversation.group?.info.muted) return t('chat.groupMuted')
  return mutedUntilTs > Date.now() ? t('chat.mutedUntil', { time: shortMoment(mutedUntilTs) }) : undefined
}
