//! What reads return.

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, OwnerEpoch, RowId, Seq,
    TimestampMs, UserId,
};

use crate::DerivationId;

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
    /// What it is.
    pub kind: ConversationKind,
}

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// Two users, for ever. A chat with oneself has the same user twice.
    Single {
        /// The user with the smaller id.
        low: UserId,
        /// The user with the larger id.
        high: UserId,
    },
    /// Members who come and go.
    Group,
    /// A user's own timeline: what concerns the user's devices.
    Personal {
        /// Whose.
        user: UserId,
    },
    /// What two different users are to each other. It has no members, so nobody is shown
    /// it: what is to be seen of it stands in their personal timelines.
    Pair {
        /// The user with the smaller id.
        low: UserId,
        /// The user with the larger id.
        high: UserId,
    },
}

impl ConversationKind {
    /// Whether the user is, in a single chat, whose members never change, one of the two and
    /// these are the intervals.
    pub(crate) fn has_for_ever(self, user: UserId, intervals: &[Interval]) -> bool {
        let is_member = match self {
            Self::Single { low, high } => user == low || user == high,
            Self::Group | Self::Personal { .. } | Self::Pair { .. } => false,
        };
        is_member && *intervals == [Interval { first: Seq::new(1), last: None }]
    }
}

/// The end of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last event.
    pub seq: Seq,
    /// Countable messages up to it.
    pub message_number: MessageNumber,
}

/// A stretch of a timeline that a member may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The first event of it.
    pub first: Seq,
    /// The last event of it; `None` while it is open.
    pub last: Option<Seq>,
}

/// What there is of a conversation, without its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The conversation.
    pub conversation: Conversation,
    /// The end of its timeline.
    pub head: Head,
    /// The first event that is kept; one beyond the head if none is.
    pub trimmed_before: Seq,
    /// What is known of it as a whole, as it was given.
    pub profile: Bytes,
    /// How many members there are.
    pub member_count: u64,
}

/// Work for another timeline that follows from a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// Its name.
    pub id: DerivationId,
    /// What is to be done, as `petrel-logic` encodes it. Opaque here.
    pub command: Bytes,
}

/// How far a member has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Received up to here, by any device.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

/// A user in a conversation, now or formerly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: UserId,
    /// How far the user has come.
    pub cursors: Cursors,
    /// What is known of the user as a member, as it was given.
    pub attributes: Bytes,
    /// What the user may read, oldest first. In single chats and personal timelines one
    /// open interval from seq 1 on.
    pub intervals: Vec<Interval>,
}

impl Member {
    /// Whether the user is a member now.
    pub fn is_present(&self) -> bool {
        self.intervals.last().is_some_and(|interval| interval.last.is_none())
    }
}

/// A page of the present members of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// The members, by user id.
    pub members: Vec<Member>,
    /// There are more.
    pub more: bool,
    /// What the conversation was when the page was read.
    pub summary: Summary,
}

/// A conversation as its sequencer needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationState {
    /// What there is of it, but for its members.
    pub summary: Summary,
    /// Everybody who is in it now, by user id.
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
    /// The first event that was kept when the page was read.
    pub trimmed_before: Seq,
}

/// Events of all timelines in the order in which they were committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPage {
    /// The events, by row.
    pub events: Vec<StoredEvent>,
    /// Every event up to this row, after the one that was asked for, is in the page.
    pub up_to: RowId,
    /// The last row handed out when the page was read. Equal to `up_to` at the end.
    pub last_row: RowId,
}

/// An entry of a list of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the list.
    pub key: u64,
    /// What it holds, as it was given.
    pub value: Bytes,
}

/// A page of a list of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, by key.
    pub entries: Vec<Entry>,
    /// There are more.
    pub more: bool,
    /// The end of the conversation's timeline when the page was read.
    pub head: Head,
}

/// One conversation of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncEntry {
    /// The conversation.
    pub conversation: Conversation,
    /// The row of the last change that concerns the user.
    pub stamp: RowId,
    /// The end of the timeline as far as it is the user's: that of the last interval.
    pub head: Head,
    /// When the event at `head` was numbered.
    pub timestamp: TimestampMs,
    /// The first event that is kept.
    pub trimmed_before: Seq,
    /// The last interval of the user's membership.
    pub interval: Interval,
    /// The user's own cursors.
    pub own: Cursors,
    /// The count of messages up to the user's read cursor.
    pub read_message_number: MessageNumber,
    /// How many messages after the user's read cursor mention the user or everybody, among
    /// those of the last interval that are kept; at most [`MENTIONS_COUNTED_MAX`].
    ///
    /// [`MENTIONS_COUNTED_MAX`]: crate::MENTIONS_COUNTED_MAX
    pub mentions: u64,
    /// In a single chat the other user's cursors; in a chat with oneself one's own.
    pub peer: Option<Cursors>,
    /// What is known of the conversation as a whole, as it was given.
    pub profile: Bytes,
    /// How many members there are.
    pub member_count: u64,
    /// What is known of the user as a member, as it was given.
    pub attributes: Bytes,
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
    /// Whether the user is an admin of the system.
    pub is_admin: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What another user is to a user, as far as a store knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// The profile of the timeline of the two; empty if it has not begun.
    pub pair: Bytes,
    /// The profile of the other's personal timeline; empty if it has not begun.
    pub personal: Bytes,
}
