//! The index of client message ids.
//!
//! It holds the hash of each with its row, in *generations* of about as many entries as
//! a tail, so that an insertion touches only pages of the newest generation: one index
//! over all hashes would have every page of it written again and again. A generation that
//! is full is *sealed*; once its newest message is older than the window, it is *retired*:
//! nothing in it is found any more, and its entries are deleted slice by slice.
//!
//! To refuse a message that is stored already, the writer has to ask about every one it is
//! given, and a reader asks about every retry; a filter per generation answers nearly all
//! of these questions from memory. The filters of the newest [`FILTERS_MAX`] generations
//! are kept, which with the default tail makes 32 million messages in 64 MiB. Beyond them
//! a commit no longer notices that a client message id is taken; a read still finds it.

use std::sync::Arc;
use std::time::Duration;

use petrel_types::{RowId, TimestampMs};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use super::filter::Filter;

pub(super) const FILTERS_MAX: usize = 64;

/// The generations that are looked into, the newest first. Shared with the readers: what
/// is in the database but not in it has been retired.
#[derive(Debug, Default)]
pub(super) struct Generations(Vec<Generation>);

#[derive(Clone, Debug)]
struct Generation {
    number: u64,
    /// No message in it was numbered later.
    newest: TimestampMs,
    /// `None` beyond [`FILTERS_MAX`].
    filter: Option<Arc<Filter>>,
}

/// What the writer knows of the index.
pub(super) struct Idempotency {
    generations: Arc<Generations>,
    /// What is in the newest generation, the only one that grows.
    growing: Arc<Filter>,
    growing_number: u64,
    growing_entries: usize,
    growing_newest: TimestampMs,
    entries_max: usize,
    window: Option<Duration>,
}

/// A generation that is full as soon as the transaction is committed.
pub(super) struct Sealed(());

/// Generations up to this one that are no longer looked into as soon as the transaction is
/// committed.
pub(super) struct Retired(u64);

impl Idempotency {
    /// Reads the filters, and makes the one that is not stored yet. `newest` is when the
    /// newest message in the index was numbered, or later.
    pub(super) fn load(
        connection: &Connection,
        entries_max: usize,
        window: Option<Duration>,
        newest: TimestampMs,
    ) -> Result<Self> {
        let (growing_number, oldest) = bounds(connection)?;
        let growing = Arc::new(Filter::new(entries_max));
        let mut growing_entries = 0;
        let mut statement =
            connection.prepare("SELECT hash FROM idempotency WHERE generation = ?1")?;
        let mut rows = statement.query([growing_number])?;
        while let Some(row) = rows.next()? {
            growing.insert(row.get::<_, i64>(0)?.cast_unsigned());
            growing_entries += 1;
        }
        let mut generations =
            vec![Generation { number: growing_number, newest, filter: Some(Arc::clone(&growing)) }];
        let mut statement = connection.prepare(
            "SELECT generation, newest_ms, bits FROM idempotency_filters
             WHERE generation >= ?1 AND generation < ?2 ORDER BY generation DESC",
        )?;
        let mut rows = statement.query((oldest, growing_number))?;
        while let Some(row) = rows.next()? {
            let is_kept = generations.len() < FILTERS_MAX;
            generations.push(Generation {
                number: row.get(0)?,
                newest: TimestampMs::new(row.get(1)?),
                filter: if is_kept { Some(filter_of(row)?) } else { None },
            });
        }
        let generations = Arc::new(Generations(generations));
        Ok(Self {
            generations,
            growing,
            growing_number,
            growing_entries,
            growing_newest: newest,
            entries_max,
            window,
        })
    }

    /// Those that are looked into.
    pub(super) fn generations(&self) -> Arc<Generations> {
        Arc::clone(&self.generations)
    }

    /// The rows in the index that a hash may stand for, as far back as there are filters.
    pub(super) fn rows_of(&self, connection: &Connection, hash: u64) -> Result<Vec<RowId>> {
        self.generations.rows_in(connection, hash, |generation| {
            generation.filter.as_ref().is_some_and(|filter| filter.may_contain(hash))
        })
    }

