//! That `verify` notices what can be wrong, and nothing else.

use super::model::Model;
use super::*;

/// A directory with two events and a cursor, in the indexes or not yet.
async fn directory(flushed: bool) -> TempDir {
    let place = TempDir::new().unwrap();
    let tail_rows = if flushed { 1 } else { 1000 };
    let options = Options { tail_rows, flush_idle_after: None, ..Options::default() };
    let store = SqliteStore::open_with(place.path(), options).unwrap();
    let owner_epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    Model::default().commit(&store, owner_epoch, &[(1, true), (1, false)]).await;
    for _ in 0..9 {
        store.write(|_| Ok(())).await.unwrap();
    }
    drop(store);
    place
}

#[tokio::test]
async fn a_sound_directory_has_no_problems() {
    for flushed in [false, true] {
        let report = verify(directory(flushed).await.path()).unwrap();
        assert_eq!(report.problems, [""; 0]);
        assert_eq!((report.events, report.conversations), (2, 1));
        assert_eq!(report.index_entries, if flushed { 4 } else { 0 });
    }
}

#[tokio::test]
async fn each_kind_of_damage_is_noticed() {
    let damages = [
        (true, "UPDATE events SET seq = 3 WHERE seq = 2"),
        (false, "UPDATE events SET seq = 3 WHERE seq = 2"),
        (false, "UPDATE events SET message_number = 3 WHERE seq = 2"),
        (false, "DELETE FROM events WHERE seq = 1"),
        (true, "DELETE FROM events WHERE seq = 2"),
        (false, "DELETE FROM conversations"),
        (true, "UPDATE conversations SET head_seq = 1"),
        (true, "UPDATE conversations SET head_message_number = 1"),
        (true, "DELETE FROM timeline WHERE seq = 1"),
        (true, "UPDATE timeline SET row_id = row_id + 1 WHERE seq = 1"),
        (true, "DELETE FROM idempotency WHERE row_id = 1"),
        (true, "UPDATE idempotency SET hash = hash + 1"),
        (true, "DELETE FROM idempotency_filters"),
        (true, "UPDATE events SET client_message_id = '1-1'"),
        (true, "UPDATE meta SET watermark_row = 1"),
        (false, "UPDATE meta SET watermark_row = 2"),
        (true, "UPDATE members SET read_seq = 3"),
        (true, "DELETE FROM members WHERE user = 1"),
        (true, "UPDATE meta SET generation = generation + 1"),
    ];
    for (flushed, damage) in damages {
        let place = directory(flushed).await;
        let database = Connection::open(place.path().join("petrel.db")).unwrap();
        assert!(database.execute(damage, []).unwrap() > 0, "{damage}");
        drop(database);
        match verify(place.path()) {
            Ok(report) => assert_ne!(report.problem_count, 0, "{damage} was not noticed"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}"),
        }
    }
}

#[tokio::test]
async fn a_directory_in_use_is_not_verified() {
    let place = TempDir::new().unwrap();
    let _store = open(place.path());
    assert_eq!(verify(place.path()).unwrap_err().kind(), StoreErrorKind::Locked);
}
