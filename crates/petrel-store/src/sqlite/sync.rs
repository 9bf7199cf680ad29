//! The read behind a sync: a user's conversations by their stamps.
//!
//! It looks at every conversation of the user to find the newest ones, which is cheap
//! for the hundreds that people have. There is no index by stamp because each message
//! would have to move an entry of it for every member.

use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};
use rusqlite::{Connection, Result, Row};

use super::number::{bound, key};
use crate::{Conversation, Cursors, Head, SyncEntry, SyncPage};

/// The message number at the read cursor is that of the last event up to it, so that it
/// stands on firm ground even where the event at the cursor is gone.
const PAGE: &str = "
SELECT conversations.id, low, high, max(head_row, own.changed_row, peer.changed_row) AS stamp,
       head_seq, head_message_number, head_timestamp_ms,
       own.delivered_seq, own.read_seq, peer.delivered_seq, peer.read_seq,
       coalesce((SELECT message_number FROM events
                 WHERE events.conversation = conversations.id AND seq <= own.read_seq
                 ORDER BY seq DESC LIMIT 1), 0)
FROM members AS own
CROSS JOIN conversations ON conversations.id = own.conversation
CROSS JOIN members AS peer ON peer.conversation = own.conversation
    AND peer.user = CASE own.user WHEN low THEN high ELSE low END
WHERE own.user = ?1 AND stamp > ?2 AND stamp < ?3
ORDER BY stamp DESC LIMIT ?4";

pub(super) fn sync_page(
    connection: &Connection,
    user: UserId,
    since: RowId,
    before: Option<RowId>,
    limit: u32,
) -> Result<SyncPage> {
    let before = before.map_or(i64::MAX, |row| bound(row.get()));
    let limit_and_one = i64::from(limit) + 1;
    let mut entries: Vec<SyncEntry> = connection
        .prepare_cached(PAGE)?
        .query_map((key(user.get()), bound(since.get()), before, limit_and_one), entry_of)?
        .collect::<Result<_>>()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last_row = connection
        .prepare_cached("SELECT last_row FROM meta")?
        .query_row([], |row| Ok(RowId::new(row.get(0)?)))?;
    Ok(SyncPage { entries, last_row, more })
}

fn entry_of(row: &Row<'_>) -> Result<SyncEntry> {
    Ok(SyncEntry {
        conversation: Conversation {
            id: ConversationId::new(row.get(0)?),
            low: UserId::new(row.get(1)?),
            high: UserId::new(row.get(2)?),
        },
        stamp: RowId::new(row.get(3)?),
        head: Head { seq: Seq::new(row.get(4)?), message_number: MessageNumber::new(row.get(5)?) },
        timestamp: TimestampMs::new(row.get(6)?),
        own: Cursors { delivered: Seq::new(row.get(7)?), read: Seq::new(row.get(8)?) },
        peer: Cursors { delivered: Seq::new(row.get(9)?), read: Seq::new(row.get(10)?) },
        read_message_number: MessageNumber::new(row.get(11)?),
    })
}
