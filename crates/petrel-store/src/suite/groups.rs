//! Kinds of conversations, and memberships.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};

use super::fixture::{
    ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, group, id, interval, members, membership,
    message,
};
use crate::{
    Batch, Conversation, ConversationKind, Cursors, Head, Member, NewConversation, ProfileUpdate,
    Store, StoreErrorKind, SyncEntry,
};

fn personal(number: u64, user: UserId) -> Batch {
    let kind = ConversationKind::Personal { user };
    let profile = Bytes::from_static(b"personal");
    let conversations = vec![NewConversation { id: id(number), kind, profile }];
    Batch { conversations, ..Batch::default() }
}

fn profile(conversation: ConversationId, text: &'static str) -> Batch {
    let profiles =
        vec![ProfileUpdate { conversation, profile: Bytes::from_static(text.as_bytes()) }];
    Batch { profiles, ..Batch::default() }
}

async fn users(store: &dyn Store, conversation: ConversationId) -> Vec<u64> {
    let state = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!(state.summary.member_count, state.members.len() as u64);
    assert!(state.members.iter().all(Member::is_present));
    state.members.iter().map(|member| member.user.get()).collect()
}

async fn entry(store: &dyn Store, user: UserId, conversation: ConversationId) -> SyncEntry {
    let page = store.sync_page(user, RowId::default(), None, 100).await.unwrap();
    page.entries.into_iter().find(|entry| entry.conversation.id == conversation).unwrap()
}

/// A user has one personal timeline, and is in it for ever.
pub async fn a_personal_timeline_exists_once(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    assert_eq!(store.personal_timeline(ANN).await.unwrap(), None);
    owner.commit(personal(1, ANN)).await;
    owner.commit(personal(2, BOB)).await;
    owner.commit(chat(3, ANN, ANN, 1)).await;
    owner.refused(personal(4, ANN), StoreErrorKind::Invalid).await;
    let mut twice = personal(4, CLEO);
    twice.conversations.extend(personal(5, CLEO).conversations);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    let change = membership(id(1), ANN, &[(1, 0)]);
    owner.refused(members([change]), StoreErrorKind::Invalid).await;
    assert_eq!(store.personal_timeline(ANN).await.unwrap(), Some(id(1)));
    assert_eq!(store.personal_timeline(BOB).await.unwrap(), Some(id(2)));
    assert_eq!(store.personal_timeline(CLEO).await.unwrap(), None);
    let summary = store.summary(id(1)).await.unwrap().unwrap();
    let kind = ConversationKind::Personal { user: ANN };
    assert_eq!(summary.conversation, Conversation { id: id(1), kind });
    assert_eq!((summary.member_count, summary.profile.as_ref()), (1, &b"personal"[..]));
    assert_eq!(users(store, id(1)).await, [ANN.get()]);
    let own = entry(store, ANN, id(1)).await;
    assert_eq!((own.interval, own.peer, own.profile), (interval(1, 0), None, summary.profile));
}

/// A group begins empty; members come with their attributes, in the same batch or later.
pub async fn a_group_has_the_members_it_was_given(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[], 0)).await;
    assert_eq!(users(store, id(1)).await, [0; 0]);
    owner.commit(group(2, &[CLEO, ANN], 2)).await;
    owner.commit(members([membership(id(2), BOB, &[(2, 0)])])).await;
    assert_eq!(users(store, id(2)).await, [ANN.get(), BOB.get(), CLEO.get()]);
    let bob = store.member(id(2), BOB).await.unwrap().unwrap();
    let expected = Member {
        user: BOB,
        cursors: Cursors::default(),
        attributes: Bytes::from_static(b"attributes of 22: 1"),
        intervals: vec![interval(2, 0)],
    };
    assert_eq!(bob, expected);
    let mut other = membership(id(2), BOB, &[(2, 0)]);
    other.attributes = Bytes::from_static(b"\0other");
    owner.commit(members([other.clone()])).await;
    let bob = store.member(id(2), BOB).await.unwrap().unwrap();
    assert_eq!(bob, Member { attributes: other.attributes, ..expected });
    assert_eq!(users(store, id(2)).await.len(), 3);
    assert_eq!(store.member(id(1), BOB).await.unwrap(), None);
}

