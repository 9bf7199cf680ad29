//! The files of an index: made, recognised, and thrown away.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use petrel_types::Epoch;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::token::Secret;
use crate::{SearchError, SearchErrorKind};

/// What the database is called in its directory.
pub const FILE: &str = "search.db";
const LOCK_FILE: &str = "search.lock";
/// There is a file of this name once the database was found to be damaged.
const DAMAGED_FILE: &str = "search.damaged";

/// Marks the file as an index of Petrel's: `PTRS` in ASCII.
const APPLICATION_ID: u32 = 0x5054_5253;

/// Rises with whatever changes what is stored, the terms of `petrel-logic` included: an
/// index of another version is made again.
const VERSION: u32 = 1;

/// How long to wait for an operator's `sqlite3` shell to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const WRITER_CACHE_KIB: i64 = 32 * 1024;
const READER_CACHE_KIB: i64 = 8 * 1024;

/// FTS5 collects so much in memory before it writes a segment.
const COLLECTED_BYTES: u32 = 8 * 1024 * 1024;

/// `postings` is contentless and keeps neither places nor lengths: all that is asked of it
/// is which messages have a token. `hours` has the first and last row that was numbered in
/// an hour, so that times become rows.
const TABLES: &str = "
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        secret_0 INTEGER NOT NULL,
        secret_1 INTEGER NOT NULL,
        indexed_up_to INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE documents (
        row_id INTEGER PRIMARY KEY,
        tokens BLOB NOT NULL
    ) STRICT;
    CREATE TABLE hours (
        hour INTEGER PRIMARY KEY,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL
    ) STRICT;
    CREATE VIRTUAL TABLE postings USING fts5 (
        tokens, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
    );
    INSERT INTO postings (postings, rank) VALUES ('secure-delete', 1);
";

/// An index that is open.
pub(super) struct Opened {
    pub(super) directory: Directory,
    pub(super) secret: Secret,
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
}

/// A directory that belongs to this process for as long as the value lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    fn lock(path: &Path) -> Result<Self, SearchError> {
        let made = private_directory(path).and_then(|()| private_file(&path.join(LOCK_FILE)));
        let lock = made.map_err(|error| unavailable(path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SearchError::new(
                SearchErrorKind::Locked,
                format!(
                    "the search directory {} is in use by another process: stop that one, or \
                     choose another directory",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(unavailable(path, error)),
        }
    }

    fn database(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Sees to it that the index is made again when it is opened the next time.
    pub(super) fn condemn(&self) {
        if let Err(error) = private_file(&self.path.join(DAMAGED_FILE)) {
            tracing::warn!(%error, "a damaged search index can't be marked; delete it by hand");
        }
    }

    fn throw_away(&self) -> Result<(), SearchError> {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.path.join(format!("{FILE}{suffix}"));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unavailable(&path, error));
                }
                _ => {}
            }
        }
        match fs::remove_file(self.path.join(DAMAGED_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unavailable(&self.path, error))
            }
            _ => Ok(()),
        }
    }
}

/// How many threads look things up.
pub(super) const READERS: usize = 2;

pub(super) fn open(path: &Path, epoch: Epoch) -> Result<Opened, SearchError> {
    let directory = Directory::lock(path)?;
    let is_damaged = directory.path.join(DAMAGED_FILE).exists();
    let is_there = directory.database().exists();
    let kept = if is_damaged { None } else { open_writer(&directory, epoch).unwrap_or_default() };
    let (writer, secret) = match kept {
        Some(kept) => kept,
        None => {
            if is_there {
                tracing::info!(
                    directory = %path.display(),
                    "the search index is damaged, or not of this store; making it again"
                );
            }
            directory.throw_away()?;
            create(&directory, epoch)?
        }
    };
    let readers = (0..READERS)
        .map(|_| connect(&directory, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB))
        .collect::<rusqlite::Result<_>>()
        .map_err(of)?;
    Ok(Opened { directory, secret, writer, readers })
}

/// What a failed statement means.
pub(super) fn of(error: rusqlite::Error) -> SearchError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => SearchErrorKind::TooSlow,
        Some(ErrorCode::DiskFull) => SearchErrorKind::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => SearchErrorKind::Corrupt,
        _ => SearchErrorKind::Unavailable,
    };
    SearchError::new(kind, "the search index can't be used").with_source(error)
}

/// Opens what is there, if it is an index of this store.
fn open_writer(
    directory: &Directory,
    epoch: Epoch,
) -> rusqlite::Result<Option<(Connection, Secret)>> {
    if !directory.database().exists() {
        return Ok(None);
    }
    let connection = connect(directory, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
    let identity = "SELECT (SELECT application_id FROM pragma_application_id),
                           (SELECT user_version FROM pragma_user_version)";
    let identity: (u32, u32) =
        connection.query_row(identity, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if identity != (APPLICATION_ID, VERSION) {
        return Ok(None);
    }
    let (found, secret_0, secret_1): (u64, i64, i64) =
        connection.query_row("SELECT epoch, secret_0, secret_1 FROM meta", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    configure(&connection)?;
    let secret = Secret(secret_0.cast_unsigned(), secret_1.cast_unsigned());
    Ok((found == epoch.get()).then_some((connection, secret)))
}

fn create(directory: &Directory, epoch: Epoch) -> Result<(Connection, Secret), SearchError> {
    let path = directory.database();
    private_file(&path).map_err(|error| unavailable(&path, error))?;
    let secret = Secret(random()?, random()?);
    let make = || {
        let mut connection =
            connect(directory, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
        configure(&connection)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute(
            "INSERT INTO postings (postings, rank) VALUES ('hashsize', ?1)",
            [COLLECTED_BYTES],
        )?;
        transaction.execute(
            "INSERT INTO meta (id, epoch, secret_0, secret_1, indexed_up_to)
             VALUES (1, ?1, ?2, ?3, 0)",
            (epoch.get(), secret.0.cast_signed(), secret.1.cast_signed()),
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        Ok(connection)
    };
    make().map(|connection| (connection, secret)).map_err(of)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A loss of power may take updates back, but no part of one: they are made again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    Ok(())
}

fn connect(
    directory: &Directory,
    access: OpenFlags,
    cache_kib: i64,
) -> rusqlite::Result<Connection> {
    // Each connection stays on one thread, so SQLite need not guard it.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.database(), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // SQLite takes a negative number as KiB, a positive one as pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(connection)
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Opens or creates a file that only its owner can read. SQLite gives its other files the
/// same permissions.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true).create(true).truncate(false).open(path)
}

fn random() -> Result<u64, SearchError> {
    getrandom::u64().map_err(|error| {
        SearchError::new(SearchErrorKind::Unavailable, "the system has no random numbers")
            .with_source(error)
    })
}

fn unavailable(path: &Path, error: io::Error) -> SearchError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SearchErrorKind::Full,
        _ => SearchErrorKind::Unavailable,
    };
    SearchError::new(kind, format!("the search index {} can't be used", path.display()))
        .with_source(error)
}
