/** Into which groups the user is invited, and what the user answers; what follows comes as events. */
import { defineStore } from 'pinia'
import type { Invitation } from '../../engine/wire/protocol'
import { systemRandom } from '../platform/world'
import { useMessenger } from './messenger'
import { useSession } from './session'

export const useInvitations = defineStore('invitations', () => {
  const messenger = useMessenger()
  const session = useSession()

  /** Newest first. That one is over nobody tells; `now` decides. */
  const waiting = (now: number): Invitation[] =>
    Object.values(messenger.personal?.invitations ?? {})
      .filter(({ expiresTs }) => expiresTs > now)
      .sort((one, other) => other.ts - one.ts)

  /** Over HTTP, so that a refusal is known at once. @throws ApiError */
  async function answer(groupId: string, accept: boolean): Promise<void> {
    await session.http.ask(`/api/invitations/${groupId}`, { method: 'POST', body: { clientMsgId: systemRandom.uuid(), accept } })
  }

  return { waiting, answer }
})
