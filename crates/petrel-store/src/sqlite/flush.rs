//! Moving a frozen tail into the indexes, a slice at a time.
//!
//! A slice is part of some transaction, with or without commits of its own. Whatever it
//! writes may be there already from an attempt that a crash cut off, so every statement
//! can be repeated, and none lowers anything. The watermark, below which nothing is
//! recovered from the rows themselves, moves in the transaction of the last slice; the
//! journal is trimmed after it.

use petrel_types::{ConversationId, LogPosition, Partition, RowId, TimestampMs, UserId};
use rusqlite::{Connection, Result};

use super::idempotency::{Idempotency, Sealed};
use super::journal;
use super::tail::{Move, Place, Tail};

/// Up to where everything is in the indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Watermark {
    pub(super) row: RowId,
    pub(super) journal: u64,
}

/// The entries of a frozen tail in the order of the indexes.
#[derive(Debug)]
pub(super) struct Plan {
    places: Vec<(ConversationId, Place)>,
    keys: Vec<(u64, RowId)>,
    heads: Vec<(ConversationId, Place)>,
    members: Vec<(UserId, ConversationId, Move)>,
    positions: Vec<(Partition, LogPosition)>,
    watermark: Watermark,
    /// When the newest event was numbered.
    newest: TimestampMs,
}

/// A flush that is under way.
#[derive(Debug)]
pub(super) struct Flush {
    plan: Plan,
    /// How many entries are in the indexes, on disk.
    done: usize,
}

/// What a slice did, to be taken over once it is on disk.
pub(super) struct Slice {
    done: usize,
    /// Whether that was the last one, and the generation that it filled.
    end: Option<Option<Sealed>>,
}

impl Plan {
    /// Sorts what `tail` holds. Everything up to `watermark` must be in it or before it.
    pub(super) fn new(tail: &Tail, watermark: Watermark) -> Self {
        let mut timelines: Vec<_> = tail.timelines.iter().collect();
        timelines.sort_unstable_by_key(|(conversation, _)| **conversation);
        let last = |(id, places): &(&ConversationId, &Vec<Place>)| {
            places.last().map(|place| (**id, *place))
        };
        let heads = timelines.iter().filter_map(last).collect();
        let places = timelines
            .iter()
            .flat_map(|(id, places)| places.iter().map(|place| (**id, *place)))
            .collect();
        let mut keys: Vec<_> = tail.keys.iter().collect();
        keys.sort_unstable_by_key(|(hash, row)| (hash.cast_signed(), *row));
        let latest = tail.members.iter().filter_map(|((conversation, user), moves)| {
            moves.last().map(|moved| (*user, *conversation, *moved))
        });
        let mut members: Vec<_> = latest.collect();
        members.sort_unstable_by_key(|(user, conversation, _)| (*user, *conversation));
        let newest = tail.timelines.values().flatten().map(|place| place.timestamp).max();
        let newest = newest.unwrap_or_default();
        let positions = tail.positions.iter().map(|(key, value)| (*key, *value)).collect();
        Self { places, keys, heads, members, positions, watermark, newest }
    }

    fn entries(&self) -> usize {
        self.places.len() + self.keys.len() + self.heads.len() + self.members.len()
    }
}

