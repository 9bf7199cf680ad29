//! What belongs to conversations besides their events and members: lists of entries, and
//! the codes by which conversations are found.
//!
//! All of it changes rarely, so it is written in its commit. What a list means is not known
//! here.

use bytes::Bytes;
use petrel_types::ConversationId;
use rusqlite::{Connection, OptionalExtension, Result};

use super::conversations;
use super::number::{bound, key as number};
use super::reader::Snapshot;
use super::write::WriteError;
use crate::{CodeUpdate, Entry, EntryPage, EntryUpdate, StoreErrorKind};

pub(super) fn write(connection: &Connection, updates: &[EntryUpdate]) -> Result<()> {
    for EntryUpdate { conversation, list, key, value } in updates {
        match value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO entries (conversation, list, key, value)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((conversation.get(), list, *key, value.as_ref()))?,
            None => connection
                .prepare_cached(
                    "DELETE FROM entries WHERE conversation = ?1 AND list = ?2 AND key = ?3",
                )?
                .execute((conversation.get(), list, *key))?,
        };
    }
    Ok(())
}

pub(super) fn write_codes(connection: &Connection, updates: &[CodeUpdate]) -> Result<()> {
    for CodeUpdate { code, conversation } in updates {
        match conversation {
            Some(conversation) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO codes (code, conversation) VALUES (?1, ?2)",
                )?
                .execute((code, conversation.get()))?,
            None => {
                connection.prepare_cached("DELETE FROM codes WHERE code = ?1")?.execute([code])?
            }
        };
    }
    Ok(())
}

/// Checks that no code is taken from a conversation that has it.
pub(super) fn check_codes(
    connection: &Connection,
    updates: &[CodeUpdate],
) -> std::result::Result<(), WriteError> {
    for CodeUpdate { code, conversation } in updates {
        let holder = code_holder(connection, code)?;
        if conversation.is_some() && holder.is_some() && holder != *conversation {
            let story = format!("the code {code} leads to another conversation");
            return Err(WriteError::refused(StoreErrorKind::Invalid, story));
        }
    }
    Ok(())
}

pub(super) fn entry(
    connection: &Connection,
    conversation: ConversationId,
    list: u8,
    key: u64,
) -> Result<Option<Bytes>> {
    connection
        .prepare_cached(
            "SELECT value FROM entries WHERE conversation = ?1 AND list = ?2 AND key = ?3",
        )?
        .query_row((number(conversation.get()), list, number(key)), |row| {
            row.get::<_, Vec<u8>>(0).map(Bytes::from)
        })
        .optional()
}

pub(super) fn entries_after(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    list: u8,
    after: Option<u64>,
    limit: u32,
) -> Result<EntryPage> {
    let mut entries: Vec<Entry> = snapshot
        .connection
        .prepare_cached(
            "SELECT key, value FROM entries WHERE conversation = ?1 AND list = ?2 AND key > ?3
             ORDER BY key LIMIT ?4",
        )?
        .query_map(
            (number(conversation.get()), list, after.map_or(-1, bound), u64::from(limit) + 1),
            |row| Ok(Entry { key: row.get(0)?, value: row.get::<_, Vec<u8>>(1)?.into() }),
        )?
        .collect::<Result<_>>()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let (head, _) = conversations::ends(snapshot, conversation)?;
    Ok(EntryPage { entries, more, head })
}

pub(super) fn code_holder(connection: &Connection, code: &str) -> Result<Option<ConversationId>> {
    connection
        .prepare_cached("SELECT conversation FROM codes WHERE code = ?1")?
        .query_row([code], |row| row.get(0).map(ConversationId::new))
        .optional()
}
