//! What a steward does next: anything that can be done in a group, and is allowed.

use std::collections::BTreeSet;

use anyhow::Result;
use petrel_protocol::frame::{
    AttachmentRef, Change, ClientFrame, Forward, GroupChat, History, MessageType, ReplyTo, Role,
};
use petrel_testkit::checker::Message;
use petrel_testkit::checker::group::Asked;
use petrel_testkit::client::{
    add, edit, found, leave, pin, react, recall, remove, say, set_role, set_title,
};
use petrel_types::{ConversationId, UserId};

use super::steward::{Known, Steward};
use super::{Run, chatter_ids};

/// How many messages a steward leaves pinned.
const PINS_WANTED: usize = 8;

/// What users think of messages.
const SIGNS: [&str; 2] = ["👍", "🌊"];

/// A change that is to be made.
#[derive(Clone)]
pub(super) struct Order {
    /// Who makes it: the owner, or a member who leaves or reacts.
    pub(super) actor: UserId,
    pub(super) name: String,
    pub(super) asked: Asked,
    pub(super) frame: ClientFrame,
    pub(super) is_retry: bool,
}

/// Who does what, and how that is said.
type Chosen = (UserId, Asked, ClientFrame);

impl Steward {
    /// The next order. For one with a file the file is uploaded first.
    pub(super) async fn next_order(&mut self, run: Run) -> Result<Order> {
        self.next_name += 1;
        let name = format!("g{}-{}", self.user, self.next_name);
        let (actor, asked, frame) = match self.group {
            None => self.founding(&name),
            Some(group) => {
                let chosen = match self.random.within(0..22) {
                    0..8 => self.change_group(group, &name),
                    8..11 => self.change_message(group, &name),
                    11..15 => self.react(group, &name),
                    15..17 => self.pin(group, &name),
                    17 => self.reply(group, &name),
                    18 => self.send_on(group, &name),
                    19 => Some(self.send_file(run, group, &name).await?),
                    _ => None,
                };
                chosen.unwrap_or_else(|| self.say(group, &name))
            }
        };
        Ok(Order { actor, name, asked, frame, is_retry: false })
    }

    fn founding(&self, name: &str) -> Chosen {
        let members: Vec<_> = chatter_ids().take(2).collect();
        let (title, history) = (format!("group of {}", self.user), History::Joined);
        let frame = found(name, &title, members.clone(), history);
        (self.user, Asked::Change(Change::GroupCreated { title, members, history }), frame)
    }

    fn change_group(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        let outside: Vec<_> =
            chatter_ids().filter(|user| !self.members.contains_key(user)).collect();
        let inside: Vec<_> =
            self.members.keys().copied().filter(|user| *user != self.user).collect();
        let owner = self.user;
        let (actor, change, frame) = match self.random.within(0..8) {
            0..3 if !outside.is_empty() => {
                let members = self.some(&outside);
                let frame = add(group, name, members.clone());
                (owner, Change::MembersAdded { members }, frame)
            }
            3..5 if !inside.is_empty() => {
                let members = self.some(&inside);
                let frame = remove(group, name, members.clone());
                (owner, Change::MembersRemoved { members }, frame)
            }
            5 if !inside.is_empty() => {
                let actor = *self.random.one_of(&inside);
                (actor, Change::MemberLeft, leave(group, name))
            }
            6 if !inside.is_empty() => {
                let user = *self.random.one_of(&inside);
                let is_admin = self.members[&user] == Role::Admin;
                let role = if is_admin { Role::Member } else { Role::Admin };
                (owner, Change::RoleChanged { user, role }, set_role(group, name, user, role))
            }
            7 => {
                let title = format!("title {name}");
                let frame = set_title(group, name, &title);
                (owner, Change::TitleChanged { title }, frame)
            }
            _ => return None,
        };
        Some((actor, Asked::Change(change), frame))
    }

    /// The owner takes any message back, or gives an own one another text.
    fn change_message(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        if self.random.within(0..2) == 0 {
            let target_seq = self.some_message(|_| true)?.seq;
            let frame = recall(group, name, target_seq);
            return Some((self.user, Asked::Change(Change::Recalled { target_seq }), frame));
        }
        let user = self.user;
        let is_own = |known: &Known| known.from == user && known.message.forwarded_from.is_none();
        let target_seq = self.some_message(is_own)?.seq;
        let body = format!("~{name}~");
        let frame = edit(group, name, target_seq, &body);
        let change = Change::Edited { target_seq, body: Some(body) };
        Some((self.user, Asked::Change(change), frame))
    }

