//! Cursors and the pages of a sync.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};

use super::fixture::{ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, id, message};
use crate::{
    Batch, Conversation, ConversationKind, Cursors, Head, Interval, MemberUpdate, Store,
    StoreErrorKind, SyncEntry, SyncPage,
};

const START: RowId = RowId::new(0);

fn ids(page: &SyncPage) -> Vec<ConversationId> {
    page.entries.iter().map(|entry| entry.conversation.id).collect()
}

fn stamp(page: &SyncPage, conversation: ConversationId) -> RowId {
    page.entries.iter().find(|entry| entry.conversation.id == conversation).unwrap().stamp
}

async fn everything(store: &dyn Store, user: UserId) -> SyncPage {
    store.sync_page(user, START, None, 100).await.unwrap()
}

/// A smaller place than the stored one changes nothing; each cursor moves by itself.
pub async fn cursors_never_go_back(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 9)).await;
    let steps =
        [((5, 3), (5, 3)), ((4, 2), (5, 3)), ((0, 4), (5, 4)), ((6, 1), (6, 4)), ((6, 4), (6, 4))];
    for ((delivered, read), expected) in steps {
        owner.commit(cursors([cursor(id(1), BOB, delivered, read)])).await;
        let stored = store.member(id(1), BOB).await.unwrap().unwrap().cursors;
        assert_eq!((stored.delivered.get(), stored.read.get()), expected);
    }
    assert_eq!(store.member(id(1), ANN).await.unwrap().unwrap().cursors, Cursors::default());
}

/// Only members have cursors; members of the same batch count.
pub async fn cursors_belong_to_members(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    owner.refused(cursors([cursor(id(1), CLEO, 1, 1)]), StoreErrorKind::Invalid).await;
    owner.refused(cursors([cursor(id(2), ANN, 1, 1)]), StoreErrorKind::Invalid).await;
    owner.refused(cursors([cursor(id(1), CLEO, 0, 0)]), StoreErrorKind::Invalid).await;
    let mut batch = chat(2, ANN, CLEO, 1);
    batch.cursors = vec![cursor(id(2), ANN, 1, 1)];
    owner.commit(batch).await;
    let own = store.member(id(2), ANN).await.unwrap().unwrap().cursors;
    assert_eq!((own.delivered, own.read), (Seq::new(1), Seq::new(1)));
}

/// The newest change comes first, whether it is an event or a move of one's own cursors.
pub async fn conversations_come_newest_first(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    for number in 1..=3 {
        owner.commit(chat(number, ANN, UserId::new(100 + number), 2)).await;
    }
    assert_eq!(ids(&everything(store, ANN).await), [id(3), id(2), id(1)]);
    owner.commit(events([message(id(1), 3, ANN)])).await;
    assert_eq!(ids(&everything(store, ANN).await), [id(1), id(3), id(2)]);
    owner.commit(cursors([cursor(id(2), ANN, 2, 2)])).await;
    assert_eq!(ids(&everything(store, ANN).await), [id(2), id(1), id(3)]);
    owner.commit(chat(4, ANN, CLEO, 0)).await;
    assert_eq!(ids(&everything(store, ANN).await), [id(4), id(2), id(1), id(3)]);
    let mixed = [(1, 4), (3, 3), (2, 3), (3, 4)].map(|(number, seq)| message(id(number), seq, ANN));
    owner.commit(events(mixed)).await;
    let page = everything(store, ANN).await;
    assert_eq!(ids(&page), [id(3), id(2), id(1), id(4)]);
    assert!(page.entries.is_sorted_by(|newer, older| newer.stamp > older.stamp));
    assert!(page.last_row >= page.entries[0].stamp);
}

/// Both bounds are outside of the page, and `more` tells of the rest between them.
pub async fn a_page_covers_what_is_between_its_bounds(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    for number in 1..=5 {
        owner.commit(chat(number, ANN, UserId::new(100 + number), 1)).await;
    }
    let all = everything(store, ANN).await;
    assert!(!all.more);
    let stamps: Vec<Option<RowId>> =
        (0..=5).map(|number| (number > 0).then(|| stamp(&all, id(number)))).collect();
    // Since the stamp of this conversation, before that of that one, at most so many.
    let cases: [(usize, usize, u32, &[u64], bool); 9] = [
        (0, 0, 5, &[5, 4, 3, 2, 1], false),
        (0, 0, 4, &[5, 4, 3, 2], true),
        (2, 0, 10, &[5, 4, 3], false),
        (2, 0, 2, &[5, 4], true),
        (0, 3, 10, &[2, 1], false),
        (1, 5, 2, &[4, 3], true),
        (1, 5, 3, &[4, 3, 2], false),
        (5, 0, 10, &[], false),
        (0, 0, 0, &[], true),
    ];
    for (since, before, limit, expected, more) in cases {
        let page = store
            .sync_page(ANN, stamps[since].unwrap_or(START), stamps[before], limit)
            .await
            .unwrap();
        let expected: Vec<_> = expected.iter().map(|number| id(*number)).collect();
        assert_eq!((ids(&page), page.more), (expected, more), "{since}..{before} limit {limit}");
        assert_eq!(page.last_row, all.last_row);
    }
    let nothing = store.sync_page(ANN, RowId::new(u64::MAX), None, 10).await.unwrap();
    assert_eq!((ids(&nothing), nothing.more), (Vec::new(), false));
}

