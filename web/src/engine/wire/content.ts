/** Readers of what a message says beside its text. */
import { count, flag, FrameError, identifier, listOf, objectOf, oneOf, optional, text, type Reader } from './decode'

const degrees: Reader<number> = (value, field) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new FrameError('invalid_field', `${field} must be a number`)
}

const anyObject: Reader<Record<string, unknown>> = (value, field) => {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new FrameError('invalid_field', `${field} must be an object`)
}

/** The fields of a message by which it is more than a text. */
export const content = {
  msgType: oneOf('TEXT', 'IMAGE', 'FILE', 'AUDIO', 'VIDEO', 'LOCATION', 'CUSTOM', 'CALL'),
  call: optional(
    objectOf({
      callId: text,
      media: oneOf('audio', 'video'),
      outcome: oneOf('answered', 'missed', 'cancelled', 'rejected', 'busy'),
      durationMs: optional(count),
    }),
  ),
  attachment: optional(
    objectOf({
      fileId: text,
      name: text,
      size: count,
      contentType: text,
      width: optional(count),
      height: optional(count),
      durationMs: optional(count),
      thumbnail: flag,
    }),
  ),
  location: optional(
    objectOf({ latitude: degrees, longitude: degrees, name: optional(text), address: optional(text) }),
  ),
  custom: optional(objectOf({ type: text, data: anyObject })),
  replyTo: optional(objectOf({ msgSeq: count, from: identifier })),
  forwardedFrom: optional(objectOf({ user: identifier })),
  reactions: optional(listOf(objectOf({ emoji: text, users: listOf(identifier) }))),
}
