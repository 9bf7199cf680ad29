//! Files: uploads, what is in them, who may have them, and what becomes of them.
//!
//! What is known of a file is in the store (`petrel_store::FileStore`), its bytes are in an
//! object store under a random name that nobody chose. While a file is being uploaded, its
//! bytes are in the [`spool`], a directory of this machine; when all of them are there, they
//! are looked at ([`examine`]), kept ([`storage`]), and only then is the file complete.
//!
//! - An upload that is acknowledged up to an offset is on disk up to there, and known to be.
//! - What a file is, is told by its bytes ([`content_type`]), never by who sent it.
//! - Nothing here makes a message: a message refers to a file in the sequencer's own
//!   transaction, and from then on membership decides who may have it.
//! - What nothing refers to any more is deleted by the [`collector`], and so is what a crash
//!   left behind.
//!
//! It knows no HTTP: bodies are streams of bytes, answers are values.

mod access;
mod avatar;
mod collector;
pub mod content_type;
mod decoder;
mod download;
mod examine;
mod finish;
pub mod link;
mod metrics;
pub mod name;
mod receive;
mod settings;
mod spool;
mod storage;
mod strays;
#[cfg(test)]
mod tests;
mod thumbnail;
mod turns;
mod upload;

use std::sync::Arc;

use petrel_logic::sync::Catchup;
use petrel_logic::words::WordFilter;
use petrel_store::{Quota, Store};
use petrel_types::Clock;
use tokio::sync::{Notify, Semaphore};

pub use decoder::{Decoder, decode_picture};
pub use download::{Content, Range, Variant};
pub use link::LinkKey;
pub use metrics::Metrics;
pub use receive::{Body, Cut};
pub use settings::{FileSettings, Place, S3Settings};
pub use storage::{StorageError, disposition};
pub use strays::remove_strays;
pub use upload::{Checksum, NewFile, Upload};

use spool::Spool;
use storage::Storage;
use turns::Turns;

/// Everything that can be done with files. Cheap to share.
pub struct Files {
    store: Arc<dyn Store>,
    catchup: Catchup,
    words: Arc<WordFilter>,
    clock: Arc<dyn Clock>,
    settings: FileSettings,
    links: LinkKey,
    metrics: Metrics,
    spool: Spool,
    storage: Storage,
    /// Who writes to which upload.
    turns: Turns,
    /// So many bodies are received at once.
    receiving: Arc<Semaphore>,
    /// So many pictures are decoded at once.
    decoding: Semaphore,
    /// Something may have become garbage.
    released: Arc<Notify>,
}

/// What files need of the rest of a node.
#[derive(Clone)]
pub struct Dependencies {
    /// Where it is known which files there are.
    pub store: Arc<dyn Store>,
    /// Says who may read what.
    pub catchup: Catchup,
    /// Looks at the names of files.
    pub words: Arc<WordFilter>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Signs links.
    pub links: LinkKey,
    /// Counts.
    pub metrics: Metrics,
    /// Notified when a commit may have let go of files.
    pub released: Arc<Notify>,
}

impl Files {
    /// Opens the spool and the object store, making directories that are missing, and removes
    /// what a crash has left in the spool. Blocks on the disk: call it before serving.
    pub async fn open(
        dependencies: Dependencies,
        settings: FileSettings,
    ) -> Result<Arc<Self>, StorageError> {
        let Dependencies { store, catchup, words, clock, links, metrics, released } = dependencies;
        let spool = Spool::open(&settings.directory)?;
        let storage = Storage::open(&settings)?;
        let files = Self {
            receiving: Arc::new(Semaphore::new(settings.uploads_at_once as usize)),
            decoding: Semaphore::new(settings.thumbnails_at_once as usize),
            store,
            catchup,
            words,
            clock,
            settings,
            links,
            metrics,
            spool,
            storage,
            turns: Turns::default(),
            released,
        };
        files.remove_leftovers().await?;
        Ok(Arc::new(files))
    }

    /// What an operator decided.
    pub fn settings(&self) -> &FileSettings {
        &self.settings
    }

    fn quota(&self) -> Quota {
        let FileSettings { quota_bytes_per_user, uploads_per_user, .. } = self.settings;
        Quota { bytes: quota_bytes_per_user, uploads: uploads_per_user }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("settings", &self.settings).finish_non_exhaustive()
    }
}
