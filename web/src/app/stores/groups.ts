/** What the user does about groups, over HTTP, so that a refusal is known at once; what follows comes as events. */
import { defineStore } from 'pinia'
import type { Role } from '../../engine'
import { systemRandom } from '../platform/world'
import { useSession } from './session'

interface Ack {
  ackType: 'saved' | 'done'
  conversationId?: string
}

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

export const useGroups = defineStore('groups', () => {
  const session = useSession()
  const ask = (method: 'POST' | 'PUT' | 'PATCH', path: string, body: object = {}) =>
    session.http.ask<Ack>(`/api/groups${path}`, { method, body: { clientMsgId: systemRandom.uuid(), ...body } })

  return {
    /** Returns the conversation. @throws ApiError, as all of these */
    create: async (title: string, members: string[], history: 'joined' | 'all') => (await ask('POST', '', { title, members, history })).conversationId!,
    /** Returns the conversation; nothing if somebody has to let the user in first. */
    join: async (code: string, message: string) => (await ask('POST', '/join', { code, ...(message === '' ? {} : { message }) })).conversationId,
    add: (id: string, members: string[]) => ask('POST', `/${id}/members`, { members }),
    remove: (id: string, members: string[]) => ask('POST', `/${id}/members/remove`, { members }),
    setRole: (id: string, user: string, role: Role) => ask('PUT', `/${id}/members/${user}/role`, { role }),
    setTitle: (id: string, title: string) => ask('PUT', `/${id}/title`, { title }),
    change: (id: string, settings: GroupSettings) => ask('PATCH', `/${id}`, settings),
    setNickname: (id: string, user: string, nickname: string) => ask('PATCH', `/${id}/members/${user}`, { nickname }),
    mute: (id: string, user: string, muteMs: number) => ask('PATCH', `/${id}/members/${user}`, { muteMs }),
    answer: (id: string, user: string, accept: boolean) => ask('POST', `/${id}/requests/${user}`, { accept }),
    leave: (id: string) => ask('POST', `/${id}/leave`),
    dissolve: (id: string) => ask('POST', `/${id}/dissolve`),
  }
})
