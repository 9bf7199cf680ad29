//! Reads of conversations and their events.

use std::sync::Arc;

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, MessageNumber, Partition, RowId, Seq, TimestampMs, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use super::number::{bound, key};
use crate::{Conversation, ConversationState, Cursors, EventPage, Head, Member, StoredEvent};

/// The columns that [`event_of`] takes.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT row_id, conversation, seq, message_number, sender, client_message_id, \
             timestamp_ms, payload FROM events ",
            $rest
        )
    };
}

pub(super) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> Result<Option<ConversationState>> {
    let found = connection
        .prepare_cached(
            "SELECT low, high, head_seq, head_message_number FROM conversations WHERE id = ?1",
        )?
        .query_row([key(id.get())], |row| {
            let (low, high) = (UserId::new(row.get(0)?), UserId::new(row.get(1)?));
            Ok((Conversation { id, low, high }, head_of(row, 2)?))
        })
        .optional()?;
    let Some((conversation, head)) = found else {
        return Ok(None);
    };
    let members = connection
        .prepare_cached(
            "SELECT user, delivered_seq, read_seq FROM members WHERE conversation = ?1
             ORDER BY user",
        )?
        .query_map([key(id.get())], member_of)?
        .collect::<Result<_>>()?;
    Ok(Some(ConversationState { conversation, head, members }))
}

pub(super) fn single_chat(
    connection: &Connection,
    one: UserId,
    other: UserId,
) -> Result<Option<ConversationId>> {
    connection
        .prepare_cached("SELECT id FROM conversations WHERE low = ?1 AND high = ?2")?
        .query_row((key(one.min(other).get()), key(one.max(other).get())), |row| {
            Ok(ConversationId::new(row.get(0)?))
        })
        .optional()
}

pub(super) fn find_message(
    connection: &Connection,
    conversation: ConversationId,
    sender: UserId,
    client_message_id: &ClientMessageId,
) -> Result<Option<StoredEvent>> {
    connection
        .prepare_cached(select_events!(
            "WHERE conversation = ?1 AND sender = ?2 AND client_message_id = ?3"
        ))?
        .query_row(
            (key(conversation.get()), key(sender.get()), client_message_id.as_str()),
            event_of,
        )
        .optional()
}

pub(super) fn recent_messages(
    connection: &Connection,
    partition: Partition,
    limit: u32,
) -> Result<Vec<StoredEvent>> {
    let sql = select_events!(
        "WHERE partition = ?1 AND client_message_id IS NOT NULL ORDER BY row_id DESC LIMIT ?2"
    );
    events(connection, sql, (partition.get(), limit))
}

pub(super) fn event(connection: &Connection, row: RowId) -> Result<Option<StoredEvent>> {
    connection
        .prepare_cached(select_events!("WHERE row_id = ?1"))?
        .query_row([key(row.get())], event_of)
        .optional()
}

pub(super) fn events_after(
    connection: &Connection,
    conversation: ConversationId,
    after: Seq,
    limit: u32,
) -> Result<EventPage> {
    let sql = select_events!("WHERE conversation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
    let events = events(connection, sql, (key(conversation.get()), bound(after.get()), limit))?;
    Ok(EventPage { events, head: head(connection, conversation)? })
}

pub(super) fn events_before(
    connection: &Connection,
    conversation: ConversationId,
    before: Seq,
    limit: u32,
) -> Result<EventPage> {
    let sql = select_events!("WHERE conversation = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3");
    let mut events =
        events(connection, sql, (key(conversation.get()), bound(before.get()), limit))?;
    events.reverse();
    Ok(EventPage { events, head: head(connection, conversation)? })
}

pub(super) fn member(
    connection: &Connection,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Member>> {
    connection
        .prepare_cached(
            "SELECT user, delivered_seq, read_seq FROM members
             WHERE user = ?1 AND conversation = ?2",
        )?
        .query_row((key(user.get()), key(conversation.get())), member_of)
        .optional()
}

/// The end of a timeline, which is zero for one that has not begun.
fn head(connection: &Connection, conversation: ConversationId) -> Result<Head> {
    let found = connection
        .prepare_cached("SELECT head_seq, head_message_number FROM conversations WHERE id = ?1")?
        .query_row([key(conversation.get())], |row| head_of(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn events<P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    parameters: P,
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
    Ok(Member { user: UserId::new(row.get(0)?), cursors })
}
