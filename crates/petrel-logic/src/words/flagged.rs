//! What was flagged, on its way to the audit log: who, in what, which words; never the text.

use std::sync::Arc;
use std::time::Duration;

use petrel_protocol::http::admin::AuditAction;
use petrel_store::{AuditRecord, Store};
use petrel_types::{Clock, UserId};

use super::FlaggedQueue;

/// How much waits to be recorded. Beyond, it is counted and not recorded.
pub(super) const FLAGGED_QUEUED_MAX: usize = 1024;

/// The least time between two records, so that users can't fill the log fast.
const BETWEEN: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flagged {
    pub(super) actor: UserId,
    pub(super) what: String,
    pub(super) words: Vec<String>,
}

/// Records what is flagged, until nobody flags any more.
pub async fn record_flagged(
    FlaggedQueue(mut queue): FlaggedQueue,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) {
    while let Some(Flagged { actor, what, words }) = queue.recv().await {
        let record = AuditRecord {
            at: clock.now(),
            actor: Some(actor),
            source: "word filter".to_owned(),
            action: AuditAction::WordFlagged.as_str().to_owned(),
            target: Some(("user".to_owned(), actor.get())),
            detail: format!("{what}: {}", words.join(", ")),
        };
        if let Err(error) = store.keep_record(record).await {
            tracing::warn!(%error, %actor, "a flagged word could not be recorded");
        }
        tokio::time::sleep(BETWEEN).await;
    }
}
