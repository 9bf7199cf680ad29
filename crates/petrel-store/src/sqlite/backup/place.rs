//! Where a copy is made, and where it is to be when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::directory::{self, DataDirectory};
use crate::{StoreError, StoreErrorKind};

/// What an unfinished copy is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// Where a copy is made, and where it is to be.
pub(super) struct Place {
    pub(super) unfinished: PathBuf,
    finished: PathBuf,
}

impl Place {
    pub(super) fn prepare(from: &Path, to: &Path) -> Result<Self, StoreError> {
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
    pub(super) fn finish(self) -> Result<(), StoreError> {
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

    pub(super) fn failed(&self, error: io::Error) -> StoreError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
            _ => StoreErrorKind::Unavailable,
        };
        let story = format!("the copy {} can't be made", self.finished.display());
        StoreError::new(kind, story).with_source(error)
    }
}
