//! What a write works on: the stored state, and over it what the writes before it in the
//! same transaction have staged.
//!
//! Staged changes become part of memory only after the `COMMIT`, and are dropped whole if
//! there is none.

use std::collections::HashMap;

use petrel_types::{ClientMessageId, ConversationId, Partition, RowId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, Result};

use super::idempotency::Idempotency;
use super::marks::Marks;
use super::memory::View;
use super::message_key::{HashSecret, is_message};
use super::tail::{Place, Tail};
use super::{conversations, timelines, trims};
use crate::{Claim, Cursors, Head};

/// What the writer knows without asking the database.
pub(super) struct Known {
    pub(super) owners: HashMap<Partition, Claim>,
    pub(super) hash_secret: HashSecret,
    pub(super) idempotency: Idempotency,
}

/// What a transaction changes of that.
#[derive(Default)]
pub(super) struct Staged {
    pub(super) tail: Tail,
    pub(super) owners: HashMap<Partition, Claim>,
    /// Something was changed that readers may be looking at, so that they have to be kept
    /// out while it is committed: see `memory`.
    pub(super) changes_in_place: bool,
    /// A payload was overwritten, so that the old one is to disappear from the log.
    pub(super) overwrites: bool,
}

/// A transaction that is open.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) marks: Marks,
    pub(super) known: &'a Known,
    pub(super) view: &'a View,
    pub(super) staged: Staged,
}

const EVERYTHING: RowId = RowId::new(u64::MAX);

impl Transaction<'_> {
    /// The owner of a partition, if it ever had one.
    pub(super) fn owner(&self, partition: Partition) -> Option<Claim> {
        self.staged.owners.get(&partition).or_else(|| self.known.owners.get(&partition)).copied()
    }

    /// The end of a timeline; `None` if there is no conversation.
    pub(super) fn head(&self, conversation: ConversationId) -> Result<Option<Head>> {
        let staged = self.staged.tail.places(conversation, EVERYTHING).last().copied();
        match staged.or_else(|| self.view.head(conversation)) {
            Some(place) => Ok(Some(place.head())),
            None => conversations::stored_head(self.connection, conversation),
        }
    }

    /// The place of an event that is kept, or of the last one.
    pub(super) fn place(&self, conversation: ConversationId, seq: Seq) -> Result<Option<Place>> {
        let is_it = |place: &Place| place.seq == seq;
        let staged = self.staged.tail.places(conversation, EVERYTHING).iter().find(|it| is_it(it));
        let known = staged.copied().or_else(|| self.view.last_up_to(conversation, seq));
        if let Some(place) = known.filter(is_it) {
            return Ok(Some(place));
        }
        if let Some(head) =
            conversations::stored_place(self.connection, conversation)?.filter(is_it)
        {
            return Ok(Some(head));
        }
        timelines::indexed_place(self.connection, conversation, seq)
    }

    /// A member's cursors; `None` if the user never was a member.
    pub(super) fn cursors(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Cursors>> {
        let staged = self.staged.tail.member(conversation, user, EVERYTHING);
        if let Some(moved) = staged.or_else(|| self.view.member(conversation, user)) {
            return Ok(Some(moved.cursors));
        }
        self.connection
            .prepare_cached(
                "SELECT delivered_seq, read_seq FROM members
                 WHERE user = ?1 AND conversation = ?2",
            )?
            .query_row((user.get(), conversation.get()), |row| {
                Ok(Cursors { delivered: Seq::new(row.get(0)?), read: Seq::new(row.get(1)?) })
            })
            .optional()
    }

    /// Whether a client message id, whose hash is `hash`, is taken.
    pub(super) fn is_taken(
        &self,
        hash: u64,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<bool> {
        let mut rows: Vec<RowId> = self.staged.tail.keys.get(hash).collect();
        rows.extend(self.view.rows_of(hash));
        rows.extend(self.known.idempotency.rows_of(self.connection, hash)?);
        for row in rows {
            if is_message(self.connection, row, conversation, sender, client_message_id)?
                && !trims::is_trimmed(self.connection, row)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
