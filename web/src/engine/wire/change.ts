/** What an event that is no message says, and how it is read. */
import { boolean, count, flag, FrameError, identifier, listOf, objectOf, oneOf, optional, text } from './decode'
import type { EventPush } from './protocol'

/** A change of a kind that this client knows. */
export type KnownChange = EventPush['change']

/** What a later server says and this client can't read. It advances the position and shows its fallback. */
export interface UnknownChange {
  kind: 'unknown'
  /** It is a message, and counts as one. */
  isMessage?: true
}

export type Change = KnownChange | UnknownChange

const role = oneOf('member', 'admin', 'owner')
const history = oneOf('joined', 'all')
const action = oneOf('apply', 'accept', 'reject', 'withdraw', 'remove', 'remark', 'block', 'unblock')

const groupInfo = objectOf({
  description: optional(text),
  avatar: optional(text),
  announcement: optional(text),
  joining: optional(oneOf('closed', 'approval', 'open')),
  code: optional(text),
  memberLimit: optional(count),
  muted: flag,
  membersPin: flag,
})

const application = objectOf({
  direction: oneOf('incoming', 'outgoing'),
  message: optional(text),
  ts: count,
  expiresTs: count,
})

const contact = objectOf({
  user: identifier,
  friendSinceTs: optional(count),
  remark: optional(text),
  blocked: flag,
  application: optional(application),
})

const settings = objectOf({ findable: boolean, friendCode: optional(text), presenceHidden: flag, groupAdds: optional(oneOf('everybody', 'friends', 'ask')), displayName: optional(text), avatar: optional(identifier) })

const conversationSettings = objectOf({ muted: flag, pinned: flag, archived: flag })


const FIELDS = {
  recalled: objectOf({ targetSeq: count }),
  edited: objectOf({ targetSeq: count, body: optional(text) }),
  reacted: objectOf({ targetSeq: count, emoji: text, removed: flag }),
  pinned: objectOf({ targetSeq: count, removed: flag }),
  groupCreated: objectOf({ title: text, members: listOf(identifier), history }),
  membersAdded: objectOf({ members: listOf(identifier) }),
  membersRemoved: objectOf({ members: listOf(identifier) }),
  memberLeft: objectOf({}),
  roleChanged: objectOf({ user: identifier, role }),
  titleChanged: objectOf({ title: text }),
  groupChanged: objectOf({ group: groupInfo }),
  memberChanged: objectOf({ user: identifier, nickname: optional(text), mutedUntilTs: optional(count) }),
  joinRequested: objectOf({}),
  joinRefused: objectOf({ user: identifier }),
  membersInvited: objectOf({ members: listOf(identifier), expiresTs: count }),
  invitationRefused: objectOf({}),
  invitationWithdrawn: objectOf({ user: identifier }),
  groupDissolved: objectOf({}),
  conversationAdded: objectOf({ conversationId: identifier }),
  conversationRemoved: objectOf({ conversationId: identifier }),
  conversationRefused: objectOf({ conversationId: identifier }),
  groupInvited: objectOf({ conversationId: identifier, title: text, expiresTs: count }),
  groupInvitationEnded: objectOf({ conversationId: identifier }),
  contactChanged: objectOf({ contact, action }),
  settingsChanged: objectOf({ settings }),
  messagesHidden: objectOf({
    conversationId: identifier,
    msgSeqs: optional(listOf(count)),
    upToSeq: optional(count),
  }),
  conversationSettingsChanged: objectOf({ conversationId: identifier, settings: conversationSettings }),
} as const satisfies Record<KnownChange['kind'], unknown>

/** Reads a change. The case of the letters of its kind matters. */
export function readChange(value: unknown): Change {
  const { kind } = objectOf({ kind: text })(value, 'change')
  if (!Object.hasOwn(FIELDS, kind)) return { kind: 'unknown' }
  const fields = FIELDS[kind as KnownChange['kind']](value, 'change')
  return { kind, ...fields } as Change
}

export { contact, conversationSettings, FrameError, groupInfo, history, role }
