//! Where words come from: a file of the operator's, and those that admins keep in the store.

use std::path::PathBuf;
use std::time::SystemTime;

use petrel_protocol::http::admin::WordMode;

use super::list::{WordError, parse_file};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file with words, which is read again when it changes.
#[derive(Debug)]
pub struct WordFile {
    path: PathBuf,
    mode: WordMode,
    seen: Option<(SystemTime, u64)>,
}

impl WordFile {
    /// At a path, with what is done about words for which the file says nothing else.
    pub fn new(path: PathBuf, mode: WordMode) -> Self {
        Self { path, mode, seen: None }
    }

    /// The words, if the file is another one than the last time; what is wrong with it, once.
    /// Blocks on the disk.
    pub fn read_if_changed(&mut self) -> Result<Option<Vec<(String, WordMode)>>, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let known = std::fs::metadata(&self.path).map_err(told)?;
        let stamp = (known.modified().unwrap_or(SystemTime::UNIX_EPOCH), known.len());
        if self.seen == Some(stamp) {
            return Ok(None);
        }
        if known.len() > FILE_BYTES_MAX {
            self.seen = Some(stamp);
            let size = FILE_BYTES_MAX / 1024 / 1024;
            return Err(format!("{} is larger than {size} MiB", self.path.display()));
        }
        let text = std::fs::read_to_string(&self.path).map_err(told)?;
        self.seen = Some(stamp);
        let told = |error: WordError| format!("{}, {error}", self.path.display());
        parse_file(&text, self.mode).map(Some).map_err(told)
    }
}
