//! When users were online last, kept over restarts in a file of the data directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use petrel_directory::InProcessDirectory;
use petrel_types::Clock;

use crate::StartError;

/// Where it stands in the data directory.
const FILE: &str = "last-seen";

/// How often it is written, and so how much of it a crash takes.
const SAVED_EVERY: Duration = Duration::from_secs(15);

/// Who is online, with what is known of those who were.
pub(crate) fn open(data: &Path, clock: &Arc<dyn Clock>) -> Result<InProcessDirectory, StartError> {
    InProcessDirectory::open(&data.join(FILE), Arc::clone(clock)).map_err(|source| {
        StartError::System { what: "the file last-seen in the data directory", source }
    })
}

/// Writes it down from time to time.
pub(crate) async fn keep(directory: Arc<InProcessDirectory>) {
    loop {
        tokio::time::sleep(SAVED_EVERY).await;
        save(&directory).await;
    }
}

/// Writes it down. Only what nobody would miss is lost if that fails.
pub(crate) async fn save(directory: &Arc<InProcessDirectory>) {
    let directory = Arc::clone(directory);
    match tokio::task::spawn_blocking(move || directory.save()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "when users were last online can't be written down");
        }
        Err(error) => tracing::warn!(%error, "when users were last online was not written down"),
    }
}
