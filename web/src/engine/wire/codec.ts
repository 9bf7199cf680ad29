/**
 * The codec: texts of frames to values and back. No I/O, and no opinion on what a frame means.
 *
 * Sources of truth are docs/protocol.md and the golden vectors; the types beside this file
 * are generated from the schema.
 */
import { contact, conversationSettings, groupInfo, readChange, history, role } from './change'
import type { Change } from './change'
import { content } from './content'
import {
  boolean,
  count,
  flag,
  FrameError,
  identifier,
  listOf,
  objectOf,
  oneOf,
  optional,
  requestId,
  text,
  type Reader,
} from './decode'
import { live } from './live'
import { notice } from './notice'
import { search, type Found } from './search'
import type {
  AuthExpiring,
  AuthFail,
  AuthOk,
  CallAnswer,
  CallIce,
  CallRing,
  CallState,
  ClientFrame,
  CloseReason,
  ContactState,
  ConversationState,
  DoneAck,
  Error as ErrorFrame,
  EventPush,
  Events,
  Focused,
  Gap,
  GroupChatPush,
  GroupInvitationState,
  GroupInvitedState,
  GroupRequestState,
  Head,
  Kick,
  LimitsChanged,
  Notice,
  NoticeWithdrawn,
  Pong,
  PresenceChange,
  PresenceState,
  ReaderState,
  ReauthOk,
  ReceiptAck,
  RequestId,
  SavedAck,
  SingleChatPush,
  SyncConversation,
  SyncState,
  TurnCredentials,
  TypingPush,
} from './protocol'

type Typed<T extends string, F> = { type: T; id?: RequestId } & F

/** A push of an event whose change may be of a kind that is not known here. */
export type AnyEventPush = Omit<EventPush, 'change'> & { change: Change }

/** An event as it is pushed, and as it stands in `EVENTS`. */
export type PlacedFrame =
  | Typed<'SINGLE_CHAT', SingleChatPush>
  | Typed<'GROUP_CHAT', GroupChatPush>
  | Typed<'EVENT', AnyEventPush>

export type EventsFrame = Typed<'EVENTS', Omit<Events, 'events'> & { events: PlacedFrame[] }>

/** A conversation of a kind that this client does not know is passed over. */
export type AnySyncConversation =
  | SyncConversation
  | (Omit<SyncConversation, 'kind'> & { kind: 'unknown' })

export type SyncStateFrame = Typed<
  'SYNC_STATE',
  Omit<SyncState, 'conversations'> & { conversations: AnySyncConversation[] }
>

export type SavedFrame = Typed<'ACK', SavedAck>
export type DoneFrame = Typed<'ACK', DoneAck>
export type ReceiptFrame = Typed<'ACK', ReceiptAck>

/** Reasons that this client does not know are texts like any other. */
export type AnyError = Typed<'ERROR', Omit<ErrorFrame, 'reason'> & { reason: string }>

export type ServerFrame =
  | Typed<'AUTH_OK', AuthOk>
  | Typed<'AUTH_FAIL', Omit<AuthFail, 'reason'> & { reason: string }>
  | Typed<'REAUTH_OK', ReauthOk>
  | Typed<'AUTH_EXPIRING', AuthExpiring>
  | Typed<'KICK', Kick>
  | Typed<'PONG', Pong>
  | PlacedFrame
  | SavedFrame
  | DoneFrame
  | ReceiptFrame
  | Typed<'GAP', Gap>
  | Typed<'HEAD', Head>
  | Typed<'FOCUSED', Focused>
  | SyncStateFrame
  | EventsFrame
  | Typed<'CONVERSATION_STATE', ConversationState>
  | Typed<'CONTACT_STATE', ContactState>
  | Typed<'READER_STATE', ReaderState>
  | Typed<'FOUND', Found>
  | Typed<'GROUP_REQUEST_STATE', GroupRequestState>
  | Typed<'GROUP_INVITATION_STATE', GroupInvitationState>
  | Typed<'GROUP_INVITED_STATE', GroupInvitedState>
  | Typed<'LIMITS', LimitsChanged>
  | Typed<'PRESENCE_STATE', PresenceState>
  | Typed<'PRESENCE', PresenceChange>
  | Typed<'TYPING', TypingPush>
  | Typed<'CALL_OFFER', CallRing>
  | Typed<'CALL_ANSWER', CallAnswer>
  | Typed<'CALL_ICE', CallIce>
  | Typed<'CALL_STATE', CallState>
  | Typed<'TURN_CREDENTIALS', TurnCredentials>
  | Typed<'NOTICE', Notice>
  | Typed<'NOTICE_WITHDRAWN', NoticeWithdrawn>
  | AnyError

export type ServerFrameType = ServerFrame['type']

const rates = objectOf({
  framesPerSecond: count,
  framesBurst: count,
  sendsPerSecond: count,
  sendsBurst: count,
  readsPerSecond: count,
  readsBurst: count,
})

