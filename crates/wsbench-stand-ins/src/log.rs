//! What a server did that it should not have done.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The log of misdeeds.
#[derive(Debug)]
pub(crate) struct Log(Mutex<File>);

impl Log {
    pub(crate) fn new(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(File::create(path)?)))
    }

    /// Writes one down, at once: whoever reads may not wait for the end.
    pub(crate) fn write(&self, word: &str) {
        let mut file = self.0.lock().expect("nothing panics while it holds this");
        writeln!(file, "{word}").expect("the log can be written to");
    }
}

/// Says yes every N-th time.
#[derive(Debug)]
pub(crate) struct Every {
    every: Option<u64>,
    count: AtomicU64,
}

impl Every {
    pub(crate) fn new(every: Option<u64>) -> Self {
        Self { every: every.filter(|every| *every > 0), count: AtomicU64::new(0) }
    }

    pub(crate) fn is_due(&self) -> bool {
        let Some(every) = self.every else { return false };
        (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every)
    }
}
