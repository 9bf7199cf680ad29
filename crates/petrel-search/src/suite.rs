//! The shared test suite: what every backend must do.
//!
//! Stamp it on a backend with [`search_suite!`](crate::search_suite).
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use petrel_types::{ConversationId, RowId, TimestampMs};

use crate::{Candidates, Document, Lookup, SearchErrorKind, SearchIndex, Update};

/// Somewhere an index can live.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens the index, which keeps what was in it the last time. The suite closes one
    /// before it opens the next.
    async fn open(&self) -> Arc<dyn SearchIndex>;
}

/// Makes a test of each case of the suite. `$place` is an expression for a fresh
/// [`Place`]. The calling crate needs `tokio` with `macros`.
#[macro_export]
macro_rules! search_suite {
    ($place:expr) => {
        $crate::search_suite! { @case $place;
            a_message_is_found_by_all_of_its_terms
            only_the_named_conversations_are_looked_at
            the_newest_come_first_in_pages
            a_message_that_is_given_again_replaces_what_was_known
            what_was_erased_is_not_found
            what_is_forgotten_is_not_there_any_more
            times_leave_nothing_out
            what_was_indexed_outlives_a_restart
            a_closed_index_refuses_everything
            lookups_agree_with_a_scan
        }
    };
    (@case $place:expr; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let place = $place;
                $crate::suite::$case(&place).await;
            }
        )*
    };
}

const HOUR_MS: u64 = 60 * 60 * 1000;

/// A message in a conversation, one an hour.
fn document(row: u64, conversation: u64, terms: &str) -> Document {
    Document {
        row: RowId::new(row),
        conversation: ConversationId::new(conversation),
        timestamp: TimestampMs::new(row * HOUR_MS),
        terms: terms.split_whitespace().map(str::to_owned).collect(),
    }
}

fn update(documents: impl IntoIterator<Item = Document>) -> Update {
    let documents: Vec<_> = documents.into_iter().collect();
    let indexed_up_to = documents.iter().map(|it| it.row).max().unwrap_or_default();
    Update { documents, indexed_up_to, ..Update::default() }
}

fn lookup(conversations: &[u64], terms: &str) -> Lookup {
    Lookup {
        conversations: conversations.iter().copied().map(ConversationId::new).collect(),
        terms: terms.split_whitespace().map(str::to_owned).collect(),
        before: RowId::new(i64::MAX as u64),
        after: RowId::new(0),
        from_time: None,
        until_time: None,
        limit: 10,
        time_max: Duration::from_secs(60),
    }
}

async fn rows(index: &dyn SearchIndex, lookup: Lookup) -> Vec<u64> {
    numbers(&index.candidates(lookup).await.unwrap())
}

fn numbers(candidates: &Candidates) -> Vec<u64> {
    candidates.rows.iter().map(|row| row.get()).collect()
}

/// A message is found by any of its terms and by several, and not by what it has not.
pub async fn a_message_is_found_by_all_of_its_terms(place: &dyn Place) {
    let index = place.open().await;
    index
        .update(update([document(1, 7, "storm 天 天"), document(2, 7, "storm is over")]))
        .await
        .unwrap();
    for (terms, expected) in [
        ("storm", &[2, 1][..]),
        ("天", &[1]),
        ("storm 天", &[1]),
        ("over storm", &[2]),
        ("over 天", &[]),
        ("stor", &[]),
        ("Storm", &[]),
    ] {
        assert_eq!(rows(&*index, lookup(&[7], terms)).await, expected, "{terms}");
    }
}

/// What was said elsewhere is not among the candidates.
pub async fn only_the_named_conversations_are_looked_at(place: &dyn Place) {
    let index = place.open().await;
    index
        .update(update([document(1, 7, "a"), document(2, 8, "a"), document(3, 9, "a")]))
        .await
        .unwrap();
    for (conversations, expected) in [
        (&[7][..], &[1][..]),
        (&[9, 7], &[3, 1]),
        (&[7, 8, 9], &[3, 2, 1]),
        (&[10], &[]),
        (&[], &[]),
    ] {
        assert_eq!(rows(&*index, lookup(conversations, "a")).await, expected);
    }
}

