//! What goes in the background: trimmed events, and client message ids beyond the window.

use super::*;
use crate::Trim;

const WINDOW_MS: u64 = 10_000;

fn options() -> Options {
    Options {
        tail_rows: 8,
        slice_rows: 16,
        flush_idle_after: None,
        idempotency_window: Some(Duration::from_millis(WINDOW_MS)),
        ..Options::default()
    }
}

fn open_small(directory: &Path) -> SqliteStore {
    SqliteStore::open_with(directory, options()).unwrap()
}

async fn count(store: &SqliteStore, table: &'static str) -> u64 {
    let count = move |transaction: &mut Transaction<'_>| {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(transaction.connection.query_row(&sql, [], |row| row.get(0))?)
    };
    store.write(count).await.unwrap()
}

/// What a crash at this moment would leave.
fn crash(directory: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in ["petrel.db", "petrel.db-wal"] {
        fs::copy(directory.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

/// Ten messages a time that were numbered at `timestamp_ms`.
async fn say(store: &SqliteStore, from: u64, timestamp_ms: u64) {
    let claim = store.claim(PARTITION).await.unwrap();
    let mut batch = if from == 1 { new_chat(1) } else { Batch::default() };
    batch.events = (from..from + 10).map(|seq| message(1, seq, &seq.to_string())).collect();
    for event in &mut batch.events {
        event.timestamp = TimestampMs::new(timestamp_ms);
        event.payload = vec![b'x'; 100].into();
    }
    store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    for _ in 0..30 {
        store.write(|_| Ok(())).await.unwrap();
    }
}

async fn is_found(store: &SqliteStore, seq: u64) -> bool {
    let id = new_chat(1).conversations[0].id;
    let name = ClientMessageId::new(seq.to_string()).unwrap();
    store.find_message(id, UserId::new(1), &name).await.unwrap().is_some()
}

#[tokio::test]
async fn client_message_ids_are_forgotten_after_the_window() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    // Each ten fill a generation.
    say(&store, 1, 1_000).await;
    say(&store, 11, 2_000).await;
    say(&store, 21, 1_000 + WINDOW_MS).await;
    assert!(is_found(&store, 1).await && is_found(&store, 11).await);
    say(&store, 31, 1_001 + WINDOW_MS).await;
    assert!(!is_found(&store, 1).await, "1 is older than the window");
    assert!(is_found(&store, 11).await && is_found(&store, 31).await);
    assert_eq!(count(&store, "idempotency").await, 30);
    assert_eq!(count(&store, "idempotency_filters").await, 3);
    // A name that is forgotten can be used again; one that is not can't.
    let claim = store.claim(PARTITION).await.unwrap();
    let again = |name: &str| Batch { events: vec![message(1, 41, name)], ..Batch::default() };
    let commit = |batch| store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch);
    assert_eq!(commit(again("11")).await.unwrap_err().kind(), StoreErrorKind::Invalid);
    let mut free = again("5");
    free.events[0].timestamp = TimestampMs::new(1_002 + WINDOW_MS);
    commit(free).await.unwrap();
    drop(store);
    let store = open_small(place.path());
    assert!(!is_found(&store, 1).await && is_found(&store, 11).await);
    assert!(is_found(&store, 5).await);
}

#[tokio::test]
async fn a_clock_that_went_back_forgets_nothing_too_early() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    for (from, timestamp_ms) in [(1, 50_000), (11, 1_000), (21, 55_000), (31, 59_000)] {
        say(&store, from, timestamp_ms).await;
    }
    for seq in [1, 11, 21, 31] {
        assert!(is_found(&store, seq).await, "{seq}");
    }
}

#[tokio::test]
async fn a_crash_while_something_is_forgotten_leaves_nothing_behind() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    say(&store, 1, 1_000).await;
    say(&store, 11, 2_000).await;
    let claim = store.claim(PARTITION).await.unwrap();
    let id = new_chat(1).conversations[0].id;
    let trims = vec![Trim { conversation: id, before: Seq::new(16) }];
    let mut batch = Batch { trims, ..Batch::default() };
    batch.events = (21..40).map(|seq| message(1, seq, &seq.to_string())).collect();
    for event in &mut batch.events {
        event.timestamp = TimestampMs::new(1_500 + WINDOW_MS);
    }
    store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..60 {
        store.write(|_| Ok(())).await.unwrap();
        seen.push((count(&store, "events").await, count(&store, "idempotency").await));
        let copy = crash(place.path());
        assert_eq!(verify(copy.path()).unwrap().problems, [""; 0], "{seen:?}");
        let recovered = open_small(copy.path());
        let page = recovered.events_after(id, Seq::ZERO, 100).await.unwrap();
        assert_eq!((page.events.len(), page.events[0].seq.get()), (24, 16));
        for _ in 0..60 {
            recovered.write(|_| Ok(())).await.unwrap();
        }
        // The ten of the first generation are beyond the window.
        assert_eq!(count(&recovered, "events").await, 24);
        assert_eq!(count(&recovered, "timeline").await, 24);
        assert_eq!(count(&recovered, "trims").await, 0);
        assert_eq!(count(&recovered, "idempotency").await, 29);
        drop(recovered);
        assert_eq!(verify(copy.path()).unwrap().problems, [""; 0]);
    }
    seen.dedup();
    assert!(seen.len() >= 8, "the crashes were not between slices: {seen:?}");
    assert_eq!(count(&store, "events").await, 24);
}

#[tokio::test]
async fn a_long_trim_does_not_keep_the_tail_from_being_flushed() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    for round in 0..10 {
        say(&store, 1 + 10 * round, 1_000).await;
    }
    let claim = store.claim(PARTITION).await.unwrap();
    let id = new_chat(1).conversations[0].id;
    let trims = vec![Trim { conversation: id, before: Seq::new(101) }];
    let trimming = Batch { trims, ..Batch::default() };
    store.commit(PARTITION, trimming, claim.next_position, claim.owner_epoch).await.unwrap();
    // Each commit deletes one event, and adds one.
    for seq in 101..200 {
        let batch = Batch { events: vec![message(1, seq, &seq.to_string())], ..Batch::default() };
        store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    }
    let rest = count(&store, "timeline").await;
    let watermark = store
        .write(|transaction| {
            let sql = "SELECT watermark_row FROM meta";
            Ok(transaction.connection.query_row(sql, [], |row| row.get::<_, u64>(0))?)
        })
        .await
        .unwrap();
    assert!(watermark > 150, "{watermark}: nothing was flushed meanwhile");
    assert!(rest < 190, "{rest}: nothing was deleted meanwhile");
}
