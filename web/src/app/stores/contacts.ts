/** What others are to the user, as lists that people look through, and what the user does about it. */
import { useNow } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed } from 'vue'
import type { Contact, UserSettings } from '../../engine/wire/protocol'
import { systemRandom } from '../platform/world'
import { useInvitations } from './invitations'
import { useMessenger } from './messenger'
import { usePeople, type Person } from './people'
import { useSession } from './session'

export type ContactAction = 'apply' | 'accept' | 'reject' | 'withdraw' | 'remove' | 'remark' | 'block' | 'unblock'

export const useContacts = defineStore('contacts', () => {
  const messenger = useMessenger()
  const people = usePeople()
  const session = useSession()
  const invitations = useInvitations()
  const now = useNow({ interval: 30_000 })

  const all = computed(() => Object.values(messenger.personal?.contacts ?? {}))
  /** Whether those that are here are all there are. */
  const isKnown = computed(() => messenger.personal?.contacts !== undefined || messenger.isOnline)
  const get = (userId: string): Contact | undefined => messenger.personal?.contacts?.[userId]

  /** In the order of their names, as this language has it. */
  const byName = (contacts: Contact[]): Contact[] => {
    const named = contacts.map((contact) => ({ contact, name: people.name(contact.user) }))
    return named.sort((one, other) => one.name.localeCompare(other.name)).map(({ contact }) => contact)
  }
  const friends = computed(() => byName(all.value.filter(({ friendSinceTs }) => friendSinceTs !== undefined)))
  const blocked = computed(() => byName(all.value.filter((contact) => contact.blocked === true)))

  /** Newest first. That one is over nobody tells; `now` decides. */
  const applications = (direction: 'incoming' | 'outgoing', now: number): Contact[] =>
    all.value
      .filter(({ application }) => application?.direction === direction && application.expiresTs > now)
      .sort((one, other) => other.application!.ts - one.application!.ts)

  /** How many wait for an answer of the user: applications, and invitations into groups. */
  const waiting = computed(() => {
    const nowMs = now.value.getTime()
    return applications('incoming', nowMs).length + invitations.waiting(nowMs).length
  })

  const settings = computed<UserSettings | undefined>(() => messenger.personal?.settings)

  /** Over HTTP, so that a refusal is known at once; what follows comes as an event. @throws ApiError */
  async function act(userId: string, action: ContactAction, more: { message?: string; remark?: string } = {}): Promise<void> {
    await session.http.ask(`/api/contacts/${userId}/${action}`, { method: 'POST', body: { clientMsgId: systemRandom.uuid(), ...more } })
  }

  /** @throws ApiError */
  async function find(by: { username: string } | { code: string }): Promise<Person> {
    const found = await session.http.ask<Person>('/api/users/search', { query: by })
    people.learn(found)
    return found
  }

  async function renewCode(): Promise<void> {
    await session.http.ask('/api/users/me/friend-code', { method: 'POST', body: { clientMsgId: systemRandom.uuid() } })
  }

  async function change(settings: Partial<UserSettings>): Promise<void> {
    await session.http.ask('/api/users/me/settings', { method: 'PATCH', body: { clientMsgId: systemRandom.uuid(), ...settings } })
  }

  return { all, isKnown, get, friends, blocked, applications, waiting, settings, act, find, renewCode, change }
})
