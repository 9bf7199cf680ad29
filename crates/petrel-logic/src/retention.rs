//! Giving up what is older than it has to be kept.
//!
//! A sweep walks over all conversations, finds by bisection where each timeline becomes
//! young enough, and asks its sequencer to trim what is before. Events are numbered in
//! the order of their time, so the place is well defined. A sweep keeps nothing in
//! memory, and one that is interrupted is simply made again.

use std::sync::Arc;
use std::time::Duration;

use petrel_log::{AppendError, Command, CommandLog, Origin, Request};
use petrel_store::{Store, StoreError, Summary};
use petrel_types::limits::RETRY_WINDOW_MS;
use petrel_types::{Clock, ConversationId, Seq, TimestampMs, UserId};
use tokio::time::sleep;

/// How many conversations are read at once.
const PAGE: u32 = 256;

/// How long to wait when the log is full.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Trims what is older than an age.
pub struct Retention {
    store: Arc<dyn Store>,
    log: Arc<dyn CommandLog>,
    clock: Arc<dyn Clock>,
    keep_ms: u64,
}

/// Why a sweep ended early.
#[derive(Debug)]
pub enum SweepError {
    /// The node is going down.
    LogClosed,
    /// The store failed; the next sweep may have more luck.
    Store(StoreError),
}

impl Retention {
    /// The shortest time that events are kept: as long as a retry of one is recognised,
    /// so that nothing that was trimmed can be stored a second time.
    pub const KEEP_MIN: Duration = Duration::from_millis(RETRY_WINDOW_MS);

