//! What is changed or taken away after it was stored: overwrites, trims, derivations.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, Partition, RowId, Seq};

use super::fixture::{
    ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, group, id, members, membership, message,
    name, overwrite, trim,
};
use crate::{Batch, Derivation, DerivationId, EventPage, Store, StoreErrorKind, SyncEntry};

fn seqs(page: &EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.seq.get()).collect()
}

async fn entry(store: &dyn Store, conversation: ConversationId) -> SyncEntry {
    let page = store.sync_page(ANN, RowId::default(), None, 100).await.unwrap();
    page.entries.into_iter().find(|entry| entry.conversation.id == conversation).unwrap()
}

/// Nothing but the payload changes, and no read finds the old one.
pub async fn an_overwritten_payload_is_gone_and_its_place_stays(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let mut batch = chat(1, ANN, BOB, 5);
    batch.events[3].payload = Bytes::from(vec![0; 40_000]);
    let first = owner.commit(batch).await.first_row;
    let row = |seq: u64| RowId::new(first.get() + seq - 1);
    let before = entry(store, id(1)).await;
    let payloads: [&[u8]; 6] =
        [b"", b"short", &[b'x'; 30_000], &[0; 9], b"\0\0 begins with zeros", &[b'y'; 20_000]];
    for seq in [2, 4, 5] {
        for payload in payloads {
            let payload = Bytes::copy_from_slice(payload);
            let mut expected = store.event(row(seq)).await.unwrap().unwrap();
            owner.commit(overwrite(row(seq), payload.clone())).await;
            expected.payload = payload;
            assert_eq!(store.event(row(seq)).await.unwrap().as_ref(), Some(&expected));
            let page = store.events_after(id(1), Seq::new(seq - 1), 1).await.unwrap();
            assert_eq!(page.events, std::slice::from_ref(&expected));
            let page = store.events_before(id(1), Seq::new(seq + 1), 1).await.unwrap();
            assert_eq!(page.events, std::slice::from_ref(&expected));
            let name = expected.client_message_id.clone().unwrap();
            assert_eq!(
                store.find_message(id(1), ANN, &name).await.unwrap(),
                Some(expected.clone())
            );
            let recent = store.recent_messages(Partition::new(1), 10).await.unwrap();
            assert!(recent.contains(&expected));
        }
    }
    let untouched = store.event(row(3)).await.unwrap().unwrap();
    assert_eq!(untouched.payload.as_ref(), b"payload 3");
    assert_eq!(entry(store, id(1)).await, before);
}

/// What is not there can't be overwritten, and a row only once per batch.
pub async fn only_what_is_stored_is_overwritten(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let first = owner.commit(chat(1, ANN, BOB, 2)).await.first_row;
    let next = owner.commit(Batch::default()).await.first_row;
    // The row of the beginning is none of an event.
    for unknown in [0, first.get() + 2, next.get() + 1, u64::MAX] {
        owner.refused(overwrite(RowId::new(unknown), "x"), StoreErrorKind::Invalid).await;
    }
    let mut own = events([message(id(1), 3, ANN)]);
    own.overwrites = overwrite(next, "x").overwrites;
    owner.refused(own, StoreErrorKind::Invalid).await;
    let mut twice = overwrite(first, "x");
    twice.overwrites.extend(overwrite(first, "y").overwrites);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    let mut spoiled = overwrite(first, "x");
    spoiled.cursors = vec![cursor(id(1), CLEO, 1, 1)];
    owner.refused(spoiled, StoreErrorKind::Invalid).await;
    let event = store.event(first).await.unwrap().unwrap();
    assert_eq!(event.payload.as_ref(), b"payload 1");
    assert_eq!(store.events_after(id(1), Seq::ZERO, 9).await.unwrap().events.len(), 2);
}

