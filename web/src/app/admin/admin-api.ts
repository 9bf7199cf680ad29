/** What admins of the system may ask the server; bodies as in docs/protocol.md, "Administration". */
import { ApiError, type Ask } from '../platform/http'
import { useSession } from '../stores/session'

/** A picture as an admin sees it, whoever else may. */
export interface AdminAvatar {
  fileId: string
  url?: string
  expiresTs?: number
}

export interface AdminUser {
  userId: string
  username?: string
  displayName?: string
  avatar?: AdminAvatar
  issuer?: string
  subject?: string
  createdTs?: number
  admin: boolean
  disabledTs?: number
  disabledReason?: string
}

export interface AdminLogin {
  loginId: string
  platform?: string
  client?: string
  createdTs: number
  seenTs: number
  current: boolean
}

export interface AdminUserShown {
  user: AdminUser
  logins: AdminLogin[]
  moreLogins: boolean
  sessions?: number
  seenTs?: number
}

export type GroupRole = 'owner' | 'admin' | 'member'

export interface AdminMembership {
  groupId: string
  title: string
  role: GroupRole
}

export interface AdminGroup {
  groupId: string
  title: string
  avatar?: AdminAvatar
  members: number
  headSeq: number
}

export interface AdminGroupShown {
  group: AdminGroup
  description?: string
  announcement?: string
  /** In the place of a picture; nothing is loaded from there. */
  avatarAddress?: string
}

export interface AdminGroupMember {
  userId: string
  role: GroupRole
  nickname?: string
}

export interface AuditRecord {
  number: number
  ts: number
  actor?: string
  source: string
  action: string
  user?: string
  group?: string
  detail?: string
}

export const WORD_MODES = ['refuse', 'replace', 'flag'] as const
export type WordMode = (typeof WORD_MODES)[number]

export interface FilterWord {
  word: string
  mode: WordMode
}

export interface WordsMet {
  refused?: string
  replaced?: string
  flagged: string[]
}

export interface PasswordReset {
  username: string
  code: string
  expiresTs: number
  loginsEnded: number
}

export interface Invite {
  code: string
  expiresTs: number
}

export interface AdminNotice {
  noticeId: string
  text: string
  ts: number
  untilTs?: number
  by?: string
}

/** With neither time nor withdrawal it is said once, to those who are connected. */
export interface NewNotice {
  text: string
  untilTs?: number
  untilWithdrawn?: boolean
}

export const REGISTRATION_MODES = ['open', 'invite', 'closed'] as const
export type RegistrationMode = (typeof REGISTRATION_MODES)[number]
/** For how long something holds that was changed while the server ran; absent where it is as configured. */
export type Changed = 'kept' | 'untilRestart'

export interface AdminLimit {
  name: string
  value: number
  configured: number
  least: number
  most: number
  /** In English. */
  meaning: string
  changed?: Changed
}

export interface AdminLimits {
  registration: { value: RegistrationMode; configured: RegistrationMode; changed?: Changed }
  limits: AdminLimit[]
}

/** What is not named stays; null is as configured again. */
export interface LimitsChange {
  registration?: RegistrationMode | null
  limits?: Record<string, number | null>
  untilRestart?: boolean
}

export interface SystemFigures {
  ts: number
  users: number
  disabledUsers: number
  groups: number
  logins: number
  rows: number
  storeBytes: number
  storeFreeBytes: number
  files: number
  /** Of what is in them, without thumbnails. */
  fileBytes: number
  days: { ts: number; messages: number; activeUsers: number }[]
  activeUsers: number
}

export interface RecentFigures {
  stepMs: number
  endTs: number
  series: Record<string, number[]>
}

/** One page of a list, and where the next one begins. */
export interface Page<T> {
  items: T[]
  next?: string | undefined
}

export interface UsersWanted {
  search?: string | undefined
  admin?: true | undefined
  disabled?: true | undefined
}

export interface RecordsWanted {
  actor?: string | undefined
  user?: string | undefined
  group?: string | undefined
  action?: string | undefined
  fromTs?: number | undefined
  untilTs?: number | undefined
}

