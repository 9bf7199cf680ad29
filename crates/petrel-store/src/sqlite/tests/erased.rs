//! That nothing of an overwritten payload is left in any file of the data directory.

use super::*;
use crate::{BegunUpload, FileFacts, FileReference, NewUpload, Overwrite, Quota};

const LINGERS: Duration = Duration::from_millis(1);

fn options(tail_rows: usize) -> Options {
    Options { tail_rows, slice_rows: 2, overwritten_lingers: LINGERS, ..Options::default() }
}

/// A payload in which nothing but the secret of `seq` is told, over and over.
fn secret(seq: u64, length: usize) -> Vec<u8> {
    let secret = format!("secret of message {seq:06}; ").into_bytes();
    secret.iter().copied().cycle().take(length).collect()
}

/// The part of a payload that must not be found.
fn needle(seq: u64) -> Vec<u8> {
    format!("of message {seq:06};").into_bytes()
}

/// How often something is found in the files of a directory, by file.
fn traces(directory: &Path, needle: &[u8]) -> Vec<(String, usize)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let bytes = fs::read(entry.path()).unwrap();
            let count = bytes
                .windows(needle.len())
                .filter(|window| window[0] == needle[0] && *window == needle)
                .count();
            (entry.file_name().into_string().unwrap(), count)
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Waits until none of these is in the log any more.
async fn log_forgets(store: &SqliteStore, directory: &Path, needles: &[Vec<u8>]) {
    let give_up = std::time::Instant::now() + Duration::from_secs(60);
    let is_in_log =
        |needle: &Vec<u8>| traces(directory, needle).iter().any(|(name, _)| name.ends_with("-wal"));
    while needles.iter().any(is_in_log) {
        assert!(std::time::Instant::now() < give_up, "the log has not been truncated");
        // Each write that changes nothing lets the writer look after the log.
        for _ in 0..20 {
            store.write(|_| Ok(())).await.unwrap();
        }
    }
}

async fn filled(directory: &Path, options: Options, lengths: &[usize]) -> SqliteStore {
    let store = SqliteStore::open_with(directory, options).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    store.commit(PARTITION, new_chat(1), LogPosition::new(0), epoch).await.unwrap();
    for (seq, length) in (1..).zip(lengths) {
        let mut event = message(1, seq, &seq.to_string());
        event.payload = secret(seq, *length).into();
        let batch = Batch { events: vec![event], ..Batch::default() };
        store.commit(PARTITION, batch, LogPosition::new(seq), epoch).await.unwrap();
    }
    store
}

async fn overwrite(store: &SqliteStore, overwrites: &[(u64, Vec<u8>)]) {
    let epoch = store.claim(PARTITION).await.unwrap();
    for (seq, payload) in overwrites {
        let before = Seq::new(seq - 1);
        let row = store.events_after(id(), before, 1).await.unwrap().events[0].row;
        let overwrites = vec![Overwrite { row, payload: payload.clone().into() }];
        let batch = Batch { overwrites, ..Batch::default() };
        store.commit(PARTITION, batch, epoch.next_position, epoch.owner_epoch).await.unwrap();
    }
}

fn id() -> ConversationId {
    new_chat(1).conversations[0].id
}

/// Small ones, those that fill a page, and those that need several, in all neighbourhoods:
/// enough that the first page of the table has been split.
fn lengths() -> Vec<usize> {
    let sizes = [30, 200, 4_000, 16_000, 16_336, 16_384, 17_000, 40_000, 100];
    sizes.iter().copied().cycle().take(90).collect()
}

#[tokio::test]
async fn an_overwritten_payload_is_in_no_file_after_a_checkpoint() {
    // Flushed to the indexes, or not.
    for tail_rows in [3, 1000] {
        let place = TempDir::new().unwrap();
        let lengths = lengths();
        let store = filled(place.path(), options(tail_rows), &lengths).await;
        assert_ne!(traces(place.path(), &needle(7)), [], "the search finds nothing at all");
        // Shorter ones, longer ones, and one after the other.
        let edits: Vec<_> =
            (1..=90).step_by(2).map(|seq| (seq, secret(seq + 1000, seq as usize * 211))).collect();
        overwrite(&store, &edits).await;
        let recalled = (1..=90).filter(|seq| seq % 4 != 0);
        let recalls: Vec<_> = recalled.map(|seq| (seq, b"{}".to_vec())).collect();
        overwrite(&store, &recalls).await;
        let needles: Vec<_> =
            recalls.iter().flat_map(|(seq, _)| [needle(*seq), needle(*seq + 1000)]).collect();
        log_forgets(&store, place.path(), &needles[needles.len() - 4..]).await;
        for (seq, _) in &recalls {
            assert_eq!(traces(place.path(), &needle(*seq)), [], "message {seq}");
            assert_eq!(traces(place.path(), &needle(*seq + 1000)), [], "edit of {seq}");
            let page = store.events_after(id(), Seq::new(seq - 1), 1).await.unwrap();
            assert_eq!(page.events[0].payload.as_ref(), b"{}");
        }
        let page = store.events_after(id(), Seq::new(3), 1).await.unwrap();
        assert_eq!(page.events[0].payload.as_ref(), secret(4, lengths[3]));
        drop(store);
        assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
        assert_eq!(traces(place.path(), &needle(7)), []);
    }
}