/// What is trimmed is not read any more, in any way, from the commit on.
pub async fn nothing_shows_what_was_trimmed(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let first = owner.commit(chat(1, ANN, BOB, 6)).await.first_row;
    owner.commit(chat(2, ANN, CLEO, 2)).await;
    let row = |seq: u64| RowId::new(first.get() + seq - 1);
    owner.commit(overwrite(row(2), "replaced")).await;
    for (before, kept) in
        [(3, &[3, 4, 5, 6][..]), (3, &[3, 4, 5, 6]), (1, &[3, 4, 5, 6]), (6, &[6])]
    {
        owner.commit(trim(id(1), before)).await;
        let trimmed_before = Seq::new(kept[0]);
        for after in [0, 1, kept[0] - 1] {
            let page = store.events_after(id(1), Seq::new(after), 10).await.unwrap();
            assert_eq!(seqs(&page), kept);
            assert_eq!((page.trimmed_before, page.head.seq), (trimmed_before, Seq::new(6)));
        }
        let page = store.events_after(id(1), Seq::ZERO, 1).await.unwrap();
        assert_eq!(seqs(&page), kept[..1]);
        let page = store.events_before(id(1), Seq::new(9), 10).await.unwrap();
        assert_eq!((seqs(&page).as_slice(), page.trimmed_before), (kept, trimmed_before));
        let page = store.events_before(id(1), trimmed_before, 10).await.unwrap();
        assert_eq!(seqs(&page), [0; 0]);
        for seq in 1..=6 {
            let is_kept = kept.contains(&seq);
            assert_eq!(store.event(row(seq)).await.unwrap().is_some(), is_kept, "{seq}");
            let name = name(format!("{}-{seq}", id(1)));
            let found = store.find_message(id(1), ANN, &name).await.unwrap();
            assert_eq!(found.is_some(), is_kept, "{seq}");
        }
        let recent = store.recent_messages(Partition::new(1), 100).await.unwrap();
        assert_eq!(recent.len(), kept.len() + 2);
        let by_row = store.events_by_row(RowId::new(0), 100).await.unwrap();
        assert_eq!(by_row.events.len(), kept.len() + 2);
        assert_eq!(store.summary(id(1)).await.unwrap().unwrap().trimmed_before, trimmed_before);
        assert_eq!(entry(store, id(1)).await.trimmed_before, trimmed_before);
    }
    owner.refused(overwrite(row(2), "again"), StoreErrorKind::Invalid).await;
    assert_eq!(store.events_after(id(2), Seq::ZERO, 9).await.unwrap().trimmed_before, Seq::new(1));
}

/// A timeline of which nothing is kept keeps its head, and goes on from there.
pub async fn a_timeline_goes_on_when_all_of_it_is_trimmed(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB], 3)).await;
    for (conversation, before) in [(id(1), 5), (id(9), 1), (id(9), 2), (id(1), u64::MAX)] {
        owner.refused(trim(conversation, before), StoreErrorKind::Invalid).await;
    }
    let mut twice = trim(id(1), 2);
    twice.trims.extend(trim(id(1), 3).trims);
    owner.refused(twice, StoreErrorKind::Invalid).await;
    assert_eq!(store.summary(id(1)).await.unwrap().unwrap().trimmed_before, Seq::new(1));

    owner.commit(trim(id(1), 4)).await;
    let page = store.events_after(id(1), Seq::ZERO, 10).await.unwrap();
    assert_eq!((seqs(&page).len(), page.head.seq.get(), page.trimmed_before.get()), (0, 3, 4));
    // Of what is kept, nothing is unread.
    let all = entry(store, id(1)).await;
    assert_eq!((all.head.message_number, all.own.read), (all.read_message_number, Seq::ZERO));
    owner.commit(members([membership(id(1), BOB, &[(1, 3)])])).await;
    owner.refused(members([membership(id(1), BOB, &[(1, 2)])]), StoreErrorKind::Invalid).await;
    owner.commit(events([message(id(1), 4, ANN), message(id(1), 5, ANN)])).await;
    // That Bob left at 3 was known when it was still there.
    owner.commit(members([membership(id(1), BOB, &[(1, 3)])])).await;
    let page = store.events_after(id(1), Seq::ZERO, 10).await.unwrap();
    assert_eq!((seqs(&page), page.head.seq.get()), (vec![4, 5], 5));
    let unread = entry(store, id(1)).await;
    assert_eq!(unread.head.message_number.get() - unread.read_message_number.get(), 2);
    owner.commit(cursors([cursor(id(1), ANN, 5, 4)])).await;
    assert_eq!(entry(store, id(1)).await.read_message_number.get(), 4);

    // In one batch, an event may come and go.
    let mut batch = events([message(id(1), 6, ANN)]);
    batch.trims = trim(id(1), 7).trims;
    owner.commit(batch).await;
    let page = store.events_after(id(1), Seq::ZERO, 10).await.unwrap();
    assert_eq!((seqs(&page).len(), page.head.seq.get(), page.trimmed_before.get()), (0, 6, 7));
}

