//! What one commit carries.

use bytes::Bytes;
use petrel_types::{ClientMessageId, ConversationId, MessageNumber, Seq, TimestampMs, UserId};

/// Everything that one commit makes durable together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conversations that begin with this batch.
    pub conversations: Vec<NewConversation>,
    /// Events in the order in which they were numbered.
    pub events: Vec<NewEvent>,
    /// Cursors that moved. At most one entry per (conversation, user).
    pub cursors: Vec<CursorUpdate>,
}

/// A single chat that begins. Both users are members from seq 1 on. A chat with oneself
/// has the same user twice, and one member.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its id. The number in it must be above that of every earlier conversation of
    /// the partition.
    pub id: ConversationId,
    /// The user with the smaller id.
    pub low: UserId,
    /// The user with the larger id.
    pub high: UserId,
}

/// An event that takes its place in a timeline.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Whose timeline.
    pub conversation: ConversationId,
    /// The place: one after the place before.
    pub seq: Seq,
    /// Countable messages up to and including this event.
    pub message_number: MessageNumber,
    /// Who caused it.
    pub sender: UserId,
    /// The sender's own name for it.
    pub client_message_id: Option<ClientMessageId>,
    /// When it was numbered.
    pub timestamp: TimestampMs,
    /// What happened, as `petrel-logic` encodes it. Opaque here.
    pub payload: Bytes,
}

/// New places of a member's cursors. A cursor never moves back: a smaller place
/// than the stored one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorUpdate {
    /// The conversation.
    pub conversation: ConversationId,
    /// The member.
    pub user: UserId,
    /// Received up to here.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

impl Batch {
    /// Whether there is nothing to store but the log position.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty() && self.events.is_empty() && self.cursors.is_empty()
    }
}
