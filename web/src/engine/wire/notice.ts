/** Readers of what admins of the system say to everybody. */
import { count, identifier, objectOf, optional, text } from './decode'

/** The frames, by type. */
export const notice = {
  NOTICE: objectOf({ noticeId: identifier, text, ts: count, untilTs: optional(count) }),
  NOTICE_WITHDRAWN: objectOf({ noticeId: identifier }),
}
