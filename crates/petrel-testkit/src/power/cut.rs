//! What a disk may hold after the power went away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::{Entry, FileId, Journal};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// The size of the shared memory of a short write-ahead log.
const SHARED_MEMORY_BYTES: usize = 32 * 1024;

/// What becomes of what was not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is lost.
    DropUnsynced,
    /// All of it is there.
    KeepAll,
    /// Some writes are there, in some order.
    Subset,
    /// Some sectors of some writes are there, in some order.
    Torn,
}

/// A power cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// How many entries of the journal had taken place.
    pub position: usize,
    /// What becomes of those that were not durable.
    pub fate: Fate,
    /// Decides what is left to chance.
    pub seed: u64,
}

/// What is on the disk afterwards.
#[derive(Debug, Default)]
pub struct Image {
    /// The files and what they hold.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Writes and changes of size that were not durable.
    pub unsynced: usize,
    /// How many of those are lost, whole or in part.
    pub lost: usize,
}

/// The disk while the power is on.
#[derive(Default)]
struct Disk<'a> {
    files: BTreeMap<FileId, FileOnDisk<'a>>,
    names: BTreeMap<PathBuf, FileId>,
    pending_names: Vec<PendingName<'a>>,
}

#[derive(Default)]
struct FileOnDisk<'a> {
    durable: Vec<u8>,
    pending: Vec<(usize, Change<'a>)>,
}

/// A change of a name that is not durable: it became a file's, or went away.
struct PendingName<'a> {
    index: usize,
    path: &'a Path,
    file: Option<FileId>,
}

#[derive(Clone, Copy)]
enum Change<'a> {
    Write { offset: u64, bytes: &'a [u8] },
    Size(u64),
}

impl Cut {
    /// Works out the files that are found after the cut.
    pub fn image(&self, journal: &Journal) -> Image {
        let record = journal.record();
        let mut disk = Disk::default();
        for (path, (file, content)) in &record.baseline {
            disk.names.insert(path.clone(), *file);
            disk.files.entry(*file).or_default().durable.clone_from(content);
        }
        for (index, entry) in record.entries.iter().enumerate().take(self.position) {
            disk.apply(index, entry);
        }
        let mut random = Rng::with_seed(self.seed);
        let mut image = Image::default();
        for (path, file) in self.names(&disk, &mut random) {
            let Some(file) = disk.files.remove(&file) else { continue };
            image.unsynced += file.pending.len();
            let content = self.content(file, &mut random, &mut image.lost);
            image.files.insert(path, content);
        }
        if self.is_random() && random.bool() {
            image.add_shared_memory(&mut random);
        }
        image
    }

    /// Each name has moved on through any number of its changes.
    fn names(&self, disk: &Disk<'_>, random: &mut Rng) -> BTreeMap<PathBuf, FileId> {
        let mut names = disk.names.clone();
        let mut changes: BTreeMap<&Path, Vec<Option<FileId>>> = BTreeMap::new();
        for pending in &disk.pending_names {
            changes.entry(pending.path).or_default().push(pending.file);
        }
        for (path, changes) in changes {
            let made = match self.fate {
                Fate::DropUnsynced => 0,
                Fate::KeepAll => changes.len(),
                Fate::Subset | Fate::Torn => random.usize(..=changes.len()),
            };
            match made.checked_sub(1).map(|last| changes[last]) {
                Some(Some(file)) => drop(names.insert(path.to_owned(), file)),
                Some(None) => drop(names.remove(path)),
                None => {}
            }
        }
        names
    }

    /// What a file holds. Adds to `lost` how many of its changes are not there, or not
    /// whole.
    fn content(&self, file: FileOnDisk<'_>, random: &mut Rng, lost: &mut usize) -> Vec<u8> {
        let FileOnDisk { durable: mut content, pending } = file;
        if self.is_random() && random.u8(..4) == 0 {
            grow(&mut content, &pending, random);
        }
        let mut parts: Vec<_> = match self.fate {
            Fate::Torn => pending
                .iter()
                .flat_map(|(index, change)| sectors(*change).into_iter().map(|it| (*index, it)))
                .collect(),
            Fate::DropUnsynced | Fate::KeepAll | Fate::Subset => pending,
        };
        let keeping = match self.fate {
            Fate::DropUnsynced => 0.0,
            Fate::KeepAll => 1.0,
            Fate::Subset | Fate::Torn => [0.02, 0.5, 0.98][random.usize(..3)],
        };
        let mut harmed = BTreeSet::new();
        parts.retain(|(index, _)| {
            let is_kept = random.f64() < keeping;
            if !is_kept {
                harmed.insert(*index);
            }
            is_kept
        });
        *lost += harmed.len();
        if self.is_random() {
            random.shuffle(&mut parts);
        }
        for (_, change) in parts {
            change.apply(&mut content);
        }
        content
    }

