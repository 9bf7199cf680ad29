//! The directory of uploads that are not complete: a file for each, which grows at its end.
//!
//! What is there beyond what the store knows of is not trusted: a write that was under way
//! when the machine stopped may have left anything.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::storage::StorageError;

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
}

/// The file of an upload, open for writing at its end.
#[derive(Clone, Debug)]
pub(crate) struct Spooled {
    file: Arc<File>,
}

impl Spool {
    /// The name of the directory within that of all files.
    pub(crate) const NAME: &str = "uploads";

    /// Opens the spool in `directory`, making it if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, StorageError> {
        let spool = directory.join(Self::NAME);
        let failed = |source| StorageError::Directory { path: spool.clone(), source };
        private(fs::DirBuilder::new().recursive(true)).create(&spool).map_err(failed)?;
        for directory in [Some(directory), directory.parent()].into_iter().flatten() {
            File::open(directory).and_then(|it| it.sync_all()).map_err(failed)?;
        }
        Ok(Self { directory: spool })
    }

    /// Where the bytes of an upload are.
    pub(crate) fn path(&self, object: &str) -> PathBuf {
        self.directory.join(object)
    }

    /// Opens the file of an upload of which `received` bytes are known to be there, and drops
    /// what is beyond them. A file with less than that is an error.
    pub(crate) async fn resume(&self, object: &str, received: u64) -> io::Result<Spooled> {
        let (path, directory) = (self.path(object), self.directory.clone());
        blocking(move || {
            let is_new = !path.exists();
            let mut options = OpenOptions::new();
            private_file(options.write(true).create(received == 0));
            let mut file = options.open(&path)?;
            if is_new {
                File::open(directory)?.sync_all()?;
            }
            if file.metadata()?.len() < received {
                return Err(io::Error::other("the spool has less than was acknowledged"));
            }
            file.set_len(received)?;
            file.seek(SeekFrom::Start(received))?;
            Ok(Spooled { file: Arc::new(file) })
        })
        .await
    }

    /// Deletes the file of an upload, if it is there.
    pub(crate) async fn delete(&self, object: &str) -> io::Result<()> {
        let path = self.path(object);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await
    }

    /// Deletes what none of these uploads has to do with. Returns how many files there were.
    pub(crate) async fn delete_all_but(&self, known: HashSet<String>) -> io::Result<usize> {
        let directory = self.directory.clone();
        blocking(move || {
            let mut deleted = 0;
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                let is_known = entry.file_name().to_str().is_some_and(|name| known.contains(name));
                if !is_known {
                    fs::remove_file(entry.path())?;
                    deleted += 1;
                }
            }
            Ok(deleted)
        })
        .await
    }
}

impl Spooled {
    /// Writes at the end.
    pub(crate) async fn append(&self, bytes: Vec<u8>) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        blocking(move || (&*file).write_all(&bytes)).await
    }

    /// Returns once everything that was written is on disk.
    pub(crate) async fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data()).await
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(unix)]
pub(crate) fn private(builder: &mut fs::DirBuilder) -> &mut fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    builder.mode(0o700)
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_not_acknowledged_is_dropped() {
        let place = tempfile::tempdir().unwrap();
        let spool = Spool::open(place.path()).unwrap();
        let spooled = spool.resume("a", 0).await.unwrap();
        spooled.append(b"0123456789".to_vec()).await.unwrap();
        spooled.sync().await.unwrap();
        let spooled = spool.resume("a", 4).await.unwrap();
        spooled.append(b"abc".to_vec()).await.unwrap();
        assert_eq!(fs::read(spool.path("a")).unwrap(), b"0123abc");
        assert!(spool.resume("a", 8).await.is_err(), "more was acknowledged than there is");
        assert!(spool.resume("b", 1).await.is_err());
    }

    #[tokio::test]
    async fn leftovers_are_deleted_and_uploads_stay() {
        let place = tempfile::tempdir().unwrap();
        let spool = Spool::open(place.path()).unwrap();
        for object in ["a", "b", "c"] {
            spool.resume(object, 0).await.unwrap();
        }
        let known = HashSet::from(["b".to_owned()]);
        assert_eq!(spool.delete_all_but(known).await.unwrap(), 2);
        assert!(spool.path("b").exists() && !spool.path("a").exists());
        spool.delete("b").await.unwrap();
        spool.delete("b").await.unwrap();
        assert!(!spool.path("b").exists());
    }
}
