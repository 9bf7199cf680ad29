//! What connections have of their conversations.

use super::super::Seat;
use super::envelope::Envelope;
use crate::ledger::Window;

/// What a connection has of its conversation. Sequence numbers are counted from the
/// conversation's [base](Conversation::base).
#[derive(Clone, Debug, Default)]
pub(super) struct Copy {
    pub(super) seen: Window,
    pub(super) receipted: u32,
    /// What is still to be acknowledged, where every message is by itself.
    pub(super) owed: Vec<u64>,
    /// How far its history has been read.
    pub(super) pulled: u64,
}

/// What all connections of a conversation know about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conversation {
    /// Its id; 0 until somebody has heard it.
    pub(super) id: u64,
    /// The lowest seq of this run, less one: what came before is nobody's business here.
    pub(super) base: Option<u64>,
    /// The lowest seq of this run: below the base, if an answer that was lost with its
    /// connection came again later. History is read from here.
    pub(super) first: u64,
    /// Of a group: how many of its users have been asked into it, and how many were when
    /// the last request was written.
    pub(super) asked: (u32, u32),
}

/// What all connections have.
#[derive(Debug, Default)]
pub(super) struct Copies {
    in_groups: bool,
    seats: Vec<Copy>,
    conversations: Vec<Conversation>,
}

impl Copies {
    pub(super) fn new(in_groups: bool) -> Self {
        Self { in_groups, ..Self::default() }
    }

    pub(super) fn copy(&mut self, seat: Seat) -> &mut Copy {
        let index = seat.local as usize;
        if self.seats.len() <= index {
            self.seats.resize(index + 1, Copy::default());
        }
        &mut self.seats[index]
    }

    pub(super) fn conversation(&mut self, seat: Seat) -> &mut Conversation {
        let index = seat.conversation as usize;
        if self.conversations.len() <= index {
            self.conversations.resize(index + 1, Conversation::default());
        }
        &mut self.conversations[index]
    }

    /// A connection has seen an event of its conversation.
    pub(super) fn saw(&mut self, seat: Seat, envelope: &Envelope<'_>) {
        let id = envelope.conversation_id.as_deref().and_then(|id| id.parse().ok());
        let (Some(id), Some(seq)) = (id, envelope.msg_seq) else {
            return;
        };
        let in_groups = self.in_groups;
        let conversation = self.conversation(seat);
        // A group's id and base are known from its founding.
        if in_groups && conversation.id != id {
            return;
        }
        conversation.id = id;
        conversation.first = match conversation.first {
            0 => seq,
            first => first.min(seq),
        };
        // Numbers below the base are of an earlier run, or of this run's first moments
        // when answers to two senders crossed; neither is needed for a position.
        let base = *conversation.base.get_or_insert(seq.saturating_sub(1));
        if let Some(seq) = seq.checked_sub(base).and_then(|seq| u32::try_from(seq).ok())
            && seq > 0
        {
            self.copy(seat).seen.see(seq);
        }
    }
}
