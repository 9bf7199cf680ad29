/** What users are called. Names are asked for when somebody is shown, many at once, and kept by this browser. */
import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import { i18n } from '../i18n'
import { keep, kept } from '../platform/keep'
import { useMessenger } from './messenger'
import { useSession } from './session'

export interface Person {
  userId: string
  username?: string
  displayName?: string
  /** The file that is the picture. */
  avatar?: string
}

const KEPT_MAX = 2_000
const ASKED_MAX = 100
/** How long names are collected before they are asked for, in milliseconds. */
const COLLECT_MS = 20
/** How long nobody asks again for whom the server did not tell, in milliseconds. */
const AGAIN_MS = 60_000

export const usePeople = defineStore('people', () => {
  const session = useSession()
  const messenger = useMessenger()
  const people = shallowReactive(new Map<string, Person>())
  /** Asked for in this life of the page, and when. Names of old are shown, and asked for once. */
  const asked = new Map<string, number>()
  /** Whom to ask for, and one conversation through which the user knows them. */
  let wanted = new Map<string, string | undefined>()
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(
    () => session.userId,
    (userId) => {
      people.clear()
      asked.clear()
      if (userId === '') return
      for (const person of kept<Person[]>(`petrel.people.${userId}`) ?? []) people.set(person.userId, person)
    },
    { immediate: true },
  )

  /** What is known of a user; more is asked for. */
  function person(userId: string, conversationId?: string): Person {
    want(userId, conversationId)
    return people.get(userId) ?? { userId }
  }

  /** What to call a user: one's own remark, the name in this group, the own choice, the user name. */
  function name(userId: string, conversationId?: string): string {
    if (userId === session.userId) return session.account?.username ?? i18n.global.t('ui.you')
    const remark = messenger.personal?.contacts?.[userId]?.remark
    if (remark) return remark
    const group = conversationId === undefined ? undefined : messenger.conversations.get(conversationId)?.group
    const nickname = group?.members[userId]?.nickname
    if (nickname) return nickname
    const { displayName, username } = person(userId, conversationId)
    return displayName ?? username ?? i18n.global.t('ui.unknownUser', { id: userId })
  }

  /** Takes what another answer has told. */
  function learn(person: Person): void {
    people.set(person.userId, { ...people.get(person.userId), ...person })
    save()
  }

  function want(userId: string, conversationId: string | undefined): void {
    if (!/^\d+$/.test(userId) || userId === '0') return
    if (Date.now() - (asked.get(userId) ?? -Infinity) < AGAIN_MS) return
    asked.set(userId, Date.now())
    wanted.set(userId, conversationId)
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
        asked.set(user.userId, Infinity)
      }
    } catch {
      // Whoever is shown again later is asked for again.
    }
  }

  function save(): void {
    if (session.userId !== '') keep(`petrel.people.${session.userId}`, [...people.values()].slice(-KEPT_MAX))
  }

  return { people, person, name, learn }
})
