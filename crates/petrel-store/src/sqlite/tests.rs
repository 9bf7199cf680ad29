//! What the shared suite can't see: files, locks, groups and failing disks.

mod backed_up;
mod erased;
mod forgotten;
mod lazy;
mod log;
mod migrated;
mod model;
mod verified;

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, Slot};
use rusqlite::{Connection, ffi};
use tempfile::TempDir;

use super::migrations::SCHEMA_VERSION;
use super::*;
use crate::suite::Place;
use crate::{ConversationKind, FileStore, IdentityStore, NewConversation, NewEvent};

struct Directory(TempDir);

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(open(self.0.path()))
    }
}

crate::store_suite!(Directory(TempDir::new().unwrap()));

/// The suite once more, with tails so short that nearly every read finds what it looks
/// for partly in the indexes, partly in a frozen tail and partly in a fresh one.
mod with_tiny_tails {
    use super::*;

    struct TinyTails(TempDir);

    #[async_trait]
    impl Place for TinyTails {
        async fn open(&self) -> Arc<dyn Store> {
            let options = Options { tail_rows: 3, slice_rows: 2, ..Options::default() };
            Arc::new(SqliteStore::open_with(self.0.path(), options).unwrap())
        }
    }

    crate::store_suite!(TinyTails(TempDir::new().unwrap()));
}

const PARTITION: Partition = Partition::new(1);

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory).unwrap()
}

fn refusal(directory: &Path) -> StoreError {
    let error = SqliteStore::open(directory).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(directory.to_str().unwrap()), "{text} does not say where");
    assert!(!text.contains('\n'), "{text} is more than a line");
    error
}

fn new_chat(number: u64) -> Batch {
    let id = ConversationId::compose(Slot::from_low_bits(1), number);
    let (low, high) = (UserId::new(1), UserId::new(1 + number));
    let kind = ConversationKind::Single { low, high };
    let profile = Bytes::new();
    Batch { conversations: vec![NewConversation { id, kind, profile }], ..Batch::default() }
}

fn message(number: u64, seq: u64, client_message_id: &str) -> NewEvent {
    NewEvent {
        conversation: ConversationId::compose(Slot::from_low_bits(1), number),
        seq: Seq::new(seq),
        message_number: MessageNumber::new(seq),
        sender: UserId::new(1),
        client_message_id: Some(ClientMessageId::new(client_message_id).unwrap()),
        timestamp: TimestampMs::new(1),
        payload: vec![b'x'; 4096].into(),
    }
}

#[test]
fn a_missing_directory_is_created_for_its_owner_only() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("missing/data");
    drop(open(&directory));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("petrel.db")), 0o600);
    }
}

#[test]
fn a_second_process_is_kept_out_until_the_first_is_gone() {
    let place = TempDir::new().unwrap();
    let first = open(place.path());
    assert_eq!(refusal(place.path()).kind(), StoreErrorKind::Locked);
    drop(first);
    open(place.path());
}

#[tokio::test]
async fn a_closed_store_has_let_go_of_its_files() {
    let place = TempDir::new().unwrap();
    let closed = open(place.path());
    closed.create_user("ann", "hash", TimestampMs::new(1)).await.unwrap();
    closed.close().await.unwrap();
    let mut names: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["petrel.db", "petrel.lock"]);
    open(place.path());
}

#[test]
fn a_path_that_is_no_directory_is_refused() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("file");
    fs::write(&path, "").unwrap();
    assert_eq!(refusal(&path).kind(), StoreErrorKind::Unavailable);
    assert_eq!(refusal(&path.join("below")).kind(), StoreErrorKind::Unavailable);
    let path = place.path().join("taken");
    fs::create_dir_all(path.join("petrel.db")).unwrap();
    assert_eq!(refusal(&path).kind(), StoreErrorKind::Unavailable);
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    for size in [5, 5000, 50_000] {
        let place = TempDir::new().unwrap();
        let path = place.path().join("petrel.db");
        fs::write(&path, "text ".repeat(size)).unwrap();
        let before = fs::read(&path).unwrap();
        assert_eq!(refusal(place.path()).kind(), StoreErrorKind::Corrupt);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    for version in [0, 1] {
        let place = TempDir::new().unwrap();
        let path = place.path().join("petrel.db");
        let theirs = Connection::open(&path).unwrap();
        theirs.execute_batch("CREATE TABLE theirs (x)").unwrap();
        theirs.pragma_update(None, "user_version", version).unwrap();
        drop(theirs);
        let before = fs::read(&path).unwrap();
        assert_eq!(refusal(place.path()).kind(), StoreErrorKind::Corrupt);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn another_version_is_refused() {
    for version in [1, SCHEMA_VERSION + 1] {
        let place = TempDir::new().unwrap();
        drop(open(place.path()));
        let path = place.path().join("petrel.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
        let error = refusal(place.path());
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains(&format!("version {version}")), "{text}");
        assert!(text.contains("start the Petrel that wrote it"), "{text}");
    }
}

#[tokio::test]
async fn the_database_is_set_up_to_survive_power_loss() {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let settings = store.write(|transaction| {
        let get = |name: &str| -> rusqlite::Result<String> {
            transaction.connection.query_row(
                &format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"),
                [],
                |row| row.get(0),
            )
        };
        Ok([get("journal_mode")?, get("synchronous")?, get("page_size")?, get("auto_vacuum")?])
    });
    assert_eq!(settings.await.unwrap(), ["wal", "2", "16384", "2"]);
}

#[test]
fn two_stores_have_two_epochs() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, two) = (open(one.path()).epoch().get(), open(two.path()).epoch().get());
    assert_ne!(one, two);
    assert!(i64::try_from(one).is_ok() && one != 0);
}

