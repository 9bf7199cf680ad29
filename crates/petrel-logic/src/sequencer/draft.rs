//! Deciding: from commands and memory to a batch and what to say about it.
//!
//! Pure: no reads, no clock, no waiting. Decisions see the effects of earlier
//! decisions in the same batch. What is to be said is kept as [`Decisions`], because
//! rows, and so `serverMsgId`s, are known only after the commit.

use std::collections::HashMap;

use petrel_log::{Command, Origin, ReceiptKind, Request};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Durability, MessageType, ReceiptAck, ReceiptKind as WireReceiptKind, SavedAck, ServerAck,
    ServerFrame, SingleChatPush,
};
use petrel_store::{
    Batch, Conversation, ConversationState, CursorUpdate, Cursors, Head, Member, NewConversation,
    NewEvent,
};
use petrel_types::{
    ClientMessageId, ConversationId, RowId, Seq, SessionId, Slot, TimestampMs, UserId,
};

use super::recent::{MessageKey, Remembered, hash_of};
use super::{Effect, Lookups, Memory, Rules, refuse};
use crate::Refusal;
use crate::event::EventBody;
use crate::refusal::not_a_member;

/// A batch in the making.
pub(super) struct Draft<'a> {
    memory: &'a mut Memory,
    lookups: &'a Lookups,
    rules: Rules,
    now: TimestampMs,
    batch: Batch,
    /// The cursors that moved, by where they are in `batch.cursors`.
    moved: HashMap<(ConversationId, UserId), usize>,
    /// Messages of this batch by their senders' names, by where they are in
    /// `decisions.messages`.
    named: HashMap<MessageKey, usize>,
    decisions: Decisions,
}

/// What was decided and will be said once it is on disk.
#[derive(Default)]
pub(super) struct Decisions {
    messages: Vec<Message>,
    said: Vec<Said>,
}

/// A message that got a number.
struct Message {
    key: MessageKey,
    to: UserId,
    seq: Seq,
    body: String,
    payload_hash: u64,
    timestamp: TimestampMs,
    session: SessionId,
    /// Where its event is in the batch.
    event_index: u64,
}