    /// Keeps events for `keep`, or for [`Retention::KEEP_MIN`] if that is longer.
    pub fn new(
        store: Arc<dyn Store>,
        log: Arc<dyn CommandLog>,
        clock: Arc<dyn Clock>,
        keep: Duration,
    ) -> Self {
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).max(RETRY_WINDOW_MS);
        Self { store, log, clock, keep_ms }
    }

    /// Sweeps every hour, until the log is closed.
    pub async fn run(self) {
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(trimmed) => tracing::info!(trimmed, "old events are given up"),
                Err(SweepError::LogClosed) => return,
                Err(SweepError::Store(error)) => {
                    tracing::warn!(%error, "can't look for old events; trying again in an hour");
                }
            }
            sleep(SWEEP_EVERY).await;
        }
    }

    /// Looks at every conversation once. Returns how many are to be trimmed.
    pub async fn sweep(&self) -> Result<u64, SweepError> {
        let oldest_kept = TimestampMs::new(self.clock.now().get().saturating_sub(self.keep_ms));
        let mut after = ConversationId::new(0);
        let mut trimmed = 0;
        loop {
            let page =
                self.store.conversations_after(after, PAGE).await.map_err(SweepError::Store)?;
            let Some(last) = page.last() else {
                return Ok(trimmed);
            };
            after = last.conversation.id;
            for summary in &page {
                let place =
                    self.first_kept(summary, oldest_kept).await.map_err(SweepError::Store)?;
                if place > summary.trimmed_before {
                    self.trim(summary.conversation.id, place).await?;
                    trimmed += 1;
                }
            }
        }
    }

    /// The first event that is not older than `oldest_kept`; one beyond the head if all
    /// are.
    async fn first_kept(
        &self,
        summary: &Summary,
        oldest_kept: TimestampMs,
    ) -> Result<Seq, StoreError> {
        let mut old_before = summary.trimmed_before.get();
        let mut kept_from = summary.head.seq.next().get();
        // Most often nothing is old, and one look tells.
        let mut probe = old_before;
        while old_before < kept_from {
            if self.is_kept(summary.conversation.id, Seq::new(probe), oldest_kept).await? {
                kept_from = probe;
            } else {
                old_before = probe + 1;
            }
            probe = old_before + (kept_from.saturating_sub(old_before)) / 2;
        }
        Ok(Seq::new(kept_from))
    }

    async fn is_kept(
        &self,
        conversation: ConversationId,
        seq: Seq,
        oldest_kept: TimestampMs,
    ) -> Result<bool, StoreError> {
        let page = self.store.events_after(conversation, Seq::new(seq.get() - 1), 1).await?;
        Ok(page.events.first().is_none_or(|event| event.timestamp >= oldest_kept))
    }

    async fn trim(&self, conversation: ConversationId, before: Seq) -> Result<(), SweepError> {
        let request = Request::Trim { conversation, before };
        let command = Command { origin: Origin::NOBODY, actor: UserId::new(0), request };
        loop {
            match self.log.append(command.clone()) {
                Ok(()) => return Ok(()),
                Err(AppendError::Full) => sleep(PAUSE).await,
                Err(AppendError::Closed) => return Err(SweepError::LogClosed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use petrel_log::InProcessLog;
    use petrel_store::memory::MemoryStore;
    use petrel_store::{Batch, ConversationKind, NewConversation, NewEvent};
    use petrel_types::{Epoch, LogPosition, ManualClock, MessageNumber, Partition, Slot};

    use super::*;

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// A store with one chat whose events are as many days old as `ages` say, seen from
    /// day 100.
    async fn store_with(ages: &[u64]) -> (Arc<dyn Store>, ConversationId) {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Epoch::new(1)));
        let claim = store.claim(Partition::new(0)).await.unwrap();
        let (low, high) = (UserId::new(1), UserId::new(2));
        let id = ConversationId::compose(Slot::of_pair(low, high), 1);
        let kind = ConversationKind::Single { low, high };
        let event = |(number, age): (u64, &u64)| NewEvent {
            conversation: id,
            seq: Seq::new(number),
            message_number: MessageNumber::new(number),
            sender: low,
            client_message_id: None,
            timestamp: TimestampMs::new((100 - age) * DAY_MS),
            payload: Default::default(),
        };
        let batch = Batch {
            conversations: vec![NewConversation { id, kind, profile: Default::default() }],
            events: (1..).zip(ages).map(event).collect(),
            ..Batch::default()
        };
        let position = LogPosition::new(1);
        store.commit(Partition::new(0), batch, position, claim.owner_epoch).await.unwrap();
        (store, id)
    }

    async fn trims(ages: &[u64], keep_days: u64) -> Vec<(ConversationId, u64)> {
        let (store, _) = store_with(ages).await;
        let (log, mut streams) = InProcessLog::new(&[LogPosition::default()], 10);
        let log: Arc<dyn CommandLog> = Arc::new(log);
        let clock = Arc::new(ManualClock::new(TimestampMs::new(100 * DAY_MS)));
        let keep = Duration::from_millis(keep_days * DAY_MS);
        let retention = Retention::new(store, Arc::clone(&log), clock, keep);
        retention.sweep().await.unwrap();
        log.close();
        let commands = streams[0].next_commands(10).await;
        commands
            .into_iter()
            .map(|logged| match logged.command.request {
                Request::Trim { conversation, before } => (conversation, before.get()),
                other => panic!("not a trim: {other:?}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn what_is_older_than_is_to_be_kept_is_trimmed_and_nothing_else() {
        let places = |trims: Vec<(ConversationId, u64)>| -> Vec<u64> {
            trims.into_iter().map(|(_, before)| before).collect()
        };
        assert_eq!(places(trims(&[90, 50, 31, 30, 29, 0], 30).await), [4]);
        assert_eq!(places(trims(&[90, 50], 30).await), [3]);
        assert_eq!(places(trims(&[30, 2], 30).await), Vec::<u64>::new());
        assert_eq!(places(trims(&[], 30).await), Vec::<u64>::new());
    }

    #[tokio::test]
    async fn nothing_is_trimmed_whose_retry_would_be_recognised() {
        assert_eq!(trims(&[6, 3], 1).await, []);
    }
}
