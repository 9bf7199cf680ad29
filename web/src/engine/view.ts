/** What the user is shown, and how it changes. Plain data, so that it can go to other tabs. */
import type { CallView } from './call/view'
import type { TimelineEvent } from './event'
import type { GroupState } from './group'
import type { Halt } from './ending'
import type { OutboxEntry } from './outbox'
import type { JoinRequest } from './requests'
import type { ConversationKind, Cursors } from './storage/records'
import { indexFrom } from './window'
import type { Contact, ConversationSettings, Invitation, Limits, Notice, UserSettings } from './wire/protocol'

/** What is true of the connection, in words that a user may be told. */
export type Status =
  | { kind: 'connecting' }
  | { kind: 'catchingUp' }
  | { kind: 'online' }
  /** The next attempt is at `retryAt`, by this device's clock. */
  | { kind: 'offline'; retryAt: number; reason: string }
  /** The user is logged in, but this device stays away until asked to connect. */
  | { kind: 'halted'; reason: Halt }
  | { kind: 'signedOut'; reason: string }
  | { kind: 'stopped' }

export interface ConversationView {
  conversationId: string
  kind: ConversationKind
  peer?: string
  title?: string
  memberCount?: number
  present: boolean
  unread: number
  /** How many of them name the user or everybody; from 100 on it may be more. */
  unreadMentions: number
  /** Whether there are events that this device has not pulled. */
  hasNews: boolean
  /** How far the user has read. */
  read: number
  peerCursors: Cursors
  /** The last event that is here and stands for itself: it is no change of a message. */
  last?: TimelineEvent
  group?: GroupState
  /** The places of pinned messages, the last that was pinned at the end; absent until they are known. */
  pins?: number[]
  /** Who waits to be let in, by user id, for those who decide. */
  requests?: Record<string, JoinRequest>
  /** What it is to the user: muted, pinned, archived. */
  settings?: ConversationSettings
  ts: number
}

/** Whether somebody is there, as far as the user may know. */
export interface Presence {
  user: string
  online: boolean
  lastSeenTs?: number
}

/** What concerns the user alone. */
export interface PersonalView {
  /** What others are to the user, by user id; absent until all of it is here. */
  contacts?: Record<string, Contact>
  /** Into which groups the user is invited, by their ids, those included that are over; absent until all of them are here. */
  invitations?: Record<string, Invitation>
  /** Absent until the server has told them. */
  settings?: UserSettings
  /** The event by which an admin of the system has cleared the user's name or picture, until the user has changed a setting since. */
  cleared?: { seq: number; ts: number }
}

export interface TimelineView {
  events: TimelineEvent[]
  hasOlder: boolean
}

export interface View {
  status: Status
  /** Whether what is shown is also on this device's disk. */
  durable: boolean
  /** What the server allows, as it said last; absent until a session began. */
  limits?: Limits
  /** Absent while there is no personal timeline: there is nothing to know then. */
  personal?: PersonalView
  conversations: Map<string, ConversationView>
  /** Only of conversations that are open. */
  timelines: Map<string, TimelineView>
  /** In the order of sending. */
  outbox: Map<string, OutboxEntry>
  /** By user; only while there is a connection. */
  presence: Map<string, Presence>
  /** Who types, by conversation. */
  typing: Map<string, string[]>
  /** The call of the moment, or the last one, if this tab has seen it. */
  call?: CallView
  /** What admins of the system say to everybody, as far as this session was told. */
  notices: Notice[]
}

export interface TimelinePatch {
  conversationId: string
  /** Forget what was shown before. */
  reset: boolean
  events: TimelineEvent[]
  hasOlder: boolean
}

/** What is new. */
export interface Patch {
  /** Forget all conversations and timelines first. */
  reset?: boolean
  status?: Status
  durable?: boolean
  limits?: Limits
  personal?: PersonalView
  conversations?: ConversationView[]
  timelines?: TimelinePatch[]
  /** Timelines that are no longer open. */
  closed?: string[]
  outbox?: OutboxEntry[]
  done?: string[]
  /** Forget all presences first. */
  forgetPresence?: boolean
  presence?: Presence[]
  /** All who type in a conversation. */
  typing?: { conversationId: string; users: string[] }[]
  call?: CallView
  /** All that are in force. */
  notices?: Notice[]
}

export function emptyView(): View {
  return {
    status: { kind: 'stopped' },
    durable: true,
    conversations: new Map(),
    timelines: new Map(),
    outbox: new Map(),
    presence: new Map(),
    typing: new Map(),
    notices: [],
  }
}

/** Brings a view up to date. */
export function applyPatch(view: View, patch: Patch): void {
  if (patch.reset) {
    view.conversations.clear()
    view.timelines.clear()
    view.outbox.clear()
    delete view.personal
    delete view.call
  }
  if (patch.status) view.status = patch.status
  if (patch.durable !== undefined) view.durable = patch.durable
  if (patch.limits) view.limits = patch.limits
  if (patch.personal) view.personal = patch.personal
  for (const conversation of patch.conversations ?? []) {
    view.conversations.set(conversation.conversationId, conversation)
  }
  for (const timeline of patch.timelines ?? []) applyTimeline(view, timeline)
  for (const conversationId of patch.closed ?? []) view.timelines.delete(conversationId)
  for (const entry of patch.outbox ?? []) view.outbox.set(entry.clientMsgId, entry)
  for (const clientMsgId of patch.done ?? []) view.outbox.delete(clientMsgId)
  if (patch.notices) view.notices = patch.notices
  if (patch.forgetPresence) view.presence.clear()
  for (const presence of patch.presence ?? []) view.presence.set(presence.user, presence)
  for (const { conversationId, users } of patch.typing ?? []) {
    if (users.length === 0) view.typing.delete(conversationId)
    else view.typing.set(conversationId, users)
  }
  if (patch.call) view.call = patch.call
}

function applyTimeline(view: View, patch: TimelinePatch): void {
  const known = patch.reset ? undefined : view.timelines.get(patch.conversationId)
  const events = known?.events ?? []
  view.timelines.set(patch.conversationId, { events, hasOlder: patch.hasOlder })
  const first = events[0]?.seq ?? Infinity
  const last = events.at(-1)?.seq ?? -Infinity
  const older: TimelineEvent[] = []
  const newer: TimelineEvent[] = []
  for (const event of [...patch.events].sort((one, other) => one.seq - other.seq)) {
    const index = indexFrom(events, event.seq)
    if (events[index]?.seq === event.seq) events[index] = event
    else if (event.seq < first) pushLatest(older, event)
    else if (event.seq > last) pushLatest(newer, event)
    else events.splice(index, 0, event)
  }
  events.unshift(...older)
  events.push(...newer)
}

/** Adds an event; a later form of the last one takes its place. */
function pushLatest(events: TimelineEvent[], event: TimelineEvent): void {
  if (events.at(-1)?.seq === event.seq) events[events.length - 1] = event
  else events.push(event)
}
