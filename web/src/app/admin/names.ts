/**
 * What users are called, for admins: ordinary users are told the names only of those they have to do with. The list of all
 * users is read where those stand who are wanted; one answer often tells of many of them.
 */
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { i18n } from '../i18n'
import { PENDING_NAME } from '../stores/people'
import { useAdminApi, type AdminUser, type Page } from './admin-api'
import { userNameOf } from './user-name'

/** How long ids are collected before they are asked for, in milliseconds. */
const COLLECT_MS = 20

export const useAdminNames = defineStore('adminNames', () => {
  const api = useAdminApi()
  const names = shallowReactive(new Map<string, string>())
  const asked = new Set<string>()
  const answered = shallowReactive(new Set<string>())
  let wanted: string[] = []

  /** What to call a user; asked for, if it is not known. */
  function name(userId: string): string {
    if (!asked.has(userId)) {
      asked.add(userId)
      if (wanted.push(userId) === 1) setTimeout(() => void fetchWanted(), COLLECT_MS)
    }
    return names.get(userId) ?? (answered.has(userId) ? i18n.global.t('ui.unknownUser', { id: userId }) : PENDING_NAME)
  }

  async function fetchWanted(): Promise<void> {
    const ids = wanted
    wanted = []
    try {
      await readNames(ids, (after) => api.users({}, after), (user) => names.set(user.userId, userNameOf(user)))
    } catch {
      // Whoever is shown again later is asked for again.
      for (const id of ids) if (!names.has(id)) asked.delete(id)
    }
    for (const id of ids) answered.add(id)
  }

  return { names, name }
})

/** Reads the list of users, which is by id, at each place where there is somebody who is wanted and not met yet. */
export async function readNames(ids: string[], usersAfter: (after: string) => Promise<Page<AdminUser>>, learn: (user: AdminUser) => void): Promise<void> {
  const waiting = ids.map(BigInt).sort((one, other) => (one < other ? -1 : one > other ? 1 : 0))
  while (waiting.length > 0) {
    const { items, next } = await usersAfter(String(waiting[0]! - 1n))
    items.forEach(learn)
    // Those who should have been among these, and were not, are nobody.
    const seenTo = next === undefined ? undefined : BigInt(items.at(-1)?.userId ?? waiting[0]!)
    waiting.splice(0, seenTo === undefined ? waiting.length : Math.max(1, waiting.filter((id) => id <= seenTo).length))
  }
}
