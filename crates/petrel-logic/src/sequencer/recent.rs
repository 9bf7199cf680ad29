//! Recent messages by the names their senders gave them, to recognise retries.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use petrel_protocol::frame::Change;
use petrel_store::StoredEvent;
use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, TimestampMs, UserId};

use crate::event::{EventBody, Said};

/// The memory given to recent messages. Two generations of half of it each: when the
/// younger is full it becomes the older, so that between half and all is in use.
const BYTES_MAX: usize = 64 << 20;

/// An estimate of what one entry takes beside its text: the map's slot and the
/// header of the shared string.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// A sender's name for a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MessageKey {
    pub(super) conversation: ConversationId,
    pub(super) sender: UserId,
    pub(super) client_message_id: ClientMessageId,
}

/// What the first ack said, so that it can be said again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) row: RowId,
    pub(super) seq: Seq,
    pub(super) timestamp: TimestampMs,
    /// What a message said, if it still says so: tells whether a retry says the same. What
    /// other events say is not compared.
    pub(super) body_hash: Option<u64>,
    /// The group that it founded.
    pub(super) founded: Option<ConversationId>,
    /// Who asked is not told where it is.
    pub(super) is_private: bool,
}

/// Recent messages, bounded in bytes.
#[derive(Debug)]
pub(super) struct RecentMessages {
    younger: HashMap<MessageKey, Remembered>,
    older: HashMap<MessageKey, Remembered>,
    younger_bytes: usize,
    generation_bytes_max: usize,
}

impl Remembered {
    pub(super) fn of(event: &StoredEvent) -> Self {
        let body = EventBody::decode(&event.payload);
        let is_private = body.as_ref().is_ok_and(EventBody::is_private);
        let (body_hash, founded) = match body {
            Ok(EventBody::Message(message)) if message.rev.is_none() => {
                (Some(hash_of(message.said())), None)
            }
            Ok(EventBody::Change(Change::ConversationAdded { conversation_id })) => {
                (None, Some(conversation_id))
            }
            _ => (None, None),
        };
        let StoredEvent { row, seq, timestamp, .. } = *event;
        Self { row, seq, timestamp, body_hash, founded, is_private }
    }
}

impl RecentMessages {
    fn bounded(bytes_max: usize) -> Self {
        Self {
            younger: HashMap::new(),
            older: HashMap::new(),
            younger_bytes: 0,
            generation_bytes_max: bytes_max / 2,
        }
    }

    pub(super) fn get(&self, key: &MessageKey) -> Option<&Remembered> {
        self.younger.get(key).or_else(|| self.older.get(key))
    }

    pub(super) fn insert(&mut self, key: MessageKey, message: Remembered) {
        let bytes = ENTRY_OVERHEAD_BYTES + key.client_message_id.as_str().len();
        if self.younger_bytes + bytes > self.generation_bytes_max {
            self.older = std::mem::take(&mut self.younger);
            self.younger_bytes = 0;
        }
        if self.younger.insert(key, message).is_none() {
            self.younger_bytes += bytes;
        }
    }
}

impl Default for RecentMessages {
    fn default() -> Self {
        Self::bounded(BYTES_MAX)
    }
}

/// Tells whether a retry says the same. Lives only in memory, so the function may change
/// between versions.
pub(super) fn hash_of(said: Said<'_>) -> u64 {
    let Said { body, file_id, reply_to, location, custom } = said;
    let mut hasher = DefaultHasher::new();
    hasher.write(body.as_bytes());
    if let Some(seq) = reply_to {
        hasher.write_u64(seq.get());
    }
    if let Some(file_id) = file_id {
        hasher.write(file_id.as_bytes());
    }
    if let Some(text) = location.and_then(|location| serde_json::to_vec(location).ok()) {
        hasher.write(&text);
    }
    if let Some(text) = custom.and_then(|custom| serde_json::to_vec(custom).ok()) {
        hasher.write(&text);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> MessageKey {
        MessageKey {
            conversation: ConversationId::new(1),
            sender: UserId::new(1),
            client_message_id: ClientMessageId::new(format!("{number:08}")).unwrap(),
        }
    }

    #[test]
    fn the_latest_half_is_always_remembered_and_the_whole_is_bounded() {
        let entry_bytes = ENTRY_OVERHEAD_BYTES + 8;
        let mut recent = RecentMessages::bounded(20 * entry_bytes);
        let message = Remembered {
            row: RowId::new(1),
            seq: Seq::new(1),
            timestamp: TimestampMs::new(1),
            body_hash: None,
            founded: None,
            is_private: false,
        };
        for number in 0..1000 {
            recent.insert(key(number), message);
            for known in number.saturating_sub(9)..=number {
                assert!(recent.get(&key(known)).is_some(), "{known} forgotten at {number}");
            }
            assert!(recent.younger.len() + recent.older.len() <= 20);
        }
        assert!(recent.get(&key(0)).is_none());
    }
}