#[tokio::test]
async fn it_is_gone_also_if_the_process_was_killed_before_the_checkpoint() {
    let place = TempDir::new().unwrap();
    let never = Options { overwritten_lingers: Duration::from_secs(3600), ..options(1000) };
    let store = filled(place.path(), never, &lengths()).await;
    overwrite(&store, &[(5, b"{}".to_vec()), (8, b"{}".to_vec())]).await;
    assert_ne!(traces(place.path(), &needle(8)), [], "the log is shorter than it should be");
    let killed = TempDir::new().unwrap();
    for name in ["petrel.db", "petrel.db-wal"] {
        fs::copy(place.path().join(name), killed.path().join(name)).unwrap();
    }
    assert_ne!(traces(killed.path(), &needle(8)), []);
    let store = SqliteStore::open_with(killed.path(), options(1000)).unwrap();
    log_forgets(&store, killed.path(), &[needle(5), needle(8)]).await;
    for seq in [5, 8] {
        assert_eq!(traces(killed.path(), &needle(seq)), [], "message {seq}");
    }
}

#[tokio::test]
async fn it_leaves_the_log_though_nobody_writes_any_more() {
    let place = TempDir::new().unwrap();
    let store = filled(place.path(), options(1000), &[200]).await;
    overwrite(&store, &[(1, b"{}".to_vec())]).await;
    // Only reads, which do not make the writer look after anything.
    let give_up = std::time::Instant::now() + Duration::from_secs(60);
    while !traces(place.path(), &needle(1)).is_empty() {
        assert!(std::time::Instant::now() < give_up, "the log has not been truncated");
        store.event(RowId::new(1)).await.unwrap();
    }
}

#[tokio::test]
async fn the_name_and_digest_of_a_file_go_with_its_last_reference() {
    let place = TempDir::new().unwrap();
    let store = filled(place.path(), options(1000), &[200; 40]).await;
    let claim = store.claim(PARTITION).await.unwrap();
    let quota = Quota { bytes: u64::MAX, uploads: 100 };
    let digest = |number: u64| -> [u8; 32] {
        format!("digest of the file no. {number:09}").into_bytes().try_into().unwrap()
    };
    let mut files = Vec::new();
    for number in 1..=40 {
        let upload = NewUpload {
            owner: UserId::new(11),
            object: format!("object-{number}"),
            name: format!("letter to {number:06}.pdf"),
            content_type: "application/pdf".to_owned(),
            size: Some(number),
            created: TimestampMs::new(1),
            expires: TimestampMs::new(2),
        };
        let BegunUpload::Begun(file) = store.begin_upload(upload, quota).await.unwrap() else {
            panic!("there is room")
        };
        let facts = FileFacts {
            size: number,
            content_type: "application/pdf".to_owned(),
            sha256: digest(number),
            dimensions: None,
            thumbnail: None,
        };
        assert!(store.complete_upload(file, facts, TimestampMs::new(2), quota).await.unwrap());
        files.push(file);
    }
    let refer = async |is_there: bool, odd: bool| {
        let seqs = (1_u64..=40).zip(&files).filter(|(seq, _)| !odd || seq % 2 == 1);
        let file_references = seqs
            .map(|(seq, file)| FileReference {
                file: *file,
                conversation: id(),
                seq: Seq::new(seq),
                is_there,
            })
            .collect();
        let batch = Batch { file_references, ..Batch::default() };
        store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    };
    refer(true, false).await;
    let needles = |number: u64| [format!("to {number:06}.pdf").into_bytes(), digest(number).into()];
    for needle in needles(7) {
        assert_ne!(traces(place.path(), &needle), [], "the search finds nothing at all");
    }
    refer(false, true).await;
    log_forgets(&store, place.path(), &needles(39)).await;
    for number in (1..=40).step_by(2) {
        for needle in needles(number) {
            assert_eq!(traces(place.path(), &needle), [], "file {number}");
        }
    }
    let kept = store.file(files[1]).await.unwrap().unwrap();
    assert_eq!(kept.name, "letter to 000002.pdf");
    drop(store);
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}
