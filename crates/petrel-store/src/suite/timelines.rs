//! Reads of conversations and their events.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, Partition, RowId, Seq, UserId};

use super::fixture::{ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, id, message, name};
use crate::{
    Batch, Conversation, ConversationKind, Cursors, EventPage, Interval, Member, Overwrite, Store,
    StoredEvent, Summary,
};

fn seqs(page: &EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.seq.get()).collect()
}

/// Pages after a place: oldest first, up to the limit, with the head of that moment.
pub async fn pages_go_forward(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 3)).await;
    owner.commit(chat(2, ANN, CLEO, 9)).await;
    owner.commit(events([message(id(1), 4, BOB), message(id(1), 5, ANN)])).await;
    let cases: [(u64, u32, &[u64]); 8] = [
        (0, 10, &[1, 2, 3, 4, 5]),
        (0, 5, &[1, 2, 3, 4, 5]),
        (0, 2, &[1, 2]),
        (3, 1, &[4]),
        (4, 10, &[5]),
        (5, 10, &[]),
        (u64::MAX, 10, &[]),
        (0, 0, &[]),
    ];
    for (after, limit, expected) in cases {
        let page = store.events_after(id(1), Seq::new(after), limit).await.unwrap();
        assert_eq!(seqs(&page), expected, "after {after}, limit {limit}");
        assert_eq!(page.head.seq, Seq::new(5));
        assert!(page.events.iter().all(|event| event.conversation == id(1)));
    }
}

/// All events in the order of their rows, in pages that miss none and say how far they go.
pub async fn events_of_all_timelines_come_by_row(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 3)).await;
    owner.commit(chat(2, ANN, CLEO, 2)).await;
    let first = owner.commit(events([message(id(1), 4, BOB)])).await.first_row;
    let overwrite = Overwrite { row: first, payload: Bytes::from_static(b"another") };
    owner.commit(Batch { overwrites: vec![overwrite], ..Batch::default() }).await;
    // Takes a row that is no event's.
    owner.commit(cursors([cursor(id(1), BOB, 4, 4)])).await;
    for limit in [1, 2, 4, 100] {
        let (mut after, mut found) = (RowId::new(0), Vec::new());
        loop {
            let page = store.events_by_row(after, limit).await.unwrap();
            assert!(page.events.len() <= limit as usize);
            assert!(page.events.iter().all(|event| event.row > after && event.row <= page.up_to));
            found.extend(page.events);
            after = page.up_to;
            if after == page.last_row {
                break;
            }
        }
        let places: Vec<_> =
            found.iter().map(|event| (event.conversation, event.seq.get())).collect();
        let (one, two) = (id(1), id(2));
        assert_eq!(places, [(one, 1), (one, 2), (one, 3), (two, 1), (two, 2), (one, 4)]);
        assert!(found.is_sorted_by_key(|event| event.row));
        assert_eq!(found[5].payload.as_ref(), b"another");
        assert!(after > found[5].row, "the rows after the last event are covered");
    }
    let beyond = store.events_by_row(RowId::new(u64::MAX), 9).await.unwrap();
    assert!(beyond.events.is_empty());
}

/// Pages before a place: those nearest to it, in timeline order.
pub async fn pages_go_backward(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 5)).await;
    owner.commit(chat(2, ANN, CLEO, 9)).await;
    let cases: [(u64, u32, &[u64]); 8] = [
        (6, 10, &[1, 2, 3, 4, 5]),
        (6, 2, &[4, 5]),
        (5, 2, &[3, 4]),
        (2, 10, &[1]),
        (1, 10, &[]),
        (0, 10, &[]),
        (u64::MAX, 3, &[3, 4, 5]),
        (6, 0, &[]),
    ];
    for (before, limit, expected) in cases {
        let page = store.events_before(id(1), Seq::new(before), limit).await.unwrap();
        assert_eq!(seqs(&page), expected, "before {before}, limit {limit}");
        assert_eq!(page.head.seq, Seq::new(5));
    }
}

/// What was never stored is absent, however absurd its number.
pub async fn an_unknown_conversation_is_empty(store: &dyn Store) {
    for unknown in [id(1), ConversationId::new(0), ConversationId::new(u64::MAX)] {
        let empty =
            EventPage { events: Vec::new(), head: Default::default(), trimmed_before: Seq::new(1) };
        assert_eq!(store.events_after(unknown, Seq::ZERO, 10).await.unwrap(), empty);
        assert_eq!(store.events_before(unknown, Seq::new(9), 10).await.unwrap(), empty);
        assert_eq!(store.conversation(unknown).await.unwrap(), None);
        assert_eq!(store.member(unknown, ANN).await.unwrap(), None);
        assert_eq!(store.find_message(unknown, ANN, &name("x")).await.unwrap(), None);
    }
    assert_eq!(store.event(RowId::new(0)).await.unwrap(), None);
    assert_eq!(store.event(RowId::new(u64::MAX)).await.unwrap(), None);
    assert_eq!(store.user(UserId::new(u64::MAX)).await.unwrap(), None);
    assert_eq!(store.recent_messages(Partition::new(1), 10).await.unwrap(), []);
}

