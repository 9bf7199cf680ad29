//! What users want: commands of every kind, most of them allowed, some of them not.

use petrel_log::{
    Content, Destination, GroupChange, NewMessage, ReceiptKind, Request, SendRequest,
};
use petrel_protocol::frame::{
    CallMedia, CallOutcome, CallRecord, Degrees, Forward, History, Joining, Location, MessageType,
    Role,
};
use petrel_store::ConversationKind;
use petrel_types::limits::RETRY_WINDOW_MS;
use petrel_types::{ClientMessageId, Clock, ConversationId, Seq, UserId};

use crate::copy::{Copy, Group};
use crate::device::Unsent;
use crate::files::files_in;
use crate::ledger::Timeline;
use crate::world::{USERS, World};

/// How many groups a user wants to be in before others are founded.
const GROUPS_WANTED: usize = 3;
/// When a client no longer sends a change again: well before the server forgets it.
const CHANGE_AGE_MAX_MS: u64 = RETRY_WINDOW_MS - 24 * 60 * 60 * 1000;
/// From this age on a client says that it sends again.
const RETRY_SAID_FROM_MS: u64 = 60_000;

impl World {
    /// Somebody says something, in a single chat or a group.
    pub(crate) fn say(&mut self, index: usize) {
        let group = self.some_group(index).filter(|_| self.random.bool());
        let to = match group {
            Some(group) => Destination::Conversation(group),
            None => Destination::User(self.somebody_else(index)),
        };
        let text = format!("~{}~", self.devices[index].next_name());
        let content = match to {
            Destination::Conversation(_) if self.random.u8(..3) == 0 => {
                let users = self.some_users();
                Content::Message(Box::new(NewMessage {
                    body: text,
                    mentions: users,
                    mention_all: self.random.u8(..3) == 0,
                    reply_to: self.some_place(index, to).filter(|_| self.random.u8(..3) == 0),
                    ..NewMessage::default()
                }))
            }
            Destination::User(_) if self.random.u8(..8) == 0 => Content::Call(self.call(text)),
            _ if self.random.u8(..3) == 0 => Content::Message(Box::new(self.more(index, to, text))),
            _ => Content::Text(text),
        };
        self.ask(index, to, content);
    }

    /// What stays of a call.
    fn call(&mut self, name: String) -> CallRecord {
        let outcome = self.random.choice(CallOutcome::ALL).expect("there are some");
        let talked = outcome == CallOutcome::Answered;
        CallRecord {
            // Not as texts are marked that are looked for after a recall.
            call_id: ClientMessageId::new(name.trim_matches('~')).expect("a short name"),
            media: if self.random.bool() { CallMedia::Audio } else { CallMedia::Video },
            outcome,
            duration_ms: talked.then(|| self.random.u64(..100_000)),
        }
    }

    /// A reply, a place, a file, or something that was said elsewhere.
    fn more(&mut self, index: usize, to: Destination, body: String) -> NewMessage {
        match self.random.u8(..7) {
            2..5 => self.with_file(self.devices[index].user, body),
            0 => NewMessage { body, reply_to: self.some_place(index, to), ..NewMessage::default() },
            1 => NewMessage {
                msg_type: MessageType::Location,
                location: Some(Box::new(Location {
                    latitude: Degrees::new(self.random.f64() * 90.0).unwrap(),
                    longitude: Degrees::new(self.random.f64() * -180.0).unwrap(),
                    name: Some(body.clone()),
                    address: None,
                })),
                body,
                ..NewMessage::default()
            },
            _ => {
                // Most of the time what the user knows; and now and then what nobody may.
                let from = match self.random.u8(..4) {
                    0 => self
                        .random
                        .choice(self.ledger.timelines.keys().copied().collect::<Vec<_>>()),
                    _ => self.some_conversation(index, |copy| !copy.is_personal),
                };
                let Some(conversation_id) = from else {
                    return NewMessage { body, ..NewMessage::default() };
                };
                let timeline = &self.ledger.timelines[&conversation_id];
                let with_files: Vec<_> = files_in(timeline).map(|(seq, _)| seq).collect();
                let with_file = self.random.choice(with_files).filter(|_| self.random.bool());
                let msg_seq = with_file.unwrap_or_else(|| self.random.u64(..timeline.head() + 2));
                let msg_seq = Seq::new(msg_seq);
                let forward = Some(Forward { conversation_id, msg_seq });
                NewMessage { forward, ..NewMessage::default() }
            }
        }
    }

