//! An event of any kind, as a client holds it.

use petrel_protocol::frame::{Change, Reaction, ReplyTo, ServerFrame};
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
    Message(Message),
    /// Something else.
    Change(Change),
}

/// A message as it stands. Of one that was recalled nothing is left but that it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The text.
    pub body: String,
    /// The last change that is applied to it; zero if there was none.
    pub rev: Seq,
    /// It was recalled.
    pub recalled: bool,
    /// The message to which it replies.
    pub reply_to: Option<ReplyTo>,
    /// Who said it first, if it was sent on.
    pub forwarded_from: Option<UserId>,
    /// The id of the file that goes with it.
    pub file: Option<String>,
    /// What users think of it.
    pub reactions: Vec<Reaction>,
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
                said: Said::Message(Message {
                    body: push.body,
                    rev: push.rev.unwrap_or_default(),
                    recalled: push.recalled,
                    reply_to: push.reply_to,
                    forwarded_from: push.forwarded_from.map(|from| from.user),
                    file: push.attachment.map(|file| file.file_id),
                    reactions: push.reactions,
                }),
            }),
            ServerFrame::GroupChat(push) => Some(Self {
                conversation: push.conversation_id,
                seq: push.msg_seq,
                row: push.server_msg_id,
                from: push.from,
                name: Some(push.client_msg_id.as_str().to_owned()),
                ts: push.ts,
                said: Said::Message(Message {
                    body: push.body,
                    rev: push.rev.unwrap_or_default(),
                    recalled: push.recalled,
                    reply_to: push.reply_to,
                    forwarded_from: push.forwarded_from.map(|from| from.user),
                    file: push.attachment.map(|file| file.file_id),
                    reactions: push.reactions,
                }),
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
    pub fn change(&mut self, later: &Self) {
        if let (Said::Message(message), Said::Change(change)) = (&mut self.said, &later.said) {
            message.change(later.seq, later.from, change);
        }
    }
}

impl Message {
    /// A plain text.
    pub fn text(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Takes over what a change by somebody says, unless it shows it already. An edit that says
    /// nothing was overtaken by a later change, which comes, too.
    pub fn change(&mut self, seq: Seq, by: UserId, change: &Change) {
        if seq <= self.rev {
            return;
        }
        match change {
            Change::Recalled { .. } => *self = Self { recalled: true, ..Self::default() },
            Change::Edited { body: Some(text), .. } => self.body.clone_from(text),
            Change::Reacted { emoji, removed: false, .. } => {
                match self.reactions.iter_mut().find(|known| known.emoji == *emoji) {
                    Some(known) => known.users.push(by),
                    None => {
                        self.reactions.push(Reaction { emoji: emoji.clone(), users: vec![by] });
                    }
                }
            }
            Change::Reacted { emoji, .. } => {
                for known in self.reactions.iter_mut().filter(|known| known.emoji == *emoji) {
                    known.users.retain(|user| *user != by);
                }
                self.reactions.retain(|known| !known.users.is_empty());
            }
            _ => return,
        }
        self.rev = seq;
    }
}

/// The message that a change is about, if it is about one and changes it.
pub fn target_of(change: &Change) -> Option<Seq> {
    match change {
        Change::Recalled { target_seq }
        | Change::Edited { target_seq, .. }
        | Change::Reacted { target_seq, .. } => Some(*target_seq),
        _ => None,
    }
}