    /// Somebody who can read a message gives a sign, or takes it back.
    fn react(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        let Known { seq, message, .. } = self.some_message(|_| true)?;
        let can_read = |user: &UserId| self.joined.get(user).is_some_and(|joined| *joined <= seq);
        let readers: Vec<_> = self.members.keys().copied().filter(can_read).collect();
        let actor = match self.random.within(0..3) {
            0 => self.user,
            _ => *self.random.one_of(&readers),
        };
        let emoji = (*self.random.one_of(&SIGNS)).to_owned();
        let removed =
            message.reactions.iter().any(|it| it.emoji == emoji && it.users.contains(&actor));
        let frame = react(group, name, seq, &emoji, removed);
        let change = Change::Reacted { target_seq: seq, emoji, removed };
        Some((actor, Asked::Change(change), frame))
    }

    /// The owner pins a message, or takes one down.
    fn pin(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        let target_seq = self.some_message(|_| true)?.seq;
        let is_full = self.pins.len() >= PINS_WANTED;
        let target_seq = *self.pins.first().filter(|_| is_full).unwrap_or(&target_seq);
        let removed = self.pins.contains(&target_seq);
        let frame = pin(group, name, target_seq, removed);
        Some((self.user, Asked::Change(Change::Pinned { target_seq, removed }), frame))
    }

    fn say(&self, group: ConversationId, name: &str) -> Chosen {
        let text = format!("~{name}~");
        let frame = say(group, name, &text, false);
        (self.user, Asked::Message(Message::text(text)), frame)
    }

    fn reply(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        let Known { seq, from, .. } = self.some_message(|_| true)?;
        let (user, _, frame) = self.say(group, name);
        let reply_to = Some(ReplyTo { msg_seq: seq, from });
        let message = Message { reply_to, ..Message::text(format!("~{name}~")) };
        let frame = with(frame, |chat| chat.reply_to = Some(seq));
        Some((user, Asked::Message(message), frame))
    }

    fn send_on(&mut self, group: ConversationId, name: &str) -> Option<Chosen> {
        let Known { seq, from, message } = self.some_message(|_| true)?;
        let frame = with(say(group, name, "", false), |chat| {
            chat.forward = Some(Forward { conversation_id: group, msg_seq: seq });
        });
        let message = Message {
            body: message.body,
            file: message.file,
            forwarded_from: message.forwarded_from.or(Some(from)),
            ..Message::default()
        };
        Some((self.user, Asked::Message(message), frame))
    }

    async fn send_file(&mut self, run: Run, group: ConversationId, name: &str) -> Result<Chosen> {
        // Longer than the texts that are looked for in all files.
        let content = format!("what goes with the message {name}, in a file");
        let file = self.world.upload(run, self.user, &content).await?;
        self.ruled.files.push((file.clone(), content));
        let (user, _, frame) = self.say(group, name);
        let frame = with(frame, |chat| {
            chat.msg_type = MessageType::File;
            let (duration_ms, width, height) = Default::default();
            let file_id = file.clone();
            chat.attachment = Some(Box::new(AttachmentRef { file_id, duration_ms, width, height }));
        });
        let message = Message { file: Some(file), ..Message::text(format!("~{name}~")) };
        Ok((user, Asked::Message(message), frame))
    }

    fn some_message(&mut self, choose: impl Fn(&Known) -> bool) -> Option<Known> {
        let some: Vec<_> = self.messages.iter().filter(|known| choose(known)).collect();
        (!some.is_empty()).then(|| (*self.random.one_of(&some)).clone())
    }

    /// One or two of them, by user id.
    fn some(&mut self, users: &[UserId]) -> Vec<UserId> {
        let many = self.random.within(1..3);
        let some: BTreeSet<_> = (0..many).map(|_| *self.random.one_of(users)).collect();
        some.into_iter().collect()
    }
}

fn with(frame: ClientFrame, change: impl FnOnce(&mut GroupChat)) -> ClientFrame {
    match frame {
        ClientFrame::GroupChat(mut chat) => {
            change(&mut chat);
            ClientFrame::GroupChat(chat)
        }
        frame => frame,
    }
}
