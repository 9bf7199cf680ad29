//! What was decided and will be said once it is on disk.
//!
//! Rows, and so `serverMsgId`s, are known only after the commit; until then events are
//! named by their place in the batch.

use std::collections::HashMap;
use std::sync::Arc;

use petrel_log::Origin;
use petrel_protocol::frame::{
    DoneAck, Durability, ReceiptAck, ReceiptKind, SavedAck, ServerAck, ServerFrame,
};
use petrel_types::{ConversationId, RowId, Seq, SessionId, TimestampMs, UserId};

use super::Effect;
use super::recent::{MessageKey, RecentMessages, Remembered};

/// Everything there is to say about a batch.
#[derive(Default)]
pub(super) struct Decisions {
    appended: Vec<Appended>,
    said: Vec<Said>,
    receipts: Vec<Receipt>,
    /// Where a member's receipt is in `receipts`.
    latest: HashMap<(ConversationId, UserId, ReceiptKind), usize>,
}

/// An event that got a number.
pub(super) struct Appended {
    /// The sender's name for it.
    pub(super) key: Option<MessageKey>,
    pub(super) seq: Seq,
    pub(super) timestamp: TimestampMs,
    /// What tells whether a retry says the same.
    pub(super) body_hash: Option<u64>,
    pub(super) founded: Option<ConversationId>,
    /// Who asked is not one of those who see it, and is not told its place.
    pub(super) is_private: bool,
    /// Where it is in the batch.
    pub(super) event_index: u64,
    /// How it is shown, but for its row.
    pub(super) frame: ServerFrame,
    pub(super) recipients: Arc<[UserId]>,
    /// A session that gets the ack instead.
    pub(super) except: Option<SessionId>,
}

/// One thing to say. Events are named by their place in `appended`.
enum Said {
    Saved { origin: Origin, event: usize },
    Told { event: usize },
    DuplicateInBatch { origin: Origin, event: usize, body_differs: bool },
    Duplicate { origin: Origin, key: MessageKey, earlier: Remembered, body_differs: bool },
    Final(Effect),
}

/// A cursor that moved.
struct Receipt {
    ack: ReceiptAck,
    recipients: Arc<[UserId]>,
    except: SessionId,
}

impl Decisions {
    /// An event was appended, which answers a command.
    pub(super) fn saved(&mut self, origin: Origin, event: Appended) -> usize {
        self.appended.push(event);
        let event = self.appended.len() - 1;
        self.said.push(Said::Saved { origin, event });
        event
    }

    /// An event was appended that answers nobody.
    pub(super) fn told(&mut self, event: Appended) -> usize {
        self.appended.push(event);
        let event = self.appended.len() - 1;
        self.said.push(Said::Told { event });
        event
    }

    /// A command is one of this batch again.
    pub(super) fn duplicate_in_batch(&mut self, origin: Origin, event: usize, body_differs: bool) {
        self.said.push(Said::DuplicateInBatch { origin, event, body_differs });
    }

    /// A command is one that was committed before.
    pub(super) fn duplicate(
        &mut self,
        origin: Origin,
        key: MessageKey,
        earlier: Remembered,
        body_differs: bool,
    ) {
        self.said.push(Said::Duplicate { origin, key, earlier, body_differs });
    }

    /// Something that needs no row.
    pub(super) fn say(&mut self, effect: Effect) {
        self.said.push(Said::Final(effect));
    }

    /// A cursor moved. Of several moves in a batch only the last is told.
    pub(super) fn receipt(
        &mut self,
        ack: ReceiptAck,
        recipients: Arc<[UserId]>,
        except: SessionId,
    ) {
        let key = (ack.conversation_id, ack.from, ack.ack_type);
        let receipt = Receipt { ack, recipients, except };
        match self.latest.get(&key) {
            Some(index) => self.receipts[*index] = receipt,
            None => {
                self.latest.insert(key, self.receipts.len());
                self.receipts.push(receipt);
            }
        }
    }

    pub(super) fn event(&self, event: usize) -> &Appended {
        &self.appended[event]
    }

