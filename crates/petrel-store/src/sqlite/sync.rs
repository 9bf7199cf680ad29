//! The read behind a sync: a user's conversations by their stamps.
//!
//! It looks at every conversation of the user to find the newest ones, which is cheap
//! for the hundreds that people have. There is no index by stamp because each message
//! would have to move an entry of it for every member.

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};
use rusqlite::{OptionalExtension, Result, Row};

use super::number::key;
use super::reader::Snapshot;
use super::tail::{Move, Place};
use crate::{Conversation, ConversationKind, Cursors, Interval, SyncEntry, SyncPage};

/// What the tables know of all of a user's conversations.
const CONVERSATIONS: &str = "
SELECT conversations.id, low, high,
       head_seq, head_row, head_message_number, head_timestamp_ms,
       own.changed_row, own.delivered_seq, own.read_seq,
       peer.changed_row, peer.delivered_seq, peer.read_seq
FROM members AS own
CROSS JOIN conversations ON conversations.id = own.conversation
CROSS JOIN members AS peer ON peer.conversation = own.conversation
    AND peer.user = CASE own.user WHEN low THEN high ELSE low END
WHERE own.user = ?1 AND begun_row <= ?2";

pub(super) fn sync_page(
    snapshot: &Snapshot<'_>,
    user: UserId,
    since: RowId,
    before: Option<RowId>,
    limit: u32,
) -> Result<SyncPage> {
    let last_row = snapshot.view.visible();
    let before = before.unwrap_or(RowId::new(u64::MAX));
    let mut entries = Vec::new();
    let mut statement = snapshot.connection.prepare_cached(CONVERSATIONS)?;
    let mut rows = statement.query((key(user.get()), last_row.get()))?;
    while let Some(row) = rows.next()? {
        let entry = entry_of(snapshot, user, row)?;
        if since < entry.stamp && entry.stamp < before {
            entries.push(entry);
        }
    }
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.stamp));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    for entry in &mut entries {
        entry.read_message_number = read_message_number(snapshot, entry)?;
    }
    Ok(SyncPage { entries, last_row, more })
}

/// An entry without its `read_message_number`: what the tables know, unless a tail knows
/// better.
fn entry_of(snapshot: &Snapshot<'_>, user: UserId, row: &Row<'_>) -> Result<SyncEntry> {
    let (low, high) = (UserId::new(row.get(1)?), UserId::new(row.get(2)?));
    let kind = ConversationKind::Single { low, high };
    let conversation = Conversation { id: ConversationId::new(row.get(0)?), kind };
    let stored_head = Place {
        seq: Seq::new(row.get(3)?),
        row: RowId::new(row.get(4)?),
        message_number: MessageNumber::new(row.get(5)?),
        timestamp: TimestampMs::new(row.get(6)?),
    };
    let peer = if user == low { high } else { low };
    let view = &snapshot.view;
    let head = view.head(conversation.id).unwrap_or(stored_head);
    let own = view.member(conversation.id, user).map_or_else(|| move_of(row, 7), Ok)?;
    let peer = view.member(conversation.id, peer).map_or_else(|| move_of(row, 10), Ok)?;
    Ok(SyncEntry {
        conversation,
        stamp: head.row.max(own.stamp).max(peer.stamp),
        head: head.head(),
        timestamp: head.timestamp,
        own: own.cursors,
        read_message_number: MessageNumber::ZERO,
        peer: Some(peer.cursors),
        trimmed_before: Seq::new(1),
        interval: Interval { first: Seq::new(1), last: None },
        profile: Bytes::new(),
        member_count: if low == high { 1 } else { 2 },
    })
}

fn move_of(row: &Row<'_>, column: usize) -> Result<Move> {
    Ok(Move {
        stamp: RowId::new(row.get(column)?),
        cursors: Cursors {
            delivered: Seq::new(row.get(column + 1)?),
            read: Seq::new(row.get(column + 2)?),
        },
    })
}

/// The message number at the read cursor. It is that of the last event up to it, so that
/// it stands on firm ground even where the event at the cursor is gone.
fn read_message_number(snapshot: &Snapshot<'_>, entry: &SyncEntry) -> Result<MessageNumber> {
    let (conversation, read) = (entry.conversation.id, entry.own.read);
    if read >= entry.head.seq {
        return Ok(entry.head.message_number);
    }
    if let Some(place) = snapshot.view.last_up_to(conversation, read) {
        return Ok(place.message_number);
    }
    let found = snapshot
        .connection
        .prepare_cached(
            "SELECT message_number FROM timeline
             CROSS JOIN events ON events.row_id = timeline.row_id
             WHERE timeline.conversation = ?1 AND timeline.seq <= ?2
             ORDER BY timeline.seq DESC LIMIT 1",
        )?
        .query_row((conversation.get(), read.get()), |row| row.get(0))
        .optional()?;
    Ok(found.map_or(MessageNumber::ZERO, MessageNumber::new))
}
