//! What only this backend has to show.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use petrel_types::{ConversationId, TimestampMs};
use rusqlite::Connection;
use tempfile::TempDir;

use super::token::{Secret, Token};
use super::*;
use crate::Document;
use crate::suite::Place;

const EPOCH: Epoch = Epoch::new(77);

struct Directory(TempDir);

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn SearchIndex> {
        Arc::new(SqliteIndex::open(self.0.path(), EPOCH).unwrap())
    }
}

fn directory() -> Directory {
    Directory(TempDir::new().unwrap())
}

crate::search_suite!(directory());

fn document(row: u64, conversation: u64, terms: &[String]) -> Document {
    Document {
        row: RowId::new(row),
        conversation: ConversationId::new(conversation),
        timestamp: TimestampMs::new(row),
        terms: terms.to_vec(),
    }
}

async fn find(index: &SqliteIndex, conversation: u64, term: &str) -> Vec<u64> {
    let lookup = Lookup {
        conversations: vec![ConversationId::new(conversation)],
        terms: vec![term.to_owned()],
        before: RowId::new(u64::MAX),
        after: RowId::new(0),
        from_time: None,
        until_time: None,
        limit: 100,
        time_max: Duration::from_secs(60),
    };
    index.candidates(lookup).await.unwrap().rows.iter().map(|row| row.get()).collect()
}

/// All that is in the files of a directory.
fn content(directory: &Path) -> Vec<u8> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

/// How often something stands in the files of a directory.
fn traces(directory: &Path, needle: &[u8]) -> usize {
    memchr::memmem::find_iter(&content(directory), needle).count()
}