    /// Somewhere in the conversation with somebody, or a little beyond.
    fn some_place(&mut self, index: usize, to: Destination) -> Option<Seq> {
        let user = self.devices[index].user;
        let is_it = |kind: &ConversationKind| match (*kind, to) {
            (ConversationKind::Single { low, high }, Destination::User(to)) => {
                (low, high) == (user.min(to), user.max(to))
            }
            _ => false,
        };
        let timeline = match to {
            Destination::Conversation(id) => self.ledger.timelines.get(&id),
            _ => self.ledger.timelines.values().find(|timeline| is_it(&timeline.kind)),
        };
        let head = timeline.map_or(0, |timeline| timeline.head());
        Some(Seq::new(self.random.u64(head / 2..head + 2)))
    }

    /// Somebody reacts to a message or pins it, hides some, or changes what a conversation is.
    pub(crate) fn tell_apart(&mut self, index: usize) {
        let Some(id) = self.some_conversation(index, |copy| !copy.is_personal) else { return };
        let copy = &self.devices[index].copies[&id];
        let position = copy.position;
        let messages = copy.events.iter().rev().filter(|(_, held)| held.message().is_some());
        let messages = messages.take(6).map(|(seq, _)| *seq).collect::<Vec<_>>();
        let target = match self.random.choice(&messages) {
            Some(seq) if self.random.u8(..8) > 0 => *seq,
            _ => self.random.u64(position / 2..position + 2),
        };
        let target = Seq::new(target);
        let content = match self.random.u8(..12) {
            0..5 => Content::React {
                target,
                emoji: ["+1", "bird"][self.random.usize(..2)].to_owned(),
                remove: self.random.u8(..3) == 0,
            },
            5..8 => Content::Pin { target, remove: self.random.u8(..3) == 0 },
            8 => Content::Hide {
                targets: vec![target],
                up_to: Some(target).filter(|_| self.random.u8(..8) == 0),
            },
            9 => Content::Hide { targets: Vec::new(), up_to: Some(Seq::new(target.get() / 2 + 1)) },
            _ => Content::SetConversation {
                muted: Some(self.random.bool()).filter(|_| self.random.bool()),
                pinned: Some(self.random.bool()).filter(|_| self.random.bool()),
                archived: None,
            },
        };
        self.ask(index, Destination::Conversation(id), content);
    }

    /// Somebody takes a message back or edits it.
    pub(crate) fn change_message(&mut self, index: usize) {
        let Some(id) = self.some_conversation(index, |_| true) else { return };
        let copy = &self.devices[index].copies[&id];
        let user = self.devices[index].user;
        let is_likely = |held: &crate::held::Held| {
            held.message().is_some_and(|it| !it.recalled) && held.from == user
        };
        let likely = copy.events.iter().rev().filter(|(_, held)| is_likely(held)).take(5);
        let likely = likely.map(|(seq, _)| *seq).collect::<Vec<_>>();
        let target = match self.random.u8(..10) {
            0 => self.random.u64(..copy.position + 2),
            1 => copy.position + 1,
            2..4 => self.random.u64(copy.position / 2..copy.position + 1),
            _ => match self.random.choice(likely) {
                Some(target) => target,
                None => return,
            },
        };
        let target = Seq::new(target);
        let content = if self.random.bool() {
            Content::Recall { target }
        } else {
            let again = copy.events.get(&target.get()).and_then(|held| held.message());
            let again = again.map(|message| message.body.clone());
            let body = again.filter(|body| !body.is_empty() && self.random.u8(..20) == 0);
            let body = body.unwrap_or_else(|| format!("~{}~", self.devices[index].next_name()));
            Content::Edit { target, body }
        };
        self.ask(index, Destination::Conversation(id), content);
    }

    /// Somebody founds a group or changes one.
    pub(crate) fn change_group(&mut self, index: usize) {
        let is_in = |copy: &&Copy| copy.is_group && copy.present;
        let groups = self.devices[index].copies.values().filter(is_in).count();
        let group = self.some_group(index);
        let Some(group) = group.filter(|_| groups >= GROUPS_WANTED || self.random.u8(..4) > 0)
        else {
            let history = if self.random.bool() { History::All } else { History::Joined };
            let members = self.some_users();
            let title = format!("title {}", self.random.u8(..));
            let content = Content::CreateGroup { title, members, history };
            return self.ask(index, Destination::NewGroup, content);
        };
        if self.random.u8(..3) == 0 {
            return self.change_settings_of(index, group);
        }
        let content = match self.random.u8(..40) {
            0..12 => Content::AddMembers(self.some_users()),
            12..17 => Content::RemoveMembers(self.some_users()),
            17..21 => Content::Leave,
            21..27 => Content::SetRole { user: self.somebody(), role: Role::Owner },
            27..33 => {
                let role = if self.random.u8(..3) > 0 { Role::Admin } else { Role::Member };
                Content::SetRole { user: self.somebody(), role }
            }
            33..39 => Content::SetTitle(format!("title {}", self.random.u8(..))),
            _ => Content::Dissolve,
        };
        self.ask(index, Destination::Conversation(group), content);
    }

