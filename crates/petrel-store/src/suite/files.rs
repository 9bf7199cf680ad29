//! Files, uploads, what refers to them, and what is left of them.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use petrel_types::{FileId, Seq, TimestampMs, UserId};

use super::Place;
use super::fixture::{ANN, BOB, CLEO, Owner, chat, group, id, members, membership, trim};
use crate::{
    Batch, BegunUpload, FILE_BYTES_MIN, FileFacts, FileReference, FileState, FileUsage, NewUpload,
    Quota, Store, StoreErrorKind,
};

pub(super) const ROOM: Quota = Quota { bytes: 1 << 40, uploads: 100 };
const NOBODY: FileId = FileId::new(999);

fn upload(owner: UserId, object: &str, size: Option<u64>) -> NewUpload {
    NewUpload {
        owner,
        object: object.to_owned(),
        name: format!("name of {object}"),
        content_type: "text/plain".to_owned(),
        size,
        created: TimestampMs::new(10),
        expires: TimestampMs::new(100),
    }
}

pub(super) fn facts(size: u64) -> FileFacts {
    FileFacts {
        size,
        content_type: "image/png".to_owned(),
        sha256: [7; 32],
        dimensions: Some((640, 480)),
        thumbnail: Some("image/jpeg".to_owned()),
    }
}

pub(super) async fn begin(
    store: &dyn Store,
    owner: UserId,
    object: &str,
    size: Option<u64>,
) -> FileId {
    match store.begin_upload(upload(owner, object, size), ROOM).await.unwrap() {
        BegunUpload::Begun(file) => file,
        other => panic!("no room: {other:?}"),
    }
}

/// A complete file that expires at 200.
async fn file(store: &dyn Store, owner: UserId, object: &str) -> FileId {
    let file = begin(store, owner, object, Some(5)).await;
    assert!(store.complete_upload(file, facts(5), TimestampMs::new(200), ROOM).await.unwrap());
    file
}

fn refer(references: &[(FileId, u64, u64, bool)]) -> Batch {
    let reference =
        |(file, conversation, seq, is_there): &(FileId, u64, u64, bool)| FileReference {
            file: *file,
            conversation: id(*conversation),
            seq: Seq::new(*seq),
            is_there: *is_there,
        };
    Batch { file_references: references.iter().map(reference).collect(), ..Batch::default() }
}

/// Everything of it comes back.
pub async fn an_upload_becomes_a_file(store: &dyn Store) {
    let first = begin(store, ANN, "a", Some(5)).await;
    let second = begin(store, BOB, "b", None).await;
    assert!(second > first);
    let found = store.file(first).await.unwrap().unwrap();
    assert_eq!((found.id, found.owner, found.object.as_str()), (first, ANN, "a"));
    assert_eq!((found.name.as_str(), found.created), ("name of a", TimestampMs::new(10)));
    assert_eq!(found.expires, Some(TimestampMs::new(100)));
    let content_type = "text/plain".to_owned();
    assert_eq!(found.state, FileState::Upload { content_type, size: Some(5), received: 0 });

    let (facts, expires) = (facts(5), TimestampMs::new(200));
    assert!(store.complete_upload(first, facts.clone(), expires, ROOM).await.unwrap());
    let found = store.file(first).await.unwrap().unwrap();
    assert_eq!((found.state, found.expires), (FileState::Complete(facts), Some(expires)));
    let plain = FileFacts { dimensions: None, thumbnail: None, ..self::facts(0) };
    assert!(store.complete_upload(second, plain.clone(), expires, ROOM).await.unwrap());
    assert_eq!(store.file(second).await.unwrap().unwrap().state, FileState::Complete(plain));
    assert_eq!(store.file(NOBODY).await.unwrap(), None);
    assert_eq!(store.file(FileId::new(u64::MAX)).await.unwrap(), None);
}

