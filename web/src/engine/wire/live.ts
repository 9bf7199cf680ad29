/** Readers of what is said of the moment: who is online, who types. */
import { boolean, count, flag, identifier, listOf, objectOf, optional } from './decode'

const presence = objectOf({ user: identifier, online: boolean, lastSeenTs: optional(count) })

/** The frames, by type. */
export const live = {
  PRESENCE_STATE: objectOf({ items: listOf(presence) }),
  PRESENCE: objectOf({ items: listOf(presence) }),
  TYPING: objectOf({ conversationId: identifier, from: identifier, stopped: flag, expiresInMs: count }),
}
