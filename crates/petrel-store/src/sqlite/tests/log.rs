//! The length of the write-ahead log.

use super::*;

const KIB: u64 = 1024;

fn options() -> Options {
    Options {
        checkpoint_bytes: 256 * KIB,
        restart_bytes: 1024 * KIB,
        wal_bytes_max: 4096 * KIB,
        ..Options::default()
    }
}

fn messages(from: u64) -> Batch {
    let events = (from..from + 10).map(|seq| message(1, seq, &seq.to_string())).collect();
    Batch { events, ..Batch::default() }
}

#[tokio::test]
async fn the_log_begins_again_while_commits_keep_coming() {
    let place = TempDir::new().unwrap();
    let store = SqliteStore::open_with(place.path(), options()).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    store.commit(PARTITION, new_chat(1), LogPosition::new(0), epoch).await.unwrap();
    for number in 0..400 {
        let batch = messages(1 + 10 * number);
        store.commit(PARTITION, batch, LogPosition::new(0), epoch).await.unwrap();
    }
    let log = fs::metadata(place.path().join("petrel.db-wal")).unwrap().len();
    assert!(log <= 4096 * KIB, "{log}");
    assert_eq!(store.recent_messages(PARTITION, 5000).await.unwrap().len(), 4000);
}

#[tokio::test]
async fn commits_are_refused_while_a_reader_from_outside_keeps_the_log_in_use() {
    let place = TempDir::new().unwrap();
    let store = SqliteStore::open_with(place.path(), options()).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    store.commit(PARTITION, new_chat(1), LogPosition::new(0), epoch).await.unwrap();
    let outsider = Connection::open(place.path().join("petrel.db")).unwrap();
    outsider.execute_batch("BEGIN; SELECT * FROM meta;").unwrap();
    let mut stored = 0;
    let refused = loop {
        let batch = messages(1 + stored);
        match store.commit(PARTITION, batch, LogPosition::new(0), epoch).await {
            Ok(_) => stored += 10,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the log has no limit");
    };
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    let log = fs::metadata(place.path().join("petrel.db-wal")).unwrap().len();
    assert!(log < 5000 * KIB, "{log}");
    assert_eq!(store.recent_messages(PARTITION, 1).await.unwrap()[0].seq.get(), stored);
    drop(outsider);
    let batch = messages(1 + stored);
    store.commit(PARTITION, batch, LogPosition::new(0), epoch).await.unwrap();
}
