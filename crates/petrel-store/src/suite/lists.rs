//! What two users are to each other, lists, codes and mentions.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, RowId, Seq, UserId};

use super::Place;
use super::fixture::{
    ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, group, id, interval, membership, message,
    trim,
};
use crate::{
    Batch, CodeUpdate, ConversationKind, Entry, EntryUpdate, MENTIONS_COUNTED_MAX, MentionUpdate,
    NewConversation, Store, StoreErrorKind,
};

const EVERYBODY: UserId = UserId::new(0);

fn pair(number: u64, low: UserId, high: UserId) -> Batch {
    let kind = ConversationKind::Pair { low, high };
    let conversations = vec![NewConversation { id: id(number), kind, profile: Bytes::new() }];
    Batch { conversations, ..Batch::default() }
}

fn entry(conversation: ConversationId, list: u8, key: u64, value: Option<&str>) -> EntryUpdate {
    let value = value.map(|value| Bytes::from(value.to_owned()));
    EntryUpdate { conversation, list, key, value }
}

fn entries(entries: impl IntoIterator<Item = EntryUpdate>) -> Batch {
    Batch { entries: entries.into_iter().collect(), ..Batch::default() }
}

fn code(code: &str, conversation: Option<ConversationId>) -> CodeUpdate {
    CodeUpdate { code: code.to_owned(), conversation }
}

fn codes(codes: impl IntoIterator<Item = CodeUpdate>) -> Batch {
    Batch { codes: codes.into_iter().collect(), ..Batch::default() }
}

fn mention(number: u64, user: UserId, seq: u64, is_there: bool) -> MentionUpdate {
    MentionUpdate { conversation: id(number), user, seq: Seq::new(seq), is_there }
}

fn mentions(mentions: impl IntoIterator<Item = MentionUpdate>) -> Batch {
    Batch { mentions: mentions.into_iter().collect(), ..Batch::default() }
}

async fn mentioned(store: &dyn Store, user: UserId) -> u64 {
    let page = store.sync_page(user, RowId::default(), None, 10).await.unwrap();
    page.entries.iter().find(|entry| entry.conversation.id == id(1)).unwrap().mentions
}

/// A pair begins once, beside the chat of the same users, and is in nobody's sync.
pub async fn a_pair_has_one_timeline_and_no_members(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    assert_eq!(store.pair(ANN, BOB).await.unwrap(), None);
    let mut both = pair(1, ANN, BOB);
    both.conversations.extend(chat(2, ANN, BOB, 0).conversations);
    owner.commit(both).await;
    assert_eq!(store.pair(BOB, ANN).await.unwrap(), Some(id(1)));
    assert_eq!(store.single_chat(ANN, BOB).await.unwrap(), Some(id(2)));
    assert_eq!(store.pair(ANN, CLEO).await.unwrap(), None);
    let again = [pair(3, ANN, BOB), pair(3, CLEO, BOB), pair(3, ANN, ANN)];
    for wrong in again {
        owner.refused(wrong, StoreErrorKind::Invalid).await;
    }
    let mut twice = pair(3, ANN, CLEO);
    twice.conversations.extend(pair(4, ANN, CLEO).conversations);
    owner.refused(twice, StoreErrorKind::Invalid).await;

    owner.commit(events([message(id(1), 1, ANN)])).await;
    let state = store.conversation(id(1)).await.unwrap().unwrap();
    let kind = ConversationKind::Pair { low: ANN, high: BOB };
    assert_eq!((state.summary.conversation.kind, state.summary.member_count), (kind, 0));
    assert_eq!((state.members, state.summary.head.seq), (Vec::new(), Seq::new(1)));
    assert_eq!(store.member(id(1), ANN).await.unwrap(), None);
    for user in [ANN, BOB] {
        let page = store.sync_page(user, RowId::default(), None, 10).await.unwrap();
        let known: Vec<_> = page.entries.iter().map(|entry| entry.conversation.id).collect();
        assert_eq!(known, [id(2)]);
    }
    owner.refused(cursors([cursor(id(1), ANN, 1, 1)]), StoreErrorKind::Invalid).await;
    let wrong = Batch { members: vec![membership(id(1), ANN, &[(1, 0)])], ..Batch::default() };
    owner.refused(wrong, StoreErrorKind::Invalid).await;
}

