//! The data directory: created if missing, and locked against a second process.
//!
//! SQLite itself would let two processes write by turns, but two sequencers on one
//! store would fight over every partition, so the second one is kept out.

use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::{StoreError, StoreErrorKind};

pub(super) const DATABASE_FILE: &str = "petrel.db";
const LOCK_FILE: &str = "petrel.lock";

/// A data directory that belongs to this process for as long as the value lives.
#[derive(Debug)]
pub(super) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Creates the directory if it is missing and takes its lock.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        create(path)?;
        let lock = private_file(&path.join(LOCK_FILE))
            .map_err(|error| unavailable(path, "is not writable", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::new(
                StoreErrorKind::Locked,
                format!(
                    "the data directory {} is in use by another process: stop that one, or \
                     choose another directory",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => {
                Err(unavailable(path, "can't be locked (is it on a network file system?)", error))
            }
        }
    }

    /// Whether there is a database in the directory `path`.
    pub(super) fn has_database(path: &Path) -> bool {
        path.join(DATABASE_FILE).is_file()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the database, whose file exists afterwards, readable to its owner
    /// only. SQLite gives its other files the same permissions.
    pub(super) fn database(&self) -> Result<PathBuf, StoreError> {
        let path = self.path.join(DATABASE_FILE);
        match private_file(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(unavailable(&path, "can't be opened for writing", error)),
        }
    }

    /// Makes the names of new files durable, and that of the directory itself.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let parent = self.path.canonicalize().map(|path| path.parent().map(Path::to_owned));
        let synced = parent.and_then(|parent| {
            File::open(&self.path)?.sync_all()?;
            parent.map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        });
        synced.map_err(|error| unavailable(&self.path, "can't be brought to disk", error))
    }
}

fn create(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(StoreError::new(
            StoreErrorKind::Unavailable,
            format!("the data directory {} is not a directory", path.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            private_directory(path).map_err(|error| unavailable(path, "can't be created", error))
        }
        Err(error) => Err(unavailable(path, "can't be read", error)),
    }
}

/// Creates a directory that only its owner can look into.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Opens or creates a file that only its owner can read.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true).create(true).truncate(false).open(path)
}

fn unavailable(path: &Path, what: impl Display, error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("{} {what}", path.display()))
        .with_source(error)
}
