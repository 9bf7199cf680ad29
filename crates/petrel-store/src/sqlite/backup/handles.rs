//! Handles of databases that are in use, which must not be closed.
//!
//! POSIX takes all locks that a process holds on a file from it when it closes any handle of
//! that file, SQLite's included. The server may be in this process, so a handle of a
//! database that is in use is never closed but kept for the next copy.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Handles of databases that are in use, by path. Held while one of them is read, as they
/// share their offsets with all who use them.
pub(super) struct Handles(MutexGuard<'static, BTreeMap<PathBuf, Arc<File>>>);

impl Handles {
    pub(super) fn lock() -> Self {
        static HANDLES: Mutex<BTreeMap<PathBuf, Arc<File>>> = Mutex::new(BTreeMap::new());
        Self(HANDLES.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The handle of the file that is at `path` now.
    pub(super) fn open(&mut self, path: &Path) -> io::Result<Arc<File>> {
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
