/** Readers of what is said of the moment: who is online, who types, who calls. */
import { boolean, count, flag, identifier, listOf, objectOf, oneOf, optional, text } from './decode'

const presence = objectOf({ user: identifier, online: boolean, lastSeenTs: optional(count) })

/** The frames, by type. */
export const live = {
  PRESENCE_STATE: objectOf({ items: listOf(presence) }),
  PRESENCE: objectOf({ items: listOf(presence) }),
  CALL_OFFER: objectOf({
    callId: text,
    from: identifier,
    media: oneOf('audio', 'video'),
    sdp: text,
    ringsForMs: count,
    resumes: optional(text),
  }),
  CALL_ANSWER: objectOf({ callId: text, sdp: text }),
  CALL_ICE: objectOf({ callId: text, candidate: text }),
  CALL_STATE: objectOf({
    callId: text,
    state: oneOf('ringing', 'answered', 'ended'),
    reason: optional(
      oneOf(
        'hungUp', 'cancelled', 'rejected', 'noAnswer', 'disconnected', 'answeredElsewhere', 'serverStopped',
      ),
    ),
  }),
  TURN_CREDENTIALS: objectOf({
    urls: listOf(text),
    username: optional(text),
    credential: optional(text),
    ttlMs: count,
  }),
  TYPING: objectOf({ conversationId: identifier, from: identifier, stopped: flag, expiresInMs: count }),
}