    /// Somebody changes what a group or a member is, joins by a code, or answers who asks.
    fn change_settings_of(&mut self, index: usize, group: ConversationId) {
        let user = self.devices[index].user;
        let timelines = &self.ledger.timelines;
        let open = timelines.iter().filter(|(_, it)| !it.roles.contains_key(&user));
        let open = open.filter_map(|(id, it)| Some((*id, it.info.code.clone()?)));
        let open = self.random.choice(open.collect::<Vec<_>>());
        let stewards = timelines.iter().filter(|(_, it)| it.roles.get(&user) > Some(&Role::Member));
        let asked = stewards.flat_map(|(id, it)| it.waiting.keys().map(|user| (*id, *user)));
        let asked = self.random.choice(asked.collect::<Vec<_>>());
        let content = match self.random.u8(..24) {
            0..4 => {
                let joining = match self.random.u8(..5) {
                    0 => Joining::Open,
                    1 => Joining::Closed,
                    _ => Joining::Approval,
                };
                let text = Some(["", "calm", "storm"][self.random.usize(..3)].to_owned());
                let number = self.random.u64(..);
                Content::ChangeGroup(GroupChange {
                    description: text.clone().filter(|_| self.random.bool()),
                    announcement: text.filter(|_| self.random.bool()),
                    joining: Some(joining).filter(|_| self.random.bool()),
                    member_limit: Some(self.random.u64(5..7)).filter(|_| self.random.u8(..4) == 0),
                    muted: Some(self.random.u8(..4) == 0).filter(|_| self.random.bool()),
                    members_pin: Some(self.random.bool()).filter(|_| self.random.bool()),
                    renew_code: self.random.u8(..4) == 0,
                    new_code: format!("CODE{number}"),
                    ..GroupChange::default()
                })
            }
            4..8 => Content::ChangeMember {
                user: self.somebody(),
                nickname: Some(format!("name {}", self.random.u8(..3)))
                    .filter(|_| self.random.bool()),
                mute_ms: Some(self.random.u64(..100_000) * self.random.u64(..2))
                    .filter(|_| self.random.u8(..3) == 0),
            },
            20..24 => {
                // Now and then one who is not invited.
                let user = self.devices[index].user;
                let invites = |(_, timeline): &(&ConversationId, &Timeline)| {
                    timeline.invited.contains_key(&user)
                };
                let timelines = &self.ledger.timelines;
                let into: Vec<_> = timelines.iter().filter(invites).map(|(id, _)| *id).collect();
                let into = self.random.choice(into).unwrap_or(group);
                let content = Content::AnswerInvitation { accept: self.random.bool() };
                return self.ask(index, Destination::Conversation(into), content);
            }
            8..13 => {
                // Into another group, most of the time with the right code.
                let (group, code) = open.unwrap_or((group, String::new()));
                let code = if self.random.u8(..10) == 0 { "WRONG".to_owned() } else { code };
                let message = Some("let me in".to_owned()).filter(|_| self.random.bool());
                let content = Content::Join { code, message };
                return self.ask(index, Destination::Conversation(group), content);
            }
            _ => {
                let (group, user) = match asked {
                    Some(asked) => asked,
                    // Nobody waits: now and then one who is invited is no more, or nobody is, or
                    // whoever wants that may not.
                    None if self.random.u8(..3) == 0 => {
                        let invited = self.ledger.timelines.iter();
                        let invited = invited.flat_map(|(id, timeline)| {
                            timeline.invited.keys().map(|invited| (*id, *invited))
                        });
                        let invited = self.random.choice(invited.collect::<Vec<_>>());
                        let (group, user) = invited.unwrap_or((group, self.somebody()));
                        let content = Content::WithdrawInvitation { user };
                        return self.ask(index, Destination::Conversation(group), content);
                    }
                    None => (group, self.somebody()),
                };
                let content = Content::AnswerJoin { user, accept: self.random.u8(..4) == 0 };
                return self.ask(index, Destination::Conversation(group), content);
            }
        };
        self.ask(index, Destination::Conversation(group), content);
    }

