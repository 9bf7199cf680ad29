//! Reads of conversations and their events.
//!
//! The index holds a beginning of every timeline, the tails the rest of it.

use std::sync::Arc;

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, MessageNumber, Partition, RowId, Seq, TimestampMs, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use super::idempotency;
use super::message_key::HashSecret;
use super::number::{bound, key};
use super::reader::Snapshot;
use crate::{
    Conversation, ConversationKind, ConversationState, Cursors, EventPage, Head, Interval, Member,
    StoredEvent, Summary,
};

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

pub(super) fn conversation(
    snapshot: &Snapshot<'_>,
    id: ConversationId,
) -> Result<Option<ConversationState>> {
    let Snapshot { connection, view } = snapshot;
    let found = connection
        .prepare_cached(
            "SELECT low, high, head_seq, head_message_number FROM conversations
             WHERE id = ?1 AND begun_row <= ?2",
        )?
        .query_row((key(id.get()), view.visible().get()), |row| {
            let (low, high) = (UserId::new(row.get(0)?), UserId::new(row.get(1)?));
            Ok((
                Conversation { id, kind: ConversationKind::Single { low, high } },
                head_of(row, 2)?,
            ))
        })
        .optional()?;
    let Some((conversation, stored_head)) = found else {
        return Ok(None);
    };
    let head = view.head(id).map_or(stored_head, |place| place.head());
    let mut members: Vec<Member> = connection
        .prepare_cached(
            "SELECT user, delivered_seq, read_seq FROM members WHERE conversation = ?1
             ORDER BY user",
        )?
        .query_map([key(id.get())], member_of)?
        .collect::<Result<_>>()?;
    for member in &mut members {
        if let Some(moved) = view.member(id, member.user) {
            member.cursors = moved.cursors;
        }
    }
    let member_count = members.len() as u64;
    let profile = Bytes::new();
    let trimmed_before = Seq::new(1);
    let summary = Summary { conversation, head, trimmed_before, profile, member_count };
    Ok(Some(ConversationState { summary, members }))
}

pub(super) fn single_chat(
    snapshot: &Snapshot<'_>,
    one: UserId,
    other: UserId,
) -> Result<Option<ConversationId>> {
    let (low, high) = (key(one.min(other).get()), key(one.max(other).get()));
    snapshot
        .connection
        .prepare_cached(
            "SELECT id FROM conversations WHERE low = ?1 AND high = ?2 AND begun_row <= ?3",
        )?
        .query_row((low, high, snapshot.view.visible().get()), |row| {
            Ok(ConversationId::new(row.get(0)?))
        })
        .optional()
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
    for row in view.rows_of(hash) {
        if let Some(event) = event_at(connection, row)?.filter(is_it) {
            return Ok(Some(event));
        }
    }
    for row in idempotency::all_rows_of(connection, hash)? {
        if let Some(event) = event_at(connection, row)?.filter(is_it) {
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
            found.push(event_of(row)?);
        }
    }
    Ok(found)
}

pub(super) fn event(snapshot: &Snapshot<'_>, row: RowId) -> Result<Option<StoredEvent>> {
    if row > snapshot.view.visible() {
        return Ok(None);
    }
    event_at(snapshot.connection, row)
}

pub(super) fn events_after(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    after: Seq,
    limit: u32,
) -> Result<EventPage> {
    let Snapshot { connection, view } = snapshot;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut events = Vec::new();
    // The index need not be asked for what a tail holds entirely, which is most of what
    // is ever asked for.
    if view.first_seq(conversation).is_none_or(|first| first.get() > after.get().saturating_add(1))
    {
        let sql = select_indexed!("timeline.seq > ?2 ORDER BY timeline.seq LIMIT ?3");
        events =
            indexed(connection, sql, (key(conversation.get()), bound(after.get()), limit as i64))?;
    }
    let after = events.last().map_or(after, |event| event.seq);
    for place in view.places_after(conversation, after, limit - events.len()) {
        events.extend(event_at(connection, place.row)?);
    }
    Ok(EventPage { events, head: head(snapshot, conversation)?, trimmed_before: Seq::new(1) })
}

