//! A device: what a client program knows and does, as docs/protocol.md tells it to.

use std::collections::{BTreeMap, VecDeque};

use petrel_logic::sync::Catchup;
use petrel_protocol::frame::{
    Pull, ReceiptAck, ReceiptKind, SavedAck, ServerAck, ServerFrame, SingleChatPush, Sync,
    SyncConversation,
};
use petrel_types::{ConversationId, RowId, Seq, SessionId, UserId};

/// A message that has no ack yet.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub(crate) name: String,
    pub(crate) to: UserId,
    pub(crate) body: String,
}

/// An event in a device's copy of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) row: RowId,
    pub(crate) from: UserId,
    pub(crate) name: String,
    pub(crate) body: String,
}

/// What a device knows of a conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copy {
    /// The events from seq 1 on; its length is the position.
    pub(crate) events: Vec<Held>,
    /// Each member's (delivered, read).
    pub(crate) cursors: BTreeMap<UserId, (u64, u64)>,
    /// How far the server says there is more to pull.
    wanted: u64,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) online: bool,
    /// Frames that have arrived and wait to be looked at.
    pub(crate) inbox: Vec<ServerFrame>,
    /// Whether a frame was lost on its way since the last sync.
    pub(crate) missed: bool,
    pub(crate) unsent: Vec<Unsent>,
    pub(crate) copies: BTreeMap<ConversationId, Copy>,
    pub(crate) acked: Vec<SavedAck>,
    /// Receipts sent and not yet decided on, in order.
    pub(crate) claims: VecDeque<(ConversationId, (u64, u64))>,
    sync_token: Option<String>,
    next_name: u64,
    /// Sent and not yet acked: bodies by name, to put the device's own events in place.
    bodies: BTreeMap<String, String>,
}

impl Device {
    pub(crate) fn new(user: UserId, session: SessionId) -> Self {
        Self {
            user,
            session,
            online: false,
            inbox: Vec::new(),
            missed: false,
            unsent: Vec::new(),
            copies: BTreeMap::new(),
            acked: Vec::new(),
            claims: VecDeque::new(),
            sync_token: None,
            next_name: 0,
            bodies: BTreeMap::new(),
        }
    }

    pub(crate) fn write(&mut self, to: UserId) -> Unsent {
        self.next_name += 1;
        let name = format!("{}-{}", self.session, self.next_name);
        let body = format!("{name} to {to}");
        self.bodies.insert(name.clone(), body.clone());
        let unsent = Unsent { name, to, body };
        self.unsent.push(unsent.clone());
        unsent
    }

    /// The connection is lost, and with it whatever was on its way.
    pub(crate) fn lose_connection(&mut self) {
        self.online = false;
        self.inbox.clear();
        self.claims.clear();
    }

    /// A receipt of this session was decided on.
    pub(crate) fn settle_claim(&mut self, accepted: bool) {
        let (conversation, cursors) = self.claims.pop_front().expect("a receipt was sent");
        if accepted && let Some(copy) = self.copies.get_mut(&conversation) {
            copy.move_cursors(self.user, cursors);
        }
    }

    /// Looks at what has arrived, and pulls where a number jumps.
    pub(crate) async fn read_inbox(&mut self, catchup: &Catchup) {
        for frame in std::mem::take(&mut self.inbox) {
            match frame {
                ServerFrame::SingleChat(push) => self.note_push(push),
                ServerFrame::Ack(ServerAck::Saved(ack)) => self.note_ack(ack),
                ServerFrame::Ack(ServerAck::Receipt(receipt)) => self.note_receipt(&receipt),
                ServerFrame::Error(_) => {}
                other => panic!("unexpected push {other:?}"),
            }
        }
        self.pull_all(catchup).await;
    }