/// Every field survives, with and without a client message id, and any bytes.
pub async fn events_come_back_as_they_went_in(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut batch = chat(1, ANN, BOB, 3);
    batch.events[0].client_message_id = None;
    batch.events[1].client_message_id = Some(name("наме 名 🐦 'quoted'"));
    batch.events[1].payload = Bytes::from((0..=255).collect::<Vec<u8>>());
    batch.events[2].payload = Bytes::new();
    let first_row = owner.commit(batch.clone()).await.first_row.get();
    let expected: Vec<StoredEvent> = (first_row..)
        .zip(batch.events)
        .map(|(row, new)| StoredEvent {
            row: RowId::new(row),
            conversation: new.conversation,
            seq: new.seq,
            message_number: new.message_number,
            sender: new.sender,
            client_message_id: new.client_message_id,
            timestamp: new.timestamp,
            payload: new.payload,
        })
        .collect();
    assert_eq!(store.events_after(id(1), Seq::ZERO, 10).await.unwrap().events, expected);
    assert_eq!(store.events_before(id(1), Seq::new(9), 10).await.unwrap().events, expected);
    for event in expected {
        assert_eq!(store.event(event.row).await.unwrap(), Some(event));
    }
}

/// What a sequencer loads before it takes the next command.
pub async fn a_conversation_has_its_head_and_members(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 3)).await;
    owner.commit(cursors([cursor(id(1), BOB, 2, 1)])).await;
    let state = store.conversation(id(1)).await.unwrap().unwrap();
    let Summary { conversation, head, trimmed_before, profile, member_count } = &state.summary;
    let kind = ConversationKind::Single { low: ANN, high: BOB };
    assert_eq!(*conversation, Conversation { id: id(1), kind });
    assert_eq!((head.seq.get(), head.message_number.get()), (3, 3));
    assert_eq!((trimmed_before.get(), profile.as_ref(), *member_count), (1, &b""[..], 2));
    let ann = Member {
        user: ANN,
        cursors: Cursors::default(),
        attributes: Bytes::new(),
        intervals: vec![Interval { first: Seq::new(1), last: None }],
    };
    let cursors = Cursors { delivered: Seq::new(2), read: Seq::new(1) };
    let bob = Member { user: BOB, cursors, ..ann.clone() };
    assert_eq!(state.members, [ann.clone(), bob.clone()]);
    assert_eq!(store.summary(id(1)).await.unwrap().as_ref(), Some(&state.summary));
    assert_eq!(store.member(id(1), ANN).await.unwrap(), Some(ann));
    assert_eq!(store.member(id(1), BOB).await.unwrap(), Some(bob));
    assert_eq!(store.member(id(1), CLEO).await.unwrap(), None);
}

/// There is one single chat for a pair, whoever asks.
pub async fn a_single_chat_is_found_in_either_order(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    assert_eq!(store.single_chat(ANN, BOB).await.unwrap(), Some(id(1)));
    assert_eq!(store.single_chat(BOB, ANN).await.unwrap(), Some(id(1)));
    assert_eq!(store.single_chat(ANN, CLEO).await.unwrap(), None);
    assert_eq!(store.single_chat(ANN, ANN).await.unwrap(), None);
}

/// The store has no opinion on talking to oneself.
pub async fn a_chat_with_oneself_has_one_member(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, ANN, 1)).await;
    owner.commit(cursors([cursor(id(1), ANN, 1, 1)])).await;
    assert_eq!(store.single_chat(ANN, ANN).await.unwrap(), Some(id(1)));
    let state = store.conversation(id(1)).await.unwrap().unwrap();
    assert_eq!(state.members.len(), 1);
    let page = store.sync_page(ANN, RowId::default(), None, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].peer, Some(page.entries[0].own));
}

/// A client message id names a message only together with its sender and conversation.
pub async fn a_message_is_found_by_its_client_message_id(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut batch = chat(1, ANN, BOB, 3);
    batch.events[1].client_message_id = Some(name("Retry"));
    owner.commit(batch).await;
    owner.commit(chat(2, ANN, CLEO, 1)).await;
    let found = store.find_message(id(1), ANN, &name("Retry")).await.unwrap().unwrap();
    assert_eq!((found.conversation, found.seq), (id(1), Seq::new(2)));
    for (conversation, sender, text) in
        [(id(1), BOB, "Retry"), (id(2), ANN, "Retry"), (id(1), ANN, "retry"), (id(1), ANN, "Ret")]
    {
        assert_eq!(store.find_message(conversation, sender, &name(text)).await.unwrap(), None);
    }
}

/// Only events with a client message id, only of the asked partition.
pub async fn recent_messages_come_newest_first(store: &dyn Store) {
    let (mut one, mut two) = (Owner::claim(store, 1).await, Owner::claim(store, 2).await);
    let mut batch = chat(1, ANN, BOB, 4);
    batch.events[2].client_message_id = None;
    one.commit(batch).await;
    two.commit(chat(2, ANN, CLEO, 1)).await;
    one.commit(chat(3, BOB, CLEO, 1)).await;
    let cases = [
        (1, 10, &[(3, 1), (1, 4), (1, 2), (1, 1)][..]),
        (1, 2, &[(3, 1), (1, 4)]),
        (1, 0, &[]),
        (2, 10, &[(2, 1)]),
        (3, 10, &[]),
    ];
    for (partition, limit, expected) in cases {
        let recent = store.recent_messages(Partition::new(partition), limit).await.unwrap();
        let places: Vec<_> = recent.iter().map(|event| (event.conversation, event.seq)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(number, seq)| (id(*number), Seq::new(*seq))).collect();
        assert_eq!(places, expected, "partition {partition}, limit {limit}");
    }
}
