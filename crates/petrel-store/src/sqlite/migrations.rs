//! Bringing a database of an earlier version forward.
//!
//! Each version of the schema has a step that makes it of the one before. All steps that
//! a database needs run in one transaction with the new version number, so that a crash
//! leaves the database as it was. There is no way back: an older Petrel refuses a newer
//! database and says so.
//!
//! A step must know the tables as they were when it was written, so it never calls what
//! may change. Steps can be dropped once nobody has databases so old.

use rusqlite::{Connection, Result, TransactionBehavior};

use super::tables;

/// The version of the tables that this Petrel reads and writes.
pub(super) const SCHEMA_VERSION: u32 = 7;
/// The earliest version that can be brought forward.
pub(super) const OLDEST_VERSION: u32 = 2;

/// Makes a database of `version`, which must not be older than [`OLDEST_VERSION`], one of
/// [`SCHEMA_VERSION`].
pub(super) fn migrate(connection: &mut Connection, version: u32) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version < 3 {
        to_3(&transaction)?;
    }
    if version < 4 {
        to_4(&transaction)?;
    }
    if version < 5 {
        to_5(&transaction)?;
    }
    if version < 6 {
        to_6(&transaction)?;
    }
    if version < 7 {
        to_7(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Groups, personal timelines, overwrites, derivations, trims, and the window of the
/// idempotency index. Until now all conversations were single chats.
fn to_3(connection: &Connection) -> Result<()> {
    connection.execute_batch("ALTER TABLE conversations RENAME TO conversations_2")?;
    connection.execute_batch(tables::CONVERSATIONS)?;
    connection.execute_batch(
        "INSERT INTO conversations (id, kind, low, high, begun_row, head_seq, head_message_number,
                                    head_row, head_timestamp_ms, member_count)
             SELECT id, 1, low, high, begun_row, head_seq, head_message_number, head_row,
                    head_timestamp_ms, CASE low WHEN high THEN 1 ELSE 2 END
             FROM conversations_2;
         DROP TABLE conversations_2;

         ALTER TABLE members ADD COLUMN membership_row INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE members ADD COLUMN joined_seq INTEGER NOT NULL DEFAULT 1;
         ALTER TABLE members ADD COLUMN left_seq INTEGER;
         ALTER TABLE members ADD COLUMN attributes BLOB NOT NULL DEFAULT x'';

         ALTER TABLE meta ADD COLUMN oldest_generation INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE meta ADD COLUMN newest_ms INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE idempotency_filters ADD COLUMN newest_ms INTEGER NOT NULL DEFAULT 0;",
    )?;
    // Nobody knows how old the generations are. None is older than the newest event, so
    // none is forgotten too early.
    connection.execute_batch(
        "UPDATE meta SET newest_ms = coalesce(
             (SELECT timestamp_ms FROM events ORDER BY row_id DESC LIMIT 1), 0);
         UPDATE idempotency_filters SET newest_ms = (SELECT newest_ms FROM meta);",
    )?;
    connection.execute_batch(tables::ADDED_IN_3)
}

/// Log-ins, users of external issuers, invites and admins.
fn to_4(connection: &Connection) -> Result<()> {
    connection.execute_batch("ALTER TABLE users ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0")?;
    connection.execute_batch(tables::ADDED_IN_4)
}

/// What users are to each other, lists that belong to conversations, codes and mentions.
fn to_5(connection: &Connection) -> Result<()> {
    connection.execute_batch(tables::ADDED_IN_5)
}

/// What admins work with: who is locked out, the audit log, entries of the system.
fn to_6(connection: &Connection) -> Result<()> {
    connection.execute_batch(tables::ADDED_IN_6)
}

/// Files.
fn to_7(connection: &Connection) -> Result<()> {
    connection.execute_batch(tables::ADDED_IN_7)
}
