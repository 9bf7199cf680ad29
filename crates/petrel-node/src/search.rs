//! The search index of a node, and the thread that keeps it up with the store.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use petrel_logic::search::{Indexer, Metrics};
use petrel_search::SearchIndex;
use petrel_search::sqlite::SqliteIndex;
use petrel_store::Store;
use petrel_types::Epoch;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::NodeConfig;
use crate::{StartError, machine};

/// Where the index is in the data directory, if nothing else is said.
const FOLDER: &str = "search";

/// Opens the index, unless searching is switched off.
pub(crate) fn open(
    config: &NodeConfig,
    epoch: Epoch,
) -> Result<Option<Arc<dyn SearchIndex>>, StartError> {
    if !config.search {
        return Ok(None);
    }
    let directory = match &config.search_directory {
        Some(directory) => directory.clone(),
        None => config.data_directory.join(FOLDER),
    };
    Ok(Some(Arc::new(SqliteIndex::open(&directory, epoch)?)))
}

/// A thread that keeps an index up with a store. It ends when this is dropped, which waits
/// for that: it must not outlive the runtime whose clock it goes by.
pub(crate) struct Follower {
    stopping: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts it. `committed` is to be notified of every commit. It has a thread of its own,
    /// to which everything else is preferred.
    pub(crate) fn start(
        store: &Arc<dyn Store>,
        index: &Arc<dyn SearchIndex>,
        committed: Arc<Notify>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let indexer = Indexer::new(Arc::clone(store), Arc::clone(index), metrics);
        let runtime = Handle::current();
        let stopping = CancellationToken::new();
        let stop = stopping.clone();
        let thread = thread::Builder::new()
            .name("search-indexer".to_owned())
            .spawn(move || {
                machine::prefer_others();
                runtime.block_on(stop.run_until_cancelled(indexer.run(committed)));
            })
            .map_err(|source| StartError::System { what: "a thread", source })?;
        Ok(Self { stopping, thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stopping.cancel();
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to let go of.
            let _ = thread.join();
        }
    }
}
