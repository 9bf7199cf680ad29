//! An event of any kind, as a client holds it.

use petrel_protocol::frame::{Change, ServerFrame};
use petrel_types::{ConversationId, RowId, Seq, TimestampMs, UserId};

/// An event and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose timeline.
    pub conversation: ConversationId,
    /// The place in it.
    pub seq: Seq,
    /// The row.
    pub row: RowId,
    /// Who caused it.
    pub from: UserId,
    /// The sender's name for it.
    pub name: Option<String>,
    /// When it was numbered.
    pub ts: TimestampMs,
    /// What it says.
    pub said: Said,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A message, as it stands.
    Message {
        /// The text; empty if the message was recalled.
        body: String,
        /// The last change that is applied to it; zero if there was none.
        rev: Seq,
        /// It was recalled.
        recalled: bool,
    },
    /// Something else.
    Change(Change),
}

impl Event {
    /// The event that a frame shows; `None` if it shows none.
    pub fn of(frame: ServerFrame) -> Option<Self> {
        match frame {
            ServerFrame::SingleChat(push) => Some(Self {
                conversation: push.conversation_id,
                seq: push.msg_seq,
                row: push.server_msg_id,
                from: push.from,
                name: Some(push.client_msg_id.as_str().to_owned()),
                ts: push.ts,
                said: message(push.body, push.rev, push.recalled),
            }),
            ServerFrame::GroupChat(push) => Some(Self {
                conversation: push.conversation_id,
                seq: push.msg_seq,
                row: push.server_msg_id,
                from: push.from,
                name: Some(push.client_msg_id.as_str().to_owned()),
                ts: push.ts,
                said: message(push.body, push.rev, push.recalled),
            }),
            ServerFrame::Event(push) => Some(Self {
                conversation: push.conversation_id,
                seq: push.msg_seq,
                row: push.server_msg_id,
                from: push.from,
                name: push.client_msg_id.map(|name| name.as_str().to_owned()),
                ts: push.ts,
                said: Said::Change(push.change),
            }),
            _ => None,
        }
    }

    /// Whether this is the same event as another, whatever it says by now.
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |of: &Self| (of.conversation, of.seq, of.row, of.from, of.name.clone(), of.ts);
        place(self) == place(other)
    }

    /// Takes over what a later event says of this one, if this is a message and does not
    /// show it already.
    pub fn change(&mut self, seq: Seq, change: &Change) {
        let Said::Message { body, rev, recalled } = &mut self.said else { return };
        if seq <= *rev {
            return;
        }
        match change {
            Change::Recalled { .. } => {
                body.clear();
                (*rev, *recalled) = (seq, true);
            }
            Change::Edited { body: Some(text), .. } => {
                body.clone_from(text);
                *rev = seq;
            }
            _ => {}
        }
    }
}

fn message(body: String, rev: Option<Seq>, recalled: bool) -> Said {
    Said::Message { body, rev: rev.unwrap_or_default(), recalled }
}
