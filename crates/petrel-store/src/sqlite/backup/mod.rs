//! Copies of a data directory, made while a server may be at work in it, and data
//! directories made of them.
//!
//! A copy is what a crash would leave, which any start can recover from: the database file
//! and after it the write-ahead log. What makes the two fit together is a reader, which
//! need not be in the server's process. While it holds its snapshot, no checkpoint copies
//! anything newer than the snapshot into the database, and the log does not begin again.
//! So the file holds nothing that is not in the log up to the snapshot as well, and all
//! that came later is in the log, the last commit perhaps torn, which its checksums tell.
//!
//! The log can't be shortened while a snapshot is held, so most of the file is copied before
//! that, and afterwards only what has changed.
//!
//! `docs/decisions/0003-backup.md` has the alternatives and the measurements.

mod copying;
mod handles;
mod place;

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use petrel_types::Epoch;
use rusqlite::{Connection, OpenFlags};

use self::copying::Copying;
use self::handles::Handles;
use self::place::Place;
use super::directory::{DATABASE_FILE, DataDirectory};
use super::schema::{self, Location};
use super::{HashSecret, fault, mint_epoch};
use crate::{StoreError, StoreErrorKind};

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How much has been copied.
    pub copied_bytes: u64,
    /// How much there is to copy, as far as is known.
    pub total_bytes: u64,
}

/// Copies the store in `from` to `to`, which must not exist or be empty. A server may be at
/// work in `from`; then the copy holds every commit that was acknowledged before the call.
/// The folders `folders` in `from` come along with all that is in them, copied after the store,
/// readable to their owner only.
///
/// The copy is made in a directory beside `to` with the extension `unfinished` and renamed
/// when it is whole and on disk, so whatever has the right name is a whole backup. An
/// unfinished one of an earlier attempt is replaced.
///
/// While the copy is brought up to the moment, the server can't shorten its write-ahead log,
/// and refuses commits should the log reach its limit ([`Options::wal_bytes_max`]).
///
/// [`Options::wal_bytes_max`]: super::Options::wal_bytes_max
pub fn backup(
    from: &Path,
    to: &Path,
    folders: &[&str],
    progress: impl FnMut(Progress),
) -> Result<(), StoreError> {
    let place = Place::prepare(from, to)?;
    // Nobody else opens the store while it is copied, unless somebody has already.
    let lock = match DataDirectory::lock(from) {
        Ok(lock) => Some(lock),
        Err(error) if error.kind() == StoreErrorKind::Locked => None,
        Err(error) => return Err(error),
    };
    let mut copying = Copying::new(progress, size(from));
    let mut kept = Handles::lock();
    let source = match &lock {
        Some(_) => File::open(from.join(DATABASE_FILE)).map(Arc::new),
        None => kept.open(&from.join(DATABASE_FILE)),
    };
    let source = source.map_err(|error| place.failed(error))?;
    let snapshot = match &lock {
        Some(_) => None,
        None => {
            copying
                .copy_in_advance(&source, &place.unfinished)
                .map_err(|error| place.failed(error))?;
            Some(hold_snapshot(from)?)
        }
    };
    copying.copy_database(&source, from, &place.unfinished).map_err(|error| place.failed(error))?;
    drop((snapshot, lock, kept));
    for folder in folders {
        copying
            .copy_folder(&from.join(folder), &place.unfinished.join(folder))
            .map_err(|error| place.failed(error))?;
    }
    copying.finish();
    // Recovers it, so that one file is left, and nothing has to be recovered later.
    let copy = DataDirectory::lock(&place.unfinished)?;
    drop(open(&copy)?);
    copy.sync()?;
    drop(copy);
    place.finish()
}

/// Makes a data directory `to`, which must not exist or be empty, of a backup `from`,
/// which is left as it is. The new store has an epoch of its own, so that devices which
/// have seen more than the backup holds begin anew. Like [`backup`], all or nothing.
pub fn restore(
    from: &Path,
    to: &Path,
    folders: &[&str],
    progress: impl FnMut(Progress),
) -> Result<Epoch, StoreError> {
    let place = Place::prepare(from, to)?;
    let lock = DataDirectory::lock(from)?;
    let mut copying = Copying::new(progress, size(from));
    File::open(from.join(DATABASE_FILE))
        .and_then(|source| copying.copy_database(&source, from, &place.unfinished))
        .map_err(|error| place.failed(error))?;
    drop(lock);
    for folder in folders {
        copying
            .copy_folder(&from.join(folder), &place.unfinished.join(folder))
            .map_err(|error| place.failed(error))?;
    }
    let copy = DataDirectory::lock(&place.unfinished)?;
    let connection = open(&copy)?;
    let epoch = mint_epoch()?;
    connection
        .execute("UPDATE meta SET epoch = ?1", [epoch.get()])
        .map_err(|error| fault::of_write(error, "the epoch can't be written"))?;
    drop(connection);
    drop(copy);
    let report = super::verify(&place.unfinished)?;
    if let Some(first) = report.problems.first() {
        let story = format!(
            "the backup {} contradicts itself ({} problems, the first: {first}), so nothing was \
             restored: restore another one",
            from.display(),
            report.problem_count
        );
        return Err(StoreError::new(StoreErrorKind::Corrupt, story));
    }
    place.finish()?;
    Ok(epoch)
}

/// The names of all objects that the store in a directory knows of, also of those that wait to
/// be deleted. No server may be at work there.
pub fn objects(directory: &Path) -> Result<HashSet<String>, StoreError> {
    let connection = open(&DataDirectory::lock(directory)?)?;
    let read = || -> rusqlite::Result<HashSet<String>> {
        connection
            .prepare("SELECT object FROM files UNION ALL SELECT object FROM file_garbage")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    read().map_err(fault::of_read)
}

/// A reader that keeps the database file as it is, for as long as it lives.
fn hold_snapshot(from: &Path) -> Result<Connection, StoreError> {
    let hold = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(from.join(DATABASE_FILE), flags)?;
        connection.busy_timeout(schema::BUSY_TIMEOUT)?;
        // The transaction takes its snapshot with its first statement.
        connection.execute_batch("BEGIN; SELECT id FROM meta;")?;
        Ok(connection)
    };
    hold().map_err(fault::of_read)
}

fn open(directory: &DataDirectory) -> Result<Connection, StoreError> {
    let location = Location { path: directory.database()?, vfs: None };
    schema::open_present(directory, &location, mint_epoch()?, HashSecret::mint()?)
}

/// How much the files of the store hold.
fn size(directory: &Path) -> u64 {
    let length = |name: &str| fs::metadata(directory.join(name)).map_or(0, |file| file.len());
    length(DATABASE_FILE) + length(&log_name())
}

fn log_name() -> String {
    format!("{DATABASE_FILE}-wal")
}
