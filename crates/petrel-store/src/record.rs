//! What reads return.

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, OwnerEpoch, RowId, Seq,
    TimestampMs, UserId,
};

/// Where a new owner of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// To be given with every commit.
    pub owner_epoch: OwnerEpoch,
    /// The first log position that is not yet committed.
    pub next_position: LogPosition,
    /// The highest conversation number used in this partition.
    pub conversation_number: u64,
}

/// What a commit made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The row of the batch's first event; later events follow consecutively. With no
    /// events, the row the next event would have had.
    pub first_row: RowId,
}

/// What never changes about a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The user with the smaller id.
    pub low: UserId,
    /// The user with the larger id.
    pub high: UserId,
}

/// The end of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last event.
    pub seq: Seq,
    /// Countable messages up to it.
    pub message_number: MessageNumber,
}

/// How far a member has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Received up to here, by any device.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

/// A user in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: UserId,
    /// How far the user has come.
    pub cursors: Cursors,
}

/// A conversation as its sequencer needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationState {
    /// The conversation.
    pub conversation: Conversation,
    /// The end of its timeline.
    pub head: Head,
    /// Everybody in it.
    pub members: Vec<Member>,
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its row.
    pub row: RowId,
    /// Whose timeline.
    pub conversation: ConversationId,
    /// Its place in the timeline.
    pub seq: Seq,
    /// Countable messages up to and including it.
    pub message_number: MessageNumber,
    /// Who caused it.
    pub sender: UserId,
    /// The sender's own name for it.
    pub client_message_id: Option<ClientMessageId>,
    /// When it was numbered.
    pub timestamp: TimestampMs,
    /// What happened.
    pub payload: Bytes,
}

/// A stretch of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events, in timeline order, without holes.
    pub events: Vec<StoredEvent>,
    /// The end of the timeline when the page was read.
    pub head: Head,
}

/// One conversation of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncEntry {
    /// The conversation.
    pub conversation: Conversation,
    /// The row of the last change that concerns the user.
    pub stamp: RowId,
    /// The end of the timeline.
    pub head: Head,
    /// When its last event was numbered.
    pub timestamp: TimestampMs,
    /// The user's own cursors.
    pub own: Cursors,
    /// The count of messages up to the user's read cursor.
    pub read_message_number: MessageNumber,
    /// The other user's cursors; the user's own in a chat with oneself.
    pub peer: Cursors,
}

/// A page of a user's conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// The conversations, newest stamp first.
    pub entries: Vec<SyncEntry>,
    /// The last row handed out when the page was read.
    pub last_row: RowId,
    /// There are more in the asked range.
    pub more: bool,
}

/// A locally registered user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name as it was registered.
    pub username: String,
    /// The password's hash, in PHC string format.
    pub password_hash: String,
    /// When the user registered.
    pub created: TimestampMs,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
