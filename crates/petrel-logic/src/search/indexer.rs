//! The search index follows the store.
//!
//! Events are read in the order of their rows, which is that of the commits, and what they
//! say of messages is given to the index together with how far that was. A change is an
//! event like any other: the message that it names is read again as it is now. So it does
//! no harm to begin anew anywhere, and an index that is behind, or new, catches up.
//!
//! It works in the background, at most half of the time, and nobody waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use petrel_protocol::frame::Change;
use petrel_search::{Document, SearchError, SearchIndex, Update};
use petrel_store::{Store, StoreError, StoredEvent};
use petrel_types::{ConversationId, RowId, Seq};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::text::Text;
use super::{Metrics, terms, text_of};
use crate::event::{EventBody, MessageBody};

/// How many events are read at once.
const PAGE: u32 = 512;

/// The longest rest after a piece of work. A shorter piece is followed by one of its own
/// length.
const REST_MAX: Duration = Duration::from_millis(250);

/// What comes within this time is indexed together.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// After this long the store is looked at though nobody has said that there is something.
const LOOK_AFTER: Duration = Duration::from_secs(30);

/// How often what is no longer kept is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// How often somebody is told how far a long catching up is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Feeds an index from a store.
pub struct Indexer {
    store: Arc<dyn Store>,
    index: Arc<dyn SearchIndex>,
    metrics: Metrics,
}

/// Why a step was not done. The next one may have more luck.
#[derive(Debug)]
pub enum IndexError {
    /// The store failed.
    Store(StoreError),
    /// The index failed.
    Index(SearchError),
}

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to this row is in the index.
    pub indexed_up_to: RowId,
    /// The last row of the store.
    pub last_row: RowId,
}

impl Progress {
    /// How many rows the index does not know yet.
    pub fn behind(self) -> u64 {
        self.last_row.get().saturating_sub(self.indexed_up_to.get())
    }
}

impl Indexer {
    /// From a store to an index.
    pub fn new(store: Arc<dyn Store>, index: Arc<dyn SearchIndex>, metrics: Metrics) -> Self {
        Self { store, index, metrics }
    }

