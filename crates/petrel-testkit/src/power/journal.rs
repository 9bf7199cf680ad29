//! What was done to the files of a directory, in order.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Cut, Fate};

/// The shared memory of a write-ahead log. It is rebuilt after a loss of power, so what a
/// disk holds of it does not matter.
const SHARED_MEMORY_SUFFIX: &str = "-shm";
/// Holds no data; SQLite does not know it.
const LOCK_SUFFIX: &str = ".lock";

/// A file, whatever its name: one that is deleted and created again is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u64);

/// Something that was done, after it has succeeded. Paths are relative to the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file that was not there before.
    Created {
        /// The new file.
        file: FileId,
        /// Its name.
        path: PathBuf,
    },
    /// Bytes were written.
    Written {
        /// Where.
        file: FileId,
        /// From this byte on.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// The size was set.
    Truncated {
        /// Whose.
        file: FileId,
        /// To this.
        size: u64,
    },
    /// A sync of a file returned.
    Synced {
        /// Which.
        file: FileId,
        /// How many entries there were when it began: those are what it made durable.
        before: usize,
    },
    /// A name went away.
    Deleted {
        /// Which.
        path: PathBuf,
        /// Whether the directory was synced before the call returned.
        durable: bool,
    },
    /// A sync of a directory returned.
    DirectorySynced {
        /// Which; empty for the watched one itself.
        directory: PathBuf,
        /// How many entries there were when it began.
        before: usize,
    },
}

/// The record of a directory. Many threads write it; one lock orders them.
#[derive(Debug)]
pub struct Journal {
    root: PathBuf,
    record: Mutex<Record>,
}

/// What a journal has written down.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The files that were there at the beginning, which count as durable.
    pub(super) baseline: BTreeMap<PathBuf, (FileId, Vec<u8>)>,
    pub(super) entries: Vec<Entry>,
    /// The files by their present names.
    names: BTreeMap<PathBuf, FileId>,
    paths: Vec<PathBuf>,
    database_syncs: usize,
    bytes_written: usize,
}

impl Journal {
    /// An empty journal of a directory that exists.
    pub fn new(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let mut record = Record::default();
        for path in data_files(&root)? {
            let file = record.name(&path);
            record.baseline.insert(path.clone(), (file, fs::read(root.join(path))?));
        }
        Ok(Self { root, record: Mutex::new(record) })
    }

    /// How many entries there are. What happens now happens after those.
    pub fn position(&self) -> usize {
        self.record().entries.len()
    }