    /// A device that is connected asks for something new.
    pub(crate) fn ask(&mut self, index: usize, to: Destination, content: Content) {
        let device = &mut self.devices[index];
        let name = match &content {
            Content::Text(text) => text.trim_matches('~').to_owned(),
            Content::Message(message) if !message.body.is_empty() => {
                message.body.trim_matches('~').to_owned()
            }
            _ => device.next_name(),
        };
        let first_sent = self.server.clock.now();
        let unsent = Unsent { name, to, content, first_sent };
        device.unsent.push(unsent.clone());
        self.ledger.ask(device.user, &unsent.name, &unsent.content);
        self.note(|| format!("device {index} sends {}: {:?}", unsent.name, unsent.content));
        self.send(index, &unsent, false);
    }

    /// A device sends again what has no answer, as the protocol tells it to.
    pub(crate) fn send_again(&mut self, index: usize) {
        if !self.devices[index].online {
            return;
        }
        let now = self.server.clock.now().get();
        let is_too_old = |unsent: &Unsent| {
            !unsent.content.is_message() && now - unsent.first_sent.get() > CHANGE_AGE_MAX_MS
        };
        let before = self.devices[index].unsent.len();
        self.devices[index].unsent.retain(|unsent| !is_too_old(unsent));
        if self.devices[index].unsent.len() < before {
            // What was given up may be what the server waits for; a new session begins
            // with a new order.
            self.devices[index].lose_connection();
            return;
        }
        let again = self.devices[index].unsent.clone();
        if !again.is_empty() {
            self.note(|| format!("device {index} sends again {} commands", again.len()));
        }
        for unsent in again {
            // What is recent is recognised whether or not the device says so.
            let is_old = now - unsent.first_sent.get() > RETRY_SAID_FROM_MS;
            let retry = is_old || self.random.bool();
            self.send(index, &unsent, retry);
        }
    }

    fn send(&mut self, index: usize, unsent: &Unsent, retry: bool) {
        let request = Request::Send(SendRequest {
            to: unsent.to,
            client_message_id: ClientMessageId::new(unsent.name.as_str()).unwrap(),
            content: unsent.content.clone(),
            retry,
            first_sent: retry.then_some(unsent.first_sent),
        });
        let (session, user) = (self.devices[index].session, self.devices[index].user);
        self.server.append(session, user, request);
    }

    /// A device says how far it has come in some conversation.
    pub(crate) fn acknowledge(&mut self, index: usize) {
        let Some(conversation) = self.some_conversation(index, |_| true) else { return };
        let kind = if self.random.bool() { ReceiptKind::Read } else { ReceiptKind::Delivered };
        let device = &mut self.devices[index];
        let Some((seq, _)) = device.copies[&conversation].events.last_key_value() else { return };
        let seq = *seq;
        let read = if kind == ReceiptKind::Read { seq } else { 0 };
        device.claims.push_back((conversation, (seq, read)));
        let (session, user) = (device.session, device.user);
        self.note(|| format!("device {index} has {kind:?} {seq} of {conversation}"));
        let request = Request::AdvanceCursor { conversation, kind, seq: Seq::new(seq) };
        self.server.append(session, user, request);
    }

    pub(crate) fn some_conversation(
        &mut self,
        index: usize,
        choose: impl Fn(&Copy) -> bool,
    ) -> Option<ConversationId> {
        let copies = &self.devices[index].copies;
        let ids: Vec<_> =
            copies.iter().filter(|(_, copy)| choose(copy)).map(|(id, _)| *id).collect();
        self.random.choice(ids)
    }

    /// A group that the device knows; most of the time one that its user is in.
    fn some_group(&mut self, index: usize) -> Option<ConversationId> {
        let any = self.random.u8(..12) == 0;
        self.some_conversation(index, |copy| {
            let knows = !matches!(copy.group, Group::Unknown);
            copy.is_group && (any || copy.present && knows)
        })
    }

    fn somebody(&mut self) -> UserId {
        match self.random.u8(..40) {
            // No device at all.
            0 => UserId::new(USERS + 1),
            // No such user.
            1 => UserId::new(UserId::LOCAL_FIRST.get() + 1),
            _ => UserId::new(1 + self.random.u64(..USERS)),
        }
    }

    pub(crate) fn somebody_else(&mut self, index: usize) -> UserId {
        let user = self.devices[index].user.get();
        UserId::new(1 + (user - 1 + self.random.u64(1..USERS)) % USERS)
    }

    fn some_users(&mut self) -> Vec<UserId> {
        (0..self.random.usize(1..4)).map(|_| self.somebody()).collect()
    }
}