/// Pages go from the newest down, over several conversations, and say whether they end.
pub async fn the_newest_come_first_in_pages(place: &dyn Place) {
    let index = place.open().await;
    index.update(update((1..=20).map(|row| document(row, 7 + row % 3, "a")))).await.unwrap();
    let mut before = RowId::new(i64::MAX as u64);
    let mut found = Vec::new();
    loop {
        let page = Lookup { limit: 3, before, ..lookup(&[7, 8, 9], "a") };
        let page = index.candidates(page).await.unwrap();
        found.extend(numbers(&page));
        assert_eq!(page.more, found.len() < 20);
        if !page.more {
            break;
        }
        before = page.rows[2];
    }
    assert!(found.iter().copied().eq((1..=20).rev()), "{found:?}");
    let between = Lookup { before: RowId::new(9), after: RowId::new(5), ..lookup(&[7, 8, 9], "a") };
    assert_eq!(rows(&*index, between).await, [8, 7, 6]);
}

/// The terms of before find it no longer.
pub async fn a_message_that_is_given_again_replaces_what_was_known(place: &dyn Place) {
    let index = place.open().await;
    index.update(update([document(1, 7, "old both"), document(2, 7, "old")])).await.unwrap();
    for _ in 0..2 {
        index.update(update([document(1, 7, "new both")])).await.unwrap();
        for (term, expected) in [("old", &[2][..]), ("new", &[1]), ("both", &[1])] {
            assert_eq!(rows(&*index, lookup(&[7], term)).await, expected, "{term}");
        }
    }
    assert_eq!(index.indexed_up_to().await.unwrap(), RowId::new(2), "it never goes back");
}

/// An erased message is gone, may be erased again, and takes nothing else with it.
pub async fn what_was_erased_is_not_found(place: &dyn Place) {
    let index = place.open().await;
    index.update(update([document(1, 7, "a b"), document(2, 7, "a c")])).await.unwrap();
    for _ in 0..2 {
        let erased = vec![RowId::new(1), RowId::new(99)];
        let indexed_up_to = RowId::new(3);
        index.update(Update { erased, indexed_up_to, ..Update::default() }).await.unwrap();
        assert_eq!(rows(&*index, lookup(&[7], "a")).await, [2]);
        assert_eq!(rows(&*index, lookup(&[7], "b")).await, [0; 0]);
    }
    // Should it come again after all, it is there again.
    index.update(update([document(1, 7, "d")])).await.unwrap();
    assert_eq!(rows(&*index, lookup(&[7], "d")).await, [1]);
    assert_eq!(rows(&*index, lookup(&[7], "b")).await, [0; 0]);
}

/// A walk finds what is there, erased or not, until it is forgotten.
pub async fn what_is_forgotten_is_not_there_any_more(place: &dyn Place) {
    let index = place.open().await;
    index.update(update((1..=5).map(|row| document(row, 7, "a")))).await.unwrap();
    let erased = vec![RowId::new(2)];
    index.update(Update { erased, ..Update::default() }).await.unwrap();
    let all: Vec<_> = (1..=5).map(RowId::new).collect();
    assert_eq!(index.rows_after(RowId::new(0), 10).await.unwrap(), all);
    assert_eq!(index.rows_after(RowId::new(1), 2).await.unwrap(), all[1..3]);
    let forgotten = vec![RowId::new(1), RowId::new(2), RowId::new(77)];
    index.update(Update { forgotten, ..Update::default() }).await.unwrap();
    assert_eq!(index.rows_after(RowId::new(0), 10).await.unwrap(), all[2..]);
    assert_eq!(rows(&*index, lookup(&[7], "a")).await, [5, 4, 3]);
}

/// Whatever the times are, what lies between them is among the candidates.
pub async fn times_leave_nothing_out(place: &dyn Place) {
    let index = place.open().await;
    // Not in the order of their times, as rows of several partitions may be.
    let mut documents: Vec<_> = (1..=9).map(|row| document(row, 7, "a")).collect();
    documents[7].timestamp = TimestampMs::new(2 * HOUR_MS + 1);
    index.update(update(documents.clone())).await.unwrap();
    for from in 0..11 {
        for until in from..11 {
            let (from, until) = (from * HOUR_MS, until * HOUR_MS);
            let timed = Lookup {
                from_time: Some(TimestampMs::new(from)),
                until_time: Some(TimestampMs::new(until)),
                ..lookup(&[7], "a")
            };
            let found = rows(&*index, timed).await;
            let between = |it: &&Document| (from..until).contains(&it.timestamp.get());
            for missing in documents.iter().filter(between) {
                assert!(found.contains(&missing.row.get()), "{from} {until}: {found:?}");
            }
        }
    }
}

