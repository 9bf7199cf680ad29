//! What the cases are made of.

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, OwnerEpoch, Partition, Seq, Slot,
    TimestampMs, UserId,
};

use crate::{
    Batch, Committed, ConversationKind, CursorUpdate, NewConversation, NewEvent, Store, StoreError,
    StoreErrorKind,
};

pub(super) const ANN: UserId = UserId::new(11);
pub(super) const BOB: UserId = UserId::new(22);
pub(super) const CLEO: UserId = UserId::new(33);

/// A sequencer that owns one partition.
pub(super) struct Owner<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) partition: Partition,
    pub(super) owner_epoch: OwnerEpoch,
    pub(super) next_position: LogPosition,
}

impl<'a> Owner<'a> {
    /// Claims a partition.
    pub(super) async fn claim(store: &'a dyn Store, partition: u16) -> Self {
        let partition = Partition::new(partition);
        let claim = store.claim(partition).await.expect("a claim");
        let (owner_epoch, next_position) = (claim.owner_epoch, claim.next_position);
        Self { store, partition, owner_epoch, next_position }
    }

    /// Commits a batch at the next position.
    pub(super) async fn try_commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let after = self.next_position.next();
        let result = self.store.commit(self.partition, batch, after, self.owner_epoch).await;
        if result.is_ok() {
            self.next_position = after;
        }
        result
    }

    /// Commits a batch that must be accepted.
    pub(super) async fn commit(&mut self, batch: Batch) -> Committed {
        self.try_commit(batch).await.expect("a commit")
    }

    /// Commits a batch that must be refused as `kind`.
    pub(super) async fn refused(&mut self, batch: Batch, kind: StoreErrorKind) {
        let error = self.try_commit(batch).await.expect_err("the batch was accepted");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// The id of the conversation with this number, in slot 1.
pub(super) fn id(number: u64) -> ConversationId {
    ConversationId::compose(Slot::from_low_bits(1), number)
}

pub(super) fn name(text: impl ToString) -> ClientMessageId {
    ClientMessageId::new(text.to_string()).expect("a short text")
}

/// A batch that begins a single chat and stores `messages` of its smaller user in it.
pub(super) fn chat(number: u64, low: UserId, high: UserId, messages: u64) -> Batch {
    Batch {
        conversations: vec![NewConversation {
            id: id(number),
            kind: ConversationKind::Single { low, high },
            profile: Bytes::new(),
        }],
        events: (1..=messages).map(|seq| message(id(number), seq, low)).collect(),
        ..Batch::default()
    }
}

/// A message in a timeline that holds nothing but messages.
pub(super) fn message(conversation: ConversationId, seq: u64, sender: UserId) -> NewEvent {
    NewEvent {
        conversation,
        seq: Seq::new(seq),
        message_number: MessageNumber::new(seq),
        sender,
        client_message_id: Some(name(format!("{conversation}-{seq}"))),
        timestamp: TimestampMs::new(1_000_000 + seq),
        payload: Bytes::from(format!("payload {seq}")),
    }
}

pub(super) fn cursor(
    conversation: ConversationId,
    user: UserId,
    delivered: u64,
    read: u64,
) -> CursorUpdate {
    CursorUpdate { conversation, user, delivered: Seq::new(delivered), read: Seq::new(read) }
}

/// A batch of nothing but events.
pub(super) fn events(events: impl IntoIterator<Item = NewEvent>) -> Batch {
    Batch { events: events.into_iter().collect(), ..Batch::default() }
}

/// A batch of nothing but cursors.
pub(super) fn cursors(cursors: impl IntoIterator<Item = CursorUpdate>) -> Batch {
    Batch { cursors: cursors.into_iter().collect(), ..Batch::default() }
}