    fn is_random(&self) -> bool {
        matches!(self.fate, Fate::Subset | Fate::Torn)
    }
}

/// The file system has given the file room for writes whose data did not arrive.
fn grow(content: &mut Vec<u8>, changes: &[(usize, Change<'_>)], random: &mut Rng) {
    let ends = changes.iter().map(|(_, change)| match change {
        Change::Write { offset, bytes } => to_index(*offset) + bytes.len(),
        Change::Size(size) => to_index(*size),
    });
    let end = ends.max().unwrap_or(0);
    let is_garbage = random.bool();
    while content.len() < end {
        content.push(if is_garbage { random.u8(..) } else { 0 });
    }
}

/// The parts of a write that the disk may keep or lose one by one.
fn sectors(change: Change<'_>) -> Vec<Change<'_>> {
    let Change::Write { mut offset, mut bytes } = change else {
        return vec![change];
    };
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let room = SECTOR_BYTES - to_index(offset) % SECTOR_BYTES;
        let (part, rest) = bytes.split_at(room.min(bytes.len()));
        parts.push(Change::Write { offset, bytes: part });
        offset += part.len() as u64;
        bytes = rest;
    }
    parts
}

fn to_index(offset: u64) -> usize {
    usize::try_from(offset).expect("what was in memory once has a place there")
}

impl<'a> Disk<'a> {
    fn apply(&mut self, index: usize, entry: &'a Entry) {
        match entry {
            Entry::Created { file, path } => {
                self.files.entry(*file).or_default();
                self.pending_names.push(PendingName { index, path, file: Some(*file) });
            }
            Entry::Deleted { path, durable: false } => {
                self.pending_names.push(PendingName { index, path, file: None });
            }
            Entry::Deleted { path, durable: true } => {
                self.pending_names.retain(|pending| pending.path != path);
                self.names.remove(path);
            }
            Entry::DirectorySynced { directory, before } => {
                for PendingName { path, file, .. } in self
                    .pending_names
                    .extract_if(.., |it| it.index < *before && it.path.parent() == Some(directory))
                {
                    match file {
                        Some(file) => drop(self.names.insert(path.to_owned(), file)),
                        None => drop(self.names.remove(path)),
                    }
                }
            }
            Entry::Written { file, offset, bytes } => {
                let change = Change::Write { offset: *offset, bytes };
                self.files.entry(*file).or_default().pending.push((index, change));
            }
            Entry::Truncated { file, size } => {
                let change = Change::Size(*size);
                self.files.entry(*file).or_default().pending.push((index, change));
            }
            Entry::Synced { file, before } => {
                let file = self.files.entry(*file).or_default();
                let covered = file.pending.partition_point(|(index, _)| index < before);
                for (_, change) in file.pending.drain(..covered) {
                    change.apply(&mut file.durable);
                }
            }
        }
    }
}

impl Change<'_> {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Size(size) => content.resize(to_index(size), 0),
            Self::Write { offset, bytes } => {
                let start = to_index(offset);
                let end = start + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[start..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Image {
    /// Leaves remains of the shared memory beside every write-ahead log.
    fn add_shared_memory(&mut self, random: &mut Rng) {
        let logs = self.files.keys().filter_map(|path| path.to_str()?.strip_suffix("-wal"));
        let paths: Vec<_> = logs.map(|base| PathBuf::from(format!("{base}-shm"))).collect();
        for path in paths {
            let mut content = vec![0; SHARED_MEMORY_BYTES];
            random.fill(&mut content);
            self.files.insert(path, content);
        }
    }

    /// Writes the files into a directory.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        for (path, content) in &self.files {
            let path = directory.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(())
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unsynced changes, {} of them lost; left:", self.unsynced, self.lost)?;
        for (path, content) in &self.files {
            write!(f, " {} of {} bytes", path.display(), content.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
