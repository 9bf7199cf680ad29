//! Records of what admins did. They are appended, read from the newest on, and removed when
//! they are old; none is ever changed.

use petrel_types::{TimestampMs, UserId};
use rusqlite::{Connection, Result, Row, params};

use super::number::bound;
use crate::{AuditFilter, AuditRecord, Found, KeptRecord};

/// Keeps a record, and returns its number.
pub(super) fn keep(connection: &Connection, record: &AuditRecord) -> Result<u64> {
    let AuditRecord { at, actor, source, action, target, detail } = record;
    let (kind, id) = target.as_ref().map(|(kind, id)| (kind, *id)).unzip();
    connection
        .prepare_cached(
            "INSERT INTO audit (at_ms, actor, source, action, target_kind, target, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![at.get(), actor.map(UserId::get), source, action, kind, id, detail])?;
    Ok(u64::try_from(connection.last_insert_rowid()).unwrap_or(0))
}

pub(super) fn before(
    connection: &Connection,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<Found<KeptRecord, u64>> {
    let mut records = connection.prepare_cached(
        "SELECT number, at_ms, actor, source, action, target_kind, target, detail
         FROM audit WHERE number < ?1 ORDER BY number DESC",
    )?;
    let records = records.query_map([before.map_or(i64::MAX, bound)], record_of)?;
    Found::among(
        records.map(|record| record.map(|record| (record.number, record))),
        limit,
        |record| filter.passes(&record.record),
    )
}

/// Removes records of before a time, so many at once.
pub(super) fn remove(connection: &Connection, before: TimestampMs, limit: u32) -> Result<u32> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM audit WHERE number IN (
                 SELECT number FROM audit WHERE at_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![bound(before.get()), limit])?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}

fn record_of(row: &Row<'_>) -> Result<KeptRecord> {
    let record = AuditRecord {
        at: TimestampMs::new(row.get(1)?),
        actor: row.get::<_, Option<u64>>(2)?.map(UserId::new),
        source: row.get(3)?,
        action: row.get(4)?,
        target: row.get::<_, Option<String>>(5)?.zip(row.get(6)?),
        detail: row.get(7)?,
    };
    Ok(KeptRecord { number: row.get(0)?, record })
}
