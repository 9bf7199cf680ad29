//! Claims and commits: what a sequencer writes.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use petrel_types::{ConversationId, LogPosition, OwnerEpoch, Partition, RowId, Slot, UserId};
use rusqlite::Connection;

use super::tail::{Move, NumberMap, Place};
use super::transaction::Transaction;
use super::write::WriteError;
use super::{conversations, derivations, entries, files, memberships, mentions, overwrites, trims};
use crate::{
    Batch, Claim, Committed, ConversationKind, CursorUpdate, Cursors, Derivation, Head,
    NewConversation, NewEvent, StoreErrorKind, Trim,
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
    let known = Known::new(transaction, batch)?;
    let hashes = check_client_message_ids(transaction, &batch.events)?;
    known.check_changes(transaction, batch)?;
    let moves = check_cursors(transaction, batch)?;
    let first_row = transaction.marks.next_row();
    let begun_row = RowId::new(first_row.get() + batch.events.len() as u64);
    conversations::insert(transaction.connection, &batch.conversations, begun_row)?;
    insert_events(transaction, partition, &batch.events, &hashes)?;
    for conversation in &batch.conversations {
        memberships::insert_first(transaction, conversation)?;
    }
    if batch.changes_in_place() {
        change_in_place(transaction, batch)?;
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

/// What is rare, and so is written where it belongs at once.
fn change_in_place(transaction: &mut Transaction<'_>, batch: &Batch) -> Result<(), WriteError> {
    transaction.staged.changes_in_place = true;
    overwrites::write(transaction, &batch.overwrites)?;
    conversations::write_profiles(transaction.connection, &batch.profiles)?;
    memberships::write(transaction, &batch.members)?;
    files::write(transaction, &batch.file_references)?;
    for trim in &batch.trims {
        trims::write(transaction, *trim)?;
        files::trim(transaction, trim.conversation, trim.before)?;
    }
    entries::write(transaction.connection, &batch.entries)?;
    entries::write_codes(transaction.connection, &batch.codes)?;
    mentions::write(transaction.connection, &batch.mentions)?;
    derivations::write(transaction, batch)?;
    Ok(())
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

/// What there is once the conversations of a batch have begun and its events have been
/// numbered.
struct Known<'a> {
    begun: HashMap<ConversationId, &'a NewConversation>,
    heads: NumberMap<ConversationId, Head>,
}

impl<'a> Known<'a> {
    /// Checks that the events continue their timelines.
    fn new(transaction: &Transaction<'_>, batch: &'a Batch) -> Result<Self, WriteError> {
        let begun: HashMap<_, _> = batch.conversations.iter().map(|new| (new.id, new)).collect();
        let mut heads = NumberMap::default();
        for event in &batch.events {
            let next = Head { seq: event.seq, message_number: event.message_number };
            let head = match heads.insert(event.conversation, next) {
                Some(head) => head,
                None if begun.contains_key(&event.conversation) => Head::default(),
                None => stored_head(transaction, event.conversation)?,
            };
            let counts_on = event.message_number == head.message_number
                || event.message_number == head.message_number.next();
            if event.seq != head.seq.next() || !counts_on {
                return Err(invalid(format!(
                    "event {} (message {}) of conversation {} does not continue {} (message {})",
                    event.seq,
                    event.message_number,
                    event.conversation,
                    head.seq,
                    head.message_number
                )));
            }
        }
        Ok(Self { begun, heads })
    }

    /// The end of a timeline, which must exist.
    fn head(
        &self,
        transaction: &Transaction<'_>,
        conversation: ConversationId,
    ) -> Result<Head, WriteError> {
        match self.heads.get(&conversation) {
            Some(head) => Ok(*head),
            None if self.begun.contains_key(&conversation) => Ok(Head::default()),
            None => stored_head(transaction, conversation),
        }
    }

    /// Checks what [`change_in_place`] is going to do.
    fn check_changes(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
    ) -> Result<(), WriteError> {
        let connection = transaction.connection;
        once(batch.overwrites.iter().map(|overwrite| overwrite.row), "an overwrite")?;
        overwrites::check(transaction, &batch.overwrites)?;
        once(batch.profiles.iter().map(|update| update.conversation), "a profile")?;
        for update in &batch.profiles {
            self.head(transaction, update.conversation)?;
        }
        once(batch.members.iter().map(|update| (update.conversation, update.user)), "a member")?;
        for update in &batch.members {
            let head = self.head(transaction, update.conversation)?;
            let kind = self.kind(connection, update.conversation)?;
            let may_change = |kind: ConversationKind| {
                kind == ConversationKind::Group || kind.has_for_ever(update.user, &update.intervals)
            };
            if !kind.is_some_and(may_change) {
                return Err(invalid(format!("conversation {} is no group", update.conversation)));
            }
            let trimmed = trims::of(connection, update.conversation)?;
            memberships::check(transaction, update, head.seq, trimmed.before)?;
        }
        once(batch.trims.iter().map(|trim| trim.conversation), "a trim")?;
        for Trim { conversation, before } in batch.trims.iter().copied() {
            let head = self.head(transaction, conversation)?;
            if before > head.seq.next() {
                return Err(invalid(format!(
                    "conversation {conversation} can't be trimmed before {before}, as it ends at {}",
                    head.seq
                )));
            }
        }
        self.check_additions(transaction, batch)?;
        for Derivation { id, .. } in &batch.derived {
            self.head(transaction, id.home)?;
        }
        once(batch.derived.iter().map(|derived| derived.id), "a derivation")?;
        once(&batch.settled, "a settled derivation")?;
        derivations::check(transaction, batch)
    }

    /// Checks lists, codes, mentions and references to files.
    fn check_additions(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
    ) -> Result<(), WriteError> {
        once(batch.entries.iter().map(|it| (it.conversation, it.list, it.key)), "an entry")?;
        for entry in &batch.entries {
            self.head(transaction, entry.conversation)?;
            check_fits(entry.key)?;
        }
        once(batch.codes.iter().map(|it| &it.code), "a code")?;
        for conversation in batch.codes.iter().filter_map(|it| it.conversation) {
            self.head(transaction, conversation)?;
        }
        entries::check_codes(transaction.connection, &batch.codes)?;
        once(batch.mentions.iter().map(|it| (it.conversation, it.user, it.seq)), "a mention")?;
        for mention in &batch.mentions {
            if mention.seq > self.head(transaction, mention.conversation)?.seq {
                return Err(invalid(format!("a mention at {} is beyond the head", mention.seq)));
            }
            check_fits(mention.user.get())?;
        }
        once(batch.file_references.iter().map(|it| (it.file, it.conversation, it.seq)), "a file")?;
        for reference in &batch.file_references {
            if reference.seq > self.head(transaction, reference.conversation)?.seq {
                return Err(invalid(format!("a file at {} is beyond the head", reference.seq)));
            }
        }
        Ok(())
    }

    fn kind(
        &self,
        connection: &Connection,
        conversation: ConversationId,
    ) -> Result<Option<ConversationKind>, WriteError> {
        match self.begun.get(&conversation) {
            Some(new) => Ok(Some(new.kind)),
            None => Ok(conversations::kind(connection, conversation)?),
        }
    }
}

fn stored_head(
    transaction: &Transaction<'_>,
    conversation: ConversationId,
) -> Result<Head, WriteError> {
    transaction
        .head(conversation)?
        .ok_or_else(|| invalid(format!("there is no conversation {conversation}")))
}

/// Checks that nothing comes twice.
fn once<T: Eq + Hash>(keys: impl IntoIterator<Item = T>, what: &str) -> Result<(), WriteError> {
    let mut seen = HashSet::new();
    if keys.into_iter().all(|key| seen.insert(key)) {
        Ok(())
    } else {
        Err(invalid(format!("{what} comes twice in a batch")))
    }
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
        begun.extend(memberships::first_members(*kind).map(|user| (*id, user)));
    }
    let joined: HashSet<_> =
        batch.members.iter().map(|update| (update.conversation, update.user)).collect();
    let mut latest = NumberMap::default();
    let mut moves = Vec::with_capacity(batch.cursors.len());
    for CursorUpdate { conversation, user, delivered, read } in batch.cursors.iter().copied() {
        check_fits(delivered.get().max(read.get()))?;
        let stored = match latest.get(&(conversation, user)) {
            Some(earlier) => Some(*earlier),
            None if begun.contains(&(conversation, user)) => Some(Cursors::default()),
            None => transaction
                .cursors(conversation, user)?
                .or_else(|| joined.contains(&(conversation, user)).then(Cursors::default)),
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
        transaction.marks.newest = transaction.marks.newest.max(timestamp);
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
