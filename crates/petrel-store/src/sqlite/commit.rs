//! Claims and commits: what a sequencer writes.

use std::collections::{BTreeMap, HashSet};

use petrel_types::{
    ConversationId, LogPosition, MessageNumber, OwnerEpoch, Partition, RowId, Seq, Slot,
};
use rusqlite::{Connection, OptionalExtension, Row};

use super::writer::{Transaction, WriteError};
use crate::{
    Batch, Claim, Committed, CursorUpdate, Head, NewConversation, NewEvent, StoreErrorKind,
};

/// Raises the owner epoch of a partition.
pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    partition: Partition,
) -> Result<Claim, WriteError> {
    let mut statement = transaction.connection.prepare_cached(
        "INSERT INTO partitions (partition, owner_epoch, next_position, conversation_number)
         VALUES (?1, 1, 0, 0)
         ON CONFLICT (partition) DO UPDATE SET owner_epoch = owner_epoch + 1
         RETURNING owner_epoch, next_position, conversation_number",
    )?;
    Ok(statement.query_row([partition.get()], claim_of)?)
}

/// Commits a batch. What contradicts the stored state is refused, either here, before
/// anything is written, or by a constraint of the tables.
pub(super) fn commit(
    transaction: &mut Transaction<'_>,
    partition: Partition,
    batch: &Batch,
    next_position: LogPosition,
    owner_epoch: OwnerEpoch,
) -> Result<Committed, WriteError> {
    let before = check_owner(transaction.connection, partition, next_position, owner_epoch)?;
    let ends = check_contiguity(transaction.connection, batch)?;
    let first_row = transaction.marks.next_row();
    insert_conversations(transaction.connection, &batch.conversations)?;
    insert_events(transaction, partition, &batch.events)?;
    move_heads(transaction.connection, &ends, first_row)?;
    for conversation in &batch.conversations {
        insert_members(transaction, conversation)?;
    }
    for cursor in &batch.cursors {
        move_cursor(transaction, cursor)?;
    }
    let numbers = batch.conversations.iter().map(|new| new.id.get() >> Slot::BITS);
    let number = numbers.fold(before.conversation_number, u64::max);
    transaction
        .connection
        .prepare_cached(
            "UPDATE partitions SET next_position = ?2, conversation_number = ?3
             WHERE partition = ?1",
        )?
        .execute((partition.get(), next_position.get(), number))?;
    Ok(Committed { first_row })
}

fn check_owner(
    connection: &Connection,
    partition: Partition,
    next_position: LogPosition,
    owner_epoch: OwnerEpoch,
) -> Result<Claim, WriteError> {
    let stored = connection
        .prepare_cached(
            "SELECT owner_epoch, next_position, conversation_number
             FROM partitions WHERE partition = ?1",
        )?
        .query_row([partition.get()], claim_of)
        .optional()?;
    match stored {
        Some(stored) if stored.owner_epoch == owner_epoch => {
            if next_position < stored.next_position {
                return Err(invalid(format!(
                    "position {next_position} of partition {partition} is before {}",
                    stored.next_position
                )));
            }
            Ok(stored)
        }
        _ => Err(WriteError::refused(
            StoreErrorKind::Fenced,
            format!("owner epoch {owner_epoch} of partition {partition} is over"),
        )),
    }
}

/// Checks that the events continue their timelines. Returns the last one of each, by
/// conversation and with its index in the batch.
fn check_contiguity<'a>(
    connection: &Connection,
    batch: &'a Batch,
) -> Result<BTreeMap<ConversationId, (u64, &'a NewEvent)>, WriteError> {
    let begun: HashSet<_> = batch.conversations.iter().map(|new| new.id).collect();
    let mut ends = BTreeMap::new();
    for (index, event) in (0..).zip(&batch.events) {
        let head = match ends.insert(event.conversation, (index, event)) {
            Some((_, NewEvent { seq, message_number, .. })) => {
                Head { seq: *seq, message_number: *message_number }
            }
            None if begun.contains(&event.conversation) => Head::default(),
            None => stored_head(connection, event.conversation)?,
        };
        let counts_on = event.message_number == head.message_number
            || event.message_number == head.message_number.next();
        if event.seq != head.seq.next() || !counts_on {
            return Err(invalid(format!(
                "event {} (message {}) of conversation {} does not continue {} (message {})",
                event.seq, event.message_number, event.conversation, head.seq, head.message_number
            )));
        }
    }
    Ok(ends)
}

