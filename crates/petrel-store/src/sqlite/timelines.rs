//! Reads of conversations and their events.
//!
//! The index holds a beginning of every timeline, the tails the rest of it.

use std::sync::Arc;

use petrel_types::{
    ClientMessageId, ConversationId, MessageNumber, Partition, RowId, Seq, TimestampMs, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use super::conversations::{ends, place_of};
use super::message_key::HashSecret;
use super::number::{bound, key};
use super::reader::Snapshot;
use super::tail::Place;
use super::{overwrites, trims};
use crate::{EventPage, RowPage, StoredEvent};

/// How many rows [`recent_messages`] looks at. It holds up the write-ahead log meanwhile.
const RECENT_LOOKED_AT_MAX: usize = 200_000;

/// The columns that [`event_of`] takes.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT events.row_id, events.conversation, events.seq, message_number, sender, \
             client_message_id, timestamp_ms, payload ",
            $rest
        )
    };
}

/// From the index, without the entries whose row is gone.
macro_rules! select_indexed {
    ($range:literal) => {
        concat!(
            "SELECT events.row_id, events.conversation, events.seq, message_number, sender, \
             client_message_id, timestamp_ms, payload ",
            "FROM timeline CROSS JOIN events ON events.row_id = timeline.row_id \
             WHERE timeline.conversation = ?1 AND ",
            $range
        )
    };
}

pub(super) fn find_message(
    snapshot: &Snapshot<'_>,
    hash_secret: HashSecret,
    conversation: ConversationId,
    sender: UserId,
    client_message_id: &ClientMessageId,
) -> Result<Option<StoredEvent>> {
    let Snapshot { connection, view } = snapshot;
    let hash = hash_secret.hash(conversation, sender, client_message_id.as_str());
    let is_it = |event: &StoredEvent| {
        (event.conversation, event.sender) == (conversation, sender)
            && event.client_message_id.as_ref() == Some(client_message_id)
    };
    let mut rows = view.rows_of(hash);
    rows.extend(view.generations().rows_of(connection, hash)?);
    for row in rows {
        if let Some(event) = event_at(connection, row)?.filter(is_it)
            && !trims::is_trimmed(connection, row)?
        {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// Goes back from the last row, so that no index by partition has to be kept.
pub(super) fn recent_messages(
    snapshot: &Snapshot<'_>,
    partition: Partition,
    limit: u32,
) -> Result<Vec<StoredEvent>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut statement = snapshot.connection.prepare_cached(select_events!(
        ", partition FROM events WHERE row_id <= ?1 ORDER BY row_id DESC LIMIT ?2"
    ))?;
    let mut rows = statement.query((snapshot.view.visible().get(), RECENT_LOOKED_AT_MAX))?;
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let is_message = row.get_ref(5)?.as_str_or_null()?.is_some();
        if is_message && row.get::<_, u16>(8)? == partition.get() {
            let event = event_of(snapshot.connection, row)?;
            if !trims::is_trimmed(snapshot.connection, event.row)? {
                found.push(event);
            }
        }
    }
    Ok(found)
}

pub(super) fn event(snapshot: &Snapshot<'_>, row: RowId) -> Result<Option<StoredEvent>> {
    if row > snapshot.view.visible() || trims::is_trimmed(snapshot.connection, row)? {
        return Ok(None);
    }
    event_at(snapshot.connection, row)
}

pub(super) fn events_by_row(snapshot: &Snapshot<'_>, after: RowId, limit: u32) -> Result<RowPage> {
    let connection = snapshot.connection;
    let visible = snapshot.view.visible();
    let mut statement = connection.prepare_cached(select_events!(
        "FROM events WHERE row_id > ?1 AND row_id <= ?2 ORDER BY row_id LIMIT ?3"
    ))?;
    let mut rows = statement.query((bound(after.get()), bound(visible.get()), limit))?;
    let (mut events, mut last) = (Vec::new(), None);
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let event = event_of(connection, row)?;
        seen += 1;
        last = Some(event.row);
        if !trims::is_trimmed(connection, event.row)? {
            events.push(event);
        }
    }
    let up_to = last.filter(|_| seen == limit).unwrap_or(visible);
    Ok(RowPage { events, up_to, last_row: visible })
}

