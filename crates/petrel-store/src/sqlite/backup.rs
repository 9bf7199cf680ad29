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
//! POSIX takes all locks that a process holds on a file from it when it closes any handle of
//! that file, SQLite's included. The server may be in this process, so a handle of a
//! database that is in use is never closed but kept for the next copy.
//!
//! `docs/decisions/0003-backup.md` has the alternatives and the measurements.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petrel_types::Epoch;
use rusqlite::{Connection, OpenFlags};

use super::directory::{self, DATABASE_FILE, DataDirectory};
use super::schema::{self, Location};
use super::{HashSecret, fault, mint_epoch};
use crate::{StoreError, StoreErrorKind};

/// How much is copied between two looks at the progress.
const CHUNK_BYTES: u64 = 8 * 1024 * 1024;
/// How much may wait to be written to the disk, where it competes with the commits.
const UNSYNCED_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What an unfinished copy is called until it is whole.
const UNFINISHED: &str = "unfinished";

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
/// The files of `folders` in `from` come along, readable to their owner only.
///
/// The copy is made in a directory beside `to` with the extension `unfinished` and renamed
/// when it is whole and on disk, so whatever has the right name is a whole backup. An
/// unfinished one of an earlier attempt is replaced.
///
/// While the database file is copied, the server can't shorten its write-ahead log, and
/// refuses commits should the log reach its limit ([`Options::wal_bytes_max`]).
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
    let snapshot = match &lock {
        Some(_) => None,
        None => Some(hold_snapshot(from)?),
    };
    let mut copying = Copying { progress, copied_bytes: 0, total_bytes: size(from) };
    let mut kept = Handles::lock();
    let source = match &lock {
        Some(_) => File::open(from.join(DATABASE_FILE)).map(Arc::new),
        None => kept.open(&from.join(DATABASE_FILE)),
    };
    source
        .and_then(|source| copying.copy_database(&source, from, &place.unfinished))
        .map_err(|error| place.failed(error))?;
    drop((snapshot, lock, kept));
    for folder in folders {
        copying
            .copy_folder(&from.join(folder), &place.unfinished.join(folder))
            .map_err(|error| place.failed(error))?;
    }
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
    let mut copying = Copying { progress, copied_bytes: 0, total_bytes: size(from) };
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

/// Where a copy is made, and where it is to be.
struct Place {
    unfinished: PathBuf,
    finished: PathBuf,
}

impl Place {
    fn prepare(from: &Path, to: &Path) -> Result<Self, StoreError> {
        let unavailable = |story| Err(StoreError::new(StoreErrorKind::Unavailable, story));
        if !DataDirectory::has_database(from) {
            return unavailable(format!("there is no Petrel database in {}", from.display()));
        }
        let is_empty = match fs::read_dir(to) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !is_empty {
            return unavailable(format!(
                "{} exists and is not an empty directory: name one that does not exist",
                to.display()
            ));
        }
        let mut name = to.file_name().unwrap_or(to.as_os_str()).to_owned();
        name.push(".");
        name.push(UNFINISHED);
        let place = Self { unfinished: to.with_file_name(name), finished: to.to_owned() };
        if place.unfinished.exists() {
            fs::remove_dir_all(&place.unfinished).map_err(|error| place.failed(error))?;
        }
        directory::private_directory(&place.unfinished).map_err(|error| place.failed(error))?;
        Ok(place)
    }

    /// Gives the copy its name.
    fn finish(self) -> Result<(), StoreError> {
        let renamed = || {
            if self.finished.exists() {
                fs::remove_dir(&self.finished)?;
            }
            File::open(&self.unfinished)?.sync_all()?;
            fs::rename(&self.unfinished, &self.finished)?;
            let parent = self.finished.canonicalize()?.parent().map(Path::to_owned);
            parent.map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        renamed().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> StoreError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
            _ => StoreErrorKind::Unavailable,
        };
        let story = format!("the copy {} can't be made", self.finished.display());
        StoreError::new(kind, story).with_source(error)
    }
}

/// Handles of databases that are in use, by path. Held while one of them is read, as they
/// share their offsets with all who use them.
struct Handles(MutexGuard<'static, BTreeMap<PathBuf, Arc<File>>>);

impl Handles {
    fn lock() -> Self {
        static HANDLES: Mutex<BTreeMap<PathBuf, Arc<File>>> = Mutex::new(BTreeMap::new());
        Self(HANDLES.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The handle of the file that is at `path` now.
    fn open(&mut self, path: &Path) -> io::Result<Arc<File>> {
        let path = path.canonicalize()?;
        if let Some(kept) = self.0.get(&path)
            && is_at(kept, &path)?
        {
            (&**kept).rewind()?;
            return Ok(Arc::clone(kept));
        }
        let opened = Arc::new(File::open(&path)?);
        self.0.insert(path, Arc::clone(&opened));
        Ok(opened)
    }
}

/// Whether the file at `path` is this one and not another that took its place.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (file, path) = (file.metadata()?, fs::metadata(path)?);
    Ok((file.dev(), file.ino()) == (path.dev(), path.ino()))
}

/// Whether the file at `path` is this one. Elsewhere a file in use can't be replaced.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
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

/// A copy that is being made.
struct Copying<F> {
    progress: F,
    copied_bytes: u64,
    total_bytes: u64,
}

impl<F: FnMut(Progress)> Copying<F> {
    /// Copies the file and then the log.
    fn copy_database(&mut self, database: &File, from: &Path, to: &Path) -> io::Result<()> {
        self.copy(database, &to.join(DATABASE_FILE))?;
        let log = log_name();
        match File::open(from.join(&log)) {
            Ok(source) => self.copy(&source, &to.join(&log)),
            // There is none after an orderly end.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn copy_folder(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        directory::private_directory(to)?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                self.copy(&File::open(entry.path())?, &to.join(entry.file_name()))?;
            }
        }
        File::open(to)?.sync_all()
    }

    /// Copies a file as long as it is now, and brings the copy to disk.
    fn copy(&mut self, mut source: &File, to: &Path) -> io::Result<()> {
        let mut target = directory::private_file(to)?;
        let mut left = source.metadata()?.len();
        let mut unsynced = 0;
        while left > 0 {
            let copied = {
                let mut chunk = Read::by_ref(&mut source).take(left.min(CHUNK_BYTES));
                io::copy(&mut chunk, &mut target)?
            };
            if copied == 0 {
                break;
            }
            left -= copied;
            unsynced += copied;
            if unsynced >= UNSYNCED_BYTES_MAX {
                target.sync_data()?;
                unsynced = 0;
            }
            self.copied_bytes += copied;
            self.total_bytes = self.total_bytes.max(self.copied_bytes);
            let Self { copied_bytes, total_bytes, .. } = *self;
            (self.progress)(Progress { copied_bytes, total_bytes });
        }
        target.flush()?;
        target.sync_all()
    }
}
