//! Crashes between the steps of an upload, and time that passes: what the real binary can't be
//! made to do at will.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use petrel_store::memory::MemoryStore;
use petrel_store::{FileState, FileStore};
use petrel_types::{Epoch, FileId, ManualClock, TimestampMs, UserId};
use tempfile::TempDir;

use super::*;

const ANN: UserId = UserId::new(11);

struct World {
    place: TempDir,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self {
            place: TempDir::new().unwrap(),
            store: Arc::new(MemoryStore::new(Epoch::new(7))),
            clock: Arc::new(ManualClock::new(TimestampMs::new(1_000_000))),
        }
    }

    /// As at a start of the node.
    async fn open(&self) -> Arc<Files> {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        let dependencies = Dependencies {
            catchup: Catchup::new(Arc::clone(&store)),
            store,
            words: WordFilter::none(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            links: LinkKey::new([7; 32]),
            metrics: Metrics::default(),
            released: Arc::default(),
        };
        let settings = FileSettings::in_directory(self.place.path().join("files"));
        Files::open(dependencies, settings).await.unwrap()
    }

    fn files(&self) -> usize {
        count(&self.place.path().join("files"))
    }
}

fn count(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

fn body(bytes: &'static [u8]) -> impl Body {
    stream::iter([Ok(Bytes::from_static(bytes))])
}

fn new_file(size: u64) -> NewFile {
    NewFile { name: "n".to_owned(), size: Some(size), ..NewFile::default() }
}

#[tokio::test]
async fn an_upload_that_was_all_there_at_a_crash_becomes_a_file_when_it_is_asked_for() {
    let world = World::new();
    let files = world.open().await;
    let upload = files.begin(ANN, new_file(5)).await.unwrap();
    let object = world.store.file(upload.id).await.unwrap().unwrap().object;
    // All bytes are there and known, and perhaps they are kept: then the process was killed.
    for kept in [false, true] {
        std::fs::write(files.spool.path(&object), b"hello").unwrap();
        let expires = TimestampMs::new(u64::MAX >> 1);
        world.store.advance_upload(upload.id, 5, expires).await.unwrap();
        if kept {
            let spooled = files.spool.path(&object);
            files.storage.keep(&object, &spooled, 5, ("text/plain", "n")).await.unwrap();
        }
    }
    let files = world.open().await;
    let state = files.upload_state(ANN, upload.id).await.unwrap();
    assert_eq!((state.offset, state.expires), (5, None));
    let file = world.store.file(upload.id).await.unwrap().unwrap();
    assert!(matches!(file.state, FileState::Complete(_)));
    assert_eq!(world.files(), 1, "the spool still has it");
}

#[tokio::test]
async fn what_nobody_wants_is_deleted_when_its_time_is_over() {
    let world = World::new();
    let files = world.open().await;
    files.begin(ANN, new_file(5)).await.unwrap();
    let half = files.begin(ANN, new_file(10)).await.unwrap();
    assert_eq!(files.append(ANN, half.id, 0, None, body(b"hello")).await.unwrap().offset, 5);
    files.upload(ANN, new_file(5), body(b"hello")).await.unwrap();
    assert_eq!(world.files(), 2);
    world.clock.advance(Duration::from_secs(23 * 60 * 60));
    files.sweep().await.unwrap();
    assert_eq!(world.files(), 2);
    world.clock.advance(Duration::from_secs(60 * 60));
    files.sweep().await.unwrap();
    assert_eq!(world.files(), 0);
    assert_eq!(files.list(ANN, None, None).await.unwrap().files, []);
    assert_eq!(world.store.garbage(10).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn garbage_is_deleted_after_a_restart_too() {
    let world = World::new();
    let files = world.open().await;
    let file = files.upload(ANN, new_file(5), body(b"hello")).await.unwrap();
    assert!(world.store.remove_file(ANN, file.file_id).await.unwrap());
    drop(files);
    assert_eq!(world.files(), 1);
    let files = world.open().await;
    files.sweep().await.unwrap();
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_kept_and_one_with_a_checksum_is_not() {
    let world = World::new();
    let files = world.open().await;
    let cut = || stream::iter([Ok(Bytes::from_static(b"hel")), Err(Cut)]);
    let upload = files.begin(ANN, new_file(5)).await.unwrap();
    let refused = files.append(ANN, upload.id, 0, None, cut()).await.unwrap_err();
    assert_eq!(refused.reason, petrel_protocol::ErrorReason::UploadCut);
    assert_eq!(files.upload_state(ANN, upload.id).await.unwrap().offset, 3);

    let upload = files.begin(ANN, new_file(5)).await.unwrap();
    let checksum = Some(Checksum::Sha1([0; 20]));
    files.append(ANN, upload.id, 0, checksum, cut()).await.unwrap_err();
    assert_eq!(files.upload_state(ANN, upload.id).await.unwrap().offset, 0);
    assert!(files.upload_state(ANN, FileId::new(99)).await.is_err());
}