const limits = objectOf({
  frameBytes: count,
  bodyUnits: count,
  bodyBytes: count,
  sendsInFlight: count,
  pullEvents: count,
  groupMembers: count,
  changeMembers: count,
  titleUnits: count,
  stateMembers: count,
  syncConversations: count,
  ackItems: count,
  ackIntervalMs: count,
  focusConversations: count,
  headMembers: count,
  recallWindowMs: count,
  editWindowMs: count,
  retryWindowMs: count,
  pingIntervalMs: count,
  idleTimeoutMs: count,
  rates,
})

const message = {
  from: identifier,
  clientMsgId: text,
  serverMsgId: identifier,
  conversationId: identifier,
  msgSeq: count,
  ...content,
  body: text,
  ts: count,
  rev: optional(count),
  edited: flag,
  recalled: flag,
  redelivered: flag,
}

const head = objectOf({ conversationId: identifier, headSeq: count })

const syncConversationKind: Reader<SyncConversation['kind'] | 'unknown'> = (value, field) => {
  const kind = text(value, field)
  return kind === 'single' || kind === 'group' || kind === 'personal' ? kind : 'unknown'
}

const syncConversation = objectOf({
  conversationId: identifier,
  kind: syncConversationKind,
  peer: optional(identifier),
  title: optional(text),
  memberCount: optional(count),
  left: flag,
  headSeq: count,
  headMsgNo: count,
  readSeq: count,
  deliveredSeq: count,
  peerReadSeq: optional(count),
  peerDeliveredSeq: optional(count),
  unread: count,
  unreadMentions: optional(count),
  ts: count,
  settings: optional(conversationSettings),
})

const savedAck = objectOf({
  ackType: oneOf('saved'),
  clientMsgId: text,
  serverMsgId: identifier,
  conversationId: identifier,
  msgSeq: count,
  durability: oneOf('fsync'),
  ts: count,
  duplicate: flag,
  bodyDiffers: flag,
  wordsReplaced: flag,
})

const doneAck = objectOf({ ackType: oneOf('done'), clientMsgId: text, ts: count, duplicate: flag })

const receiptAck = objectOf({
  ackType: oneOf('delivered', 'read'),
  from: identifier,
  conversationId: identifier,
  msgSeq: count,
  ts: count,
})

const ackType = objectOf({ ackType: text })

/**
 * The events of an answer. One that can't be read must not keep the others from being read, or
 * the same answer would be asked for again and again.
 */
const placedFrames: Reader<PlacedFrame[]> = (value, field) =>
  listOf((item) => item)(value, field).flatMap((item) => {
    try {
      const frame = readFrame(item)
      return isPlaced(frame) ? [frame] : []
    } catch (error) {
      if (error instanceof FrameError) return unreadable(item) ?? []
      throw error
    }
  })

/** What every event has, whatever it says. */
const place = objectOf({
  type: text,
  from: identifier,
  clientMsgId: optional(text),
  serverMsgId: identifier,
  conversationId: identifier,
  msgSeq: count,
  ts: count,
  redelivered: flag,
})

/** An event of which only the place is understood; nothing if not even that is. */
function unreadable(value: unknown): PlacedFrame | undefined {
  try {
    const { type, ...rest } = place(value, 'event')
    const isMessage = type.toUpperCase() !== 'EVENT'
    const { body, fallback } = value as { body?: unknown; fallback?: unknown }
    const words = [fallback, body].find((words) => typeof words === 'string') as string | undefined
    const change = { kind: 'unknown' as const, ...(isMessage ? { isMessage } : {}) }
    return { type: 'EVENT', ...rest, change, fallback: words ?? '' }
  } catch {
    return undefined
  }
}

