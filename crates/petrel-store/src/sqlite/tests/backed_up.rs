//! Copies of a data directory, and what can be made of them.

use super::model::Model;
use super::*;
use crate::sqlite::{Progress, backup, restore};

/// More commits than it takes for a log of [`RESTART_BYTES`] to begin again: each writes two
/// pages of 16 KiB at least.
const COMMITS_PER_LOG: u64 = 200;
const RESTART_BYTES: u64 = 2 << 20;

fn paths() -> (TempDir, std::path::PathBuf, std::path::PathBuf) {
    let place = TempDir::new().unwrap();
    let (data, copy) = (place.path().join("data"), place.path().join("copy"));
    (place, data, copy)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Everything that was acknowledged before is in the copy of a store that is being
/// written to, which is as sound as the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_of_a_busy_store_holds_all_that_was_acked_before_it() {
    let (_place, data, copy) = paths();
    let options = Options {
        tail_rows: 100,
        slice_rows: 7,
        checkpoint_bytes: 1 << 20,
        restart_bytes: RESTART_BYTES,
        ..Options::default()
    };
    let store = Arc::new(SqliteStore::open_with(&data, options).unwrap());
    let owner_epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    store.commit(PARTITION, new_chat(1), LogPosition::new(0), owner_epoch).await.unwrap();
    let (acked, mut acks) = tokio::sync::watch::channel(0);
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for seq in 1.. {
                let batch =
                    Batch { events: vec![message(1, seq, &seq.to_string())], ..Batch::default() };
                store.commit(PARTITION, batch, LogPosition::new(seq), owner_epoch).await.unwrap();
                if acked.send(seq).is_err() {
                    break;
                }
            }
        }
    });
    for round in 1..6 {
        acks.wait_for(|seq| *seq > round * 300).await.unwrap();
        let before = *acks.borrow();
        let (from, to) = (data.clone(), copy.clone());
        let mut seen = Vec::new();
        let (mut acks, runtime) = (acks.clone(), tokio::runtime::Handle::current());
        let progress = tokio::task::spawn_blocking(move || {
            let went_on = |progress| {
                seen.push(progress);
                // Nothing is held yet: time for the log to begin again, with other content
                // in the file. Later it could only grow, up to its limit.
                if seen.len() > 2 {
                    return;
                }
                let until = *acks.borrow() + COMMITS_PER_LOG;
                runtime.block_on(acks.wait_for(|seq| *seq > until)).unwrap();
            };
            backup(&from, &to, &[], went_on).unwrap();
            seen
        });
        let progress = progress.await.unwrap();
        let Progress { copied_bytes, total_bytes } = *progress.last().unwrap();
        assert!(copied_bytes == total_bytes && copied_bytes > 0, "{progress:?}");
        assert_eq!(names(&copy), ["petrel.db", "petrel.lock"]);
        assert_eq!(verify(&copy).unwrap().problems, [""; 0]);
        let copied = open(&copy);
        assert_eq!(copied.epoch(), store.epoch());
        let id = new_chat(1).conversations[0].id;
        let page = copied.events_before(id, Seq::new(u64::MAX), 100_000).await.unwrap();
        assert!(page.head.seq.get() >= before, "{} < {before}", page.head.seq);
        assert_eq!(page.events.len() as u64, page.head.seq.get());
        drop(copied);
        fs::remove_dir_all(&copy).unwrap();
    }
    drop(acks);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_restored_store_is_the_old_one_in_a_new_epoch() {
    let (_place, data, copy) = paths();
    let store = open(&data);
    let mut model = Model::default();
    let owner_epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    model.commit(&store, owner_epoch, &[(1, true), (1, false), (2, true)]).await;
    fs::create_dir(data.join("secrets")).unwrap();
    fs::write(data.join("secrets/token.key"), "secret").unwrap();
    // Once beside a server, once of what a server has left.
    let epoch = store.epoch();
    backup(&data, &copy, &["secrets", "none"], |_| {}).unwrap();
    drop(store);
    let second = copy.with_file_name("second");
    backup(&data, &second, &["secrets"], |_| {}).unwrap();
    let mut epochs = vec![epoch];
    for from in [copy, second] {
        assert_eq!(names(&from), ["petrel.db", "petrel.lock", "secrets"]);
        let restored = from.with_extension("restored");
        // An empty directory will do.
        fs::create_dir(&restored).unwrap();
        epochs.push(restore(&from, &restored, &["secrets"], |_| {}).unwrap());
        let store = open(&restored);
        assert_eq!(store.epoch(), *epochs.last().unwrap());
        model.check(&store).await;
        assert_eq!(fs::read_to_string(restored.join("secrets/token.key")).unwrap(), "secret");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&restored.join("secrets")), 0o700);
            assert_eq!(mode(&restored.join("secrets/token.key")), 0o600);
            assert_eq!(mode(&restored.join("petrel.db")), 0o600);
        }
        // The backup is what it was.
        assert_eq!(open(&from).epoch(), epoch);
    }
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), 3);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_half_done_looks_whole() {
    let (place, data, copy) = paths();
    let missing = backup(&data, &copy, &[], |_| {}).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Unavailable);
    drop(open(&data));
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("something"), "").unwrap();
    for error in [
        backup(&data, &copy, &[], |_| {}).unwrap_err(),
        restore(&data, &copy, &[], |_| {}).unwrap_err(),
        restore(&copy, &data, &[], |_| {}).unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(names(&copy), ["something"]);
    assert_eq!(names(place.path()), ["copy", "data"]);

    // A copy of something damaged does not get its name, and does not stand in the way.
    let database = Connection::open(data.join("petrel.db")).unwrap();
    database.execute_batch("UPDATE meta SET generation = 7").unwrap();
    drop(database);
    let target = place.path().join("target");
    let error = restore(&data, &target, &[], |_| {}).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(names(place.path()), ["copy", "data", "target.unfinished"]);
    let database = Connection::open(data.join("petrel.db")).unwrap();
    database.execute_batch("UPDATE meta SET generation = 0").unwrap();
    drop(database);
    restore(&data, &target, &[], |_| {}).unwrap();
    assert_eq!(names(place.path()), ["copy", "data", "target"]);
}
