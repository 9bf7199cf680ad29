/** What users are called. Names are asked for when somebody is shown, many at once, and kept by this browser. */
import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import { i18n } from '../i18n'
import { keep, kept } from '../platform/keep'
import { useMessenger } from './messenger'
import { useSession } from './session'

export interface Avatar {
  fileId: string
  /** Where a small picture is, for whoever has the address. */
  url: string
  /** Until when it is there. */
  expiresTs: number
}

export interface Person {
  userId: string
  username?: string
  /** What the user wants to be called. It need not be unique: say the user name beneath where it matters. */
  displayName?: string
  avatar?: Avatar
}

/** In the place of a name that has been asked for. */
export const PENDING_NAME = '…'

const KEPT_MAX = 2_000
const ASKED_MAX = 100
/** How long names are collected before they are asked for, in milliseconds. */
const COLLECT_MS = 20
/** How long nobody asks again for whom the server did not tell, in milliseconds. */
const AGAIN_MS = 60_000
/** How long what the server has told is good enough, in milliseconds: it says nothing when somebody changes it. */
const FRESH_MS = 300_000

export const usePeople = defineStore('people', () => {
  const session = useSession()
  const messenger = useMessenger()
  const people = shallowReactive(new Map<string, Person>())
  /** Until when nobody asks again. Names of old are shown, and asked for. */
  const asked = new Map<string, number>()
  /** Of whom the server has told what it tells, or could not. */
  const answered = shallowReactive(new Set<string>())
  /** The conversation by which somebody was known last. */
  const known = new Map<string, string>()
  /** Whom to ask for, and one conversation through which the user knows them. */
  let wanted = new Map<string, string | undefined>()
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(
    () => session.userId,
    (userId) => {
      people.clear()
      asked.clear()
      answered.clear()
      known.clear()
      if (userId === '') return
      for (const person of kept<Person[]>(`petrel.people.${userId}`) ?? []) people.set(person.userId, person)
    },
    { immediate: true },
  )

  // Another device, or a page of this one, has changed how the user is shown.
  watch(
    () => [messenger.personal?.settings?.displayName, messenger.personal?.settings?.avatar],
    ([displayName, avatar]) => {
      const own = people.get(session.userId)
      if (own?.displayName !== displayName || own?.avatar?.fileId !== avatar) askAgain(session.userId, true)
    },
  )

  /** What is known of a user; more is asked for. */
  function person(userId: string, conversationId?: string): Person {
    want(userId, conversationId)
    return people.get(userId) ?? { userId }
  }

  /** What to call a user: one's own remark, the name in this group, the own choice, the user name. Until that is known, no more than that it comes. */
  function name(userId: string, conversationId?: string): string {
    return knownName(userId, conversationId) ?? (isUser(userId) && !answered.has(userId) ? PENDING_NAME : fallback(userId))
  }

  /** The same for what is not written anew when the name comes: a notice, a text that is copied. */
  function nameNow(userId: string, conversationId?: string): string {
    return knownName(userId, conversationId) ?? fallback(userId)
  }

  const fallback = (id: string) => i18n.global.t('ui.unknownUser', { id })

  function knownName(userId: string, conversationId?: string): string | undefined {
    if (userId === session.userId) return ownName() ?? session.account?.username ?? i18n.global.t('ui.you')
    const remark = messenger.personal?.contacts?.[userId]?.remark
    if (remark) return remark
    const group = conversationId === undefined ? undefined : messenger.conversations.get(conversationId)?.group
    const nickname = group?.members[userId]?.nickname
    if (nickname) return nickname
    const { displayName, username } = person(userId, conversationId)
    return displayName ?? username
  }

  function ownName(): string | undefined {
    const settings = messenger.personal?.settings
    return settings ? settings.displayName : people.get(session.userId)?.displayName
  }

  /** Where a small picture of a user is, if there is one. */
  function picture(userId: string, conversationId?: string): string | undefined {
    const { avatar } = person(userId, conversationId)
    return avatar && avatar.expiresTs > Date.now() ? avatar.url : undefined
  }

  /** Who is shown beneath the name: the user name, if that is another one. */
  function username(userId: string, conversationId?: string): string | undefined {
    const { username } = userId === session.userId ? { username: session.account?.username } : person(userId, conversationId)
    return username === name(userId, conversationId) ? undefined : username
  }

  /** Takes what another answer has told. */
  function learn(person: Person): void {
    people.set(person.userId, person)
    save()
  }

  /** What was told is not so any more: the picture is not where it was, for instance. */
  function askAgain(userId: string, atOnce = false): void {
    const until = asked.get(userId)
    if (!atOnce && until !== undefined && until - Date.now() > FRESH_MS - AGAIN_MS) return
    asked.delete(userId)
    want(userId, known.get(userId))
  }

  function want(userId: string, conversationId: string | undefined): void {
    if (!isUser(userId)) return
    if (Date.now() < (asked.get(userId) ?? -Infinity)) return
    asked.set(userId, Date.now() + AGAIN_MS)
    wanted.set(userId, conversationId ?? known.get(userId))
    timer ??= setTimeout(() => void fetchWanted(), COLLECT_MS)
  }

  async function fetchWanted(): Promise<void> {
    timer = undefined
    const lists = new Map<string, string[]>()
    for (const [userId, conversationId = ''] of wanted) lists.set(conversationId, [...(lists.get(conversationId) ?? []), userId])
    wanted = new Map()
    for (const [conversationId, ids] of lists) {
      for (let start = 0; start < ids.length; start += ASKED_MAX) {
        await fetchSome(ids.slice(start, start + ASKED_MAX), conversationId)
      }
    }
    save()
  }

  async function fetchSome(ids: string[], conversationId: string): Promise<void> {
    try {
      const query = { ids: ids.join(','), ...(conversationId === '' ? {} : { conversationId }) }
      const { users } = await session.http.ask<{ users: Person[] }>('/api/users', { query })
      for (const user of users) {
        people.set(user.userId, user)
        asked.set(user.userId, Date.now() + FRESH_MS)
        if (conversationId !== '') known.set(user.userId, conversationId)
      }
    } catch {
      // Whoever is shown again later is asked for again.
    }
    for (const id of ids) answered.add(id)
  }

  function save(): void {
    if (session.userId !== '') keep(`petrel.people.${session.userId}`, [...people.values()].slice(-KEPT_MAX))
  }

  return { people, person, name, nameNow, username, picture, learn, askAgain }
})

/** Whether there can be somebody of this id. */
function isUser(userId: string): boolean {
  return /^\d+$/.test(userId) && userId !== '0'
}
