//! Derivations that wait to be settled.

use bytes::Bytes;
use petrel_types::ConversationId;
use rusqlite::{Connection, Result};

use super::number::{bound, key};
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{Batch, Derivation, DerivationId, StoreErrorKind};

/// Checks that what is settled waits, and that what is derived does not yet.
pub(super) fn check(
    transaction: &Transaction<'_>,
    batch: &Batch,
) -> std::result::Result<(), WriteError> {
    let refused = |DerivationId { home, number }: DerivationId, why: &str| {
        let story = format!("derivation {number} of conversation {home} {why}");
        WriteError::refused(StoreErrorKind::Invalid, story)
    };
    for id in batch.settled.iter().copied() {
        if !is_unsettled(transaction.connection, id)? {
            return Err(refused(id, "does not wait to be settled"));
        }
    }
    for Derivation { id, .. } in &batch.derived {
        if is_unsettled(transaction.connection, *id)? {
            return Err(refused(*id, "waits already"));
        }
    }
    Ok(())
}

/// Writes down what follows, and forgets what is settled.
pub(super) fn write(transaction: &Transaction<'_>, batch: &Batch) -> Result<()> {
    let connection = transaction.connection;
    for Derivation { id: DerivationId { home, number }, command } in &batch.derived {
        connection
            .prepare_cached("INSERT INTO derivations (home, number, command) VALUES (?1, ?2, ?3)")?
            .execute((home.get(), *number, command.as_ref()))?;
    }
    for DerivationId { home, number } in &batch.settled {
        connection
            .prepare_cached("DELETE FROM derivations WHERE home = ?1 AND number = ?2")?
            .execute((home.get(), *number))?;
    }
    Ok(())
}

pub(super) fn unsettled(
    connection: &Connection,
    after: Option<DerivationId>,
    limit: u32,
) -> Result<Vec<Derivation>> {
    // Nothing has a number below zero.
    let after = after.map_or((-1, -1), |after| (bound(after.home.get()), bound(after.number)));
    connection
        .prepare_cached(
            "SELECT home, number, command FROM derivations WHERE (home, number) > (?1, ?2)
             ORDER BY home, number LIMIT ?3",
        )?
        .query_map((after.0, after.1, limit), |row| {
            let id = DerivationId { home: ConversationId::new(row.get(0)?), number: row.get(1)? };
            Ok(Derivation { id, command: Bytes::from(row.get::<_, Vec<u8>>(2)?) })
        })?
        .collect()
}

pub(super) fn is_unsettled(connection: &Connection, id: DerivationId) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM derivations WHERE home = ?1 AND number = ?2)",
        )?
        .query_row((key(id.home.get()), key(id.number)), |found| found.get(0))
}
