//! Entries that belong to the system as a whole, in lists whose meaning is not known here.

use bytes::Bytes;
use rusqlite::{Connection, Result, params};

pub(super) fn put(
    connection: &Connection,
    list: u8,
    entries: &[(String, Option<Bytes>)],
) -> Result<()> {
    for (key, value) in entries {
        match value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO system_entries (list, key, value) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![list, key, &value[..]])?,
            None => connection
                .prepare_cached("DELETE FROM system_entries WHERE list = ?1 AND key = ?2")?
                .execute(params![list, key])?,
        };
    }
    Ok(())
}

pub(super) fn after(
    connection: &Connection,
    list: u8,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(String, Bytes)>> {
    connection
        .prepare_cached(
            "SELECT key, value FROM system_entries
             WHERE list = ?1 AND (?2 IS NULL OR key > ?2) ORDER BY key LIMIT ?3",
        )?
        .query_map(params![list, after, limit], |row| {
            Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?)))
        })?
        .collect()
}