/// The secret of an index, and what its tokens look like.
fn needles(directory: &Path, conversation: u64, term: &str) -> [Vec<u8>; 2] {
    let connection = Connection::open(directory.join(FILE)).unwrap();
    let secret = connection
        .query_row("SELECT secret_0, secret_1 FROM meta", [], |row| {
            Ok(Secret(row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })
        .unwrap();
    let token = Token::new(secret, ConversationId::new(conversation), term);
    let mut word = String::new();
    token.write_word(&mut word);
    [token::pack(&[token].into()), word.into_bytes()]
}

/// What was erased leaves nothing behind, whatever was merged, split and moved before and
/// after; what was not erased stays.
#[tokio::test]
async fn nothing_of_an_erased_message_is_left_in_any_file() {
    let directory = directory();
    let path = directory.0.path();
    let index = SqliteIndex::open(path, EPOCH).unwrap();
    let secret_of = |row: u64| format!("secret{row:05}");
    let terms_of = |row: u64| {
        let mut terms: Vec<String> = (0..20).map(|n| format!("t{}", row * (n + 7) % 900)).collect();
        terms.push(secret_of(row));
        terms
    };
    // Enough for FTS5 to write segments and merge them.
    for batch in 0..12 {
        let rows = batch * 200 + 1..=(batch + 1) * 200;
        let documents = rows.clone().map(|row| document(row, row % 3, &terms_of(row))).collect();
        let indexed_up_to = RowId::new(*rows.end());
        index.update(Update { documents, indexed_up_to, ..Update::default() }).await.unwrap();
    }
    let erased: Vec<u64> =
        (1..=2400).filter(|row| row % 61 == 5 || (700..740).contains(row)).collect();
    for rows in erased.chunks(20) {
        let erased = rows.iter().copied().map(RowId::new).collect();
        index.update(Update { erased, ..Update::default() }).await.unwrap();
    }
    // An edit takes the old terms away, too.
    index
        .update(Update {
            documents: vec![document(10, 1, &["edited".to_owned()])],
            ..Update::default()
        })
        .await
        .unwrap();
    for row in [1, 2, 700, 2400] {
        let kept = find(&index, row % 3, &secret_of(row)).await;
        assert_eq!(kept.is_empty(), erased.contains(&row), "{row}");
    }
    index.close().await.unwrap();
    assert!(traces(path, &needles(path, 1, &secret_of(1))[0]) > 0, "the needles are not those");
    let connection = Connection::open(path.join(FILE)).unwrap();
    connection
        .execute_batch("CREATE VIRTUAL TABLE temp.words USING fts5vocab (main, postings, 'row')")
        .unwrap();
    let words: HashSet<Vec<u8>> = connection
        .prepare("SELECT CAST (term AS BLOB) FROM temp.words")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert!(words.contains(&needles(path, 1, &secret_of(1))[1]), "the words are not those");
    let content = content(path);
    for row in erased.iter().copied().chain([10]) {
        let [packed, word] = needles(path, row % 3, &secret_of(row));
        assert!(memchr::memmem::find(&content, &packed).is_none(), "{row}, in documents");
        assert!(memchr::memmem::find(&content, &word).is_none(), "{row}, in postings");
        assert!(!words.contains(&word), "{row}, in postings");
    }
    connection.execute("INSERT INTO postings (postings) VALUES ('integrity-check')", []).unwrap();
}

/// The log is truncated while the index goes on, though nobody asks for anything.
#[tokio::test]
async fn the_log_forgets_what_was_erased_by_itself() {
    let directory = directory();
    let path = directory.0.path();
    let index = SqliteIndex::open(path, EPOCH).unwrap();
    let documents = vec![document(1, 7, &["secret".to_owned()])];
    index.update(Update { documents, ..Update::default() }).await.unwrap();
    let [packed, _] = needles(path, 7, "secret");
    assert!(traces(path, &packed) > 0);
    // A reader that stays holds the log up.
    let reader = Connection::open(path.join(FILE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM documents").unwrap();
    let erased = vec![RowId::new(1)];
    index.update(Update { erased, ..Update::default() }).await.unwrap();
    drop(reader);
    let give_up = std::time::Instant::now() + Duration::from_secs(30);
    while traces(path, &packed) > 0 {
        assert!(std::time::Instant::now() < give_up, "the log was not truncated");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Nothing of what was said can be read in the files, erased or not.
#[tokio::test]
async fn no_text_is_in_any_file() {
    let directory = directory();
    let path = directory.0.path();
    let index = SqliteIndex::open(path, EPOCH).unwrap();
    let documents = vec![document(1, 7, &["stormpetrel".to_owned(), "天气".to_owned()])];
    index.update(Update { documents, ..Update::default() }).await.unwrap();
    index.close().await.unwrap();
    assert_eq!(traces(path, b"stormpetrel") + traces(path, "天气".as_bytes()), 0);
}

/// An index of another store, of another version, or a damaged one is made again.
#[tokio::test]
async fn what_does_not_fit_is_thrown_away() {
    type Spoil = fn(&Path);
    let spoilers: [(&str, Spoil); 5] = [
        ("epoch", |path| {
            Connection::open(path).unwrap().execute("UPDATE meta SET epoch = 5", []).unwrap();
        }),
        ("version", |path| {
            Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        }),
        ("no database", |path| fs::write(path, "something else").unwrap()),
        ("cut", |path| fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap()),
        ("found damaged", |path| {
            fs::write(path.with_file_name("search.damaged"), "").unwrap();
        }),
    ];
    for (name, spoil) in spoilers {
        let directory = directory();
        let path = directory.0.path();
        let index = SqliteIndex::open(path, EPOCH).unwrap();
        let documents = vec![document(1, 7, &["a".to_owned()])];
        let indexed_up_to = RowId::new(1);
        index.update(Update { documents, indexed_up_to, ..Update::default() }).await.unwrap();
        index.close().await.unwrap();
        spoil(&path.join(FILE));
        for _ in 0..2 {
            let index = SqliteIndex::open(path, EPOCH).unwrap();
            assert_eq!(index.indexed_up_to().await.unwrap(), RowId::new(0), "{name}");
            assert_eq!(find(&index, 7, "a").await, [0; 0], "{name}");
            index.close().await.unwrap();
        }
    }
}

/// Two processes must not write the same files.
#[tokio::test]
async fn a_directory_has_one_owner() {
    let directory = directory();
    let index = SqliteIndex::open(directory.0.path(), EPOCH).unwrap();
    let error = SqliteIndex::open(directory.0.path(), EPOCH).unwrap_err();
    assert_eq!(error.kind(), SearchErrorKind::Locked);
    drop(index);
    SqliteIndex::open(directory.0.path(), EPOCH).unwrap();
}

/// A lookup that takes too long is given up.
#[tokio::test]
async fn a_lookup_has_its_time() {
    let directory = directory();
    let index = SqliteIndex::open(directory.0.path(), EPOCH).unwrap();
    let documents = vec![document(1, 7, &["a".to_owned()])];
    index.update(Update { documents, ..Update::default() }).await.unwrap();
    let lookup = Lookup {
        conversations: vec![ConversationId::new(7); 100],
        terms: vec!["a".to_owned()],
        before: RowId::new(9),
        after: RowId::new(0),
        from_time: None,
        until_time: None,
        limit: 1,
        time_max: Duration::ZERO,
    };
    assert_eq!(index.candidates(lookup).await.unwrap_err().kind(), SearchErrorKind::TooSlow);
}
