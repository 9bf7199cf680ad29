//! What is committed: messages to random conversations.

use std::collections::HashMap;

use bytes::Bytes;
use petrel_store::{Batch, ConversationKind, CursorUpdate, NewConversation, NewEvent};
use petrel_types::{
    ClientMessageId, ConversationId, MessageNumber, Seq, Slot, TimestampMs, UserId,
};

const PAYLOAD_BYTES: usize = 150;
/// Payload, client message id, and the numbers of a message and of a cursor move.
const MESSAGE_BYTES: u64 = PAYLOAD_BYTES as u64 + 22 + 4 * 8;
const CURSOR_BYTES: u64 = 4 * 8;

#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) batch: usize,
    pub(crate) conversations: u64,
    pub(crate) cursors: Cursors,
    pub(crate) messages: u64,
}

/// Which cursors move with a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursors {
    None,
    /// That of the sender.
    Own,
    /// That of the sender and that of the other, who has received and read it.
    Receipts,
}

pub(crate) struct Generator {
    workload: Workload,
    random: u64,
    heads: Vec<u64>,
    pub(crate) logical_bytes: u64,
}

impl Workload {
    pub(crate) fn name(&self, store: &str) -> String {
        let Self { batch, conversations, cursors, .. } = self;
        let cursors = match cursors {
            Cursors::None => "",
            Cursors::Own => ", cursors",
            Cursors::Receipts => ", receipts",
        };
        format!("{store}, batch {batch}, {} k conversations{cursors}", conversations / 1000)
    }

    /// The batches that begin the conversations.
    pub(crate) fn beginnings(&self) -> Vec<Batch> {
        let numbers: Vec<u64> = (1..=self.conversations).collect();
        let begin = |number: &u64| NewConversation {
            id: conversation(*number),
            kind: ConversationKind::Single { low: UserId::new(*number), high: peer(*number) },
            profile: Bytes::new(),
        };
        numbers
            .chunks(10_000)
            .map(|chunk| Batch {
                conversations: chunk.iter().map(begin).collect(),
                ..Batch::default()
            })
            .collect()
    }

    pub(crate) fn generator(&self) -> Generator {
        Generator {
            workload: self.clone(),
            random: 0x9e37_79b9_7f4a_7c15,
            heads: vec![0; self.conversations as usize],
            logical_bytes: 0,
        }
    }
}

pub(crate) fn conversation(number: u64) -> ConversationId {
    ConversationId::compose(Slot::from_low_bits(number), number)
}

/// The other user of a conversation.
fn peer(number: u64) -> UserId {
    UserId::new(1_000_000_000 + number)
}

impl Generator {
    /// A random number (xorshift).
    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A random conversation and the end of its timeline.
    pub(crate) fn random_conversation(&mut self) -> (ConversationId, u64) {
        let index = self.random() % self.workload.conversations;
        (conversation(index + 1), self.heads[index as usize])
    }

    pub(crate) fn batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut cursors = HashMap::new();
        for _ in 0..self.workload.batch {
            let index = self.random() % self.workload.conversations;
            self.heads[index as usize] += 1;
            let seq = Seq::new(self.heads[index as usize]);
            let (id, sender) = (conversation(index + 1), UserId::new(index + 1));
            let mut payload = [0; PAYLOAD_BYTES];
            for bytes in payload.chunks_mut(8) {
                let random = self.random().to_le_bytes();
                bytes.copy_from_slice(&random[..bytes.len()]);
            }
            let name = format!("{:016x}{:06x}", self.random(), self.random() >> 40);
            batch.events.push(NewEvent {
                conversation: id,
                seq,
                message_number: MessageNumber::new(seq.get()),
                sender,
                client_message_id: Some(ClientMessageId::new(name).unwrap()),
                timestamp: TimestampMs::new(1_790_000_000_000),
                payload: Bytes::copy_from_slice(&payload),
            });
            self.logical_bytes += MESSAGE_BYTES;
            let movers: &[UserId] = match self.workload.cursors {
                Cursors::None => &[],
                Cursors::Own => &[sender],
                Cursors::Receipts => &[sender, peer(index + 1)],
            };
            for user in movers.iter().copied() {
                let moved = CursorUpdate { conversation: id, user, delivered: seq, read: seq };
                cursors.insert((id, user), moved);
            }
        }
        self.logical_bytes += cursors.len() as u64 * CURSOR_BYTES;
        batch.cursors = cursors.into_values().collect();
        batch
    }
}
