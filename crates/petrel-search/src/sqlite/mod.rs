//! The embedded backend: SQLite's full-text index FTS5 in a directory of its own.
//!
//! **What is stored.** No text: a term of a message is stored as a *token*, a keyed hash of
//! the conversation and the term (`token`). So a lookup reads only what was said in the
//! conversations it names, however much others have said, and its cost is that of one's
//! own messages; and what stays behind in some file after all, or is stolen with it, is not
//! readable. The price is that each conversation has tokens of its own, which makes the
//! index larger.
//!
//! **What is erased.** FTS5 removes an entry where it is only if it is told all tokens of
//! the message, which the store has erased by then; so `documents` has them. They are
//! zeroed in their place, as rows that move leave copies (see the store's `overwrites`),
//! FTS5 removes the entries at once (`secure-delete`), SQLite zeroes what is freed
//! (`secure_delete`), and the write-ahead log is truncated after it.
//!
//! **When it fails.** Whatever is wrong with the files, they are thrown away when they are
//! opened the next time, and made again from the store.

mod files;
mod lookup;
mod threads;
mod token;
mod update;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use petrel_types::{Epoch, RowId};

use self::threads::Threads;
use crate::{Candidates, Lookup, SearchError, SearchErrorKind, SearchIndex, Update};

pub use self::files::FILE;

/// An index in a directory of this machine. Dropping it closes it and waits for that.
#[derive(Debug)]
pub struct SqliteIndex {
    /// `None` once the index is closed.
    threads: Mutex<Option<Threads>>,
}

impl SqliteIndex {
    /// Opens the index in `directory`, creating both if they are missing. An index of a
    /// store of another epoch, of another version or one that is damaged is thrown away.
    /// Blocks on the disk: call it before serving.
    pub fn open(directory: &Path, epoch: Epoch) -> Result<Self, SearchError> {
        let opened = files::open(directory, epoch)?;
        Ok(Self { threads: Mutex::new(Some(Threads::start(opened)?)) })
    }

    fn with<T>(&self, ask: impl FnOnce(&Threads) -> T) -> Result<T, SearchError> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.as_ref().map(ask).ok_or_else(closed)
    }
}

fn closed() -> SearchError {
    SearchError::new(SearchErrorKind::Unavailable, "the search index is closed")
}

#[async_trait]
impl SearchIndex for SqliteIndex {
    async fn indexed_up_to(&self) -> Result<RowId, SearchError> {
        let readers = self.with(Threads::readers)?;
        readers.run(lookup::indexed_up_to).await
    }

    async fn update(&self, update: Update) -> Result<(), SearchError> {
        let answer = self.with(|threads| threads.update(update))??;
        answer.await.map_err(|_| closed())?
    }

    async fn candidates(&self, lookup: Lookup) -> Result<Candidates, SearchError> {
        let readers = self.with(Threads::readers)?;
        let secret = readers.secret();
        readers.run(move |connection| lookup::candidates(connection, secret, &lookup)).await
    }

    async fn rows_after(&self, after: RowId, limit: u32) -> Result<Vec<RowId>, SearchError> {
        let readers = self.with(Threads::readers)?;
        readers.run(move |connection| lookup::rows_after(connection, after, limit)).await
    }

    async fn close(&self) -> Result<(), SearchError> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = threads.ok_or_else(closed)?;
        // The threads end when their queues are dropped, and the last one lets go of the
        // files.
        tokio::task::spawn_blocking(move || drop(threads)).await.map_err(|_| closed())
    }
}

#[cfg(test)]
mod tests;
