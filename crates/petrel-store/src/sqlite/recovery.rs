//! What the writer has to know when a store is opened.
//!
//! Above the watermark the events and the journal are the only truth: the tail is rebuilt
//! from them. Below it the indexes are complete. Nothing is written here, so that a crash
//! during an opening changes nothing.

use std::collections::HashMap;

use petrel_types::{
    ConversationId, Epoch, LogPosition, MessageNumber, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};
use rusqlite::{Connection, Result};

use super::flush::Watermark;
use super::idempotency::Idempotency;
use super::marks::Marks;
use super::message_key::HashSecret;
use super::options::Options;
use super::tail::{Place, Tail};
use super::{journal, schema};
use crate::Claim;

/// What was found.
pub(super) struct Recovered {
    pub(super) epoch: Epoch,
    pub(super) hash_secret: HashSecret,
    pub(super) marks: Marks,
    pub(super) watermark: Watermark,
    pub(super) tail: Tail,
    pub(super) owners: HashMap<Partition, Claim>,
    pub(super) idempotency: Idempotency,
}

/// Reads everything. The tail is as long as what was not in the indexes yet, two full
/// ones at most.
pub(super) fn recover(connection: &Connection, options: &Options) -> Result<Recovered> {
    let hash_secret = HashSecret::load(connection)?;
    let schema::Meta { epoch, watermark, last_user, newest } = schema::Meta::load(connection)?;
    let mut tail = Tail::default();
    let mut marks =
        Marks { row: watermark.row, user: last_user, journal: watermark.journal, newest };
    if let Some((journal, last_row)) = journal::replay(connection, watermark.journal, &mut tail)? {
        marks.journal = journal;
        marks.row = marks.row.max(last_row);
    }
    if let Some(last_row) = replay_events(connection, watermark.row, hash_secret, &mut tail)? {
        marks.row = marks.row.max(last_row);
    }
    let replayed = tail.timelines.values().flatten().map(|place| place.timestamp);
    marks.newest = replayed.fold(newest, TimestampMs::max);
    let owners = load_owners(connection, &tail)?;
    let idempotency =
        Idempotency::load(connection, options.tail_rows, options.idempotency_window, marks.newest)?;
    Ok(Recovered { epoch, hash_secret, marks, watermark, tail, owners, idempotency })
}

fn replay_events(
    connection: &Connection,
    watermark: RowId,
    hash_secret: HashSecret,
    tail: &mut Tail,
) -> Result<Option<RowId>> {
    let mut statement = connection.prepare(
        "SELECT row_id, conversation, seq, message_number, sender, client_message_id, timestamp_ms
         FROM events WHERE row_id > ?1 ORDER BY row_id",
    )?;
    let mut rows = statement.query([watermark.get()])?;
    let mut last = None;
    while let Some(found) = rows.next()? {
        let row = RowId::new(found.get(0)?);
        let conversation = ConversationId::new(found.get(1)?);
        let place = Place {
            seq: Seq::new(found.get(2)?),
            row,
            message_number: MessageNumber::new(found.get(3)?),
            timestamp: TimestampMs::new(found.get(6)?),
        };
        tail.add_event(conversation, place);
        #[cfg(feature = "mutants")]
        if crate::mutants::is("idempotency-not-rebuilt") {
            last = Some(row);
            continue;
        }
        if let Some(id) = found.get_ref(5)?.as_str_or_null()? {
            let sender = UserId::new(found.get(4)?);
            tail.keys.insert(hash_secret.hash(conversation, sender, id), row);
        }
        last = Some(row);
    }
    Ok(last)
}

/// The owners as they were claimed, with the positions of the journal.
fn load_owners(connection: &Connection, tail: &Tail) -> Result<HashMap<Partition, Claim>> {
    let mut statement = connection.prepare(
        "SELECT partition, owner_epoch, next_position, conversation_number FROM partitions",
    )?;
    let owners = statement.query_map([], |row| {
        let partition = Partition::new(row.get(0)?);
        let folded = LogPosition::new(row.get(2)?);
        let latest = tail.positions.get(&partition).copied();
        let claim = Claim {
            owner_epoch: OwnerEpoch::new(row.get(1)?),
            next_position: latest.map_or(folded, |latest| latest.max(folded)),
            conversation_number: row.get(3)?,
        };
        Ok((partition, claim))
    })?;
    owners.collect()
}
