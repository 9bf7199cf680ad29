//! Claims and commits: what a sequencer writes.

use std::collections::HashSet;

use petrel_types::{ConversationId, LogPosition, OwnerEpoch, Partition, RowId, Slot, UserId};
use rusqlite::Connection;

use super::tail::{Move, NumberMap, Place};
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{
    Batch, Claim, Committed, ConversationKind, CursorUpdate, Cursors, Head, NewConversation,
    NewEvent, StoreErrorKind,
};

/// Raises the owner epoch of a partition.
pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    partition: Partition,
) -> Result<Claim, WriteError> {
    let claim = match transaction.owner(partition) {
        Some(claim) => Claim { owner_epoch: OwnerEpoch::new(claim.owner_epoch.get() + 1), ..claim },
        None => Claim {
            owner_epoch: OwnerEpoch::new(1),
            next_position: LogPosition::new(0),
            conversation_number: 0,
        },
    };
    // The position stays as it is: it follows with the watermark.
    transaction
        .connection
        .prepare_cached(
            "INSERT INTO partitions (partition, owner_epoch, next_position, conversation_number)
             VALUES (?1, ?2, 0, 0)
             ON CONFLICT (partition) DO UPDATE SET owner_epoch = excluded.owner_epoch",
        )?
        .execute((partition.get(), claim.owner_epoch.get()))?;
    transaction.staged.owners.insert(partition, claim);
    Ok(claim)
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
    let before = check_owner(transaction, partition, next_position, owner_epoch)?;
    check_contiguity(transaction, batch)?;
    let hashes = check_client_message_ids(transaction, &batch.events)?;
    let moves = check_cursors(transaction, batch)?;
    let first_row = transaction.marks.next_row();
    let begun_row = RowId::new(first_row.get() + batch.events.len() as u64);
    insert_conversations(transaction.connection, &batch.conversations, begun_row)?;
    insert_events(transaction, partition, &batch.events, &hashes)?;
    for conversation in &batch.conversations {
        insert_members(transaction, conversation)?;
    }
    for (conversation, user, cursors) in moves {
        // Each move takes a row of its own, so that no two conversations of a user ever
        // have the same stamp and a page of them can end anywhere.
        let stamp = transaction.marks.take_row();
        transaction.staged.tail.add_move(conversation, user, Move { stamp, cursors });
    }
    let numbers = batch.conversations.iter().map(|new| new.id.get() >> Slot::BITS);
    let conversation_number = numbers.fold(before.conversation_number, u64::max);
    if conversation_number > before.conversation_number {
        transaction
            .connection
            .prepare_cached("UPDATE partitions SET conversation_number = ?2 WHERE partition = ?1")?
            .execute((partition.get(), conversation_number))?;
    }
    let after = Claim { next_position, conversation_number, ..before };
    transaction.staged.owners.insert(partition, after);
    transaction.staged.tail.positions.insert(partition, next_position);
    Ok(Committed { first_row })
}

fn check_owner(
    transaction: &Transaction<'_>,
    partition: Partition,
    next_position: LogPosition,
    owner_epoch: OwnerEpoch,
) -> Result<Claim, WriteError> {
    let Some(stored) =
        transaction.owner(partition).filter(|stored| stored.owner_epoch == owner_epoch)
    else {
        return Err(WriteError::refused(
            StoreErrorKind::Fenced,
            format!("owner epoch {owner_epoch} of partition {partition} is over"),
        ));
    };
    if next_position < stored.next_position {
        return Err(invalid(format!(
            "position {next_position} of partition {partition} is before {}",
            stored.next_position
        )));
    }
    check_fits(next_position.get())?;
    Ok(stored)
}