const READERS: Readonly<Record<ServerFrameType, Reader<unknown>>> = {
  AUTH_OK: objectOf({
    v: count,
    from: identifier,
    sessionId: identifier,
    epoch: identifier,
    ts: count,
    caps: listOf(text),
    limits,
  }),
  AUTH_FAIL: objectOf({ reason: text, message: text }),
  REAUTH_OK: objectOf({ expiresInMs: count }),
  AUTH_EXPIRING: objectOf({ inMs: count }),
  KICK: objectOf({ reason: text, message: text }),
  PONG: objectOf({ ts: count }),
  SINGLE_CHAT: objectOf({ ...message, to: identifier }),
  GROUP_CHAT: objectOf({
    ...message,
    groupId: identifier,
    mentions: optional(listOf(identifier)),
    mentionAll: flag,
  }),
  EVENT: objectOf({
    from: identifier,
    clientMsgId: optional(text),
    serverMsgId: identifier,
    conversationId: identifier,
    msgSeq: count,
    change: readChange,
    fallback: text,
    ts: count,
    redelivered: flag,
  }),
  ACK: (value, field) => {
    const kind = ackType(value, field).ackType.toLowerCase()
    if (kind === 'saved') return savedAck(value, field)
    return kind === 'done' ? doneAck(value, field) : receiptAck(value, field)
  },
  GAP: head,
  HEAD: head,
  FOCUSED: objectOf({ heads: listOf(head) }),
  SYNC_STATE: objectOf({
    epoch: identifier,
    resync: flag,
    conversations: listOf(syncConversation),
    token: text,
    more: boolean,
  }),
  EVENTS: objectOf({
    conversationId: identifier,
    fromSeq: count,
    toSeq: count,
    headSeq: count,
    trimmedBefore: count,
    hasMore: boolean,
    events: placedFrames,
  }),
  CONVERSATION_STATE: objectOf({
    conversationId: identifier,
    kind: oneOf('single', 'group', 'personal'),
    asOfSeq: count,
    trimmedBefore: count,
    title: optional(text),
    history: optional(history),
    group: optional(groupInfo),
    pins: optional(listOf(count)),
    memberCount: count,
    members: listOf(
      objectOf({ user: identifier, role, nickname: optional(text), mutedUntilTs: optional(count) }),
    ),
    more: boolean,
  }),
  CONTACT_STATE: objectOf({
    list: oneOf('friends', 'incoming', 'outgoing', 'blocked'),
    conversationId: optional(identifier),
    asOfSeq: count,
    contacts: listOf(contact),
    more: boolean,
  }),
  READER_STATE: objectOf({
    conversationId: identifier,
    msgSeq: count,
    readers: listOf(objectOf({ user: identifier, delivered: boolean, read: boolean })),
    more: boolean,
    lastUser: optional(identifier),
  }),
  GROUP_REQUEST_STATE: objectOf({
    groupId: identifier,
    asOfSeq: count,
    requests: listOf(objectOf({ user: identifier, message: optional(text), ts: count })),
    more: boolean,
  }),
  GROUP_INVITATION_STATE: objectOf({
    conversationId: optional(identifier),
    asOfSeq: count,
    invitations: listOf(
      objectOf({ groupId: identifier, title: text, by: identifier, ts: count, expiresTs: count }),
    ),
    more: boolean,
  }),
  GROUP_INVITED_STATE: objectOf({
    groupId: identifier,
    asOfSeq: count,
    invited: listOf(objectOf({ user: identifier, by: identifier, expiresTs: count })),
    more: boolean,
  }),
  LIMITS: objectOf({ rates }),
  ...live,
  ...notice,
  ...search,
  ERROR: objectOf({
    reason: text,
    message: text,
    clientMsgId: optional(text),
    callId: optional(text),
    retryAfterMs: optional(count),
    outcome: optional(text),
  }),
}

const envelope = objectOf({ type: text, id: optional(requestId) })

function readFrame(value: unknown): ServerFrame {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new FrameError('bad_json', 'a frame is a JSON object')
  }
  const { type, id } = envelope(value, 'frame')
  const name = type.toUpperCase()
  if (!Object.hasOwn(READERS, name)) throw new FrameError('unknown_type', `no frame is ${name}`)
  const fields = READERS[name as ServerFrameType](value, 'frame') as object
  return { ...(id === undefined ? {} : { id }), type: name, ...fields } as ServerFrame
}

/** Whether a frame is an event of a timeline. */
export function isPlaced(frame: ServerFrame): frame is PlacedFrame {
  return frame.type === 'SINGLE_CHAT' || frame.type === 'GROUP_CHAT' || frame.type === 'EVENT'
}

/** Reads a frame of the server. @throws FrameError with the protocol's reason. */
export function decode(frame: string): ServerFrame {
  let value: unknown
  try {
    value = JSON.parse(frame)
  } catch {
    throw new FrameError('bad_json', 'a frame is a JSON object')
  }
  return readFrame(value)
}

/**
 * What can be made of a frame that {@link decode} does not take: an event shows its fallback,
 * an answer becomes a refusal, so that nobody waits for it or asks again.
 */
export function decodeAnyway(frame: string): ServerFrame | undefined {
  let value: unknown
  try {
    value = JSON.parse(frame)
    const { type, id } = envelope(value, 'frame')
    if (id !== undefined) {
      const message = 'the answer is not one that this client can read'
      return { type: 'ERROR', id, reason: 'unreadable_answer', message }
    }
    const isEvent = ['SINGLE_CHAT', 'GROUP_CHAT', 'EVENT'].includes(type.toUpperCase())
    return isEvent ? unreadable(value) : undefined
  } catch {
    return undefined
  }
}

/** Writes a frame of the client. Fields that are undefined are left out. */
export function encode(frame: ClientFrame): string {
  return JSON.stringify(frame)
}

const closeReason = objectOf({ reason: text, retryAfterMs: optional(count) })

/** Reads the text of a close frame; what is no JSON of the protocol's form says nothing. */
export function decodeCloseReason(reason: string): CloseReason | undefined {
  try {
    return closeReason(JSON.parse(reason), 'close reason')
  } catch {
    return undefined
  }
}
