//! What becomes of files that nobody has any use for: they are deleted, and their bytes with
//! them.
//!
//! The store says what is garbage, in the very commits that make it so; here it is deleted and
//! forgotten, as often as it takes. An object store that can't be reached only makes it later.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use petrel_types::FileId;
use tokio::time::{sleep, timeout};

use crate::Files;
use crate::storage::StorageError;

/// How many files are dealt with at once.
const PAGE: u32 = 100;

/// How often somebody looks for what has expired.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(5);

impl Files {
    /// Deletes what has expired and what was let go of, as soon as it is; for ever.
    pub async fn collect(self: Arc<Self>) {
        loop {
            match self.sweep().await {
                Ok(()) => {
                    // Woken early, or when it is time.
                    let _ = timeout(SWEEP_EVERY, self.released.notified()).await;
                }
                Err(error) => {
                    self.metrics.storage_errors.inc();
                    tracing::warn!(%error, "files that are over can't be deleted now");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Deletes everything that has expired or is garbage now.
    pub async fn sweep(&self) -> Result<(), StorageError> {
        while self.store.remove_expired_files(self.clock.now(), PAGE).await? >= PAGE {}
        loop {
            let objects = self.store.garbage(PAGE).await?;
            if objects.is_empty() {
                return Ok(());
            }
            for object in &objects {
                self.spool.delete(object).await?;
                self.storage.delete(object).await?;
                self.metrics.deleted.inc();
            }
            self.store.forget_garbage(objects).await?;
        }
    }

    /// Deletes what is in the spool and belongs to no upload.
    pub(crate) async fn remove_leftovers(&self) -> Result<(), StorageError> {
        let (mut known, mut after) = (HashSet::new(), FileId::new(0));
        loop {
            let page = self.store.uploads_after(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            known.extend(page.into_iter().map(|upload| upload.object));
        }
        let deleted = self.spool.delete_all_but(known).await?;
        if deleted > 0 {
            tracing::info!(deleted, "removed what a crash had left of uploads");
        }
        Ok(())
    }
}