/// All intervals are kept, and so are the cursors, through leaving and coming back.
pub async fn members_leave_and_come_back(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB], 3)).await;
    owner.commit(cursors([cursor(id(1), BOB, 3, 2)])).await;
    let steps = [
        (4, &[(1, 4)][..], false),
        (6, &[(1, 4), (6, 0)], true),
        (7, &[(1, 4), (6, 7)], false),
        (9, &[(1, 4), (6, 7), (9, 9)], false),
        (10, &[(1, 4), (6, 7), (9, 9), (10, 0)], true),
    ];
    let mut head = 3;
    for (seq, intervals, is_present) in steps {
        let mut batch = events((head + 1..=seq).map(|seq| message(id(1), seq, ANN)));
        batch.members = vec![membership(id(1), BOB, intervals)];
        owner.commit(batch).await;
        head = seq;
        let bob = store.member(id(1), BOB).await.unwrap().unwrap();
        let expected: Vec<_> = intervals.iter().map(|(from, to)| interval(*from, *to)).collect();
        assert_eq!(bob.intervals, expected);
        assert_eq!((bob.cursors.delivered, bob.cursors.read), (Seq::new(3), Seq::new(2)));
        let present = if is_present { vec![ANN.get(), BOB.get()] } else { vec![ANN.get()] };
        assert_eq!(users(store, id(1)).await, present);
        assert_eq!(entry(store, BOB, id(1)).await.interval, *expected.last().unwrap());
    }
    let state = store.conversation(id(1)).await.unwrap().unwrap();
    assert_eq!(state.members[1], store.member(id(1), BOB).await.unwrap().unwrap());
}

/// What contradicts the stored state is refused and leaves nothing.
pub async fn memberships_that_can_not_be_are_refused(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB], 5)).await;
    owner.commit(chat(2, ANN, BOB, 5)).await;
    let before = entry(store, ANN, id(1)).await;
    let broken: [&[(u64, u64)]; 9] = [
        &[],
        &[(0, 3)],
        &[(4, 3)],
        &[(1, 6)],
        &[(1, 3), (3, 0)],
        &[(1, 3), (2, 5)],
        &[(1, 0), (4, 5)],
        &[(4, 5), (1, 2)],
        &[(1, 2), (7, 8)],
    ];
    for intervals in broken {
        let mut batch = events([message(id(2), 6, ANN)]);
        batch.members = vec![membership(id(1), CLEO, intervals)];
        owner.refused(batch, StoreErrorKind::Invalid).await;
    }
    for conversation in [id(2), id(9)] {
        let update = membership(conversation, CLEO, &[(1, 0)]);
        owner.refused(members([update]), StoreErrorKind::Invalid).await;
    }
    let twice = [&[(1, 0)], &[(1, 4)]].map(|intervals| membership(id(1), CLEO, intervals));
    owner.refused(members(twice), StoreErrorKind::Invalid).await;
    owner.refused(profile(id(9), "unknown"), StoreErrorKind::Invalid).await;
    let mut twice = profile(id(1), "one");
    twice.profiles.extend(profile(id(1), "two").profiles);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    assert_eq!(store.member(id(1), CLEO).await.unwrap(), None);
    assert_eq!(entry(store, ANN, id(1)).await, before);
    assert_eq!(store.events_after(id(2), Seq::ZERO, 10).await.unwrap().events.len(), 5);
}