/// What was indexed, and how far, is there again.
pub async fn what_was_indexed_outlives_a_restart(place: &dyn Place) {
    let index = place.open().await;
    assert_eq!(index.indexed_up_to().await.unwrap(), RowId::new(0));
    index.update(update([document(1, 7, "a"), document(2, 7, "a b")])).await.unwrap();
    let erased = vec![RowId::new(1)];
    let indexed_up_to = RowId::new(9);
    index.update(Update { erased, indexed_up_to, ..Update::default() }).await.unwrap();
    index.close().await.unwrap();
    drop(index);
    let index = place.open().await;
    assert_eq!(index.indexed_up_to().await.unwrap(), RowId::new(9));
    let found = index.candidates(lookup(&[7], "a")).await.unwrap();
    assert_eq!((numbers(&found), found.more), (vec![2], false));
    assert_eq!(found.indexed_up_to, RowId::new(9));
    assert_eq!(rows(&*index, lookup(&[7], "b")).await, [2]);
}

/// A closed index says so.
pub async fn a_closed_index_refuses_everything(place: &dyn Place) {
    let index = place.open().await;
    index.close().await.unwrap();
    let unavailable = SearchErrorKind::Unavailable;
    assert_eq!(index.indexed_up_to().await.unwrap_err().kind(), unavailable);
    assert_eq!(index.update(Update::default()).await.unwrap_err().kind(), unavailable);
    assert_eq!(index.candidates(lookup(&[7], "a")).await.unwrap_err().kind(), unavailable);
    assert_eq!(index.rows_after(RowId::new(0), 1).await.unwrap_err().kind(), unavailable);
}

/// Many updates of all sorts, in the end looked up in every way.
pub async fn lookups_agree_with_a_scan(place: &dyn Place) {
    const TERMS: [&str; 6] = ["a", "b", "c", "天", "气", "x1"];
    // Any stream of numbers will do, the same each time.
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let index = place.open().await;
    let mut truth: BTreeMap<u64, Document> = BTreeMap::new();
    let mut last = 0;
    for _ in 0..60 {
        let mut changed = Update::default();
        for _ in 0..random(12) {
            let row = if random(3) == 0 { 1 + random(last + 1) } else { last + 1 };
            if changed.documents.iter().any(|it| it.row.get() == row) {
                continue;
            }
            last = last.max(row);
            let terms: Vec<_> =
                TERMS.iter().filter(|_| random(2) == 0).map(|term| (*term).to_owned()).collect();
            let conversation = truth.get(&row).map_or(1 + random(4), |it| it.conversation.get());
            let document = Document { terms, ..document(row, conversation, "") };
            truth.insert(row, document.clone());
            changed.documents.push(document);
        }
        for _ in 0..random(4) {
            let row = 1 + random(last + 1);
            let is_free = |list: &[RowId]| list.iter().all(|it| it.get() != row);
            if changed.documents.iter().all(|it| it.row.get() != row)
                && is_free(&changed.erased)
                && is_free(&changed.forgotten)
            {
                truth.remove(&row);
                let list =
                    if random(2) == 0 { &mut changed.erased } else { &mut changed.forgotten };
                list.push(RowId::new(row));
            }
        }
        changed.indexed_up_to = RowId::new(last);
        index.update(changed).await.unwrap();
    }
    for mask in 1..1 << TERMS.len() {
        let terms: Vec<_> =
            (0..TERMS.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| TERMS[bit]).collect();
        for conversations in [&[1][..], &[2, 3], &[4, 3, 2, 1]] {
            let fits = |it: &&Document| {
                conversations.contains(&it.conversation.get())
                    && terms.iter().all(|term| it.terms.iter().any(|own| own == term))
            };
            let expected: Vec<u64> =
                truth.values().rev().filter(fits).map(|it| it.row.get()).collect();
            let all = Lookup { limit: 1000, ..lookup(conversations, &terms.join(" ")) };
            assert_eq!(rows(&*index, all).await, expected, "{terms:?} in {conversations:?}");
        }
    }
}
