/** The record of a conversation that this device knows nothing of yet, and how its cursors move. */
import type { ConversationKind, ConversationRecord, Cursors } from './storage/records'

/** The further of each; what is read is delivered. */
export function furthest(one: Cursors, other: Cursors): Cursors {
  return {
    delivered: Math.max(one.delivered, other.delivered, other.read),
    read: Math.max(one.read, other.read),
  }
}

export function newRecord(conversationId: string, kind: ConversationKind): ConversationRecord {
  return {
    conversationId,
    kind,
    summarySeq: 0,
    present: true,
    position: null,
    from: 1,
    trimmedBefore: 1,
    head: 0,
    wanted: 0,
    own: { delivered: 0, read: 0 },
    peerCursors: { delivered: 0, read: 0 },
    readHere: 0,
    unread: 0,
    unreadMentions: 0,
    group: { kind: 'unknown' },
    requests: { kind: 'unknown' },
    contacts: { kind: 'unknown' },
    ts: 0,
  }
}