impl Flush {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, done: 0 }
    }

    /// How many entries are still to be moved.
    pub(super) fn remaining(&self) -> usize {
        self.plan.entries() - self.done
    }

    pub(super) fn watermark(&self) -> Watermark {
        self.plan.watermark
    }

    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }

    /// Moves up to `quota` entries, and the watermark after the last one.
    pub(super) fn slice(
        &self,
        connection: &Connection,
        idempotency: &mut Idempotency,
        quota: usize,
    ) -> Result<Slice> {
        let done = self.plan.entries().min(self.done + quota);
        let mut range = (self.done, done);
        #[cfg(feature = "mutants")]
        if crate::mutants::is("watermark-before-slice") {
            raise_watermark(connection, self.plan.watermark, self.plan.newest)?;
        }
        insert_places(connection, take(&mut range, &self.plan.places))?;
        for (hash, row) in take(&mut range, &self.plan.keys) {
            idempotency.insert(connection, *hash, *row, self.plan.newest)?;
        }
        raise_heads(connection, take(&mut range, &self.plan.heads))?;
        raise_members(connection, take(&mut range, &self.plan.members))?;
        let end = if done == self.plan.entries() {
            raise_positions(connection, &self.plan.positions)?;
            let sealed = idempotency.seal_if_full(connection)?;
            raise_watermark(connection, self.plan.watermark, self.plan.newest)?;
            Some(sealed)
        } else {
            None
        };
        Ok(Slice { done, end })
    }

    /// Takes over a slice that is on disk. Returns whether it was the last one.
    pub(super) fn settle(&mut self, slice: Slice, idempotency: &mut Idempotency) -> bool {
        self.done = slice.done;
        let is_last = slice.end.is_some();
        if let Some(sealed) = slice.end.flatten() {
            idempotency.begin_next(sealed);
        }
        is_last
    }
}

/// Deletes journal rows that the watermark has passed, as many as make about `quota`
/// entries. Returns whether there may be more.
pub(super) fn trim_journal(
    connection: &Connection,
    watermark: Watermark,
    quota: usize,
) -> Result<bool> {
    // A row is as long as it has moves, of which there may be hundreds.
    let limit = quota.div_ceil(16);
    Ok(journal::trim(connection, watermark.journal, limit)? == limit)
}

/// The part of `list` that is in `range`, which afterwards counts from its end.
fn take<'a, T>(range: &mut (usize, usize), list: &'a [T]) -> &'a [T] {
    let (from, to) = (range.0.min(list.len()), range.1.min(list.len()));
    *range = (range.0 - from, range.1 - to);
    &list[from..to]
}

fn insert_places(connection: &Connection, places: &[(ConversationId, Place)]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO timeline (conversation, seq, row_id) VALUES (?1, ?2, ?3)",
    )?;
    for (conversation, place) in places {
        statement.execute((conversation.get(), place.seq.get(), place.row.get()))?;
    }
    Ok(())
}

fn raise_heads(connection: &Connection, heads: &[(ConversationId, Place)]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE conversations SET head_seq = ?2, head_message_number = ?3, head_row = ?4,
                                  head_timestamp_ms = ?5
         WHERE id = ?1 AND head_seq < ?2",
    )?;
    for (conversation, Place { seq, row, message_number, timestamp }) in heads {
        let head = (message_number.get(), row.get(), timestamp.get());
        statement.execute((conversation.get(), seq.get(), head.0, head.1, head.2))?;
    }
    Ok(())
}

fn raise_members(
    connection: &Connection,
    members: &[(UserId, ConversationId, Move)],
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE members SET delivered_seq = max(delivered_seq, ?3), read_seq = max(read_seq, ?4),
                            changed_row = ?5
         WHERE user = ?1 AND conversation = ?2 AND changed_row < ?5",
    )?;
    for (user, conversation, Move { stamp, cursors }) in members {
        let places = (cursors.delivered.get(), cursors.read.get());
        statement.execute((user.get(), conversation.get(), places.0, places.1, stamp.get()))?;
    }
    Ok(())
}

fn raise_positions(connection: &Connection, positions: &[(Partition, LogPosition)]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE partitions SET next_position = max(next_position, ?2) WHERE partition = ?1",
    )?;
    for (partition, position) in positions {
        statement.execute((partition.get(), position.get()))?;
    }
    Ok(())
}

fn raise_watermark(
    connection: &Connection,
    watermark: Watermark,
    newest: TimestampMs,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE meta SET watermark_row = ?1, watermark_journal = ?2,
                             newest_ms = max(newest_ms, ?3)",
        )?
        .execute((watermark.row.get(), watermark.journal, newest.get()))?;
    Ok(())
}