export function useAdminApi() {
  const session = useSession()

  async function ask<T>(path: string, options: Ask = {}): Promise<T> {
    try {
      return await session.http.ask<T>(`/api/admin/${path}`, options)
    } catch (error) {
      // That nothing is there is also what somebody is told who is no longer an admin.
      if (error instanceof ApiError && error.reason === 'not_found') void session.learn()
      throw error
    }
  }
  const post = <T = unknown>(path: string, body?: object) => ask<T>(path, { method: 'POST', ...(body ? { body } : {}) })

  return {
    figures: () => ask<SystemFigures>('statistics'),
    recent: (step: 'fine' | 'coarse', series: string[]) => ask<RecentFigures>('statistics/recent', { query: { step, series: series.join(',') } }),

    async users(wanted: UsersWanted, after?: string, signal?: AbortSignal): Promise<Page<AdminUser>> {
      const { users, next } = await ask<{ users: AdminUser[]; next?: string }>('users', paged({ ...wanted, after }, signal))
      return { items: users, next }
    },
    user: (userId: string) => ask<AdminUserShown>(`users/${userId}`),
    async groupsOf(userId: string, before?: string, signal?: AbortSignal): Promise<Page<AdminMembership>> {
      const { groups, next } = await ask<{ groups: AdminMembership[]; next?: number }>(`users/${userId}/groups`, paged({ before }, signal))
      return { items: groups, next: next?.toString() }
    },
    createUser: (user: { username: string; password: string; admin: boolean }) => post<AdminUser>('users', user),
    invite: (wanted: { uses: number; days: number }) => post<Invite>('invites', wanted),
    lockOut: (userId: string, reason: string) => post(`users/${userId}/disable`, { reason }),
    letIn: (userId: string) => post(`users/${userId}/enable`),
    logOut: (userId: string) => post<{ loginsEnded: number }>(`users/${userId}/logout`),
    resetPassword: (userId: string) => post<PasswordReset>(`users/${userId}/reset-password`),
    clearProfile: (userId: string, part: string) => post(`users/${userId}/clear`, { part }),
    setAdmin: (userId: string, admin: boolean) => ask(`users/${userId}/admin`, { method: 'PUT', body: { admin } }),

    async groups(search: string | undefined, after?: string, signal?: AbortSignal): Promise<Page<AdminGroup>> {
      const { groups, next } = await ask<{ groups: AdminGroup[]; next?: string }>('groups', paged({ search, after }, signal))
      return { items: groups, next }
    },
    group: (groupId: string) => ask<AdminGroupShown>(`groups/${groupId}`, { query: { limit: 1 } }),
    async members(groupId: string, usersAfter?: string, signal?: AbortSignal): Promise<Page<AdminGroupMember>> {
      const { members, next } = await ask<{ members: AdminGroupMember[]; next?: string }>(`groups/${groupId}`, paged({ usersAfter }, signal))
      return { items: members, next }
    },
    clearGroup: (groupId: string, part: string) => post(`groups/${groupId}/clear`, { part }),
    dissolve: (groupId: string) => post(`groups/${groupId}/dissolve`),
    removeMember: (groupId: string, userId: string) => post(`groups/${groupId}/members/${userId}/remove`),
    handOver: (groupId: string, userId: string) => post(`groups/${groupId}/hand-over`, { user: userId }),

    async records(wanted: RecordsWanted, before?: string, signal?: AbortSignal): Promise<Page<AuditRecord>> {
      const { records, next } = await ask<{ records: AuditRecord[]; next?: number }>('audit', paged({ ...wanted, before }, signal))
      return { items: records, next: next?.toString() }
    },

    async notices(before?: string, signal?: AbortSignal): Promise<Page<AdminNotice>> {
      const { notices, next } = await ask<{ notices: AdminNotice[]; next?: string }>('notices', paged({ before }, signal))
      return { items: notices, next }
    },
    say: (notice: NewNotice) => post<{ notice: AdminNotice; sessions: number }>('notices', notice),
    withdraw: (noticeId: string) => post(`notices/${noticeId}/withdraw`),
    limits: () => ask<AdminLimits>('limits'),
    changeLimits: (change: LimitsChange) => ask<AdminLimits>('limits', { method: 'PATCH', body: change }),

    async words(after?: string, signal?: AbortSignal): Promise<Page<FilterWord> & { wordsOfFile: number }> {
      const { words, next, wordsOfFile } = await ask<{ words: FilterWord[]; next?: string; wordsOfFile: number }>('words', paged({ after }, signal))
      return { items: words, next, wordsOfFile }
    },
    putWords: (words: FilterWord[]) => ask('words', { method: 'PUT', body: { words } }),
    removeWord: (word: string) => post('words/remove', { words: [word] }),
    tryText: (text: string) => post<WordsMet>('words/try', { text }),
  }
}

function paged(query: NonNullable<Ask['query']>, signal: AbortSignal | undefined): Ask {
  return { query, ...(signal ? { signal } : {}) }
}