    /// What to say, now that the batch is on disk with its first event at `first_row`;
    /// remembers its names.
    pub(super) fn into_effects(
        mut self,
        first_row: RowId,
        recent: &mut RecentMessages,
    ) -> Vec<Effect> {
        for event in &mut self.appended {
            let row = RowId::new(first_row.get() + event.event_index);
            set_row(&mut event.frame, row);
            if let Some(key) = &event.key {
                recent.insert(key.clone(), event.remembered(row));
            }
        }
        let row = |event: &Appended| RowId::new(first_row.get() + event.event_index);
        let mut effects = Vec::with_capacity(self.said.len() * 2 + self.receipts.len());
        let mut events: Vec<_> = self.appended.into_iter().map(Some).collect();
        // Acks to duplicates need an event after its delivery has taken its frame away.
        let mut acks: HashMap<usize, (SavedAck, bool)> = HashMap::new();
        for said in &self.said {
            if let Said::DuplicateInBatch { event, .. } = said
                && let Some(appended) = &events[*event]
            {
                acks.insert(*event, (appended.ack(row(appended)), appended.is_private));
            }
        }
        for said in self.said {
            match said {
                Said::Saved { origin, event } => {
                    let event = events[event].take().expect("an event is said once");
                    effects.push(answer(origin, event.ack(row(&event)), event.is_private));
                    if !event.recipients.is_empty() {
                        effects.push(event.delivery());
                    }
                }
                Said::Told { event } => {
                    let event = events[event].take().expect("an event is said once");
                    effects.push(event.delivery());
                }
                Said::DuplicateInBatch { origin, event, body_differs } => {
                    let (ack, is_private) = acks[&event].clone();
                    let ack = SavedAck { duplicate: true, body_differs, ..ack };
                    effects.push(answer(origin, ack, is_private));
                }
                Said::Duplicate { origin, key, earlier, body_differs } => {
                    let ack = saved(&key, earlier.row, earlier.seq, earlier.timestamp);
                    let ack = SavedAck { duplicate: true, body_differs, ..ack };
                    effects.push(answer(origin, ack, earlier.is_private));
                }
                Said::Final(effect) => effects.push(effect),
            }
        }
        // Last, so that nobody hears of a receipt for a message that is yet to come.
        effects.extend(self.receipts.into_iter().map(Receipt::delivery));
        effects
    }
}

impl Appended {
    fn remembered(&self, row: RowId) -> Remembered {
        Remembered {
            row,
            seq: self.seq,
            timestamp: self.timestamp,
            body_hash: self.body_hash,
            founded: self.founded,
            is_private: self.is_private,
        }
    }

    fn ack(&self, row: RowId) -> SavedAck {
        let key = self.key.as_ref().expect("only named events are acknowledged");
        saved(key, row, self.seq, self.timestamp)
    }

    fn delivery(self) -> Effect {
        let Self { recipients, except, frame, .. } = self;
        Effect::Deliver { recipients, except, frame }
    }
}

impl Receipt {
    fn delivery(self) -> Effect {
        let Self { ack, recipients, except } = self;
        let frame = ServerFrame::Ack(ServerAck::Receipt(ack));
        Effect::Deliver { recipients, except: Some(except), frame }
    }
}

fn set_row(frame: &mut ServerFrame, row: RowId) {
    match frame {
        ServerFrame::SingleChat(push) => push.server_msg_id = row,
        ServerFrame::GroupChat(push) => push.server_msg_id = row,
        ServerFrame::Event(push) => push.server_msg_id = row,
        _ => {}
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
        words_replaced: false,
    }
}

fn answer(origin: Origin, ack: SavedAck, is_private: bool) -> Effect {
    let ack = if is_private {
        let SavedAck { client_msg_id, ts, duplicate, .. } = ack;
        ServerAck::Done(DoneAck { ack_type: Default::default(), client_msg_id, ts, duplicate })
    } else {
        ServerAck::Saved(ack)
    };
    Effect::Answer { origin, frame: Some(ServerFrame::Ack(ack)) }
}