/// What is on disk stays, and a file is no upload any more.
pub async fn an_upload_never_goes_back_and_ends_once(store: &dyn Store) {
    let upload = begin(store, ANN, "a", Some(5)).await;
    let advance = |received| store.advance_upload(upload, received, TimestampMs::new(150));
    assert!(advance(3).await.unwrap() && advance(2).await.unwrap());
    let found = store.file(upload).await.unwrap().unwrap();
    assert!(matches!(found.state, FileState::Upload { received: 3, .. }), "{found:?}");
    assert_eq!(found.expires, Some(TimestampMs::new(150)));
    assert_eq!(store.uploads_after(FileId::new(0), 10).await.unwrap(), [found]);
    let complete = || store.complete_upload(upload, facts(5), TimestampMs::new(200), ROOM);
    assert!(complete().await.unwrap());
    assert!(!complete().await.unwrap() && !advance(4).await.unwrap());
    assert_eq!(store.uploads_after(FileId::new(0), 10).await.unwrap(), []);
    assert!(!store.advance_upload(NOBODY, 1, TimestampMs::new(1)).await.unwrap());
}

/// What is begun counts with what it is going to be, and with a block at least.
pub async fn uploads_are_reserved_within_a_quota(store: &dyn Store) {
    let quota = Quota { bytes: 3 * FILE_BYTES_MIN, uploads: 2 };
    let begin =
        |owner, object: &'static str, size| store.begin_upload(upload(owner, object, size), quota);
    assert_eq!(begin(ANN, "a", Some(quota.bytes + 1)).await.unwrap(), BegunUpload::NoRoom);
    let BegunUpload::Begun(first) = begin(ANN, "b", Some(2 * FILE_BYTES_MIN)).await.unwrap() else {
        panic!("there is room")
    };
    assert_eq!(begin(ANN, "c", Some(FILE_BYTES_MIN + 1)).await.unwrap(), BegunUpload::NoRoom);
    assert!(matches!(begin(ANN, "d", None).await.unwrap(), BegunUpload::Begun(_)));
    assert_eq!(begin(ANN, "e", None).await.unwrap(), BegunUpload::TooMany);
    let usage = FileUsage { bytes: 3 * FILE_BYTES_MIN, files: 2, uploads: 2 };
    assert_eq!(store.file_usage(ANN).await.unwrap(), usage);
    assert_eq!(store.file_usage(BOB).await.unwrap(), FileUsage::default());
    assert!(matches!(begin(BOB, "f", None).await.unwrap(), BegunUpload::Begun(_)));

    assert!(store.complete_upload(first, facts(1), TimestampMs::new(200), quota).await.unwrap());
    let usage = FileUsage { bytes: 2 * FILE_BYTES_MIN, files: 2, uploads: 1 };
    assert_eq!(store.file_usage(ANN).await.unwrap(), usage);
    assert!(matches!(begin(ANN, "g", Some(1)).await.unwrap(), BegunUpload::Begun(_)));
}

/// Nobody gets more by saying less.
pub async fn a_quota_counts_what_came_not_what_was_said(store: &dyn Store) {
    let quota = Quota { bytes: 2 * FILE_BYTES_MIN, uploads: 9 };
    let unsaid = begin(store, ANN, "a", None).await;
    let expires = TimestampMs::new(200);
    let complete = |size| store.complete_upload(unsaid, facts(size), expires, quota);
    assert!(!complete(quota.bytes + 1).await.unwrap());
    let found = store.file(unsaid).await.unwrap().unwrap();
    assert!(matches!(found.state, FileState::Upload { .. }));
    assert!(complete(quota.bytes).await.unwrap());
    assert_eq!(store.file_usage(ANN).await.unwrap().bytes, quota.bytes);
}