pub(super) fn events_after(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    after: Seq,
    limit: u32,
) -> Result<EventPage> {
    let Snapshot { connection, view } = snapshot;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (head, trimmed) = ends(snapshot, conversation)?;
    let after = after.max(Seq::new(trimmed.before.get() - 1));
    let mut events = Vec::new();
    // The index need not be asked for what a tail holds entirely, which is most of what
    // is ever asked for.
    if view.first_seq(conversation).is_none_or(|first| first.get() > after.get().saturating_add(1))
    {
        let sql = select_indexed!("timeline.seq > ?2 ORDER BY timeline.seq LIMIT ?3");
        let parameters = (key(conversation.get()), bound(after.get()), limit as i64);
        events = connection
            .prepare_cached(sql)?
            .query_map(parameters, |row| event_of(connection, row))?
            .collect::<Result<_>>()?;
    }
    let after = events.last().map_or(after, |event| event.seq);
    for place in view.places_after(conversation, after, limit - events.len()) {
        events.extend(event_at(connection, place.row)?);
    }
    Ok(EventPage { events, head, trimmed_before: trimmed.before })
}

pub(super) fn events_before(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    before: Seq,
    limit: u32,
) -> Result<EventPage> {
    let Snapshot { connection, view } = snapshot;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (head, trimmed) = ends(snapshot, conversation)?;
    let mut events = Vec::new();
    for place in view.places_before(conversation, before, limit) {
        if place.seq < trimmed.before {
            break;
        }
        events.extend(event_at(connection, place.row)?);
    }
    if events.len() < limit {
        // What the tails hold of the timeline is not asked for again.
        let before = view.first_seq(conversation).map_or(before, |first| first.min(before));
        let limit = (limit - events.len()) as i64;
        let sql = select_indexed!(
            "timeline.seq < ?2 AND timeline.seq >= ?4 ORDER BY timeline.seq DESC LIMIT ?3"
        );
        let (conversation, first) = (key(conversation.get()), bound(trimmed.before.get()));
        let mut statement = connection.prepare_cached(sql)?;
        let parameters = (conversation, bound(before.get()), limit, first);
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            events.push(event_of(connection, row)?);
        }
    }
    events.reverse();
    Ok(EventPage { events, head, trimmed_before: trimmed.before })
}

/// The place of an event as the timeline index has it.
pub(super) fn indexed_place(
    connection: &Connection,
    conversation: ConversationId,
    seq: Seq,
) -> Result<Option<Place>> {
    connection
        .prepare_cached(
            "SELECT timeline.seq, timeline.row_id, message_number, timestamp_ms
             FROM timeline CROSS JOIN events ON events.row_id = timeline.row_id
             WHERE timeline.conversation = ?1 AND timeline.seq = ?2",
        )?
        .query_row((key(conversation.get()), bound(seq.get())), |row| place_of(row, 0))
        .optional()
}

fn event_at(connection: &Connection, row: RowId) -> Result<Option<StoredEvent>> {
    connection
        .prepare_cached(select_events!("FROM events WHERE row_id = ?1"))?
        .query_row([key(row.get())], |found| event_of(connection, found))
        .optional()
}

fn event_of(connection: &Connection, found: &Row<'_>) -> Result<StoredEvent> {
    let row = RowId::new(found.get(0)?);
    Ok(StoredEvent {
        row,
        conversation: ConversationId::new(found.get(1)?),
        seq: Seq::new(found.get(2)?),
        message_number: MessageNumber::new(found.get(3)?),
        sender: UserId::new(found.get(4)?),
        client_message_id: client_message_id_of(found, 5)?,
        timestamp: TimestampMs::new(found.get(6)?),
        payload: overwrites::resolve(connection, row, found.get_ref(7)?.as_blob()?)?,
    })
}

fn client_message_id_of(row: &Row<'_>, column: usize) -> Result<Option<ClientMessageId>> {
    let text: Option<Arc<str>> = row.get(column)?;
    text.map(ClientMessageId::new)
        .transpose()
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