/// One thing to say. Messages are named by their place in [`Decisions::messages`].
enum Said {
    Saved { origin: Origin, message: usize },
    DuplicateInBatch { origin: Origin, message: usize, body_differs: bool },
    Duplicate { origin: Origin, key: MessageKey, earlier: Remembered, body_differs: bool },
    Final(Effect),
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        memory: &'a mut Memory,
        lookups: &'a Lookups,
        rules: Rules,
        now: TimestampMs,
    ) -> Self {
        let now = now.max(memory.last_timestamp);
        memory.last_timestamp = now;
        Self {
            memory,
            lookups,
            rules,
            now,
            batch: Batch::default(),
            moved: HashMap::new(),
            named: HashMap::new(),
            decisions: Decisions::default(),
        }
    }

    /// Decides one command.
    pub(super) fn decide(&mut self, command: &Command) {
        let decided = match &command.request {
            Request::SendSingle { to, client_message_id, body, .. } => {
                self.send_single(command, *to, client_message_id, body)
            }
            Request::AdvanceCursor { conversation, kind, seq } => {
                self.advance_cursor(command, *conversation, *kind, *seq)
            }
        };
        if let Err(refusal) = decided {
            self.decisions.said.push(Said::Final(refuse(command, refusal)));
        }
    }

    /// The batch to commit, and what to say after.
    pub(super) fn finish(self) -> (Batch, Decisions) {
        (self.batch, self.decisions)
    }

    fn send_single(
        &mut self,
        command: &Command,
        to: UserId,
        client_message_id: &ClientMessageId,
        body: &str,
    ) -> Result<(), Refusal> {
        let conversation = self.single_chat(command.actor, to)?;
        let key = MessageKey {
            conversation,
            sender: command.actor,
            client_message_id: client_message_id.clone(),
        };
        let payload =
            EventBody::Message { msg_type: MessageType::Text, body: body.to_owned() }.encode();
        let payload_hash = hash_of(&payload);
        if self.say_again(command.origin, &key, payload_hash) {
            return Ok(());
        }

        let state = self.state(conversation).ok_or_else(not_a_member)?;
        state.head =
            Head { seq: state.head.seq.next(), message_number: state.head.message_number.next() };
        let head = state.head;
        self.batch.events.push(NewEvent {
            conversation,
            seq: head.seq,
            message_number: head.message_number,
            sender: command.actor,
            client_message_id: Some(client_message_id.clone()),
            timestamp: self.now,
            payload,
        });
        // Whoever writes has read what is above.
        self.move_cursors(
            conversation,
            command.actor,
            Cursors { delivered: head.seq, read: head.seq },
        );

        let message = self.decisions.messages.len();
        self.named.insert(key.clone(), message);
        self.decisions.messages.push(Message {
            key,
            to,
            seq: head.seq,
            body: body.to_owned(),
            payload_hash,
            timestamp: self.now,
            session: command.origin.session,
            event_index: self.batch.events.len() as u64 - 1,
        });
        self.decisions.said.push(Said::Saved { origin: command.origin, message });
        Ok(())
    }

    /// If the message was stored before, arranges for the first ack to be said again.
    fn say_again(&mut self, origin: Origin, key: &MessageKey, payload_hash: u64) -> bool {
        if let Some(message) = self.named.get(key).copied() {
            let body_differs = self.decisions.messages[message].payload_hash != payload_hash;
            self.decisions.said.push(Said::DuplicateInBatch { origin, message, body_differs });
            return true;
        }
        let earlier = self.memory.recent.get(key).or_else(|| self.lookups.earlier.get(key));
        if let Some(earlier) = earlier.copied() {
            let body_differs = earlier.payload_hash != payload_hash;
            let key = key.clone();
            self.decisions.said.push(Said::Duplicate { origin, key, earlier, body_differs });
            return true;
        }
        false
    }

    /// The single chat between two users, created if it is their first message.
    fn single_chat(&mut self, actor: UserId, to: UserId) -> Result<ConversationId, Refusal> {
        if actor == to {
            return Err(Refusal::new(
                ErrorReason::CannotSendToSelf,
                "a single chat needs another user: `to` is yourself",
            ));
        }
        let (low, high) = (actor.min(to), actor.max(to));
        if let Some(known) = self.memory.single_chats.get(&(low, high)) {
            return Ok(*known);
        }
        if self.lookups.unknown_users.contains(&to) {
            return Err(self.unknown_user(to));
        }

        self.memory.conversation_number += 1;
        let id = ConversationId::compose(Slot::of_pair(low, high), self.memory.conversation_number);
        let member = |user| Member { user, cursors: Cursors::default() };
        self.memory.single_chats.put((low, high), id);
        self.memory.conversations.put(
            id,
            ConversationState {
                conversation: Conversation { id, low, high },
                head: Head::default(),
                members: vec![member(low), member(high)],
            },
        );
        self.batch.conversations.push(NewConversation { id, low, high });
        Ok(id)
    }

    fn unknown_user(&self, to: UserId) -> Refusal {
        let hint = if to.is_local() || self.rules.external_users {
            ""
        } else {
            ": registered users have ids from 10000000001 on"
        };
        Refusal::new(ErrorReason::UserNotFound, format!("there is no user {to}{hint}"))
    }

    fn advance_cursor(
        &mut self,
        command: &Command,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        let state = self.memory.conversations.get(&conversation).ok_or_else(not_a_member)?;
        let head = state.head.seq;
        let member =
            state.members.iter().find(|member| member.user == actor).ok_or_else(not_a_member)?;
        if seq > head {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("msgSeq {seq} is beyond the last event, {head}"),
            ));
        }
        let mut cursors = member.cursors;
        let moved = match kind {
            ReceiptKind::Delivered => &mut cursors.delivered,
            ReceiptKind::Read => &mut cursors.read,
        };
        let answered = Effect::Answer { origin: command.origin, frame: None };
        self.decisions.said.push(Said::Final(answered));
        if seq <= *moved {
            return Ok(());
        }
        *moved = seq;
        cursors.delivered = cursors.delivered.max(cursors.read);

        // One's own other devices show what is read; what a sibling holds is nothing to them.
        let tells_own = kind == ReceiptKind::Read;
        let recipients = state
            .members
            .iter()
            .map(|member| member.user)
            .filter(|user| tells_own || *user != actor)
            .collect();
        self.move_cursors(conversation, actor, cursors);
        let receipt = ServerFrame::Ack(ServerAck::Receipt(ReceiptAck {
            ack_type: match kind {
                ReceiptKind::Delivered => WireReceiptKind::Delivered,
                ReceiptKind::Read => WireReceiptKind::Read,
            },
            from: actor,
            conversation_id: conversation,
            msg_seq: seq,
            ts: self.now,
        }));
        self.decisions.said.push(Said::Final(Effect::Deliver {
            recipients,
            except: Some(command.origin.session),
            frame: receipt,
        }));
        Ok(())
    }

    fn state(&mut self, conversation: ConversationId) -> Option<&mut ConversationState> {
        self.memory.conversations.get_mut(&conversation)
    }

    /// Moves a member's cursors in memory and, once per batch, in the batch.
    fn move_cursors(&mut self, conversation: ConversationId, user: UserId, to: Cursors) {
        if let Some(member) = self
            .state(conversation)
            .and_then(|state| state.members.iter_mut().find(|member| member.user == user))
        {
            member.cursors = to;
        }
        let update = CursorUpdate { conversation, user, delivered: to.delivered, read: to.read };
        match self.moved.get(&(conversation, user)) {
            Some(index) => self.batch.cursors[*index] = update,
            None => {
                self.moved.insert((conversation, user), self.batch.cursors.len());
                self.batch.cursors.push(update);
            }
        }
    }
}

