//! What one commit carries.

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId,
};

use crate::{ConversationKind, Derivation, FileReference, Interval};

/// Everything that one commit makes durable together. Applied in the order of the fields:
/// an event may be the first of a conversation that begins, a cursor may be that of a
/// member who joins.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conversations that begin with this batch.
    pub conversations: Vec<NewConversation>,
    /// Events in the order in which they were numbered.
    pub events: Vec<NewEvent>,
    /// Payloads of earlier events that are replaced. At most one entry per row.
    pub overwrites: Vec<Overwrite>,
    /// Profiles that changed. At most one entry per conversation.
    pub profiles: Vec<ProfileUpdate>,
    /// Memberships that changed. At most one entry per (conversation, user).
    pub members: Vec<MemberUpdate>,
    /// Cursors that moved. At most one entry per (conversation, user).
    pub cursors: Vec<CursorUpdate>,
    /// Messages that begin or cease to refer to files. At most one entry per (file,
    /// conversation, seq).
    pub file_references: Vec<FileReference>,
    /// Beginnings of timelines that go. At most one entry per conversation.
    pub trims: Vec<Trim>,
    /// Entries of lists that changed. At most one per (conversation, list, key).
    pub entries: Vec<EntryUpdate>,
    /// Codes that end or begin to lead somewhere. At most one entry per code.
    pub codes: Vec<CodeUpdate>,
    /// Mentions that begin or end. At most one entry per (conversation, user, seq).
    pub mentions: Vec<MentionUpdate>,
    /// What follows for other timelines, to be carried out later.
    pub derived: Vec<Derivation>,
    /// Derivations of earlier batches that this batch carries out. At most one entry each.
    pub settled: Vec<DerivationId>,
}

/// A conversation that begins.
///
/// A single chat has its members from the beginning: both users, from seq 1 on, with
/// empty attributes; one member, if it is a chat with oneself. So has a personal timeline
/// its one. A group begins empty; its members come with [`Batch::members`].
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its id. The number in it must be above that of every earlier conversation of
    /// the partition.
    pub id: ConversationId,
    /// Single chats and personal timelines exist once for their users.
    pub kind: ConversationKind,
    /// What is known of it as a whole, as `petrel-logic` encodes it. Opaque here.
    pub profile: Bytes,
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

/// Another payload for an event that is stored. Its place, sender and names stay. What was
/// there is gone: no read finds it again, and the backend sees to it that it does not
/// linger in its files either.
#[derive(Clone, Debug)]
pub struct Overwrite {
    /// The event, which must be stored by an earlier commit.
    pub row: RowId,
    /// The payload from now on.
    pub payload: Bytes,
}

/// Another profile for a conversation.
#[derive(Clone, Debug)]
pub struct ProfileUpdate {
    /// The conversation.
    pub conversation: ConversationId,
    /// The profile from now on.
    pub profile: Bytes,
}

/// The membership of a user from now on: the first, or another one. In a single chat only the
/// attributes change: the intervals must be the one open interval that there is.
#[derive(Clone, Debug)]
pub struct MemberUpdate {
    /// The conversation.
    pub conversation: ConversationId,
    /// The user.
    pub user: UserId,
    /// What is known of the user as a member, as `petrel-logic` encodes it. Opaque here.
    pub attributes: Bytes,
    /// All intervals of the membership, oldest first, none empty, none overlapping; only
    /// the last may be open. The user is a member if it is. None ends beyond the head.
    pub intervals: Vec<Interval>,
}

/// New places of a member's cursors. A cursor never moves back: a smaller place
/// than the stored one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorUpdate {
    /// The conversation.
    pub conversation: ConversationId,
    /// The member, present or former.
    pub user: UserId,
    /// Received up to here.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

/// The beginning of a timeline goes. Its events are not read any more from the commit
/// on; the backend deletes them in its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// The conversation.
    pub conversation: ConversationId,
    /// The first event that stays: at most one beyond the head. A place before the
    /// present one changes nothing.
    pub before: Seq,
}

/// Another value for an entry of one of the lists that belong to a conversation. What a
/// list is, and what its keys mean, is the business of `petrel-logic`.
#[derive(Clone, Debug)]
pub struct EntryUpdate {
    /// Whose list.
    pub conversation: ConversationId,
    /// Which of its lists.
    pub list: u8,
    /// Which entry. At most 63 bits.
    pub key: u64,
    /// What it holds from now on; `None` to remove it. To remove one that is not there
    /// changes nothing.
    pub value: Option<Bytes>,
}

/// A code by which a conversation is found. A code leads to one conversation at a time.
#[derive(Clone, Debug)]
pub struct CodeUpdate {
    /// The code, compared byte by byte.
    pub code: String,
    /// Where it leads from now on; `None` if nowhere. It must lead nowhere before it can
    /// lead to another conversation.
    pub conversation: Option<ConversationId>,
}

/// A message that names a user, or that names one no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MentionUpdate {
    /// The conversation.
    pub conversation: ConversationId,
    /// The user; user 0 stands for everybody.
    pub user: UserId,
    /// The message, which must not be beyond the head.
    pub seq: Seq,
    /// Whether it does.
    pub is_there: bool,
}

/// The name of a derivation: where it comes from, and which of those it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DerivationId {
    /// The timeline it follows from.
    pub home: ConversationId,
    /// Its number among those of that timeline, which no other has or had.
    pub number: u64,
}

impl Batch {
    /// Whether there is anything but conversations, events and cursors in it: what is rare.
    pub(crate) fn changes_in_place(&self) -> bool {
        let Self { overwrites, profiles, members, trims, entries, codes, .. } = self;
        let Self { mentions, file_references, derived, settled, .. } = self;
        !(overwrites.is_empty()
            && profiles.is_empty()
            && members.is_empty()
            && trims.is_empty()
            && entries.is_empty()
            && codes.is_empty()
            && mentions.is_empty()
            && file_references.is_empty()
            && derived.is_empty()
            && settled.is_empty())
    }

    /// Whether there is nothing to store but the log position.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
            && self.events.is_empty()
            && self.cursors.is_empty()
            && !self.changes_in_place()
    }
}