    /// Works for ever. `wake` is to be notified after each commit.
    pub async fn run(self, wake: Arc<Notify>) {
        let mut swept: Option<Instant> = None;
        let mut told = Instant::now();
        let mut is_catching_up = false;
        loop {
            let begin = Instant::now();
            match self.step().await {
                Ok(progress) if progress.behind() > 0 => {
                    if told.elapsed() >= TELL_EVERY {
                        is_catching_up = true;
                        told = Instant::now();
                        let Progress { indexed_up_to, last_row } = progress;
                        tracing::info!(%indexed_up_to, %last_row, "the search index catches up");
                    }
                    sleep(begin.elapsed().min(REST_MAX)).await;
                }
                Ok(progress) => {
                    if std::mem::take(&mut is_catching_up) {
                        let indexed_up_to = progress.indexed_up_to;
                        tracing::info!(%indexed_up_to, "the search index has caught up");
                    }
                    if swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY) {
                        swept = Some(Instant::now());
                        if let Err(error) = self.sweep().await {
                            tracing::warn!(%error, "can't look for what is no longer kept");
                        }
                    }
                    let _ = timeout(LOOK_AFTER, wake.notified()).await;
                    told = Instant::now();
                    sleep(GATHER).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the search index does not get on; trying again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Indexes until nothing is left to do.
    pub async fn catch_up(&self) -> Result<Progress, IndexError> {
        loop {
            let progress = self.step().await?;
            if progress.behind() == 0 {
                return Ok(progress);
            }
        }
    }

    /// Indexes a page of events.
    pub async fn step(&self) -> Result<Progress, IndexError> {
        let after = self.index.indexed_up_to().await.map_err(IndexError::Index)?;
        let page = self.store.events_by_row(after, PAGE).await.map_err(IndexError::Store)?;
        let progress = Progress { indexed_up_to: page.up_to.max(after), last_row: page.last_row };
        self.metrics.behind.set(i64::try_from(progress.behind()).unwrap_or(i64::MAX));
        if page.up_to <= after {
            return Ok(progress);
        }
        let mut changes: BTreeMap<RowId, Option<Document>> = BTreeMap::new();
        for event in &page.events {
            match EventBody::decode(&event.payload) {
                Ok(EventBody::Message(message)) => {
                    changes.insert(event.row, document(event, &message));
                }
                Ok(EventBody::Change(change)) => {
                    let Some(target) = target_of(&change) else { continue };
                    #[cfg(feature = "mutants")]
                    if petrel_store::mutants::is("search-keeps-old-texts") {
                        continue;
                    }
                    let found = self.message(event.conversation, target).await?;
                    if let Some((found, message)) = found {
                        changes.insert(found.row, document(&found, &message));
                    }
                }
                Ok(EventBody::Contact(_)) => {}
                // It would be no better the next time.
                Err(error) => tracing::error!(%error, row = %event.row, "not searchable"),
            }
        }
        let mut update = Update { indexed_up_to: page.up_to, ..Update::default() };
        for (row, document) in changes {
            match document {
                Some(document) => update.documents.push(document),
                None => update.erased.push(row),
            }
        }
        self.metrics.indexed.inc_by(update.documents.len() as u64);
        self.metrics.erased.inc_by(update.erased.len() as u64);
        self.index.update(update).await.map_err(IndexError::Index)?;
        Ok(progress)
    }

    /// Forgets what is no longer kept. Whatever was given up is older than what was not, so
    /// this ends at the first page of which all is kept.
    pub async fn sweep(&self) -> Result<(), IndexError> {
        loop {
            let rows = self.index.rows_after(RowId::new(0), PAGE).await;
            let rows = rows.map_err(IndexError::Index)?;
            let mut forgotten = Vec::new();
            for row in rows {
                if self.store.event(row).await.map_err(IndexError::Store)?.is_none() {
                    forgotten.push(row);
                }
            }
            if forgotten.is_empty() {
                return Ok(());
            }
            let begin = Instant::now();
            let update = Update { forgotten, ..Update::default() };
            self.index.update(update).await.map_err(IndexError::Index)?;
            sleep(begin.elapsed().min(REST_MAX)).await;
        }
    }

    /// The message at a place, as it is now.
    async fn message(
        &self,
        conversation: ConversationId,
        target: Seq,
    ) -> Result<Option<(StoredEvent, MessageBody)>, IndexError> {
        let before = Seq::new(target.get().saturating_sub(1));
        let page = self.store.events_after(conversation, before, 1).await;
        let page = page.map_err(IndexError::Store)?;
        let found = page.events.into_iter().find(|event| event.seq == target);
        Ok(found.and_then(|event| match EventBody::decode(&event.payload) {
            Ok(EventBody::Message(message)) => Some((event, message)),
            _ => None,
        }))
    }
}

impl std::fmt::Display for IndexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the store: {error}"),
            Self::Index(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for IndexError {}

/// The message whose text a change has changed.
fn target_of(change: &Change) -> Option<Seq> {
    match change {
        Change::Recalled { target_seq } | Change::Edited { target_seq, .. } => Some(*target_seq),
        _ => None,
    }
}

/// What is to be found of a message; `None` if nothing is.
fn document(event: &StoredEvent, message: &MessageBody) -> Option<Document> {
    if message.recalled {
        return None;
    }
    let text = Text::new(&text_of(message));
    let mut terms: Vec<String> = terms::of_envelope(event.sender, message.msg_type).into();
    terms.extend(text.atoms.iter().flat_map(terms::of_atom));
    terms.sort_unstable();
    terms.dedup();
    Some(Document {
        row: event.row,
        conversation: event.conversation,
        timestamp: event.timestamp,
        terms,
    })
}
