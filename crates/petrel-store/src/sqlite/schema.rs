//! The database file: its settings, its version, and whether it is ours.
//!
//! Nothing is written to a file before it is known to be empty or to be ours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use petrel_types::{Epoch, RowId, TimestampMs, UserId};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::directory::DataDirectory;
use super::flush::Watermark;
use super::message_key::HashSecret;
use super::migrations::{self, OLDEST_VERSION, SCHEMA_VERSION};
use super::{fault, tables};
use crate::{StoreError, StoreErrorKind};

/// Marks the file as Petrel's: `PTRL` in ASCII.
const APPLICATION_ID: u32 = 0x5054_524c;

/// How long to wait for an operator's `sqlite3` shell to let go of the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS_CACHED_MAX: usize = 64;
const WRITER_CACHE_KIB: u32 = 64 * 1024;
const READER_CACHE_KIB: u32 = 16 * 1024;
pub(super) const PAGE_BYTES: u32 = 16_384;

/// What `meta` holds besides the secret.
pub(super) struct Meta {
    pub(super) epoch: Epoch,
    pub(super) watermark: Watermark,
    pub(super) last_user: UserId,
    /// When the newest event up to the watermark was numbered.
    pub(super) newest: TimestampMs,
}

impl Meta {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT epoch, watermark_row, watermark_journal, last_user, newest_ms FROM meta";
        connection.query_row(sql, [], |row| {
            Ok(Self {
                epoch: Epoch::new(row.get(0)?),
                watermark: Watermark { row: RowId::new(row.get(1)?), journal: row.get(2)? },
                last_user: UserId::new(row.get(3)?),
                newest: TimestampMs::new(row.get(4)?),
            })
        })
    }
}

/// How the file is reached: its path, and the SQLite VFS to use for it.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) path: PathBuf,
    pub(super) vfs: Option<String>,
}

/// What a file holds.
enum Content {
    Nothing,
    /// A database of this version, which can be read or brought forward.
    Petrel {
        version: u32,
    },
}

/// Opens the connection that writes, after creating the file or bringing it forward to
/// the present version. `epoch` is for a file that is created.
pub(super) fn open_writer(
    directory: &DataDirectory,
    location: &Location,
    epoch: Epoch,
    secret: HashSecret,
) -> Result<Connection, StoreError> {
    let path = location.path.as_path();
    let story = |error| story(error, path);
    let mut connection = connect(location, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(story)?;
    let content = content(&connection, path)?;
    if let Content::Nothing = content {
        // Both are fixed from the first page on.
        connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(story)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(story)?;
    }
    configure_writer(&connection, path).map_err(story)??;
    match content {
        Content::Nothing => {
            create(&mut connection, epoch, secret).map_err(story)?;
            directory.sync()?;
        }
        Content::Petrel { version } if version < SCHEMA_VERSION => {
            tracing::info!(
                from = version,
                to = SCHEMA_VERSION,
                "bringing the database to the present version; an older Petrel can't read it then"
            );
            migrations::migrate(&mut connection, version).map_err(story)?;
        }
        Content::Petrel { .. } => {}
    }
    Ok(connection)
}

/// Opens the connection that writes to a file that must be of the present version: one
/// that is not is refused and left as it is.
pub(super) fn open_present(
    directory: &DataDirectory,
    location: &Location,
    epoch: Epoch,
    secret: HashSecret,
) -> Result<Connection, StoreError> {
    let path = location.path.as_path();
    let connection =
        connect(location, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| story(error, path))?;
    match content(&connection, path)? {
        Content::Petrel { version } if version < SCHEMA_VERSION => Err(StoreError::new(
            StoreErrorKind::Unavailable,
            format!(
                "the database {} has schema version {version}, and this Petrel checks version \
                 {SCHEMA_VERSION} only: check it with the Petrel that wrote it, or start this one \
                 once, which brings it forward (an older Petrel can't read it then)",
                path.display()
            ),
        )),
        Content::Petrel { .. } | Content::Nothing => {
            drop(connection);
            open_writer(directory, location, epoch, secret)
        }
    }
}

/// Opens a connection that reads a file which [`open_writer`] has opened.
pub(super) fn open_reader(location: &Location) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(location, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        set_cache(&connection, READER_CACHE_KIB)?;
        Ok(connection)
    };
    open().map_err(fault::of_read)
}

/// Opens a connection that copies the write-ahead log into the database.
pub(super) fn open_checkpointer(location: &Location) -> rusqlite::Result<Connection> {
    let connection = connect(location, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", synchronous())?;
    Ok(connection)
}

fn synchronous() -> &'static str {
    #[cfg(feature = "mutants")]
    if crate::mutants::is("synchronous-off") {
        return "OFF";
    }
    "FULL"
}

fn connect(location: &Location, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on one thread, so SQLite need not guard it.
    let (path, flags) = (&location.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = match &location.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    Ok(connection)
}

/// What is in the file. One that is neither empty nor ours is an error, and so is one of
/// ours that this Petrel can't read.
fn content(connection: &Connection, path: &Path) -> Result<Content, StoreError> {
    let identity = "SELECT (SELECT application_id FROM pragma_application_id),
                           (SELECT user_version FROM pragma_user_version),
                           (SELECT count(*) FROM sqlite_schema)";
    let (application_id, version, objects): (i64, i64, i64) = connection
        .query_row(identity, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(|error| story(error, path))?;
    if (application_id, version, objects) == (0, 0, 0) {
        return Ok(Content::Nothing);
    }
    let corrupt = |what: String| StoreError::new(StoreErrorKind::Corrupt, what);
    if application_id != i64::from(APPLICATION_ID) {
        return Err(corrupt(format!("{} is a database, but not a Petrel one", path.display())));
    }
    match u32::try_from(version) {
        Ok(version) if (OLDEST_VERSION..=SCHEMA_VERSION).contains(&version) => {
            Ok(Content::Petrel { version })
        }
        _ => Err(corrupt(format!(
            "the database {} has schema version {version}, and this Petrel understands versions \
             {OLDEST_VERSION} to {SCHEMA_VERSION}: start the Petrel that wrote it, or a newer one",
            path.display()
        ))),
    }
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
    connection.pragma_update(None, "synchronous", synchronous())?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Not inside a commit, which would have to wait for it: see `checkpoint`.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    // Zeroes what is freed within a page, at no cost in writing: see `overwrites`.
    connection.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    set_cache(connection, WRITER_CACHE_KIB)?;
    Ok(Ok(()))
}

fn set_cache(connection: &Connection, size_kib: u32) -> rusqlite::Result<()> {
    // SQLite takes a negative number as KiB, a positive one as pages.
    connection.pragma_update(None, "cache_size", -i64::from(size_kib))
}

/// Writes the tables, the marks and the file's identity, all or nothing: a crash leaves
/// a file that still counts as empty.
fn create(connection: &mut Connection, epoch: Epoch, secret: HashSecret) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tables::create(&transaction)?;
    let (secret_0, secret_1) = secret.columns();
    transaction.execute(
        "INSERT INTO meta (id, epoch, hash_secret_0, hash_secret_1, last_user,
                           watermark_row, watermark_journal, generation)
         VALUES (1, ?1, ?2, ?3, ?4, 0, 0, 0)",
        (epoch.get(), secret_0, secret_1, UserId::LOCAL_FIRST.get() - 1),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}
