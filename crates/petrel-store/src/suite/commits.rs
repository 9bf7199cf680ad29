//! Claims and commits.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use petrel_types::{LogPosition, MessageNumber, OwnerEpoch, Partition, RowId, Seq, TimestampMs};

use super::fixture::{ANN, BOB, CLEO, Owner, chat, cursor, events, id, message, name};
use crate::{Batch, Head, Store, StoreErrorKind};

/// Rows are consecutive within a batch, in its order, and above those of every commit
/// before it, whatever its partition.
pub async fn rows_follow_the_order_of_commits_and_batches(store: &dyn Store) {
    let (mut one, mut two) = (Owner::claim(store, 1).await, Owner::claim(store, 2).await);
    let first = one.commit(chat(1, ANN, BOB, 2)).await.first_row.get();
    let second = two.commit(chat(2, ANN, CLEO, 1)).await.first_row.get();
    let mixed = [message(id(1), 3, BOB), message(id(2), 2, CLEO), message(id(1), 4, ANN)]
        .map(|event| event);
    let third = one.commit(events(mixed)).await.first_row.get();
    assert!(first + 1 < second && second < third, "{first} {second} {third}");
    let expected = [
        (first, id(1), 1),
        (first + 1, id(1), 2),
        (second, id(2), 1),
        (third, id(1), 3),
        (third + 1, id(2), 2),
        (third + 2, id(1), 4),
    ];
    for (row, conversation, seq) in expected {
        let event = store.event(RowId::new(row)).await.unwrap().unwrap();
        assert_eq!((event.conversation, event.seq.get()), (conversation, seq), "row {row}");
    }
}

/// A hole, a repetition and an unknown timeline are refused, also within a batch.
pub async fn a_timeline_continues_without_a_hole(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 2)).await;
    for seqs in [&[4][..], &[2], &[1], &[0], &[3, 5], &[3, 3], &[3, 4, 3]] {
        let broken = events(seqs.iter().map(|seq| message(id(1), *seq, ANN)));
        owner.refused(broken, StoreErrorKind::Invalid).await;
    }
    let mut beyond = message(id(1), 4, ANN);
    beyond.message_number = MessageNumber::new(3);
    owner.refused(events([beyond]), StoreErrorKind::Invalid).await;
    owner.refused(events([message(id(9), 1, ANN)]), StoreErrorKind::Invalid).await;
    let mut late = chat(2, ANN, CLEO, 2);
    late.events.remove(0);
    owner.refused(late, StoreErrorKind::Invalid).await;
    owner.commit(events([message(id(1), 3, ANN), message(id(1), 4, BOB)])).await;
    assert_eq!(store.events_after(id(1), Seq::ZERO, 10).await.unwrap().events.len(), 4);
}

/// An event counts as one message or as none.
pub async fn a_message_number_may_stand_still_but_not_jump(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 2)).await;
    let numbered = |number| {
        let mut event = message(id(1), 3, ANN);
        event.message_number = MessageNumber::new(number);
        events([event])
    };
    for number in [0, 1, 4] {
        owner.refused(numbered(number), StoreErrorKind::Invalid).await;
    }
    owner.commit(numbered(2)).await;
    let head = store.conversation(id(1)).await.unwrap().unwrap().summary.head;
    assert_eq!(head, Head { seq: Seq::new(3), message_number: MessageNumber::new(2) });
}

/// A claim shuts out every earlier owner of the partition, and nobody else.
pub async fn only_the_latest_owner_commits(store: &dyn Store) {
    let mut deposed = Owner::claim(store, 1).await;
    let mut neighbour = Owner::claim(store, 2).await;
    deposed.commit(chat(1, ANN, BOB, 1)).await;
    let mut owner = Owner::claim(store, 1).await;
    assert!(owner.owner_epoch > deposed.owner_epoch);
    assert_eq!(owner.next_position, LogPosition::new(1));
    deposed.refused(events([message(id(1), 2, ANN)]), StoreErrorKind::Fenced).await;
    deposed.refused(Batch::default(), StoreErrorKind::Fenced).await;
    owner.commit(events([message(id(1), 2, ANN)])).await;
    neighbour.commit(chat(2, ANN, CLEO, 1)).await;

    for (partition, owner_epoch) in [(1, owner.owner_epoch.get() + 1), (3, 0), (3, 1)] {
        let (partition, owner_epoch) = (Partition::new(partition), OwnerEpoch::new(owner_epoch));
        let result =
            store.commit(partition, Batch::default(), LogPosition::new(9), owner_epoch).await;
        assert_eq!(result.unwrap_err().kind(), StoreErrorKind::Fenced);
    }
    assert_eq!(store.events_after(id(1), Seq::ZERO, 10).await.unwrap().events.len(), 2);
}

