//! Payloads that are replaced, so that nothing of the old ones is left in any file.
//!
//! SQLite leaves traces when it moves things: a row that grows or shrinks is stored
//! elsewhere in its page, a page that is split or filled up again is put together anew,
//! and copies of rows stay behind in what counts as free (`rebuildPage` in its source; no
//! setting of `secure_delete` zeroes that). So a payload never moves. It is replaced by as
//! many zeros in its place, which SQLite does without touching anything else when the
//! length of the row stays the same (`btreeOverwriteCell`), overflow pages included. The
//! new payload is appended to `replacements`, where it stays in its place as well and is
//! zeroed when the next one comes; `overwritten` names the number of the valid one.
//!
//! Both tables that hold payloads grow at their end only, where SQLite splits no page but
//! the first. That one is zeroed when its content moves out of the root, thanks to
//! `secure_delete = FAST`, which costs no writes.
//!
//! What is left are the copies in the write-ahead log. The next checkpoint after an
//! overwrite truncates it: see `checkpoint`.
//!
//! What this does not cover: deleting trimmed events makes SQLite merge pages that are
//! mostly empty, and a copy of a neighbour that stays may be left behind in the process.
//! Should that neighbour be overwritten later, the copy lingers until its page is filled.

use bytes::Bytes;
use petrel_types::RowId;
use rusqlite::{Connection, OptionalExtension, Result};

use super::number::key;
use super::transaction::Transaction;
use super::trims;
use super::write::WriteError;
use crate::{Overwrite, StoreErrorKind};

/// Checks that there are such events.
pub(super) fn check(
    transaction: &Transaction<'_>,
    overwrites: &[Overwrite],
) -> std::result::Result<(), WriteError> {
    let connection = transaction.connection;
    for Overwrite { row, .. } in overwrites {
        let exists: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE row_id = ?1)")?
            .query_row([key(row.get())], |found| found.get(0))?;
        if !exists || trims::is_trimmed(connection, *row)? {
            let story = format!("there is no event at row {row} to overwrite");
            return Err(WriteError::refused(StoreErrorKind::Invalid, story));
        }
    }
    Ok(())
}

/// Replaces the payloads.
pub(super) fn write(transaction: &mut Transaction<'_>, overwrites: &[Overwrite]) -> Result<()> {
    let connection = transaction.connection;
    for Overwrite { row, payload } in overwrites {
        erase(connection, *row)?;
        let number: u64 = connection
            .prepare_cached("INSERT INTO replacements (row_id, payload) VALUES (?1, ?2)")?
            .insert((row.get(), payload.as_ref()))?
            .cast_unsigned();
        connection
            .prepare_cached("INSERT OR REPLACE INTO overwritten (row_id, number) VALUES (?1, ?2)")?
            .execute((row.get(), number))?;
        transaction.staged.overwrites = true;
    }
    Ok(())
}

/// Puts zeros in the place of a payload, wherever it is.
fn erase(connection: &Connection, row: RowId) -> Result<()> {
    let erased = connection
        .prepare_cached(
            "UPDATE replacements SET payload = zeroblob(length(payload))
             WHERE number = (SELECT number FROM overwritten WHERE row_id = ?1)",
        )?
        .execute([row.get()])?;
    if erased == 0 {
        connection
            .prepare_cached(
                "UPDATE events SET payload = zeroblob(length(payload)) WHERE row_id = ?1",
            )?
            .execute([row.get()])?;
    }
    Ok(())
}

/// Forgets what replaced the payload of an event that is deleted.
pub(super) fn delete(connection: &Connection, row: RowId) -> Result<()> {
    let found = connection
        .prepare_cached("DELETE FROM overwritten WHERE row_id = ?1 RETURNING number")?
        .query_row([row.get()], |found| found.get::<_, u64>(0))
        .optional()?;
    if let Some(number) = found {
        connection
            .prepare_cached("DELETE FROM replacements WHERE number = ?1")?
            .execute([number])?;
    }
    Ok(())
}

/// The payload of an event, given what is in its place. Only a payload that begins with
/// zero, or is empty, can have been overwritten.
pub(super) fn resolve(connection: &Connection, row: RowId, stored: &[u8]) -> Result<Bytes> {
    if stored.first().is_none_or(|first| *first == 0) {
        let replacement: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT payload FROM overwritten CROSS JOIN replacements USING (number)
                 WHERE overwritten.row_id = ?1",
            )?
            .query_row([key(row.get())], |found| found.get(0))
            .optional()?;
        if let Some(payload) = replacement {
            return Ok(payload.into());
        }
    }
    Ok(Bytes::copy_from_slice(stored))
}
