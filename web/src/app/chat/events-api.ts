/** Stretches of a conversation that are asked for over HTTP, beside the copy that the engine keeps. */
import { decode, type EventsFrame } from '../../engine/wire/codec'
import type { HttpApi } from '../platform/http'

/** Which events are wanted: those after a place, or those before it. */
export type Wanted = { limit: number } & ({ afterSeq: number } | { beforeSeq: number })

export type FetchEvents = (conversationId: string, wanted: Wanted) => Promise<EventsFrame>

/** @throws ApiError */
export const eventsFrom = (http: HttpApi): FetchEvents => async (conversationId, wanted) => {
  const data = await http.ask<object>(`/api/conversations/${conversationId}/events`, { query: wanted })
  const answer = decode(JSON.stringify({ ...data, type: 'EVENTS' }))
  if (answer.type !== 'EVENTS') throw new Error('not events')
  return answer
}