/// Pages of present members, by id, with the conversation they are of.
pub async fn members_come_in_pages(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let all: Vec<_> = (1..=9).map(|number| UserId::new(10 * number)).collect();
    owner.commit(group(1, &all, 3)).await;
    owner.commit(members([membership(id(1), UserId::new(40), &[(1, 2)])])).await;
    owner.commit(cursors([cursor(id(1), UserId::new(50), 3, 3)])).await;
    let cases: [(u64, u32, &[u64], bool); 6] = [
        (0, 100, &[10, 20, 30, 50, 60, 70, 80, 90], false),
        (0, 3, &[10, 20, 30], true),
        (30, 3, &[50, 60, 70], true),
        (70, 2, &[80, 90], false),
        (90, 2, &[], false),
        (0, 0, &[], true),
    ];
    for (after, limit, expected, more) in cases {
        let page = store.members_after(id(1), UserId::new(after), limit).await.unwrap().unwrap();
        let found: Vec<_> = page.members.iter().map(|member| member.user.get()).collect();
        assert_eq!((found.as_slice(), page.more), (expected, more), "after {after}");
        assert_eq!(Some(page.summary), store.summary(id(1)).await.unwrap());
    }
    let page = store.members_after(id(1), UserId::new(30), 1).await.unwrap().unwrap();
    assert_eq!(
        Some(&page.members[0]),
        store.member(id(1), UserId::new(50)).await.unwrap().as_ref()
    );
    assert_eq!(page.members[0].cursors.read, Seq::new(3));
    let last = store.members_after(id(1), UserId::new(u64::MAX), 1).await.unwrap().unwrap();
    assert_eq!((last.members, last.more), (Vec::new(), false));
    assert_eq!(store.members_after(id(2), ANN, 10).await.unwrap(), None);
}

/// A walk over all conversations, by id.
pub async fn conversations_come_by_id(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(4, ANN, BOB, 2)).await;
    owner.commit(group(2, &[ANN], 1)).await;
    owner.commit(personal(3, ANN)).await;
    let ids = |page: &[crate::Summary]| {
        page.iter().map(|summary| summary.conversation.id).collect::<Vec<_>>()
    };
    let all = store.conversations_after(ConversationId::new(0), 10).await.unwrap();
    assert_eq!(ids(&all), [id(2), id(3), id(4)]);
    for summary in &all {
        let id = summary.conversation.id;
        assert_eq!(store.summary(id).await.unwrap().as_ref(), Some(summary));
    }
    assert_eq!(ids(&store.conversations_after(id(2), 1).await.unwrap()), [id(3)]);
    assert_eq!(ids(&store.conversations_after(id(4), 1).await.unwrap()), []);
    let last = ConversationId::new(u64::MAX);
    assert_eq!(ids(&store.conversations_after(last, 1).await.unwrap()), []);
}

/// The latest profile counts, whoever asks.
pub async fn a_profile_can_be_replaced(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN], 1)).await;
    owner.commit(chat(2, ANN, BOB, 1)).await;
    assert_eq!(entry(store, ANN, id(1)).await.profile.as_ref(), b"profile 1");
    for text in ["", "longer than the one before, by far", "short"] {
        for conversation in [id(1), id(2)] {
            owner.commit(profile(conversation, text)).await;
            let summary = store.summary(conversation).await.unwrap().unwrap();
            assert_eq!(summary.profile.as_ref(), text.as_bytes());
            assert_eq!(entry(store, ANN, conversation).await.profile.as_ref(), text.as_bytes());
        }
    }
    let state = store.conversation(id(1)).await.unwrap().unwrap();
    assert_eq!(state.summary.profile.as_ref(), b"short");
}

