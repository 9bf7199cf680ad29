//! Applying updates.

use std::collections::BTreeSet;

use petrel_types::{RowId, TimestampMs};
use rusqlite::{Connection, OptionalExtension, Result};

use super::token::{self, Secret, Token};
use crate::{Document, Update};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// The hour in which something was numbered.
pub(super) fn hour_of(timestamp: TimestampMs) -> u64 {
    timestamp.get() / HOUR_MS
}

/// Applies an update in one transaction. Returns whether something was taken out, so that
/// the log has to be truncated.
pub(super) fn apply(connection: &mut Connection, secret: Secret, update: &Update) -> Result<bool> {
    let transaction = connection.transaction()?;
    let mut has_removed = false;
    for row in &update.erased {
        has_removed |= erase(&transaction, *row)?;
    }
    for row in &update.forgotten {
        has_removed |= erase(&transaction, *row)?;
        transaction
            .prepare_cached("DELETE FROM documents WHERE row_id = ?1")?
            .execute([row.get()])?;
    }
    for document in &update.documents {
        has_removed |= put(&transaction, secret, document)?;
    }
    transaction
        .prepare_cached("UPDATE meta SET indexed_up_to = max(indexed_up_to, ?1)")?
        .execute([update.indexed_up_to.get()])?;
    transaction.commit()?;
    Ok(has_removed)
}

/// Indexes a message, in the place of what was known of it.
fn put(connection: &Connection, secret: Secret, document: &Document) -> Result<bool> {
    let tokens: BTreeSet<Token> =
        document.terms.iter().map(|term| Token::new(secret, document.conversation, term)).collect();
    let packed = token::pack(&tokens);
    let row = document.row;
    let known = tokens_of(connection, row)?;
    if known.as_ref() == Some(&packed) {
        return Ok(false);
    }
    let has_removed = known.is_some();
    if has_removed {
        erase(connection, row)?;
        connection
            .prepare_cached("UPDATE documents SET tokens = ?2 WHERE row_id = ?1")?
            .execute((row.get(), &packed))?;
    } else {
        connection
            .prepare_cached("INSERT INTO documents (row_id, tokens) VALUES (?1, ?2)")?
            .execute((row.get(), &packed))?;
        connection
            .prepare_cached(
                "INSERT INTO hours (hour, first_row, last_row) VALUES (?1, ?2, ?2)
                 ON CONFLICT (hour) DO UPDATE SET first_row = min(first_row, excluded.first_row),
                                                  last_row = max(last_row, excluded.last_row)",
            )?
            .execute((hour_of(document.timestamp), row.get()))?;
    }
    connection
        .prepare_cached("INSERT INTO postings (rowid, tokens) VALUES (?1, ?2)")?
        .execute((row.get(), token::words_of(&packed)))?;
    Ok(has_removed)
}

/// Takes the entries of a message out, and leaves zeros in the place of its tokens. Returns
/// whether there were any.
fn erase(connection: &Connection, row: RowId) -> Result<bool> {
    let Some(packed) = tokens_of(connection, row)?.filter(|packed| !is_erased(packed)) else {
        return Ok(false);
    };
    connection
        .prepare_cached("INSERT INTO postings (postings, rowid, tokens) VALUES ('delete', ?1, ?2)")?
        .execute((row.get(), token::words_of(&packed)))?;
    connection
        .prepare_cached("UPDATE documents SET tokens = zeroblob(length(tokens)) WHERE row_id = ?1")?
        .execute([row.get()])?;
    Ok(true)
}

/// Nothing but zeros are no tokens, but for the one in 2^40 that is zero itself, which is
/// never the only one.
fn is_erased(packed: &[u8]) -> bool {
    packed.iter().all(|byte| *byte == 0)
}

fn tokens_of(connection: &Connection, row: RowId) -> Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT tokens FROM documents WHERE row_id = ?1")?
        .query_row([row.get()], |found| found.get(0))
        .optional()
}