/// An entry holds the last value; one that is removed is gone.
pub async fn entries_are_replaced_and_removed(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN], 1)).await;
    owner.commit(group(2, &[ANN], 0)).await;
    let first = [entry(id(1), 1, 7, Some("one")), entry(id(1), 2, 7, Some("two"))];
    owner.commit(entries(first)).await;
    assert_eq!(store.entry(id(1), 1, 7).await.unwrap().unwrap(), "one");
    assert_eq!(store.entry(id(1), 2, 7).await.unwrap().unwrap(), "two");
    for (conversation, list, key) in [(id(1), 1, 8), (id(1), 3, 7), (id(2), 1, 7), (id(9), 1, 7)] {
        assert_eq!(store.entry(conversation, list, key).await.unwrap(), None);
    }
    owner.commit(entries([entry(id(1), 1, 7, Some("")), entry(id(1), 2, 7, None)])).await;
    assert_eq!(store.entry(id(1), 1, 7).await.unwrap().unwrap(), "");
    assert_eq!(store.entry(id(1), 2, 7).await.unwrap(), None);
    owner.commit(entries([entry(id(1), 2, 7, None)])).await;

    let twice = entries([entry(id(1), 1, 7, Some("a")), entry(id(1), 1, 7, None)]);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    let nowhere = entries([entry(id(9), 1, 7, Some("a"))]);
    owner.refused(nowhere, StoreErrorKind::Invalid).await;
    let large = entries([entry(id(1), 1, u64::MAX, Some("a"))]);
    owner.refused(large, StoreErrorKind::Invalid).await;
    assert_eq!(store.entry(id(1), 1, 7).await.unwrap().unwrap(), "");
}

/// Pages go on where the last one ended, and tell the head of the conversation.
pub async fn entries_come_in_pages_by_key(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN], 3)).await;
    let all = [9, 0, 5, 7].map(|key| entry(id(1), 1, key, Some("value")));
    owner.commit(entries(all.into_iter().chain([entry(id(1), 2, 6, Some("other"))]))).await;
    let keys = |entries: Vec<Entry>| -> Vec<u64> { entries.iter().map(|it| it.key).collect() };
    let page = store.entries_after(id(1), 1, None, 3).await.unwrap();
    assert_eq!((page.more, page.head.seq), (true, Seq::new(3)));
    assert_eq!(page.entries[0].value, "value");
    assert_eq!(keys(page.entries), [0, 5, 7]);
    let page = store.entries_after(id(1), 1, Some(7), 3).await.unwrap();
    assert!(!page.more);
    assert_eq!(keys(page.entries), [9]);
    let page = store.entries_after(id(1), 1, Some(0), 3).await.unwrap();
    assert!(!page.more);
    assert_eq!(keys(page.entries), [5, 7, 9]);
    let page = store.entries_after(id(1), 1, Some(u64::MAX), 3).await.unwrap();
    assert!(page.entries.is_empty() && !page.more);
    let page = store.entries_after(id(9), 1, None, 3).await.unwrap();
    assert!(page.entries.is_empty() && page.head.seq == Seq::ZERO);
}

/// A code that leads somewhere can't be taken; one that ended can.
pub async fn a_code_leads_to_one_conversation(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN], 0)).await;
    owner.commit(group(2, &[BOB], 0)).await;
    assert_eq!(store.code_holder("k").await.unwrap(), None);
    owner.commit(codes([code("k", Some(id(1))), code("l", Some(id(2)))])).await;
    assert_eq!(store.code_holder("k").await.unwrap(), Some(id(1)));
    assert_eq!(store.code_holder("K").await.unwrap(), None);
    owner.refused(codes([code("k", Some(id(2)))]), StoreErrorKind::Invalid).await;
    owner.refused(codes([code("m", Some(id(9)))]), StoreErrorKind::Invalid).await;
    let twice = codes([code("k", None), code("k", Some(id(2)))]);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    owner.commit(codes([code("k", Some(id(1)))])).await;
    owner.commit(codes([code("k", None), code("m", Some(id(1)))])).await;
    assert_eq!(store.code_holder("k").await.unwrap(), None);
    owner.commit(codes([code("k", Some(id(2)))])).await;
    assert_eq!(store.code_holder("k").await.unwrap(), Some(id(2)));
}

