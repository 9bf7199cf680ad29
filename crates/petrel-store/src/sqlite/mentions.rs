//! Which messages name whom. Only messages that name somebody have entries, in place, and
//! they go with the messages when those are trimmed.

use petrel_types::{ConversationId, Seq};
use rusqlite::{Connection, Result};

use crate::{MENTIONS_COUNTED_MAX, MentionUpdate, SyncEntry};

pub(super) fn write(connection: &Connection, updates: &[MentionUpdate]) -> Result<()> {
    for MentionUpdate { conversation, user, seq, is_there } in updates.iter().copied() {
        let statement = if is_there {
            "INSERT OR IGNORE INTO mentions (conversation, user, seq) VALUES (?1, ?2, ?3)"
        } else {
            "DELETE FROM mentions WHERE conversation = ?1 AND user = ?2 AND seq = ?3"
        };
        connection.prepare_cached(statement)?.execute((
            conversation.get(),
            user.get(),
            seq.get(),
        ))?;
    }
    Ok(())
}

/// How many messages that a user may read and has not read name the user or everybody.
pub(super) fn count(connection: &Connection, user: i64, entry: &SyncEntry) -> Result<u64> {
    let first = entry.interval.first.max(entry.trimmed_before).max(entry.own.read.next());
    connection
        .prepare_cached(
            "SELECT count(DISTINCT seq) FROM (
                 SELECT seq FROM (SELECT seq FROM mentions
                     WHERE conversation = ?1 AND user = ?2 AND seq BETWEEN ?3 AND ?4 LIMIT ?5)
                 UNION ALL
                 SELECT seq FROM (SELECT seq FROM mentions
                     WHERE conversation = ?1 AND user = 0 AND seq BETWEEN ?3 AND ?4 LIMIT ?5))",
        )?
        .query_row(
            (
                entry.conversation.id.get(),
                user,
                first.get(),
                entry.head.seq.get(),
                MENTIONS_COUNTED_MAX,
            ),
            |row| row.get(0).map(|count: u64| count.min(MENTIONS_COUNTED_MAX)),
        )
}

/// Deletes the mentions in messages of a conversation before `before`.
pub(super) fn trim(
    connection: &Connection,
    conversation: ConversationId,
    before: Seq,
) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM mentions WHERE conversation = ?1 AND seq < ?2")?
        .execute((conversation.get(), before.get()))?;
    Ok(())
}
