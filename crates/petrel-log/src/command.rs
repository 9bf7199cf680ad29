//! The record format of the log.

use petrel_types::{
    ClientMessageId, ConversationId, NodeId, Partition, Seq, SessionId, Slot, UserId,
};

/// What a session asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where the answer goes.
    pub origin: Origin,
    /// Who asks. Taken from the access token, never from the request.
    pub actor: UserId,
    /// What is asked.
    pub request: Request,
}

/// The session that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The node that holds the session.
    pub node: NodeId,
    /// The session.
    pub session: SessionId,
    /// The session's own number for the request, repeated with the answer.
    pub tag: u64,
}

/// What can be asked of a sequencer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Send a text to one other user.
    SendSingle {
        /// The other user.
        to: UserId,
        /// The sender's own name for the message.
        client_message_id: ClientMessageId,
        /// The text.
        body: String,
        /// Look beyond the recent messages for an earlier copy.
        retry: bool,
    },
    /// Move a cursor forward.
    AdvanceCursor {
        /// The conversation.
        conversation: ConversationId,
        /// Which cursor.
        kind: ReceiptKind,
        /// To here.
        seq: Seq,
    },
}

/// Which cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptKind {
    /// Received by a device.
    Delivered,
    /// Seen by the user; implies received.
    Read,
}

impl Command {
    /// The slot whose sequencer decides.
    pub fn slot(&self) -> Slot {
        match &self.request {
            Request::SendSingle { to, .. } => Slot::of_pair(self.actor, *to),
            Request::AdvanceCursor { conversation, .. } => conversation.slot(),
        }
    }

    /// The partition among `partitions` that decides.
    pub fn partition(&self, partitions: u16) -> Partition {
        self.slot().partition(partitions)
    }
}