/// With the last reference go the file and its name, and its object is garbage.
pub async fn a_file_lasts_as_long_as_a_message_refers_to_it(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 3)).await;
    let kept = file(store, ANN, "kept").await;
    owner.commit(refer(&[(kept, 1, 1, true), (kept, 1, 2, true)])).await;
    assert_eq!(store.file(kept).await.unwrap().unwrap().expires, None);
    assert_eq!(store.remove_expired_files(TimestampMs::new(1 << 40), 10).await.unwrap(), 0);
    assert!(!store.remove_file(ANN, kept).await.unwrap());
    owner.commit(refer(&[(kept, 1, 1, false)])).await;
    assert!(store.file(kept).await.unwrap().is_some());
    assert_eq!(store.garbage(10).await.unwrap(), [""; 0]);

    // One goes and another one comes in one commit.
    owner.commit(refer(&[(kept, 1, 2, false), (kept, 1, 3, true)])).await;
    assert!(store.file(kept).await.unwrap().is_some());
    owner.commit(refer(&[(kept, 1, 3, false)])).await;
    assert_eq!(store.file(kept).await.unwrap(), None);
    assert_eq!(store.garbage(10).await.unwrap(), ["kept"]);
    assert_eq!(store.file_usage(ANN).await.unwrap(), FileUsage::default());
    owner.commit(refer(&[(kept, 1, 1, true)])).await;
    assert_eq!(store.references_for(kept, ANN, 10).await.unwrap(), []);
    store.forget_garbage(vec!["kept".to_owned(), "unknown".to_owned()]).await.unwrap();
    assert_eq!(store.garbage(10).await.unwrap(), [""; 0]);

    // A message may have come and gone within a commit.
    let brief = file(store, ANN, "brief").await;
    owner.commit(refer(&[(brief, 1, 1, false), (NOBODY, 1, 1, false)])).await;
    assert_eq!(store.file(brief).await.unwrap(), None);
}

/// Uploads and files, so many at a time.
pub async fn what_nobody_refers_to_expires(store: &dyn Store) {
    begin(store, ANN, "upload", None).await;
    file(store, ANN, "one").await;
    file(store, BOB, "two").await;
    let remove = |now, limit| store.remove_expired_files(TimestampMs::new(now), limit);
    assert_eq!(remove(99, 10).await.unwrap(), 0);
    assert_eq!(remove(100, 10).await.unwrap(), 1);
    assert_eq!(remove(200, 1).await.unwrap(), 1);
    assert_eq!(remove(200, 10).await.unwrap(), 1);
    assert_eq!(store.garbage(2).await.unwrap(), ["one", "two"]);
    assert_eq!(store.garbage(10).await.unwrap(), ["one", "two", "upload"]);
    assert_eq!(store.file_usage(ANN).await.unwrap(), FileUsage::default());
}

/// Nobody else does.
pub async fn only_its_owner_removes_a_loose_file(store: &dyn Store) {
    let loose = file(store, ANN, "loose").await;
    assert!(!store.remove_file(BOB, loose).await.unwrap());
    assert!(!store.remove_file(ANN, NOBODY).await.unwrap());
    assert!(store.remove_file(ANN, loose).await.unwrap());
    assert!(!store.remove_file(ANN, loose).await.unwrap());
    assert_eq!(store.garbage(10).await.unwrap(), ["loose"]);
    // Its id never names another file.
    assert!(file(store, ANN, "next").await > loose);
}

/// Also where the user is no longer: what may be read is for others to say.
pub async fn references_are_found_where_a_user_is_or_was(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN, BOB, CLEO], 4)).await;
    owner.commit(group(2, &[ANN, BOB], 4)).await;
    owner.commit(members([membership(id(1), BOB, &[(1, 2)])])).await;
    let shared = file(store, ANN, "shared").await;
    let other = file(store, ANN, "other").await;
    owner.commit(refer(&[(shared, 1, 1, true), (shared, 1, 3, true), (shared, 2, 2, true)])).await;
    owner.commit(refer(&[(other, 1, 4, true)])).await;
    let places = async |file, user, limit| {
        let places = store.references_for(file, user, limit).await.unwrap();
        places.into_iter().map(|(chat, seq)| (chat, seq.get())).collect::<Vec<_>>()
    };
    assert_eq!(places(shared, BOB, 10).await, [(id(2), 2), (id(1), 3), (id(1), 1)]);
    assert_eq!(places(shared, BOB, 2).await, [(id(2), 2), (id(1), 3)]);
    assert_eq!(places(shared, CLEO, 10).await, [(id(1), 3), (id(1), 1)]);
    assert_eq!(places(other, CLEO, 10).await, [(id(1), 4)]);
    assert_eq!(places(NOBODY, CLEO, 10).await, []);
    assert_eq!(places(shared, UserId::new(9), 10).await, []);
}

