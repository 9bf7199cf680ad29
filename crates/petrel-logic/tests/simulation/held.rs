//! An event as a device, or the ledger, holds it.

use petrel_protocol::frame::{
    Attachment, Change, EventPush, GroupChatPush, Reaction, ServerFrame, SingleChatPush,
};
use petrel_types::{ClientMessageId, ConversationId, FileId, RowId, TimestampMs, UserId};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) row: RowId,
    pub(crate) from: UserId,
    pub(crate) name: Option<String>,
    pub(crate) ts: TimestampMs,
    pub(crate) what: What,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Message(Message),
    Change(Change),
}

/// A message as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) body: String,
    pub(crate) rev: u64,
    pub(crate) edited: bool,
    pub(crate) recalled: bool,
    /// Whom it names, by user id.
    pub(crate) mentions: Vec<UserId>,
    pub(crate) mention_all: bool,
    /// What goes with it, as it is printed.
    pub(crate) place: Option<String>,
    /// The file that goes with it.
    pub(crate) file: Option<FileId>,
    /// What stays of a call, as it is printed.
    pub(crate) call: Option<String>,
    /// The place and the sender of the message to which it replies.
    pub(crate) reply_to: Option<(u64, UserId)>,
    /// Who said it first.
    pub(crate) forwarded_from: Option<UserId>,
    /// Each sign, with those who have given it.
    pub(crate) reactions: Vec<(String, Vec<UserId>)>,
}

/// An event and its place.
pub(crate) struct Placed {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: u64,
    pub(crate) held: Held,
}

impl Placed {
    /// The event that a frame shows, if it shows one.
    pub(crate) fn of(frame: &ServerFrame) -> Option<Self> {
        match frame {
            ServerFrame::SingleChat(push) => Some(Self::of_single_chat(push)),
            ServerFrame::GroupChat(push) => Some(Self::of_group_chat(push)),
            ServerFrame::Event(push) => Some(Self::of_event(push)),
            _ => None,
        }
    }

    fn of_single_chat(push: &SingleChatPush) -> Self {
        Self {
            conversation: push.conversation_id,
            seq: push.msg_seq.get(),
            held: Held {
                row: push.server_msg_id,
                from: push.from,
                name: Some(push.client_msg_id.as_str().to_owned()),
                ts: push.ts,
                what: What::Message(Message {
                    body: push.body.clone(),
                    rev: push.rev.map_or(0, |rev| rev.get()),
                    edited: push.edited,
                    recalled: push.recalled,
                    place: push.location.as_ref().map(|place| format!("{place:?}")),
                    file: push.attachment.as_deref().map(file_of),
                    call: push.call.as_ref().map(|call| format!("{call:?}")),
                    reply_to: push.reply_to.map(|it| (it.msg_seq.get(), it.from)),
                    forwarded_from: push.forwarded_from.map(|it| it.user),
                    reactions: reactions_of(&push.reactions),
                    ..Message::default()
                }),
            },
        }
    }

    fn of_group_chat(push: &GroupChatPush) -> Self {
        assert_eq!(push.group_id, push.conversation_id);
        Self {
            conversation: push.conversation_id,
            seq: push.msg_seq.get(),
            held: Held {
                row: push.server_msg_id,
                from: push.from,
                name: Some(push.client_msg_id.as_str().to_owned()),
                ts: push.ts,
                what: What::Message(Message {
                    body: push.body.clone(),
                    rev: push.rev.map_or(0, |rev| rev.get()),
                    edited: push.edited,
                    recalled: push.recalled,
                    mentions: push.mentions.clone(),
                    mention_all: push.mention_all,
                    file: push.attachment.as_deref().map(file_of),
                    place: push.location.as_ref().map(|place| format!("{place:?}")),
                    reply_to: push.reply_to.map(|it| (it.msg_seq.get(), it.from)),
                    forwarded_from: push.forwarded_from.map(|it| it.user),
                    reactions: reactions_of(&push.reactions),
                    call: None,
                }),
            },
        }
    }

    fn of_event(push: &EventPush) -> Self {
        Self {
            conversation: push.conversation_id,
            seq: push.msg_seq.get(),
            held: Held {
                row: push.server_msg_id,
                from: push.from,
                name: push.client_msg_id.as_ref().map(name_of),
                ts: push.ts,
                what: What::Change(push.change.clone()),
            },
        }
    }
}

fn reactions_of(reactions: &[Reaction]) -> Vec<(String, Vec<UserId>)> {
    reactions.iter().map(|it| (it.emoji.clone(), it.users.clone())).collect()
}

fn file_of(attachment: &Attachment) -> FileId {
    FileId::new(attachment.file_id.parse().expect("the id of a file"))
}

fn name_of(name: &ClientMessageId) -> String {
    name.as_str().to_owned()
}

impl Held {
    /// Whether this is the same event as another, whatever it says by now.
    pub(crate) fn is_same_event(&self, other: &Self) -> bool {
        (self.row, self.from, &self.name, self.ts) == (other.row, other.from, &other.name, other.ts)
            && matches!(self.what, What::Message(_)) == matches!(other.what, What::Message(_))
    }

    pub(crate) fn message(&self) -> Option<&Message> {
        match &self.what {
            What::Message(message) => Some(message),
            What::Change(_) => None,
        }
    }

    pub(crate) fn message_mut(&mut self) -> Option<&mut Message> {
        match &mut self.what {
            What::Message(message) => Some(message),
            What::Change(_) => None,
        }
    }
}

impl Message {
    /// Whether it counts for unread: a call that was answered was no news to either of the two.
    pub(crate) fn counts(&self) -> bool {
        !self.call.as_deref().is_some_and(|call| call.contains("outcome: Answered"))
    }

    /// Whether it names a user.
    pub(crate) fn names(&self, user: UserId) -> bool {
        self.mention_all || self.mentions.contains(&user)
    }

    /// Takes over what a later change says.
    pub(crate) fn change(&mut self, seq: u64, from: UserId, change: &Change) {
        match change {
            Change::Recalled { .. } => {
                *self = Self { rev: seq, recalled: true, ..Self::default() };
            }
            Change::Edited { body: Some(body), .. } => {
                (self.body, self.rev) = (body.clone(), seq);
                (self.edited, self.recalled) = (true, false);
            }
            Change::Reacted { emoji, removed: false, .. } => {
                self.rev = seq;
                match self.reactions.iter_mut().find(|(known, _)| known == emoji) {
                    Some((_, users)) => users.push(from),
                    None => self.reactions.push((emoji.clone(), vec![from])),
                }
            }
            Change::Reacted { emoji, .. } => {
                self.rev = seq;
                for (_, users) in self.reactions.iter_mut().filter(|(known, _)| known == emoji) {
                    users.retain(|user| *user != from);
                }
                self.reactions.retain(|(_, users)| !users.is_empty());
            }
            // Made void by a later change, which comes, too.
            _ => {}
        }
    }
}
