//! The database file: its settings, its tables, and whether it is ours.
//!
//! Nothing is written to a file before it is known to be empty or to be ours.

use std::path::Path;
use std::time::Duration;

use petrel_types::{Epoch, UserId};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::directory::DataDirectory;
use super::fault;
use crate::{StoreError, StoreErrorKind};

/// Marks the file as Petrel's: `PTRL` in ASCII.
const APPLICATION_ID: u32 = 0x5054_524c;
/// Raised with each change of the tables.
const SCHEMA_VERSION: u32 = 1;

/// How long to wait for an operator's `sqlite3` shell to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS_CACHED_MAX: usize = 64;
const WRITER_CACHE_KIB: u32 = 64 * 1024;
const READER_CACHE_KIB: u32 = 16 * 1024;
/// In pages of 16 KiB. The writer checkpoints when the write-ahead log is this long.
const WAL_PAGES: u32 = 1000;

/// `meta` has one row. Its marks outlive the rows they number, so that deleting the
/// newest event or user never makes its number come back.
///
/// An index over `client_message_id` is partial because only messages have one. The
/// one by partition holds its rows in order, as every index of SQLite ends in the row.
const TABLES: &str = "
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    last_row INTEGER NOT NULL,
    last_user INTEGER NOT NULL
) STRICT;

CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    owner_epoch INTEGER NOT NULL,
    next_position INTEGER NOT NULL,
    conversation_number INTEGER NOT NULL
) STRICT;

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT 0,
    head_message_number INTEGER NOT NULL DEFAULT 0,
    head_row INTEGER NOT NULL DEFAULT 0,
    head_timestamp_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (low, high)
) STRICT;

CREATE TABLE members (
    user INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    delivered_seq INTEGER NOT NULL DEFAULT 0,
    read_seq INTEGER NOT NULL DEFAULT 0,
    changed_row INTEGER NOT NULL,
    PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_conversation ON members (conversation);

CREATE TABLE events (
    row_id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message_number INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    client_message_id TEXT,
    timestamp_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_place ON events (conversation, seq);
CREATE UNIQUE INDEX events_by_client_message_id
    ON events (conversation, sender, client_message_id) WHERE client_message_id IS NOT NULL;
CREATE INDEX events_by_partition ON events (partition) WHERE client_message_id IS NOT NULL;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
";

/// Opens the connection that writes, after creating or checking the file. `epoch` is
/// for a file that is created.
pub(super) fn open_writer(
    directory: &DataDirectory,
    path: &Path,
    epoch: Epoch,
) -> Result<Connection, StoreError> {
    let story = |error| story(error, path);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(story)?;
    let is_new = is_new(&connection, path)?;
    if is_new {
        // Both are fixed from the first page on.
        connection.pragma_update(None, "page_size", 16_384).map_err(story)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(story)?;
    }
    configure_writer(&connection, path).map_err(story)??;
    if is_new {
        create(&mut connection, epoch).map_err(story)?;
        directory.sync()?;
    }
    Ok(connection)
}

/// Opens a connection that reads a file which [`open_writer`] has opened.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        set_cache(&connection, READER_CACHE_KIB)?;
        Ok(connection)
    };
    open().map_err(fault::of_read)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on one thread, so SQLite need not guard it.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    Ok(connection)
}

/// Whether the file is empty. One that is neither empty nor ours is an error.
fn is_new(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let identity = "SELECT (SELECT application_id FROM pragma_application_id),
                           (SELECT user_version FROM pragma_user_version),
                           (SELECT count(*) FROM sqlite_schema)";
    let (application_id, version, objects): (i64, i64, i64) = connection
        .query_row(identity, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(|error| story(error, path))?;
    if (application_id, version, objects) == (0, 0, 0) {
        return Ok(true);
    }
    let corrupt = |what: String| StoreError::new(StoreErrorKind::Corrupt, what);
    if application_id != i64::from(APPLICATION_ID) {
        return Err(corrupt(format!("{} is a database, but not a Petrel one", path.display())));
    }
    if version != i64::from(SCHEMA_VERSION) {
        return Err(corrupt(format!(
            "the database {} has schema version {version}, and this Petrel understands \
             version {SCHEMA_VERSION}: start the Petrel that wrote it, or a newer one",
            path.display()
        )));
    }
    Ok(false)
}

fn story(error: rusqlite::Error, path: &Path) -> StoreError {
    let what = match fault::kind(&error) {
        StoreErrorKind::Corrupt => "is damaged or not a Petrel database",
        _ => "can't be opened",
    };
    fault::of_write(error, &format!("{} {what}", path.display()))
}

fn configure_writer(
    connection: &Connection,
    path: &Path,
) -> rusqlite::Result<Result<(), StoreError>> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Ok(Err(StoreError::new(
            StoreErrorKind::Unavailable,
            format!("the file system of {} does not support write-ahead logging", path.display()),
        )));
    }
    // FULL makes every commit wait for its fsync; NORMAL would ack messages that a
    // power loss takes back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES, |_| Ok(()))?;
    set_cache(connection, WRITER_CACHE_KIB)?;
    Ok(Ok(()))
}

fn set_cache(connection: &Connection, size_kib: u32) -> rusqlite::Result<()> {
    // SQLite takes a negative number as KiB, a positive one as pages.
    connection.pragma_update(None, "cache_size", -i64::from(size_kib))
}

/// Writes the tables, the marks and the file's identity, all or nothing: a crash leaves
/// a file that still counts as empty.
fn create(connection: &mut Connection, epoch: Epoch) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO meta (id, epoch, last_row, last_user) VALUES (1, ?1, 0, ?2)",
        (epoch.get(), UserId::LOCAL_FIRST.get() - 1),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}
