/** What the user does about groups, over HTTP, so that a refusal is known at once; what follows comes as events. */
import { defineStore } from 'pinia'
import type { Role } from '../../engine'
import type { SavedAck } from '../../engine/wire/protocol'
import type { GroupInvitedState } from '../../engine/wire/protocol'
import { systemRandom } from '../platform/world'
import { useSession } from './session'

/** Where the event is that the command has made. */
type Saved = Pick<SavedAck, 'conversationId' | 'msgSeq'>

export interface GroupSettings {
  /** A file that the user has uploaded; empty to have none. */
  avatar?: string
  announcement?: string
  description?: string
  joining?: 'closed' | 'approval' | 'open'
  muted?: boolean
  membersPin?: boolean
  renewCode?: boolean
}

const INVITED_PAGE = 100

export const useGroups = defineStore('groups', () => {
  const session = useSession()
  const ask = (method: 'POST' | 'PUT' | 'PATCH', path: string, body: object = {}) =>
    session.http.ask<Saved>(`/api/groups${path}`, { method, body: { clientMsgId: systemRandom.uuid(), ...body } })

  return {
    /** @throws ApiError, as all of these */
    create: (title: string, members: string[], history: 'joined' | 'all') => ask('POST', '', { title, members, history }),
    /** Returns the conversation; nothing if somebody has to let the user in first. */
    join: async (code: string, message: string) => {
      const body = { clientMsgId: systemRandom.uuid(), code, ...(message === '' ? {} : { message }) }
      return (await session.http.ask<{ groupId?: string }>('/api/groups/join', { method: 'POST', body })).groupId
    },
    add: (id: string, members: string[]) => ask('POST', `/${id}/members`, { members }),
    remove: (id: string, members: string[]) => ask('POST', `/${id}/members/remove`, { members }),
    setRole: (id: string, user: string, role: Role) => ask('PUT', `/${id}/members/${user}/role`, { role }),
    setTitle: (id: string, title: string) => ask('PUT', `/${id}/title`, { title }),
    change: (id: string, settings: GroupSettings) => ask('PATCH', `/${id}`, settings),
    setNickname: (id: string, user: string, nickname: string) => ask('PATCH', `/${id}/members/${user}`, { nickname }),
    mute: (id: string, user: string, muteMs: number) => ask('PATCH', `/${id}/members/${user}`, { muteMs }),
    /** A page of those who are invited, for who decides about the group. */
    invited: (id: string, usersAfter?: string) => session.http.ask<GroupInvitedState>(`/api/groups/${id}/invitations`, { query: { limit: INVITED_PAGE, usersAfter } }),
    withdraw: (id: string, user: string) => ask('POST', `/${id}/invitations/${user}/withdraw`),
    answer: (id: string, user: string, accept: boolean) => ask('POST', `/${id}/requests/${user}`, { accept }),
    leave: (id: string) => ask('POST', `/${id}/leave`),
    dissolve: (id: string) => ask('POST', `/${id}/dissolve`),
  }
})