    /// Looks at the entries so far.
    pub fn with_entries<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.record().entries)
    }

    /// How many syncs of database files there were: one for each checkpoint, at least.
    pub fn database_syncs(&self) -> usize {
        self.record().database_syncs
    }

    /// How many bytes were written.
    pub fn bytes_written(&self) -> usize {
        self.record().bytes_written
    }

    /// What happened last before `position`, in up to `count` lines. Writes that continue
    /// each other share a line.
    pub fn tail(&self, position: usize, count: usize) -> Vec<String> {
        let record = self.record();
        let entries = &record.entries[..position.min(record.entries.len())];
        let mut lines = Vec::new();
        for (index, run) in runs(entries).into_iter().rev().take(count) {
            lines.push(format!("{index}: {}", record.describe(run)));
        }
        lines.reverse();
        lines
    }

    /// Compares the journal with the directory: a difference means that something was
    /// written past the recording, and that no proof by it holds. No database may be open:
    /// reading its files would release their POSIX locks.
    pub fn check_complete(&self) -> io::Result<()> {
        let cut = Cut { position: self.position(), fate: Fate::KeepAll, seed: 0 };
        let recorded = cut.image(self).files;
        for path in data_files(&self.root)? {
            let found = fs::read(self.root.join(&path))?;
            if recorded.get(&path) != Some(&found) {
                let story = format!("{} differs from what was recorded", path.display());
                return Err(io::Error::other(story));
            }
        }
        match recorded.keys().find(|path| !self.root.join(path).exists()) {
            Some(path) => Err(io::Error::other(format!("{} is gone", path.display()))),
            None => Ok(()),
        }
    }

    /// The path as the journal writes it, if it is one of the directory.
    pub(super) fn relative(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// A file was opened. If it is new to the journal, some other code has created it, and
    /// `content` is what that wrote.
    pub(super) fn opened(&self, path: &Path, content: impl FnOnce() -> Vec<u8>) -> FileId {
        let mut record = self.record();
        if let Some(file) = record.names.get(path) {
            return *file;
        }
        let file = record.name(path);
        record.entries.push(Entry::Created { file, path: path.to_owned() });
        let bytes = content();
        if !bytes.is_empty() {
            record.entries.push(Entry::Written { file, offset: 0, bytes });
        }
        file
    }

    /// A name went away.
    pub(super) fn deleted(&self, path: PathBuf, durable: bool) {
        let mut record = self.record();
        record.names.remove(&path);
        record.entries.push(Entry::Deleted { path, durable });
    }

    /// Something else was done.
    pub(super) fn push(&self, entry: Entry) {
        let mut record = self.record();
        match &entry {
            Entry::Written { bytes, .. } => record.bytes_written += bytes.len(),
            Entry::Synced { file, .. } if record.is_database(*file) => record.database_syncs += 1,
            _ => {}
        }
        record.entries.push(entry);
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn name(&mut self, path: &Path) -> FileId {
        let file = FileId(self.paths.len() as u64);
        self.paths.push(path.to_owned());
        self.names.insert(path.to_owned(), file);
        file
    }

    /// The name that a file was first seen under.
    pub(super) fn path(&self, file: FileId) -> &Path {
        usize::try_from(file.0)
            .ok()
            .and_then(|index| self.paths.get(index))
            .map_or("".as_ref(), |path| path)
    }

    /// Whether a file is neither a write-ahead log nor a rollback journal.
    fn is_database(&self, file: FileId) -> bool {
        let name = self.path(file).as_os_str().as_encoded_bytes();
        !name.ends_with(b"-wal") && !name.ends_with(b"-journal")
    }

    /// Puts a run of entries into words.
    fn describe(&self, run: &[Entry]) -> String {
        let name = |file: &FileId| self.path(*file).display();
        match run {
            [] => String::new(),
            [Entry::Created { path, .. }, ..] => format!("create {}", path.display()),
            [Entry::Written { file, offset, .. }, ..] => {
                let end = run.iter().filter_map(end_of_write).max().unwrap_or(*offset);
                format!("write {} {offset}..{end} in {} calls", name(file), run.len())
            }
            [Entry::Truncated { file, size }, ..] => format!("truncate {} to {size}", name(file)),
            [Entry::Synced { file, before }, ..] => {
                format!("sync {} (begun at {before})", name(file))
            }
            [Entry::Deleted { path, .. }, ..] => format!("delete {}", path.display()),
            [Entry::DirectorySynced { directory, .. }, ..] => {
                format!("sync directory ./{}", directory.display())
            }
        }
    }
}

/// Splits entries into runs of writes that continue each other, and all others; each with
/// the index of its first entry.
fn runs(entries: &[Entry]) -> Vec<(usize, &[Entry])> {
    let continues = |one: &Entry, next: &Entry| match (one, next) {
        (Entry::Written { file, .. }, Entry::Written { file: same, offset, .. }) => {
            file == same && end_of_write(one) == Some(*offset)
        }
        _ => false,
    };
    let mut index = 0;
    let runs = entries.chunk_by(continues).map(|run| {
        index += run.len();
        (index - run.len(), run)
    });
    runs.collect()
}

fn end_of_write(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Written { offset, bytes, .. } => Some(offset + bytes.len() as u64),
        _ => None,
    }
}

/// The files of a directory that hold data, relative to it.
fn data_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let holds_data = !text.ends_with(SHARED_MEMORY_SUFFIX) && !text.ends_with(LOCK_SUFFIX);
        if entry.file_type()?.is_file() && holds_data {
            files.push(name.into());
        }
    }
    files.sort();
    Ok(files)
}