/// By messages that are there. A file that is gone is nothing to refer to, and no fault.
pub async fn only_complete_files_are_referred_to(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    let upload = begin(store, ANN, "upload", Some(1)).await;
    let complete = file(store, ANN, "complete").await;
    let gone = [(upload, 1, 1, true), (NOBODY, 1, 1, true), (FileId::new(u64::MAX), 1, 1, true)];
    owner.commit(refer(&gone)).await;
    assert!(store.file(upload).await.unwrap().unwrap().expires.is_some());
    for (file, ..) in gone {
        assert_eq!(store.references_for(file, ANN, 10).await.unwrap(), []);
    }
    let wrong = [
        refer(&[(complete, 1, 2, true)]),
        refer(&[(complete, 9, 1, true)]),
        refer(&[(complete, 1, 1, true), (complete, 1, 1, false)]),
    ];
    for wrong in wrong {
        owner.refused(wrong, StoreErrorKind::Invalid).await;
    }
    assert!(store.file(complete).await.unwrap().unwrap().expires.is_some());
    owner.commit(refer(&[(complete, 1, 1, true)])).await;
    owner.commit(refer(&[(complete, 1, 1, true)])).await;
}

/// Those of which no later message tells.
pub async fn a_trim_lets_go_of_files(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, BOB, 4)).await;
    owner.commit(chat(2, ANN, CLEO, 4)).await;
    let early = file(store, ANN, "early").await;
    let late = file(store, ANN, "late").await;
    let elsewhere = file(store, ANN, "elsewhere").await;
    let shown = file(store, ANN, "shown").await;
    let references = [
        (shown, 1, 0, true),
        (early, 1, 1, true),
        (early, 1, 2, true),
        (late, 1, 2, true),
        (late, 1, 3, true),
        (elsewhere, 2, 1, true),
    ];
    owner.commit(refer(&references)).await;
    owner.commit(trim(id(1), 3)).await;
    assert_eq!(store.file(early).await.unwrap(), None);
    assert!(store.file(late).await.unwrap().is_some());
    assert!(store.file(elsewhere).await.unwrap().is_some());
    assert_eq!(store.references_for(late, BOB, 10).await.unwrap(), [(id(1), Seq::new(3))]);
    // What the conversation as a whole refers to has nothing to do with its messages.
    assert_eq!(store.references_for(shown, BOB, 10).await.unwrap(), [(id(1), Seq::ZERO)]);
    assert_eq!(store.garbage(10).await.unwrap(), ["early"]);
    owner.commit(refer(&[(shown, 1, 0, false)])).await;
    assert_eq!(store.garbage(10).await.unwrap(), ["early", "shown"]);
}

/// The id of the last one continues the page.
pub async fn files_come_in_pages_newest_first(store: &dyn Store) {
    let mut own = Vec::new();
    for object in ["a", "b", "c"] {
        own.push(file(store, ANN, object).await);
        file(store, BOB, &format!("{object}2")).await;
    }
    let page = async |before, limit| {
        let page = store.files_of(ANN, before, limit).await.unwrap();
        page.into_iter().map(|file| file.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [own[2], own[1]]);
    assert_eq!(page(Some(own[1]), 2).await, [own[0]]);
    assert_eq!(page(Some(own[0]), 2).await, []);
}

/// All of it is durable on return.
pub async fn files_outlive_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let upload = begin(&*store, ANN, "upload", Some(9)).await;
    store.advance_upload(upload, 4, TimestampMs::new(300)).await.unwrap();
    let kept = file(&*store, ANN, "kept").await;
    let gone = file(&*store, ANN, "gone").await;
    let mut owner = Owner::claim(&*store, 1).await;
    owner.commit(chat(1, ANN, BOB, 1)).await;
    owner.commit(refer(&[(kept, 1, 1, true)])).await;
    assert!(store.remove_file(ANN, gone).await.unwrap());
    let (before, partial) = (store.file(kept).await.unwrap(), store.file(upload).await.unwrap());
    store.close().await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.file(kept).await.unwrap(), before);
    assert_eq!(store.file(upload).await.unwrap(), partial);
    assert_eq!(store.garbage(10).await.unwrap(), ["gone"]);
    assert_eq!(store.references_for(kept, BOB, 1).await.unwrap(), [(id(1), Seq::new(1))]);
    assert!(file(&*store, ANN, "next").await > gone);
    store.close().await.unwrap();
}