/// A message that names a user, and one that names everybody, count until they are read;
/// one that names both counts once.
pub async fn unread_mentions_are_counted(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB], 5)).await;
    assert_eq!(mentioned(store, ANN).await, 0);
    let some = [
        mention(1, ANN, 2, true),
        mention(1, EVERYBODY, 3, true),
        mention(1, ANN, 3, true),
        mention(1, EVERYBODY, 5, true),
    ];
    owner.commit(mentions(some)).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, BOB).await), (3, 2));
    owner.commit(cursors([cursor(id(1), ANN, 3, 2)])).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, BOB).await), (2, 2));
    owner.commit(mentions([mention(1, EVERYBODY, 5, false)])).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, BOB).await), (1, 1));
    owner.commit(cursors([cursor(id(1), ANN, 5, 5)])).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, BOB).await), (0, 1));

    owner.refused(mentions([mention(1, ANN, 6, true)]), StoreErrorKind::Invalid).await;
    owner.refused(mentions([mention(9, ANN, 1, true)]), StoreErrorKind::Invalid).await;
    let twice = [mention(1, ANN, 5, true), mention(1, ANN, 5, false)];
    owner.refused(mentions(twice), StoreErrorKind::Invalid).await;

    // As many as are counted, and some more.
    let more = MENTIONS_COUNTED_MAX + 10;
    let mut many = events((6..=5 + more).map(|seq| message(id(1), seq, BOB)));
    many.mentions = (6..=5 + more).map(|seq| mention(1, ANN, seq, true)).collect();
    owner.commit(many).await;
    assert_eq!(mentioned(store, ANN).await, MENTIONS_COUNTED_MAX);
}

/// What may not be read is not counted.
pub async fn mentions_go_with_what_is_trimmed_or_not_ones_own(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut begun = group(1, &[ANN, BOB], 6);
    begun.members.push(membership(id(1), CLEO, &[(4, 0)]));
    begun.mentions = (1..=6).map(|seq| mention(1, EVERYBODY, seq, true)).collect();
    owner.commit(begun).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, CLEO).await), (6, 3));
    let gone = Batch { members: vec![membership(id(1), CLEO, &[(4, 5)])], ..Batch::default() };
    owner.commit(gone).await;
    assert_eq!(mentioned(store, CLEO).await, 2);
    owner.commit(trim(id(1), 5)).await;
    assert_eq!((mentioned(store, ANN).await, mentioned(store, CLEO).await), (2, 1));
    let page = store.sync_page(CLEO, RowId::default(), None, 10).await.unwrap();
    assert_eq!(page.entries[0].interval, interval(4, 5));
}

/// All of it is durable.
pub async fn lists_and_codes_outlive_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let mut owner = Owner::claim(&*store, 1).await;
    owner.commit(pair(2, ANN, BOB)).await;
    let mut batch = group(1, &[ANN, BOB], 2);
    batch.entries = vec![entry(id(1), 1, 7, Some("one")), entry(id(2), 1, 8, Some("two"))];
    batch.codes = vec![code("k", Some(id(1)))];
    batch.mentions = vec![mention(1, BOB, 2, true)];
    owner.commit(batch).await;
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(store.entry(id(1), 1, 7).await.unwrap().unwrap(), "one");
    assert_eq!(store.entry(id(2), 1, 8).await.unwrap().unwrap(), "two");
    assert_eq!(store.code_holder("k").await.unwrap(), Some(id(1)));
    assert_eq!(store.pair(ANN, BOB).await.unwrap(), Some(id(2)));
    assert_eq!((mentioned(&*store, BOB).await, mentioned(&*store, ANN).await), (1, 0));
    store.close().await.unwrap();
}
