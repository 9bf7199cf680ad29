//! The index of client message ids.
//!
//! It holds the hash of each with its row, in *generations* of about as many entries as
//! a tail, so that an insertion touches only pages of the newest generation: one index
//! over all hashes would have every page of it written again and again. To refuse a
//! message that is stored already, the writer has to ask about every one it is given;
//! a filter per generation answers nearly all of these questions from memory.
//!
//! The filters of the newest [`FILTERS_MAX`] generations are kept, which with the
//! default tail makes 32 million messages in 64 MiB. Beyond them a commit no longer
//! notices that a client message id is taken; a read still finds it.

use std::collections::VecDeque;

use petrel_types::RowId;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result};

use super::filter::Filter;

pub(super) const FILTERS_MAX: usize = 64;

/// What the writer keeps in memory of the index.
pub(super) struct Idempotency {
    /// The generation that grows, and what is in it.
    generation: u64,
    growing: Filter,
    growing_entries: usize,
    /// The generations before it, the newest first.
    full: VecDeque<Filter>,
    entries_max: usize,
}

/// A generation that is full as soon as the transaction is committed.
pub(super) struct Sealed(());

impl Idempotency {
    /// Reads the filters, and makes the one that is not stored yet.
    pub(super) fn load(connection: &Connection, entries_max: usize) -> Result<Self> {
        let generation: u64 = current(connection)?;
        let mut growing = Filter::new(entries_max);
        let mut growing_entries = 0;
        let mut statement =
            connection.prepare("SELECT hash FROM idempotency WHERE generation = ?1")?;
        let mut rows = statement.query([generation])?;
        while let Some(row) = rows.next()? {
            growing.insert(row.get::<_, i64>(0)?.cast_unsigned());
            growing_entries += 1;
        }
        let full = connection
            .prepare("SELECT bits FROM idempotency_filters ORDER BY generation DESC LIMIT ?1")?
            .query_map([FILTERS_MAX], |row| {
                Filter::from_bytes(row.get_ref(0)?.as_blob()?).ok_or_else(|| {
                    Error::FromSqlConversionFailure(0, Type::Blob, "not a filter".into())
                })
            })?
            .collect::<Result<_>>()?;
        Ok(Self { generation, growing, growing_entries, full, entries_max })
    }

    /// The rows in the index that a hash may stand for, as far back as there are filters.
    pub(super) fn rows_of(&self, connection: &Connection, hash: u64) -> Result<Vec<RowId>> {
        let mut rows = Vec::new();
        let filters = std::iter::once(&self.growing).chain(&self.full);
        for (generation, filter) in (0..=self.generation).rev().zip(filters) {
            if filter.may_contain(hash) {
                rows_in(connection, generation, hash, &mut rows)?;
            }
        }
        Ok(rows)
    }

    /// Adds an entry. One that is there already stays, so that a flush may be repeated.
    pub(super) fn insert(&mut self, connection: &Connection, hash: u64, row: RowId) -> Result<()> {
        // Should the transaction fail, the filter says yes once too often.
        self.growing.insert(hash);
        self.growing_entries += connection
            .prepare_cached(
                "INSERT OR IGNORE INTO idempotency (generation, hash, row_id)
                 VALUES (?1, ?2, ?3)",
            )?
            .execute((self.generation, hash.cast_signed(), row.get()))?;
        Ok(())
    }

    /// Stores the filter and begins a generation, if this one has become full.
    pub(super) fn seal_if_full(&self, connection: &Connection) -> Result<Option<Sealed>> {
        if self.growing_entries < self.entries_max {
            return Ok(None);
        }
        connection
            .prepare_cached("INSERT INTO idempotency_filters (generation, bits) VALUES (?1, ?2)")?
            .execute((self.generation, self.growing.to_bytes()))?;
        connection
            .prepare_cached("UPDATE meta SET generation = ?1")?
            .execute([self.generation + 1])?;
        Ok(Some(Sealed(())))
    }

    /// Goes on with the generation that [`Idempotency::seal_if_full`] began, once that is
    /// on disk.
    pub(super) fn begin_next(&mut self, _: Sealed) {
        let full = std::mem::replace(&mut self.growing, Filter::new(self.entries_max));
        self.full.push_front(full);
        self.full.truncate(FILTERS_MAX);
        self.generation += 1;
        self.growing_entries = 0;
    }
}

/// The rows in the index that a hash may stand for, the newest generation first.
pub(super) fn all_rows_of(connection: &Connection, hash: u64) -> Result<Vec<RowId>> {
    let mut rows = Vec::new();
    for generation in (0..=current(connection)?).rev() {
        rows_in(connection, generation, hash, &mut rows)?;
    }
    Ok(rows)
}

fn current(connection: &Connection) -> Result<u64> {
    connection.prepare_cached("SELECT generation FROM meta")?.query_row([], |row| row.get(0))
}

fn rows_in(
    connection: &Connection,
    generation: u64,
    hash: u64,
    rows: &mut Vec<RowId>,
) -> Result<()> {
    let mut statement = connection
        .prepare_cached("SELECT row_id FROM idempotency WHERE generation = ?1 AND hash = ?2")?;
    let mut found = statement.query((generation, hash.cast_signed()))?;
    while let Some(row) = found.next()? {
        rows.push(RowId::new(row.get(0)?));
    }
    Ok(())
}
