//! A copy that is being made, file by file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::super::directory::{self, DATABASE_FILE};
use super::Progress;

/// How much is read between two looks at the progress.
const CHUNK_BYTES: usize = 1024 * 1024;
/// What is written again when anything in it has changed: four pages of the database.
const BLOCK_BYTES: usize = 64 * 1024;
/// How much may wait to be written to the disk, where it competes with the commits.
const UNSYNCED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How often a file is gone through while its server goes on. A server that writes faster
/// than the target takes it changes as much during each pass as in the one before.
const PASSES_MAX: u32 = 3;
/// How much has to have changed for another pass to be worth it.
const CHANGED_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// What has been copied, and to whom that is told.
pub(super) struct Copying<F> {
    progress: F,
    copied_bytes: u64,
    total_bytes: u64,
}

impl<F: FnMut(Progress)> Copying<F> {
    pub(super) fn new(progress: F, total_bytes: u64) -> Self {
        Self { progress, copied_bytes: 0, total_bytes }
    }

    /// Copies the database file while its server goes on writing to it, so that little is
    /// left to do when the server has to wait. What comes out is of no moment, and no
    /// database.
    pub(super) fn copy_in_advance(&mut self, mut database: &File, to: &Path) -> io::Result<()> {
        for _ in 0..PASSES_MAX {
            database.rewind()?;
            if self.renew(database, &to.join(DATABASE_FILE))? < CHANGED_BYTES_MIN {
                break;
            }
        }
        database.rewind()
    }

    /// Copies the file, or what has changed of it, and then the log.
    pub(super) fn copy_database(
        &mut self,
        database: &File,
        from: &Path,
        to: &Path,
    ) -> io::Result<()> {
        self.renew(database, &to.join(DATABASE_FILE))?;
        let log = super::log_name();
        match File::open(from.join(&log)) {
            Ok(source) => self.renew(&source, &to.join(&log)).map(drop),
            // There is none after an orderly end.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Copies a folder and what is in it. Files that go meanwhile are not missed.
    pub(super) fn copy_folder(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        directory::private_directory(to)?;
        for entry in entries {
            let entry = entry?;
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type()?.is_dir() {
                self.copy_folder(&from, &to)?;
                continue;
            }
            match File::open(from) {
                Ok(source) => self.renew(&source, &to).map(drop)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        File::open(to)?.sync_all()
    }

    /// Makes `to` what `source` is, as long as `source` is now, and brings it to disk.
    /// Blocks that are the same already are not written. Returns how much was.
    fn renew(&mut self, mut source: &File, to: &Path) -> io::Result<u64> {
        let mut target = directory::private_file(to)?;
        let length = source.metadata()?.len();
        let (mut new, mut old) = (Vec::new(), Vec::new());
        let (mut place, mut written, mut unsynced) = (0, 0, 0);
        while place < length {
            read_up_to(&mut source, length - place, &mut new)?;
            if new.is_empty() {
                break;
            }
            target.seek(SeekFrom::Start(place))?;
            read_up_to(&mut target, length - place, &mut old)?;
            for (number, block) in new.chunks(BLOCK_BYTES).enumerate() {
                let offset = number * BLOCK_BYTES;
                if old.get(offset..offset + block.len()) == Some(block) {
                    continue;
                }
                target.seek(SeekFrom::Start(place + offset as u64))?;
                target.write_all(block)?;
                written += block.len() as u64;
                unsynced += block.len();
                self.copied_bytes += block.len() as u64;
            }
            if unsynced >= UNSYNCED_BYTES_MAX {
                target.sync_data()?;
                unsynced = 0;
            }
            place += new.len() as u64;
            self.tell();
        }
        target.set_len(place)?;
        target.sync_all()?;
        Ok(written)
    }

    /// Tells that all is copied: less than was thought at first, if the log began again.
    pub(super) fn finish(mut self) {
        self.total_bytes = self.copied_bytes;
        self.tell();
    }

    fn tell(&mut self) {
        self.total_bytes = self.total_bytes.max(self.copied_bytes);
        let Self { copied_bytes, total_bytes, .. } = *self;
        (self.progress)(Progress { copied_bytes, total_bytes });
    }
}

/// Reads a chunk, or less at the end.
fn read_up_to(file: &mut impl Read, left: u64, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    file.take(left.min(CHUNK_BYTES as u64)).read_to_end(into).map(drop)
}
