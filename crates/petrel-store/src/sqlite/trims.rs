//! Beginnings of timelines that go.
//!
//! A trim takes effect with its commit: `conversations.trimmed_before` rises, and reads
//! stop there. The events and their entries in the timeline index are deleted later, slice
//! by slice, between flushes; `trims` names what is still to be deleted. An event is
//! deleted only when the watermark has passed it, so that a recovery never misses one.

use petrel_types::{ConversationId, RowId, Seq};
use rusqlite::{Connection, OptionalExtension, Result};

use super::mentions;
use super::number::key;
use super::overwrites;
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{StoreErrorKind, Trim};

/// Up to where a timeline is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trimmed {
    pub(super) before: Seq,
    /// Countable messages among what is trimmed.
    pub(super) message_number: u64,
}

impl Trimmed {
    /// That of a timeline of which everything is kept.
    pub(super) const NOTHING: Self = Self { before: Seq::new(1), message_number: 0 };
}

/// Where a timeline begins; that of one that is unknown begins at its beginning.
pub(super) fn of(connection: &Connection, conversation: ConversationId) -> Result<Trimmed> {
    let found = connection
        .prepare_cached(
            "SELECT trimmed_before, trimmed_message_number FROM conversations WHERE id = ?1",
        )?
        .query_row([key(conversation.get())], |row| {
            Ok(Trimmed { before: Seq::new(row.get(0)?), message_number: row.get(1)? })
        })
        .optional()?;
    Ok(found.unwrap_or(Trimmed::NOTHING))
}

/// Whether an event that is still stored is trimmed.
pub(super) fn is_trimmed(connection: &Connection, row: RowId) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM events CROSS JOIN trims ON trims.conversation = events.conversation
                 WHERE events.row_id = ?1 AND events.seq < trims.before_seq)",
        )?
        .query_row([key(row.get())], |found| found.get(0))
}

/// Trims a timeline, whose head must not be before what is trimmed.
pub(super) fn write(
    transaction: &Transaction<'_>,
    Trim { conversation, before }: Trim,
) -> std::result::Result<(), WriteError> {
    let connection = transaction.connection;
    if before <= of(connection, conversation)?.before {
        return Ok(());
    }
    let last = Seq::new(before.get() - 1);
    let place = transaction.place(conversation, last)?.ok_or_else(|| {
        let story =
            format!("event {last} of conversation {conversation} is not there to be trimmed");
        WriteError::refused(StoreErrorKind::Invalid, story)
    })?;
    connection
        .prepare_cached(
            "UPDATE conversations SET trimmed_before = ?2, trimmed_message_number = ?3
             WHERE id = ?1",
        )?
        .execute((conversation.get(), before.get(), place.message_number.get()))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO trims (conversation, before_seq, last_row)
             VALUES (?1, ?2, ?3)",
        )?
        .execute((conversation.get(), before.get(), place.row.get()))?;
    Ok(())
}

/// Deletes up to `limit` trimmed events that the watermark has passed. Returns whether
/// there may be more.
pub(super) fn delete(connection: &Connection, watermark: RowId, limit: usize) -> Result<bool> {
    let due: Option<(u64, u64)> = connection
        .prepare_cached(
            "SELECT conversation, before_seq FROM trims WHERE last_row <= ?1
             ORDER BY conversation LIMIT 1",
        )?
        .query_row([watermark.get()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((conversation, before)) = due else { return Ok(false) };
    let found: Vec<(u64, u64)> = connection
        .prepare_cached(
            "SELECT seq, row_id FROM timeline WHERE conversation = ?1 AND seq < ?2
             ORDER BY seq LIMIT ?3",
        )?
        .query_map((conversation, before, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (_, row) in &found {
        connection.prepare_cached("DELETE FROM events WHERE row_id = ?1")?.execute([row])?;
        overwrites::delete(connection, RowId::new(*row))?;
    }
    if let Some((last, _)) = found.last() {
        connection
            .prepare_cached("DELETE FROM timeline WHERE conversation = ?1 AND seq <= ?2")?
            .execute((conversation, last))?;
    }
    if found.len() < limit {
        let conversation_id = ConversationId::new(conversation);
        mentions::trim(connection, conversation_id, Seq::new(before))?;
        connection
            .prepare_cached("DELETE FROM trims WHERE conversation = ?1")?
            .execute([conversation])?;
    }
    Ok(true)
}