/// Every conversation is seen exactly once, also when one batch has changed them all.
pub async fn pages_continue_where_the_last_one_ended(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    for number in 1..=7 {
        owner.commit(chat(number, ANN, UserId::new(100 + number), 1)).await;
    }
    owner.commit(cursors((1..=7).map(|number| cursor(id(number), ANN, 1, 1)))).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.sync_page(ANN, START, before, 2).await.unwrap();
        seen.extend(ids(&page));
        before = page.entries.last().map(|entry| entry.stamp);
        if !page.more {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, (1..=7).map(id).collect::<Vec<_>>());
}

/// A user who has seen everything sees nothing again because of others.
pub async fn only_what_concerns_a_user_changes_a_stamp(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 2)).await;
    owner.commit(chat(2, ANN, CLEO, 2)).await;
    assert_eq!(ids(&everything(store, BOB).await), [id(1)]);
    assert_eq!(everything(store, UserId::new(99)).await.entries, []);

    let seen = everything(store, BOB).await.last_row;
    owner.commit(events([message(id(2), 3, CLEO)])).await;
    owner.commit(cursors([cursor(id(2), CLEO, 1, 1)])).await;
    owner.commit(cursors([cursor(id(1), BOB, 0, 0)])).await;
    let page = store.sync_page(BOB, seen, None, 10).await.unwrap();
    assert_eq!(page.entries, []);
    assert!(page.last_row > seen);

    // One's own cursor, moved by another device, and the peer's, whose receipt may have
    // been pushed while no device was there to take it.
    let mut seen = page.last_row;
    for moved in [cursor(id(1), BOB, 1, 0), cursor(id(1), ANN, 2, 2)] {
        owner.commit(cursors([moved])).await;
        let page = store.sync_page(BOB, seen, None, 10).await.unwrap();
        assert_eq!(ids(&page), [id(1)]);
        assert_eq!(page.last_row, page.entries[0].stamp);
        seen = page.last_row;
    }
}

/// What is known of a user in a single chat may change; who is in it may not.
pub async fn a_single_chat_has_attributes_of_its_users(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 2)).await;
    let before = everything(store, BOB).await;
    let update = |intervals: Vec<Interval>| MemberUpdate {
        conversation: id(1),
        user: BOB,
        attributes: Bytes::from_static(b"bob's"),
        intervals,
    };
    let for_ever = Interval { first: Seq::new(1), last: None };
    owner.commit(Batch { members: vec![update(vec![for_ever])], ..Batch::default() }).await;
    let after = everything(store, BOB).await;
    assert_eq!(after.entries[0].attributes.as_ref(), b"bob's");
    assert!(after.entries[0].stamp > before.entries[0].stamp, "a change of a membership is told");
    assert_eq!(everything(store, ANN).await.entries[0].attributes, Bytes::new());
    let member = store.member(id(1), BOB).await.unwrap().unwrap();
    assert_eq!((member.attributes.as_ref(), member.intervals), (&b"bob's"[..], vec![for_ever]));
    assert_eq!(store.summary(id(1)).await.unwrap().unwrap().member_count, 2);

    let left = Interval { last: Some(Seq::new(2)), ..for_ever };
    let stranger = MemberUpdate { user: CLEO, ..update(vec![for_ever]) };
    for wrong in [update(vec![left]), stranger] {
        let batch = Batch { members: vec![wrong], ..Batch::default() };
        owner.refused(batch, StoreErrorKind::Invalid).await;
    }
}

/// Unread is the difference of two message numbers, so both are in the entry.
pub async fn an_entry_tells_both_cursors_and_what_was_read(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut batch = chat(1, ANN, BOB, 5);
    // The third event is not a message.
    for (event, number) in batch.events.iter_mut().zip([1, 2, 2, 3, 4]) {
        event.message_number = MessageNumber::new(number);
    }
    owner.commit(batch).await;
    owner.commit(cursors([cursor(id(1), ANN, 5, 4), cursor(id(1), BOB, 3, 0)])).await;
    let (ann, bob) = (everything(store, ANN).await, everything(store, BOB).await);
    let expected = SyncEntry {
        conversation: Conversation {
            id: id(1),
            kind: ConversationKind::Single { low: ANN, high: BOB },
        },
        stamp: stamp(&ann, id(1)),
        head: Head { seq: Seq::new(5), message_number: MessageNumber::new(4) },
        timestamp: TimestampMs::new(1_000_005),
        trimmed_before: Seq::new(1),
        interval: Interval { first: Seq::new(1), last: None },
        own: Cursors { delivered: Seq::new(5), read: Seq::new(4) },
        mentions: 0,
        read_message_number: MessageNumber::new(3),
        peer: Some(Cursors { delivered: Seq::new(3), read: Seq::ZERO }),
        profile: Bytes::new(),
        member_count: 2,
        attributes: Bytes::new(),
    };
    assert_eq!(ann.entries.as_slice(), std::slice::from_ref(&expected));
    let seen_by_bob = SyncEntry {
        stamp: stamp(&bob, id(1)),
        own: expected.peer.unwrap(),
        read_message_number: MessageNumber::ZERO,
        peer: Some(expected.own),
        ..expected
    };
    assert_eq!(bob.entries, [seen_by_bob]);
}