impl Decisions {
    /// What to say, now that the batch is on disk with its first event at
    /// `first_row`; remembers its messages.
    pub(super) fn into_effects(self, first_row: RowId, memory: &mut Memory) -> Vec<Effect> {
        let row = |message: &Message| RowId::new(first_row.get() + message.event_index);
        for message in &self.messages {
            memory.recent.insert(
                message.key.clone(),
                Remembered {
                    row: row(message),
                    seq: message.seq,
                    timestamp: message.timestamp,
                    payload_hash: message.payload_hash,
                },
            );
        }
        let mut effects = Vec::with_capacity(self.said.len() * 2);
        for said in self.said {
            match said {
                Said::Saved { origin, message } => {
                    let message = &self.messages[message];
                    effects.push(answer(origin, message.ack(row(message))));
                    effects.push(message.delivery(row(message)));
                }
                Said::DuplicateInBatch { origin, message, body_differs } => {
                    let message = &self.messages[message];
                    let ack = message.ack(row(message));
                    effects.push(answer(origin, SavedAck { duplicate: true, body_differs, ..ack }));
                }
                Said::Duplicate { origin, key, earlier, body_differs } => {
                    let ack = saved(&key, earlier.row, earlier.seq, earlier.timestamp);
                    effects.push(answer(origin, SavedAck { duplicate: true, body_differs, ..ack }));
                }
                Said::Final(effect) => effects.push(effect),
            }
        }
        effects
    }
}

impl Message {
    fn ack(&self, row: RowId) -> SavedAck {
        saved(&self.key, row, self.seq, self.timestamp)
    }

    fn delivery(&self, row: RowId) -> Effect {
        Effect::Deliver {
            recipients: vec![self.to, self.key.sender],
            except: Some(self.session),
            frame: ServerFrame::SingleChat(SingleChatPush {
                from: self.key.sender,
                to: self.to,
                client_msg_id: self.key.client_message_id.clone(),
                server_msg_id: row,
                conversation_id: self.key.conversation,
                msg_seq: self.seq,
                msg_type: MessageType::Text,
                body: self.body.clone(),
                ts: self.timestamp,
                redelivered: false,
            }),
        }
    }
}

fn saved(key: &MessageKey, row: RowId, seq: Seq, timestamp: TimestampMs) -> SavedAck {
    SavedAck {
        ack_type: Default::default(),
        client_msg_id: key.client_message_id.clone(),
        server_msg_id: row,
        conversation_id: key.conversation,
        msg_seq: seq,
        durability: Durability::Fsync,
        ts: timestamp,
        duplicate: false,
        body_differs: false,
    }
}

fn answer(origin: Origin, ack: SavedAck) -> Effect {
    Effect::Answer { origin, frame: Some(ServerFrame::Ack(ServerAck::Saved(ack))) }
}