/// What happens after a user has left does not concern the user any more, and the entry
/// shows nothing of it.
pub async fn a_former_member_sees_the_end_of_the_last_interval(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB, CLEO], 4)).await;
    owner.commit(cursors([cursor(id(1), BOB, 4, 2)])).await;
    let mut leave = events([message(id(1), 5, ANN), message(id(1), 6, ANN)]);
    leave.members = vec![membership(id(1), BOB, &[(1, 5)])];
    owner.commit(leave).await;
    let left = entry(store, BOB, id(1)).await;
    let expected = SyncEntry {
        conversation: Conversation { id: id(1), kind: ConversationKind::Group },
        stamp: left.stamp,
        head: Head { seq: Seq::new(5), message_number: MessageNumber::new(5) },
        timestamp: TimestampMs::new(1_000_005),
        trimmed_before: Seq::new(1),
        interval: interval(1, 5),
        own: Cursors { delivered: Seq::new(4), read: Seq::new(2) },
        mentions: 0,
        read_message_number: MessageNumber::new(2),
        peer: None,
        profile: Bytes::from_static(b"profile 1"),
        member_count: 2,
        attributes: Bytes::from(format!("attributes of {BOB}: 1")),
    };
    assert_eq!(left, expected);
    let seen = store.sync_page(BOB, RowId::default(), None, 10).await.unwrap().last_row;

    owner.commit(events([message(id(1), 7, ANN)])).await;
    owner.commit(profile(id(1), "a title that Bob must not see")).await;
    owner.commit(members([membership(id(1), CLEO, &[(1, 7)])])).await;
    owner.commit(cursors([cursor(id(1), ANN, 7, 7)])).await;
    assert_eq!(store.sync_page(BOB, seen, None, 10).await.unwrap().entries, []);
    assert_eq!(entry(store, BOB, id(1)).await, expected);

    // One's own change is one's own, also of what is over.
    owner.commit(cursors([cursor(id(1), BOB, 5, 5)])).await;
    let read = entry(store, BOB, id(1)).await;
    assert!(read.stamp > seen);
    assert_eq!((read.own.read, read.read_message_number.get()), (Seq::new(5), 5));
    assert_eq!((read.head, read.profile), (expected.head, expected.profile));

    owner.commit(members([membership(id(1), BOB, &[(1, 5), (8, 0)])])).await;
    let back = entry(store, BOB, id(1)).await;
    assert_eq!((back.head.seq, back.interval), (Seq::new(7), interval(8, 0)));
    assert_eq!(
        (back.profile.as_ref(), back.member_count),
        (&b"a title that Bob must not see"[..], 2)
    );
}

/// No two changes share a stamp, so a page of a user's groups can end anywhere.
pub async fn each_change_of_a_membership_takes_a_row(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    for number in 1..=4 {
        owner.commit(group(number, &[ANN], 2)).await;
    }
    let joined = (1..=4).map(|number| membership(id(number), BOB, &[(1, 0)]));
    let mut batch = members(joined);
    batch.cursors = (1..=4).map(|number| cursor(id(number), BOB, 1, 1)).collect();
    batch.cursors.push(cursor(id(1), ANN, 2, 2));
    owner.commit(batch).await;
    owner.commit(members((1..=3).map(|number| membership(id(number), BOB, &[(1, 1)])))).await;
    let page = store.sync_page(BOB, RowId::default(), None, 10).await.unwrap();
    let mut stamps: Vec<_> = page.entries.iter().map(|entry| entry.stamp).collect();
    assert!(page.last_row >= stamps[0]);
    stamps.dedup();
    assert_eq!(stamps.len(), 4);
    let rest = store.sync_page(BOB, RowId::default(), Some(stamps[1]), 10).await.unwrap();
    assert_eq!(rest.entries, page.entries[2..]);
}

/// In a group, the cursors of others concern nobody else.
pub async fn in_a_group_only_ones_own_cursors_change_a_stamp(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB], 3)).await;
    let seen = entry(store, BOB, id(1)).await.stamp;
    owner.commit(cursors([cursor(id(1), ANN, 3, 3)])).await;
    assert_eq!(entry(store, BOB, id(1)).await.stamp, seen);
    owner.commit(cursors([cursor(id(1), BOB, 3, 1)])).await;
    let moved = entry(store, BOB, id(1)).await;
    assert!(moved.stamp > seen);
    assert_eq!((moved.peer, moved.read_message_number.get()), (None, 1));
    owner.commit(members([membership(id(1), CLEO, &[(1, 0)])])).await;
    assert_eq!(entry(store, BOB, id(1)).await.stamp, moved.stamp);
    owner.refused(cursors([cursor(id(1), UserId::new(99), 1, 1)]), StoreErrorKind::Invalid).await;
}