/// Checks that the events continue their timelines.
fn check_contiguity(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), WriteError> {
    let begun: HashSet<_> = batch.conversations.iter().map(|new| new.id).collect();
    let mut heads = NumberMap::default();
    for event in &batch.events {
        let next = Head { seq: event.seq, message_number: event.message_number };
        let head = match heads.insert(event.conversation, next) {
            Some(head) => head,
            None if begun.contains(&event.conversation) => Head::default(),
            None => transaction.head(event.conversation)?.ok_or_else(|| {
                invalid(format!("there is no conversation {}", event.conversation))
            })?,
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
    Ok(())
}

/// Checks that no client message id is taken. Returns the hash of each event that has
/// one.
fn check_client_message_ids(
    transaction: &Transaction<'_>,
    events: &[NewEvent],
) -> Result<Vec<Option<u64>>, WriteError> {
    let mut hashes = Vec::with_capacity(events.len());
    let mut seen = NumberMap::default();
    for event in events {
        let NewEvent { conversation, sender, client_message_id, .. } = event;
        let Some(id) = client_message_id else {
            hashes.push(None);
            continue;
        };
        let hash = transaction.known.hash_secret.hash(*conversation, *sender, id.as_str());
        let is_same = |other: &NewEvent| {
            (other.conversation, other.sender, other.client_message_id.as_ref())
                == (*conversation, *sender, Some(id))
        };
        let is_taken = seen.insert(hash, event).is_some_and(is_same)
            || transaction.is_taken(hash, *conversation, *sender, id)?;
        if is_taken {
            return Err(invalid(format!(
                "user {sender} has stored {id} in conversation {conversation} already"
            )));
        }
        hashes.push(Some(hash));
    }
    Ok(hashes)
}

/// Checks that cursors belong to members. Returns those that move, with where they are
/// afterwards.
fn check_cursors(
    transaction: &Transaction<'_>,
    batch: &Batch,
) -> Result<Vec<(ConversationId, UserId, Cursors)>, WriteError> {
    let mut begun = HashSet::new();
    for NewConversation { id, kind, .. } in &batch.conversations {
        begun.extend(members(*kind).map(|user| (*id, user)));
    }
    let mut latest = NumberMap::default();
    let mut moves = Vec::with_capacity(batch.cursors.len());
    for CursorUpdate { conversation, user, delivered, read } in batch.cursors.iter().copied() {
        check_fits(delivered.get().max(read.get()))?;
        let stored = match latest.get(&(conversation, user)) {
            Some(earlier) => Some(*earlier),
            None if begun.contains(&(conversation, user)) => Some(Cursors::default()),
            None => transaction.cursors(conversation, user)?,
        };
        let before = stored
            .ok_or_else(|| invalid(format!("user {user} is not in conversation {conversation}")))?;
        let after =
            Cursors { delivered: before.delivered.max(delivered), read: before.read.max(read) };
        if after != before {
            latest.insert((conversation, user), after);
            moves.push((conversation, user, after));
        }
    }
    Ok(moves)
}

/// Refuses a number that the tables could not hold when it reaches them, later.
fn check_fits(number: u64) -> Result<(), WriteError> {
    match i64::try_from(number) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(format!("{number} is too large a number"))),
    }
}

/// Inserts the conversations. Each takes a row, from `begun_row` on.
fn insert_conversations(
    connection: &Connection,
    conversations: &[NewConversation],
    begun_row: RowId,
) -> Result<(), WriteError> {
    for (row, NewConversation { id, kind, .. }) in (begun_row.get()..).zip(conversations) {
        let ConversationKind::Single { low, high } = kind else { todo!() };
        if low > high {
            return Err(invalid(format!("the users of conversation {id} are not in order")));
        }
        connection
            .prepare_cached(
                "INSERT INTO conversations (id, low, high, begun_row) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((id.get(), low.get(), high.get(), row))?;
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
    for user in members(conversation.kind) {
        statement.execute((user.get(), conversation.id.get(), stamp.get()))?;
    }
    Ok(())
}

/// Who is in a conversation from its beginning.
fn members(kind: ConversationKind) -> impl Iterator<Item = UserId> {
    let (first, second) = match kind {
        ConversationKind::Single { low, high } => (Some(low), Some(high).filter(|_| high != low)),
        ConversationKind::Personal { user } => (Some(user), None),
        ConversationKind::Group => (None, None),
    };
    first.into_iter().chain(second)
}

fn insert_events(
    transaction: &mut Transaction<'_>,
    partition: Partition,
    events: &[NewEvent],
    hashes: &[Option<u64>],
) -> Result<(), WriteError> {
    let mut statement = transaction.connection.prepare_cached(
        "INSERT INTO events (row_id, partition, conversation, seq, message_number, sender,
                             client_message_id, timestamp_ms, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (event, hash) in events.iter().zip(hashes) {
        let row = transaction.marks.take_row();
        statement.execute((
            row.get(),
            partition.get(),
            event.conversation.get(),
            event.seq.get(),
            event.message_number.get(),
            event.sender.get(),
            event.client_message_id.as_ref().map(|id| id.as_str()),
            event.timestamp.get(),
            event.payload.as_ref(),
        ))?;
        let NewEvent { seq, message_number, timestamp, .. } = *event;
        let place = Place { seq, row, message_number, timestamp };
        transaction.staged.tail.add_event(event.conversation, place);
        if let Some(hash) = hash {
            transaction.staged.tail.keys.insert(*hash, row);
        }
    }
    Ok(())
}

fn invalid(reason: String) -> WriteError {
    WriteError::refused(StoreErrorKind::Invalid, reason)
}