/// One bad entry, the very last, takes everything before it along.
pub async fn a_refused_batch_leaves_no_trace(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    let before = store.sync_page(ANN, RowId::default(), None, 10).await.unwrap();

    let mut batch = chat(2, ANN, CLEO, 3);
    batch.events.push(message(id(1), 2, BOB));
    batch.cursors = vec![cursor(id(1), ANN, 1, 1), cursor(id(1), CLEO, 1, 1)];
    owner.refused(batch.clone(), StoreErrorKind::Invalid).await;

    assert_eq!(store.sync_page(ANN, RowId::default(), None, 10).await.unwrap(), before);
    assert_eq!(store.conversation(id(2)).await.unwrap(), None);
    assert_eq!(store.single_chat(ANN, CLEO).await.unwrap(), None);
    assert_eq!(store.events_after(id(2), Seq::ZERO, 10).await.unwrap().events, []);
    let claim = store.claim(Partition::new(1)).await.unwrap();
    assert_eq!((claim.next_position, claim.conversation_number), (LogPosition::new(1), 1));

    let mut owner = Owner::claim(store, 1).await;
    batch.cursors.pop();
    owner.commit(batch).await;
    assert_eq!(store.events_after(id(1), Seq::ZERO, 10).await.unwrap().events.len(), 2);
    assert_eq!(store.events_after(id(2), Seq::ZERO, 10).await.unwrap().events.len(), 3);
}

/// The position is stored with the batch; it may stay but not fall.
pub async fn a_position_never_goes_back(store: &dyn Store) {
    let partition = Partition::new(1);
    let claim = store.claim(partition).await.unwrap();
    assert_eq!(claim.next_position, LogPosition::new(0));
    for (position, kind) in [(7, None), (7, None), (6, Some(StoreErrorKind::Invalid)), (8, None)] {
        let position = LogPosition::new(position);
        let result = store.commit(partition, Batch::default(), position, claim.owner_epoch).await;
        assert_eq!(result.err().map(|error| error.kind()), kind);
    }
    assert_eq!(store.claim(partition).await.unwrap().next_position, LogPosition::new(8));
    assert_eq!(store.claim(Partition::new(2)).await.unwrap().next_position, LogPosition::new(0));
}

/// An empty batch takes no row; it tells the one that comes next.
pub async fn a_batch_may_be_empty(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let last = owner.commit(chat(1, ANN, BOB, 1)).await.first_row;
    let next = owner.commit(Batch::default()).await.first_row;
    assert!(next > last);
    assert_eq!(owner.commit(events([message(id(1), 2, ANN)])).await.first_row, next);
}

/// Neither an id nor a pair can begin twice, and the users of a pair are in order.
pub async fn a_conversation_begins_once(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    owner.refused(chat(1, ANN, CLEO, 1), StoreErrorKind::Invalid).await;
    owner.refused(chat(2, ANN, BOB, 1), StoreErrorKind::Invalid).await;
    owner.refused(chat(2, CLEO, BOB, 1), StoreErrorKind::Invalid).await;
    let mut twice = chat(2, BOB, CLEO, 0);
    twice.conversations.extend(chat(3, BOB, CLEO, 0).conversations);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    owner.commit(chat(2, BOB, CLEO, 1)).await;
}

/// Each partition counts its own conversations.
pub async fn a_claim_tells_the_highest_conversation_number(store: &dyn Store) {
    let (mut one, mut two) = (Owner::claim(store, 1).await, Owner::claim(store, 2).await);
    let mut batch = chat(7, ANN, BOB, 1);
    batch.conversations.extend(chat(5, ANN, CLEO, 0).conversations);
    one.commit(batch).await;
    two.commit(chat(3, BOB, CLEO, 1)).await;
    one.commit(events([message(id(7), 2, ANN)])).await;
    for (partition, number) in [(1, 7), (2, 3), (3, 0)] {
        let claim = store.claim(Partition::new(partition)).await.unwrap();
        assert_eq!(claim.conversation_number, number, "partition {partition}");
    }
}

/// The last line of defence against a message that is stored twice.
pub async fn a_client_message_id_is_taken_once_per_sender_and_conversation(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    owner.commit(chat(2, ANN, CLEO, 0)).await;
    let named = |conversation, seq, sender, text: &str| {
        let mut event = message(conversation, seq, sender);
        event.client_message_id = Some(name(text));
        event
    };
    owner.commit(events([named(id(1), 2, ANN, "x")])).await;
    let again = [named(id(1), 3, ANN, "y"), named(id(1), 4, ANN, "x")];
    owner.refused(events(again), StoreErrorKind::Invalid).await;
    let others = [named(id(1), 3, BOB, "x"), named(id(2), 1, ANN, "x"), named(id(1), 4, ANN, "X")];
    owner.commit(events(others)).await;
    let mut nameless = [message(id(1), 5, ANN), message(id(1), 6, ANN)];
    nameless.iter_mut().for_each(|event| event.client_message_id = None);
    owner.commit(events(nameless)).await;
}

/// A number that a backend can't hold is an error, never another number.
pub async fn numbers_that_do_not_fit_are_refused(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut batch = chat(1, ANN, BOB, 1);
    batch.events[0].timestamp = TimestampMs::new(u64::MAX);
    match owner.try_commit(batch).await {
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Invalid),
        Ok(committed) => {
            let event = store.event(committed.first_row).await.unwrap().unwrap();
            assert_eq!(event.timestamp, TimestampMs::new(u64::MAX));
        }
    }
}
