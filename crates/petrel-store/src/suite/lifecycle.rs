//! Restarts, many writers at once, and the end.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use std::sync::Arc;

use petrel_types::{LogPosition, Partition, RowId, Seq, TimestampMs, UserId};
use tokio::task::JoinSet;

use super::Place;
use super::fixture::{
    ANN, BOB, CLEO, Owner, chat, cursor, cursors, events, group, id, members, membership, message,
    name, overwrite, trim,
};
use crate::{Batch, Derivation, DerivationId, Store, StoreErrorKind};

const DERIVATION: DerivationId = DerivationId { home: id(1), number: 7 };

/// What was acknowledged is there after a restart, read by read.
pub async fn everything_outlives_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let mut owner = Owner::claim(&*store, 1).await;
    owner.commit(chat(1, ANN, BOB, 3)).await;
    owner.commit(chat(2, ANN, CLEO, 1)).await;
    owner.commit(cursors([cursor(id(1), BOB, 3, 2)])).await;
    let mut batch = group(3, &[ANN, BOB, CLEO], 5);
    batch.derived = vec![Derivation { id: DERIVATION, command: "later".into() }];
    let first = owner.commit(batch).await.first_row;
    let mut batch =
        members([membership(id(3), BOB, &[(1, 3)]), membership(id(3), CLEO, &[(1, 2), (4, 0)])]);
    batch.overwrites = overwrite(RowId::new(first.get() + 3), "replaced").overwrites;
    batch.cursors = vec![cursor(id(3), BOB, 2, 2)];
    batch.trims = trim(id(3), 3).trims;
    owner.commit(batch).await;
    let user = store.create_user("ann", "hash", TimestampMs::new(7)).await.unwrap();
    let before = snapshot(&*store).await;
    let epoch = store.epoch();
    assert_ne!(epoch.get(), 0);
    store.close().await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.epoch(), epoch);
    assert_eq!(snapshot(&*store).await, before);
    assert_eq!(store.user_by_name("ANN").await.unwrap(), Some(user));
    store.close().await.unwrap();
}

async fn snapshot(store: &dyn Store) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        store.conversation(id(1)).await.unwrap().unwrap(),
        store.conversation(id(2)).await.unwrap().unwrap(),
        store.single_chat(ANN, CLEO).await.unwrap().unwrap(),
        store.events_after(id(1), Seq::ZERO, 10).await.unwrap(),
        store.recent_messages(Partition::new(1), 10).await.unwrap(),
        store.find_message(id(1), ANN, &name(format!("{}-2", id(1)))).await.unwrap().unwrap(),
        store.sync_page(BOB, RowId::default(), None, 10).await.unwrap(),
        group_snapshot(store).await,
    )
}

async fn group_snapshot(store: &dyn Store) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        store.conversation(id(3)).await.unwrap().unwrap(),
        store.member(id(3), BOB).await.unwrap().unwrap(),
        store.member(id(3), CLEO).await.unwrap().unwrap(),
        store.events_after(id(3), Seq::ZERO, 10).await.unwrap(),
        store.events_before(id(3), Seq::new(9), 10).await.unwrap(),
        store.unsettled(None, 10).await.unwrap(),
        store.sync_page(CLEO, RowId::default(), None, 10).await.unwrap(),
    )
}

/// Nothing that was handed out before a restart is handed out again after it.
pub async fn numbers_go_on_after_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let mut deposed = Owner::claim(&*store, 1).await;
    deposed.commit(chat(1, ANN, BOB, 1)).await;
    deposed.commit(cursors([cursor(id(1), BOB, 1, 1)])).await;
    let last_row = store.sync_page(BOB, RowId::default(), None, 1).await.unwrap().last_row;
    let user = store.create_user("ann", "hash", TimestampMs::new(7)).await.unwrap();
    let owner_epoch = deposed.owner_epoch;
    store.close().await.unwrap();
    drop(store);

    let store = place.open().await;
    let fenced = store.claim(Partition::new(1)).await.unwrap();
    assert!(fenced.owner_epoch > owner_epoch);
    assert_eq!(fenced.next_position, LogPosition::new(2));
    assert_eq!(fenced.conversation_number, 1);
    let late = store.commit(Partition::new(1), Batch::default(), LogPosition::new(3), owner_epoch);
    assert_eq!(late.await.unwrap_err().kind(), StoreErrorKind::Fenced);
    let mut owner = Owner::claim(&*store, 1).await;
    assert!(owner.commit(events([message(id(1), 2, ANN)])).await.first_row > last_row);
    let next = store.create_user("bob", "hash", TimestampMs::new(8)).await.unwrap();
    assert!(next.id > user.id);
    store.close().await.unwrap();
}

/// Owners of different partitions and registrations share the store at full speed, each
/// as if it were alone: every write of every task is accepted and visible on return.
pub async fn many_writers_do_not_disturb_each_other(place: &dyn Place) {
    const OWNERS: u16 = 8;
    const COMMITS: u64 = 40;
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for partition in 0..OWNERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { run_owner(&*store, partition, COMMITS).await });
    }
    let registrations = Arc::clone(&store);
    tasks.spawn(async move {
        for number in 0..COMMITS {
            let username = format!("user-{number}");
            let user = registrations.create_user(&username, "hash", TimestampMs::new(1)).await;
            assert_eq!(registrations.user_by_name(&username).await.unwrap(), Some(user.unwrap()));
            let taken = registrations.create_user(&username, "hash", TimestampMs::new(1)).await;
            assert_eq!(taken.unwrap_err().kind(), StoreErrorKind::Conflict);
        }
        Vec::new()
    });
    let mut rows: Vec<RowId> = tasks.join_all().await.concat();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len() as u64, u64::from(OWNERS) * COMMITS, "a row was handed out twice");
    store.close().await.unwrap();
}

async fn run_owner(store: &dyn Store, partition: u16, commits: u64) -> Vec<RowId> {
    let mut owner = Owner::claim(store, partition).await;
    let conversation = id(u64::from(partition));
    let (low, high) = (UserId::new(1), UserId::new(100 + u64::from(partition)));
    owner.commit(chat(u64::from(partition), low, high, 0)).await;
    let mut rows = Vec::new();
    for seq in 1..=commits {
        let mut batch = events([message(conversation, seq, low)]);
        batch.cursors.push(cursor(conversation, low, seq, seq));
        rows.push(owner.commit(batch).await.first_row);
        let head = store.events_after(conversation, Seq::new(seq), 1).await.unwrap().head;
        assert_eq!(head.seq, Seq::new(seq));
        owner.refused(events([message(conversation, seq, low)]), StoreErrorKind::Invalid).await;
    }
    assert!(rows.is_sorted_by(|earlier, later| earlier < later));
    rows
}

/// After `close`, calls fail at once instead of waiting for ever.
pub async fn a_closed_store_refuses_everything(store: &dyn Store) {
    let owner = Owner::claim(store, 1).await;
    store.close().await.unwrap();
    let kinds = [
        store.claim(Partition::new(1)).await.unwrap_err().kind(),
        store
            .commit(owner.partition, Batch::default(), LogPosition::new(1), owner.owner_epoch)
            .await
            .unwrap_err()
            .kind(),
        store.create_user("ann", "hash", TimestampMs::new(1)).await.unwrap_err().kind(),
        store.conversation(id(1)).await.unwrap_err().kind(),
        store.sync_page(ANN, RowId::default(), None, 1).await.unwrap_err().kind(),
        store.close().await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::Unavailable; 6]);
}
