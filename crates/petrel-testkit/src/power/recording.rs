//! Which directories are written down, and where.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Journal, vfs};

/// Writes a directory down for as long as the value lives.
///
/// The first one makes the recording file system the default of the process, so that code
/// under test opens its databases as ever.
#[derive(Debug)]
pub struct Recording {
    journal: Arc<Journal>,
}

impl Recording {
    /// Begins to write down what SQLite does in `directory`, on connections that are
    /// opened from now on. What is there already counts as durable.
    pub fn start(directory: &Path) -> io::Result<Self> {
        static REGISTERED: OnceLock<i32> = OnceLock::new();
        let code = *REGISTERED.get_or_init(vfs::register);
        if code != rusqlite::ffi::SQLITE_OK {
            return Err(io::Error::other(format!("SQLite refused the file system: {code}")));
        }
        let journal = Arc::new(Journal::new(directory)?);
        watched().push(Arc::clone(&journal));
        Ok(Self { journal })
    }

    /// What was written down so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        watched().retain(|journal| !Arc::ptr_eq(journal, &self.journal));
    }
}

/// The journal of a file, and the file's path in it.
pub(super) fn journal_of(path: &Path) -> Option<(Arc<Journal>, PathBuf)> {
    let found = |journal: &Arc<Journal>| Some((Arc::clone(journal), journal.relative(path)?));
    watched().iter().find_map(found)
}

fn watched() -> MutexGuard<'static, Vec<Arc<Journal>>> {
    static WATCHED: Mutex<Vec<Arc<Journal>>> = Mutex::new(Vec::new());
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
