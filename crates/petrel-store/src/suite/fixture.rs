//! What the cases are made of.

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, OwnerEpoch, Partition, RowId, Seq,
    Slot, TimestampMs, UserId,
};

use crate::{
    Batch, Committed, ConversationKind, CursorUpdate, Interval, MemberUpdate, NewConversation,
    NewEvent, Overwrite, Store, StoreError, StoreErrorKind, Trim,
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
pub(super) const fn id(number: u64) -> ConversationId {
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

/// A batch that begins a group, with `messages` of Ann's in it and these users as members
/// from seq 1 on.
pub(super) fn group(number: u64, users: &[UserId], messages: u64) -> Batch {
    let kind = ConversationKind::Group;
    let profile = Bytes::from(format!("profile {number}"));
    Batch {
        conversations: vec![NewConversation { id: id(number), kind, profile }],
        events: (1..=messages).map(|seq| message(id(number), seq, ANN)).collect(),
        members: users.iter().map(|user| membership(id(number), *user, &[(1, 0)])).collect(),
        ..Batch::default()
    }
}

/// A membership of these intervals, from the first seq to the last; zero leaves it open.
pub(super) fn membership(
    conversation: ConversationId,
    user: UserId,
    intervals: &[(u64, u64)],
) -> MemberUpdate {
    MemberUpdate {
        conversation,
        user,
        attributes: Bytes::from(format!("attributes of {user}: {}", intervals.len())),
        intervals: intervals.iter().map(|(first, last)| interval(*first, *last)).collect(),
    }
}

/// From the first seq to the last; zero leaves it open.
pub(super) fn interval(first: u64, last: u64) -> Interval {
    Interval { first: Seq::new(first), last: (last > 0).then(|| Seq::new(last)) }
}

/// A batch of nothing but memberships.
pub(super) fn members(members: impl IntoIterator<Item = MemberUpdate>) -> Batch {
    Batch { members: members.into_iter().collect(), ..Batch::default() }
}

/// A batch that replaces one payload.
pub(super) fn overwrite(row: RowId, payload: impl Into<Bytes>) -> Batch {
    let overwrites = vec![Overwrite { row, payload: payload.into() }];
    Batch { overwrites, ..Batch::default() }
}

/// A batch that trims one timeline.
pub(super) fn trim(conversation: ConversationId, before: u64) -> Batch {
    let trims = vec![Trim { conversation, before: Seq::new(before) }];
    Batch { trims, ..Batch::default() }
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