pub(super) fn events_before(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    before: Seq,
    limit: u32,
) -> Result<EventPage> {
    let Snapshot { connection, view } = snapshot;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut events = Vec::new();
    for place in view.places_before(conversation, before, limit) {
        events.extend(event_at(connection, place.row)?);
    }
    if events.len() < limit {
        // What the tails hold of the timeline is not asked for again.
        let before = view.first_seq(conversation).map_or(before, |first| first.min(before));
        let limit = (limit - events.len()) as i64;
        let sql = select_indexed!("timeline.seq < ?2 ORDER BY timeline.seq DESC LIMIT ?3");
        events.extend(indexed(
            connection,
            sql,
            (key(conversation.get()), bound(before.get()), limit),
        )?);
    }
    events.reverse();
    Ok(EventPage { events, head: head(snapshot, conversation)?, trimmed_before: Seq::new(1) })
}

pub(super) fn member(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Member>> {
    if let Some(moved) = snapshot.view.member(conversation, user) {
        return Ok(Some(single_member(user, moved.cursors)));
    }
    snapshot
        .connection
        .prepare_cached(
            "SELECT user, delivered_seq, read_seq FROM members
             WHERE user = ?1 AND conversation = ?2 AND changed_row <= ?3",
        )?
        .query_row(
            (key(user.get()), key(conversation.get()), snapshot.view.visible().get()),
            member_of,
        )
        .optional()
}

/// The end of a timeline, which is zero for one that has not begun.
fn head(snapshot: &Snapshot<'_>, conversation: ConversationId) -> Result<Head> {
    if let Some(place) = snapshot.view.head(conversation) {
        return Ok(place.head());
    }
    Ok(stored_head(snapshot.connection, conversation)?.unwrap_or_default())
}

/// The end of a timeline as it is in the tables; `None` if there is no conversation.
pub(super) fn stored_head(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<Head>> {
    connection
        .prepare_cached("SELECT head_seq, head_message_number FROM conversations WHERE id = ?1")?
        .query_row([key(conversation.get())], |row| head_of(row, 0))
        .optional()
}

fn event_at(connection: &Connection, row: RowId) -> Result<Option<StoredEvent>> {
    connection
        .prepare_cached(select_events!("FROM events WHERE row_id = ?1"))?
        .query_row([key(row.get())], event_of)
        .optional()
}

fn indexed(
    connection: &Connection,
    sql: &str,
    parameters: (i64, i64, i64),
) -> Result<Vec<StoredEvent>> {
    connection.prepare_cached(sql)?.query_map(parameters, event_of)?.collect()
}

fn event_of(row: &Row<'_>) -> Result<StoredEvent> {
    Ok(StoredEvent {
        row: RowId::new(row.get(0)?),
        conversation: ConversationId::new(row.get(1)?),
        seq: Seq::new(row.get(2)?),
        message_number: MessageNumber::new(row.get(3)?),
        sender: UserId::new(row.get(4)?),
        client_message_id: client_message_id_of(row, 5)?,
        timestamp: TimestampMs::new(row.get(6)?),
        payload: Bytes::from(row.get::<_, Vec<u8>>(7)?),
    })
}

fn client_message_id_of(row: &Row<'_>, column: usize) -> Result<Option<ClientMessageId>> {
    let text: Option<Arc<str>> = row.get(column)?;
    text.map(ClientMessageId::new)
        .transpose()
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn head_of(row: &Row<'_>, column: usize) -> Result<Head> {
    Ok(Head {
        seq: Seq::new(row.get(column)?),
        message_number: MessageNumber::new(row.get(column + 1)?),
    })
}

fn member_of(row: &Row<'_>) -> Result<Member> {
    let cursors = Cursors { delivered: Seq::new(row.get(1)?), read: Seq::new(row.get(2)?) };
    Ok(single_member(UserId::new(row.get(0)?), cursors))
}

fn single_member(user: UserId, cursors: Cursors) -> Member {
    let intervals = vec![Interval { first: Seq::new(1), last: None }];
    Member { user, cursors, attributes: Bytes::new(), intervals }
}