#[tokio::test]
async fn a_refused_write_does_not_spoil_the_others_of_its_group() {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    let commit =
        |batch, position| store.commit(PARTITION, batch, LogPosition::new(position), epoch);
    let with_events = |number, ids: &[&str]| {
        let events = (1..).zip(ids).map(|(seq, id)| message(number, seq, id)).collect();
        Batch { events, ..new_chat(number) }
    };
    let taken_id = Batch { events: vec![message(1, 2, "a")], ..Batch::default() };
    // The writer is held up until all of the others are queued behind it, so that they
    // form one group.
    let (started, wait_started) = mpsc::channel();
    let (release, wait_released) = mpsc::channel();
    let hold = store.write(move |_| {
        started.send(()).unwrap();
        wait_released.recv().unwrap();
        Ok(())
    });
    let (held, (first, spoiled, user, second, taken, fenced, third, ())) =
        tokio::join!(hold, async {
            wait_started.recv().unwrap();
            tokio::join!(
                commit(with_events(1, &["a"]), 1),
                commit(with_events(2, &["b", "b"]), 2),
                store.create_user("ann", "hash", TimestampMs::new(1)),
                commit(with_events(3, &["c", "d"]), 3),
                commit(taken_id, 4),
                store.commit(PARTITION, new_chat(4), LogPosition::new(4), OwnerEpoch::new(99)),
                commit(with_events(5, &["e"]), 5),
                async { release.send(()).unwrap() },
            )
        });
    held.unwrap();
    assert_eq!(spoiled.unwrap_err().kind(), StoreErrorKind::Invalid);
    assert_eq!(taken.unwrap_err().kind(), StoreErrorKind::Invalid);
    assert_eq!(fenced.unwrap_err().kind(), StoreErrorKind::Fenced);
    assert_eq!(user.unwrap().id, UserId::LOCAL_FIRST);
    let rows = [first, second, third].map(|committed| committed.unwrap().first_row.get());
    // Each chat takes a row for its beginning after those of its events.
    assert_eq!(rows, [1, 3, 6]);
    for number in 1..=5 {
        let id = new_chat(number).conversations[0].id;
        let found = store.conversation(id).await.unwrap();
        assert_eq!(found.is_some(), [1, 3, 5].contains(&number), "conversation {number}");
    }
    assert_eq!(store.recent_messages(PARTITION, 10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_recovers_by_itself() {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    let set_pages_max = |pages: u32| {
        store.write(move |transaction| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            Ok(transaction.connection.query_row(&pragma, [], |_| Ok(()))?)
        })
    };
    store.commit(PARTITION, new_chat(1), LogPosition::new(1), epoch).await.unwrap();
    let events = (1..=99).map(|seq| message(1, seq, &seq.to_string())).collect();
    let batch = Batch { events, ..Batch::default() };
    set_pages_max(1).await.unwrap();
    let full = store.commit(PARTITION, batch.clone(), LogPosition::new(2), epoch).await;
    assert_eq!(full.unwrap_err().kind(), StoreErrorKind::Full);
    assert_eq!(store.recent_messages(PARTITION, 10).await.unwrap(), []);
    set_pages_max(100_000).await.unwrap();
    store.commit(PARTITION, batch, LogPosition::new(2), epoch).await.unwrap();
    assert_eq!(store.recent_messages(PARTITION, 100).await.unwrap().len(), 99);
}

#[tokio::test]
async fn nothing_is_written_after_the_disk_has_failed() {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    let failed = store.write(move |transaction| {
        commit::commit(transaction, PARTITION, &new_chat(1), LogPosition::new(1), epoch)?;
        let failure = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
        Err::<(), _>(rusqlite::Error::SqliteFailure(failure, None).into())
    });
    assert_eq!(failed.await.unwrap_err().kind(), StoreErrorKind::Fatal);
    let next = store.commit(PARTITION, new_chat(2), LogPosition::new(1), epoch).await;
    assert_eq!(next.unwrap_err().kind(), StoreErrorKind::Fatal);
    let read = store.recent_messages(PARTITION, 1).await;
    assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Fatal);
    assert_eq!(store.close().await.unwrap_err().kind(), StoreErrorKind::Fatal);

    let store = open(place.path());
    assert_eq!(store.single_chat(UserId::new(1), UserId::new(2)).await.unwrap(), None);
    assert_eq!(store.single_chat(UserId::new(1), UserId::new(3)).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_takes_place_even_if_nobody_waits_for_it() {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let mut registration = store.create_user("ann", "hash", TimestampMs::new(1));
    std::future::poll_fn(|context| {
        let _ = registration.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(registration);
    drop(store);
    assert!(open(place.path()).user_by_name("ann").await.unwrap().is_some());
}
