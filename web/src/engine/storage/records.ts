/** What a device keeps on disk, and what one step changes of it. */
import type { ContactsKnowledge } from '../contacts'
import type { Amendment, TimelineEvent } from '../event'
import type { GroupKnowledge } from '../group'
import type { Hidden } from '../hidden'
import type { InvitationsKnowledge } from '../invitations'
import type { OutboxEntry } from '../outbox'
import type { PinsState } from '../pins'
import type { RequestsKnowledge } from '../requests'
import type { ConversationSettings, UserSettings } from '../wire/protocol'

/** What is kept once. */
export interface DeviceRecord {
  /** Whose copy it is. */
  userId: string
  /** The epoch in which positions and the token are valid. */
  epoch: string
  syncToken?: string
}

export interface Cursors {
  delivered: number
  read: number
}

export type ConversationKind = 'single' | 'group' | 'personal' | 'unknown'

/** What is kept of a conversation beside its events. */
export interface ConversationRecord {
  conversationId: string
  kind: ConversationKind
  peer?: string
  title?: string
  memberCount?: number
  /** The title and the number of members are those of this seq. */
  summarySeq: number
  /** Whether the user is a member, as far as this device knows. */
  present: boolean
  /** The copy is complete from `from` to here; null when it has no base yet. */
  position: number | null
  /** The first seq that the copy covers. */
  from: number
  trimmedBefore: number
  /** The last event that this device has heard of. */
  head: number
  /** Where there is more to pull. Less than `head` only in a very large group. */
  wanted: number
  /** The cursors of the user, as the server knows them. */
  own: Cursors
  /** Those of the peer of a single chat. */
  peerCursors: Cursors
  /** How far the user has read on this device. */
  readHere: number
  unread: number
  /** How many of them name the user or everybody. */
  unreadMentions: number
  /** The unread messages of the server's last word, until the copy has come as far. */
  anchor?: { headSeq: number; readSeq: number; unread: number; unreadMentions: number }
  group: GroupKnowledge
  /** Who waits to be let into the group. */
  requests: RequestsKnowledge
  /** The pinned messages; absent until they are known. */
  pins?: PinsState
  /** What the user has deleted of it; absent if that is nothing. */
  hidden?: Hidden
  /** What others are to the user. Only of the personal timeline. */
  contacts: ContactsKnowledge
  /** Into which groups the user is invited; absent until that is known. Only of the personal timeline. */
  invitations?: InvitationsKnowledge
  /** What it is to the user. */
  ownSettings?: ConversationSettings
  /** The user's settings, if an event has told them. Only of the personal timeline. */
  settings?: UserSettings
  /** The event by which an admin of the system has cleared the user's name or picture, until the user has changed a setting since. Only of the personal timeline. */
  cleared?: Cleared
  /** When the last event was numbered. */
  ts: number
}

export interface Cleared {
  seq: number
  ts: number
}

/** What a device finds on disk. */
export interface Stored {
  device?: DeviceRecord
  conversations: ConversationRecord[]
  /** The last events of each conversation, by conversation, in order. */
  events: Map<string, TimelineEvent[]>
  outbox: OutboxEntry[]
}

/** One step: all of it or nothing becomes durable. Applied in the order of the fields. */
export interface Batch {
  /** Drop everything but the outbox first. */
  reset?: boolean
  device?: DeviceRecord
  conversations: Map<string, ConversationRecord>
  /** Conversations whose events before a seq are to go. */
  forget: Map<string, number>
  events: TimelineEvent[]
  /** Events that are to go, by conversation. */
  hide: Map<string, number[]>
  /** Changes of messages that may or may not be kept. */
  amendments: { conversationId: string; amendment: Amendment }[]
  /** Entries that are new or changed; null for those that are done. */
  outbox: Map<string, OutboxEntry | null>
}

export function emptyBatch(): Batch {
  return { conversations: new Map(), forget: new Map(), events: [], hide: new Map(), amendments: [], outbox: new Map() }
}

/** Whether there is nothing to do. */
export function isEmpty(batch: Batch): boolean {
  return (
    batch.reset === undefined &&
    batch.device === undefined &&
    batch.conversations.size === 0 &&
    batch.forget.size === 0 &&
    batch.events.length === 0 &&
    batch.hide.size === 0 &&
    batch.amendments.length === 0 &&
    batch.outbox.size === 0
  )
}