    /// Adds an entry of a message that was numbered at `newest` or before. One that is
    /// there already stays, so that a flush may be repeated.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        hash: u64,
        row: RowId,
        newest: TimestampMs,
    ) -> Result<()> {
        // Should the transaction fail, the filter says yes once too often.
        self.growing.insert(hash);
        self.growing_newest = self.growing_newest.max(newest);
        self.growing_entries += connection
            .prepare_cached(
                "INSERT OR IGNORE INTO idempotency (generation, hash, row_id)
                 VALUES (?1, ?2, ?3)",
            )?
            .execute((self.growing_number, hash.cast_signed(), row.get()))?;
        Ok(())
    }

    /// Stores the filter and begins a generation, if this one has become full.
    pub(super) fn seal_if_full(&self, connection: &Connection) -> Result<Option<Sealed>> {
        if self.growing_entries < self.entries_max {
            return Ok(None);
        }
        connection
            .prepare_cached(
                "INSERT INTO idempotency_filters (generation, newest_ms, bits)
                 VALUES (?1, ?2, ?3)",
            )?
            .execute((self.growing_number, self.growing_newest.get(), self.growing.to_bytes()))?;
        connection
            .prepare_cached("UPDATE meta SET generation = ?1")?
            .execute([self.growing_number + 1])?;
        Ok(Some(Sealed(())))
    }

    /// Goes on with the generation that [`Idempotency::seal_if_full`] began, once that is
    /// on disk.
    pub(super) fn begin_next(&mut self, _: Sealed) {
        let mut list = self.generations.0.clone();
        if let Some(sealed) = list.first_mut() {
            sealed.newest = self.growing_newest;
        }
        if let Some(beyond) = list.get_mut(FILTERS_MAX - 1) {
            beyond.filter = None;
        }
        self.growing = Arc::new(Filter::new(self.entries_max));
        self.growing_number += 1;
        self.growing_entries = 0;
        self.growing_newest = TimestampMs::default();
        let growing = Generation {
            number: self.growing_number,
            newest: TimestampMs::default(),
            filter: Some(Arc::clone(&self.growing)),
        };
        list.insert(0, growing);
        self.generations = Arc::new(Generations(list));
    }

    /// Retires the sealed generations whose messages are all older than the window, now
    /// that the newest message of the store was numbered at `now`.
    pub(super) fn retire(
        &self,
        connection: &Connection,
        now: TimestampMs,
    ) -> Result<Option<Retired>> {
        let Some(window) = self.window else { return Ok(None) };
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let is_over = |generation: &&Generation| {
            generation.newest.get().saturating_add(window_ms) < now.get()
        };
        // A generation may be newer in time than the one after it, if a clock went back.
        let oldest_first = self.generations.0.iter().skip(1).rev();
        let Some(last) = oldest_first.take_while(is_over).last() else { return Ok(None) };
        connection
            .prepare_cached("DELETE FROM idempotency_filters WHERE generation <= ?1")?
            .execute([last.number])?;
        connection
            .prepare_cached("UPDATE meta SET oldest_generation = ?1")?
            .execute([last.number + 1])?;
        Ok(Some(Retired(last.number)))
    }

    /// Stops looking into what [`Idempotency::retire`] retired, once that is on disk.
    pub(super) fn forget(&mut self, Retired(last): &Retired) {
        let kept = self.generations.0.iter().filter(|generation| generation.number > *last);
        self.generations = Arc::new(Generations(kept.cloned().collect()));
    }
}

impl Generations {
    /// The rows in the index that a hash may stand for, the newest generation first.
    pub(super) fn rows_of(&self, connection: &Connection, hash: u64) -> Result<Vec<RowId>> {
        self.rows_in(connection, hash, |generation| {
            generation.filter.as_ref().is_none_or(|filter| filter.may_contain(hash))
        })
    }

    fn rows_in(
        &self,
        connection: &Connection,
        hash: u64,
        is_asked: impl Fn(&&Generation) -> bool,
    ) -> Result<Vec<RowId>> {
        let mut rows = Vec::new();
        for generation in self.0.iter().filter(is_asked) {
            let mut statement = connection.prepare_cached(
                "SELECT row_id FROM idempotency WHERE generation = ?1 AND hash = ?2",
            )?;
            let mut found = statement.query((generation.number, hash.cast_signed()))?;
            while let Some(row) = found.next()? {
                rows.push(RowId::new(row.get(0)?));
            }
        }
        Ok(rows)
    }
}

/// Deletes up to about `limit` entries of retired generations. Returns whether there may
/// be more.
pub(super) fn delete_retired(connection: &Connection, limit: usize) -> Result<bool> {
    let (_, oldest) = bounds(connection)?;
    let Some(last) = oldest.checked_sub(1) else { return Ok(false) };
    let end: Option<(u64, i64)> = connection
        .prepare_cached(
            "SELECT generation, hash FROM idempotency WHERE generation < ?1
             ORDER BY generation, hash LIMIT 1 OFFSET ?2",
        )?
        .query_row((oldest, limit), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    connection
        .prepare_cached("DELETE FROM idempotency WHERE (generation, hash) <= (?1, ?2)")?
        .execute(end.unwrap_or((last, i64::MAX)))?;
    Ok(end.is_some())
}

/// The generation that grows, and the oldest one that is not retired.
fn bounds(connection: &Connection) -> Result<(u64, u64)> {
    connection
        .prepare_cached("SELECT generation, oldest_generation FROM meta")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn filter_of(row: &Row<'_>) -> Result<Arc<Filter>> {
    match Filter::from_bytes(row.get_ref(2)?.as_blob()?) {
        Some(filter) => Ok(Arc::new(filter)),
        None => Err(Error::FromSqlConversionFailure(2, Type::Blob, "not a filter".into())),
    }
}