/// A client message id that is trimmed is as if it had never been there.
pub async fn a_trimmed_client_message_id_is_free_again(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 2)).await;
    let mut again = message(id(1), 3, ANN);
    again.client_message_id = Some(name(format!("{}-1", id(1))));
    owner.refused(events([again.clone()]), StoreErrorKind::Invalid).await;
    owner.commit(trim(id(1), 2)).await;
    owner.commit(events([again.clone()])).await;
    let name = again.client_message_id.unwrap();
    let found = store.find_message(id(1), ANN, &name).await.unwrap().unwrap();
    assert_eq!(found.seq, Seq::new(3));
}

fn derivation(number: u64) -> Derivation {
    let command = Bytes::from(format!("command {number}"));
    Derivation { id: DerivationId { home: id(1 + number % 2), number }, command }
}

fn derived(numbers: impl IntoIterator<Item = u64>) -> Batch {
    Batch { derived: numbers.into_iter().map(derivation).collect(), ..Batch::default() }
}

fn settled(numbers: impl IntoIterator<Item = u64>) -> Batch {
    let settled = numbers.into_iter().map(|number| derivation(number).id).collect();
    Batch { settled, ..Batch::default() }
}

/// A derivation waits from the commit it follows from to the one that carries it out.
pub async fn a_derivation_waits_until_it_is_settled(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    assert_eq!(store.unsettled(None, 10).await.unwrap(), []);
    // The home may begin in the same batch.
    let mut batch = chat(1, ANN, BOB, 1);
    batch.conversations.extend(group(2, &[], 0).conversations);
    batch.derived = derived([2, 1, 4, 3]).derived;
    owner.commit(batch).await;
    let all: Vec<_> = [2, 4, 1, 3].map(derivation).into();
    assert_eq!(store.unsettled(None, 10).await.unwrap(), all);
    assert_eq!(store.unsettled(None, 3).await.unwrap(), all[..3]);
    assert_eq!(store.unsettled(Some(all[0].id), 2).await.unwrap(), all[1..3]);
    assert_eq!(store.unsettled(Some(all[3].id), 10).await.unwrap(), []);
    assert!(store.is_unsettled(all[2].id).await.unwrap());

    // Its effect and the end of its waiting are one commit, in another partition if need be.
    let mut other = Owner::claim(store, 2).await;
    let mut effect = events([message(id(1), 2, ANN)]);
    effect.settled = settled([1]).settled;
    other.commit(effect).await;
    assert!(!store.is_unsettled(derivation(1).id).await.unwrap());
    assert_eq!(store.unsettled(None, 10).await.unwrap(), [2, 4, 3].map(derivation));
    assert_eq!(store.events_after(id(1), Seq::new(1), 9).await.unwrap().events.len(), 1);
}

/// Settled twice would be carried out twice.
pub async fn what_does_not_wait_can_not_be_settled(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    owner.commit(chat(2, ANN, CLEO, 1)).await;
    owner.commit(derived([1, 2])).await;
    owner.commit(settled([1])).await;
    for broken in [settled([1]), settled([3]), settled([2, 2]), derived([2]), derived([5, 5])] {
        let mut batch = events([message(id(1), 2, ANN)]);
        (batch.derived, batch.settled) = (broken.derived, broken.settled);
        owner.refused(batch, StoreErrorKind::Invalid).await;
    }
    // Only what an earlier batch derived can be settled.
    let mut batch = derived([6]);
    batch.settled = settled([6]).settled;
    owner.refused(batch, StoreErrorKind::Invalid).await;
    let mut homeless = derived([7]);
    homeless.derived[0].id.home = id(9);
    owner.refused(homeless, StoreErrorKind::Invalid).await;
    assert_eq!(store.unsettled(None, 10).await.unwrap(), [derivation(2)]);
    assert_eq!(store.events_after(id(1), Seq::ZERO, 9).await.unwrap().head.seq, Seq::new(1));
    owner.commit(settled([2])).await;
    assert_eq!(store.unsettled(None, 10).await.unwrap(), []);
}