fn stored_head(connection: &Connection, conversation: ConversationId) -> Result<Head, WriteError> {
    connection
        .prepare_cached("SELECT head_seq, head_message_number FROM conversations WHERE id = ?1")?
        .query_row([conversation.get()], |row| {
            Ok(Head { seq: Seq::new(row.get(0)?), message_number: MessageNumber::new(row.get(1)?) })
        })
        .optional()?
        .ok_or_else(|| invalid(format!("there is no conversation {conversation}")))
}

fn insert_conversations(
    connection: &Connection,
    conversations: &[NewConversation],
) -> Result<(), WriteError> {
    for NewConversation { id, low, high } in conversations {
        if low > high {
            return Err(invalid(format!("the users of conversation {id} are not in order")));
        }
        connection
            .prepare_cached("INSERT INTO conversations (id, low, high) VALUES (?1, ?2, ?3)")?
            .execute((id.get(), low.get(), high.get()))?;
    }
    Ok(())
}

/// Makes both users members, or the one if it is a chat with oneself. The beginning is a
/// change that concerns both, so they are stamped with a row of its own.
fn insert_members(
    transaction: &mut Transaction<'_>,
    conversation: &NewConversation,
) -> Result<(), WriteError> {
    let stamp = transaction.marks.take_row();
    let mut statement = transaction.connection.prepare_cached(
        "INSERT INTO members (user, conversation, changed_row) VALUES (?1, ?2, ?3)",
    )?;
    statement.execute((conversation.low.get(), conversation.id.get(), stamp.get()))?;
    if conversation.high != conversation.low {
        statement.execute((conversation.high.get(), conversation.id.get(), stamp.get()))?;
    }
    Ok(())
}

fn insert_events(
    transaction: &mut Transaction<'_>,
    partition: Partition,
    events: &[NewEvent],
) -> Result<(), WriteError> {
    let mut statement = transaction.connection.prepare_cached(
        "INSERT INTO events (row_id, partition, conversation, seq, message_number, sender,
                             client_message_id, timestamp_ms, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for event in events {
        statement.execute((
            transaction.marks.take_row().get(),
            partition.get(),
            event.conversation.get(),
            event.seq.get(),
            event.message_number.get(),
            event.sender.get(),
            event.client_message_id.as_ref().map(|id| id.as_str()),
            event.timestamp.get(),
            event.payload.as_ref(),
        ))?;
    }
    Ok(())
}

/// Moves the head of each timeline once, however many events it got.
fn move_heads(
    connection: &Connection,
    ends: &BTreeMap<ConversationId, (u64, &NewEvent)>,
    first_row: RowId,
) -> Result<(), WriteError> {
    let mut statement = connection.prepare_cached(
        "UPDATE conversations SET head_seq = ?2, head_message_number = ?3, head_row = ?4,
                                  head_timestamp_ms = ?5
         WHERE id = ?1",
    )?;
    for (conversation, (index, event)) in ends {
        statement.execute((
            conversation.get(),
            event.seq.get(),
            event.message_number.get(),
            first_row.get() + index,
            event.timestamp.get(),
        ))?;
    }
    Ok(())
}

/// Moves a member's cursors forward. Each move takes a row of its own, so that no two
/// conversations of a user ever have the same stamp and a page of them can end anywhere.
fn move_cursor(transaction: &mut Transaction<'_>, cursor: &CursorUpdate) -> Result<(), WriteError> {
    let connection = transaction.connection;
    let moved = connection
        .prepare_cached(
            "UPDATE members SET delivered_seq = max(delivered_seq, ?3),
                                read_seq = max(read_seq, ?4), changed_row = ?5
             WHERE user = ?1 AND conversation = ?2 AND (delivered_seq < ?3 OR read_seq < ?4)",
        )?
        .execute((
            cursor.user.get(),
            cursor.conversation.get(),
            cursor.delivered.get(),
            cursor.read.get(),
            transaction.marks.next_row().get(),
        ))?;
    if moved > 0 {
        transaction.marks.take_row();
        return Ok(());
    }
    let is_member = connection
        .prepare_cached("SELECT 1 FROM members WHERE user = ?1 AND conversation = ?2")?
        .exists((cursor.user.get(), cursor.conversation.get()))?;
    if is_member {
        Ok(())
    } else {
        let CursorUpdate { conversation, user, .. } = cursor;
        Err(invalid(format!("user {user} is not in conversation {conversation}")))
    }
}

fn claim_of(row: &Row<'_>) -> rusqlite::Result<Claim> {
    Ok(Claim {
        owner_epoch: OwnerEpoch::new(row.get(0)?),
        next_position: LogPosition::new(row.get(1)?),
        conversation_number: row.get(2)?,
    })
}

fn invalid(reason: String) -> WriteError {
    WriteError::refused(StoreErrorKind::Invalid, reason)
}
