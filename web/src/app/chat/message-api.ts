/** What is asked of the server about single messages, over HTTP, so that a refusal is known at once; what follows comes as events. */
import { defineStore } from 'pinia'
import type { Hiding } from '../../engine'
import type { ReaderState } from '../../engine/wire/protocol'
import { systemRandom } from '../platform/world'
import { useSession } from '../stores/session'

/** The most messages that are deleted with one request. */
const HIDDEN_AT_ONCE_MAX = 100
const READERS_PAGE = 100

export const useMessageApi = defineStore('messageApi', () => {
  const session = useSession()
  const post = (path: string, body: object) => session.http.ask(path, { method: 'POST', body: { clientMsgId: systemRandom.uuid(), ...body } })

  /** Pins a message, or takes it down. @throws ApiError, as all of these */
  const pin = (serverMsgId: string, remove: boolean) => post(`/api/messages/${serverMsgId}/pin`, remove ? { remove } : {})

  /** Deletes messages for the user alone. */
  async function hide(conversationId: string, { msgSeqs = [], upToSeq }: Hiding): Promise<void> {
    const path = `/api/conversations/${conversationId}/hide`
    if (upToSeq !== undefined) await post(path, { upToSeq })
    for (let start = 0; start < msgSeqs.length; start += HIDDEN_AT_ONCE_MAX) {
      await post(path, { msgSeqs: msgSeqs.slice(start, start + HIDDEN_AT_ONCE_MAX) })
    }
  }

  /** A page of those who may read one's own message, and who of them has. */
  const readers = (serverMsgId: string, usersAfter?: string) =>
    session.http.ask<ReaderState>(`/api/messages/${serverMsgId}/readers`, { query: { limit: READERS_PAGE, usersAfter } })

  return { pin, hide, readers }
})