    /// Catches up after coming back: sync to the end, then pull.
    pub(crate) async fn catch_up(&mut self, catchup: &Catchup) {
        loop {
            let request = Sync { token: self.sync_token.clone(), limit: Some(2) };
            let state = catchup.sync(self.user, &request).await.unwrap();
            for conversation in &state.conversations {
                self.note_state(conversation);
            }
            self.sync_token = Some(state.token);
            if !state.more {
                break;
            }
        }
        self.missed = false;
        self.pull_all(catchup).await;
    }

    /// Forgets everything but what was never acked: a new device of the same user.
    pub(crate) fn forget(&mut self) {
        self.copies.clear();
        self.sync_token = None;
    }

    async fn pull_all(&mut self, catchup: &Catchup) {
        let behind: Vec<_> = self
            .copies
            .iter()
            .filter(|(_, copy)| copy.wanted > copy.position())
            .map(|(id, _)| *id)
            .collect();
        for conversation_id in behind {
            loop {
                let after = self.copies[&conversation_id].position();
                let request = Pull {
                    conversation_id,
                    after_seq: Some(Seq::new(after)),
                    before_seq: None,
                    limit: Some(7),
                };
                let answer = catchup.pull(self.user, &request).await.unwrap();
                assert_eq!(answer.from_seq.get(), after + 1);
                for event in &answer.events {
                    match ServerFrame::decode(event.get()).unwrap().frame {
                        ServerFrame::SingleChat(push) => self.note_push(push),
                        other => panic!("unexpected event {other:?}"),
                    }
                }
                assert_eq!(self.copies[&conversation_id].position(), answer.to_seq.get());
                if !answer.has_more {
                    break;
                }
            }
        }
    }

    fn note_push(&mut self, push: SingleChatPush) {
        let event = Held {
            row: push.server_msg_id,
            from: push.from,
            name: push.client_msg_id.as_str().to_owned(),
            body: push.body,
        };
        self.place(push.conversation_id, push.msg_seq.get(), event);
    }

    fn note_ack(&mut self, ack: SavedAck) {
        let name = ack.client_msg_id.as_str().to_owned();
        self.unsent.retain(|unsent| unsent.name != name);
        assert!(!ack.body_differs, "the body of {name} never changed");
        let event = Held {
            row: ack.server_msg_id,
            from: self.user,
            body: self.bodies[&name].clone(),
            name,
        };
        self.place(ack.conversation_id, ack.msg_seq.get(), event);
        self.acked.push(ack);
    }

    /// Puts an event in its place: known, next, or beyond a hole.
    fn place(&mut self, conversation: ConversationId, seq: u64, event: Held) {
        let copy = self.copies.entry(conversation).or_default();
        let next = copy.position() + 1;
        if seq < next {
            let index = usize::try_from(seq - 1).unwrap();
            assert_eq!(copy.events[index], event, "seq {seq} of {conversation} has changed");
        } else if seq == next {
            copy.move_cursors(event.from, (seq, seq));
            copy.events.push(event);
        }
        copy.wanted = copy.wanted.max(seq);
    }

    fn note_receipt(&mut self, receipt: &ReceiptAck) {
        let seq = receipt.msg_seq.get();
        let copy = self.copies.entry(receipt.conversation_id).or_default();
        copy.move_cursors(
            receipt.from,
            match receipt.ack_type {
                ReceiptKind::Delivered => (seq, 0),
                ReceiptKind::Read => (seq, seq),
            },
        );
    }

    fn note_state(&mut self, state: &SyncConversation) {
        let user = self.user;
        let copy = self.copies.entry(state.conversation_id).or_default();
        copy.wanted = copy.wanted.max(state.head_seq.get());
        copy.move_cursors(user, (state.delivered_seq.get(), state.read_seq.get()));
        copy.move_cursors(state.peer, (state.peer_delivered_seq.get(), state.peer_read_seq.get()));
    }
}

impl Copy {
    pub(crate) fn position(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn move_cursors(&mut self, user: UserId, (delivered, read): (u64, u64)) {
        let cursors = self.cursors.entry(user).or_default();
        *cursors = (cursors.0.max(delivered), cursors.1.max(read));
    }
}
