//! What is said to every session of the node: notices of admins, and how fast it may send when
//! an admin has changed that.
//!
//! It goes its own way past the fan-out, a few hundred sessions at a time with a pause after
//! each, so that twenty thousand sessions don't all become ready to write in the same moment
//! and what users send to each other is not held up. It is never queued in bytes either: a
//! session holds a handle of the shared frame until its outbox is empty, so who reads slowly
//! is told late, and loses no push for it.

use std::sync::Arc;
use std::time::Duration;

use petrel_logic::notices::NoticeQueue;
use petrel_protocol::frame::{LimitsChanged, ServerFrame};
use prometheus_client::metrics::counter::Counter;

use crate::Gateway;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::session::{Text, shown};

/// How many sessions are woken in one step, and the time until the next: 128,000 a second.
const STEP_SESSIONS: usize = 256;
const STEP_PAUSE: Duration = Duration::from_millis(2);

impl Gateway {
    /// Tells every session what is said to everybody, one thing after the other, until nobody
    /// can say anything any more.
    pub async fn tell_notices(&self, mut queue: NoticeQueue) {
        let (registry, metrics) = (&self.shared.registry, &self.shared.dependencies.metrics);
        while let Some(frame) = queue.next().await {
            tell_everybody(registry, metrics, &metrics.notices, &frame).await;
        }
    }

    /// Tells every session how fast it may send, each time that was changed, for ever. Of changes
    /// that come while others are told only the last is.
    pub async fn tell_limits(&self) {
        let (registry, metrics) = (&self.shared.registry, &self.shared.dependencies.metrics);
        let mut rates = self.shared.rates.subscribe();
        while rates.changed().await.is_ok() {
            let rates = shown(&rates.borrow_and_update());
            let frame = ServerFrame::Limits(LimitsChanged { rates });
            tell_everybody(registry, metrics, &metrics.limit_changes, &frame).await;
        }
    }
}

/// Notes a frame for every session that is there when this begins, and counts them in `told`.
/// Who comes later is told by other means, if at all.
async fn tell_everybody(
    registry: &Registry,
    metrics: &Metrics,
    told: &Counter,
    frame: &ServerFrame,
) {
    let text: Text = frame.encode(None).into();
    let mut step: Vec<Arc<Outbox>> = Vec::with_capacity(STEP_SESSIONS);
    for shard in registry.sessions_by_shard() {
        for outbox in shard {
            step.push(outbox);
            if step.len() == STEP_SESSIONS {
                tell(&mut step, metrics, told, &text);
                tokio::time::sleep(STEP_PAUSE).await;
            }
        }
    }
    tell(&mut step, metrics, told, &text);
}

fn tell(step: &mut Vec<Arc<Outbox>>, metrics: &Metrics, told: &Counter, text: &Text) {
    for outbox in step.drain(..) {
        told.inc();
        if outbox.note_notice(text) {
            metrics.notices_dropped.inc();
        }
        outbox.wake();
    }
}

#[cfg(test)]
mod tests {
    use petrel_protocol::frame::NoticeWithdrawn;
    use petrel_types::{NoticeId, SessionId, UserId};
    use tokio::time::Instant;

    use super::*;
    use crate::replacement::{Bearer, SessionPolicy};
    use crate::{SlowReaders, WaterMarks};

    fn registry(sessions: u64) -> (Registry, Vec<Arc<Outbox>>) {
        let registry = Registry::default();
        let outboxes: Vec<_> = (1..=sessions)
            .map(|session| {
                let bearer = Bearer { user: UserId::new(session), ..Bearer::default() };
                Arc::new(Outbox::new(SessionId::new(session), bearer, WaterMarks::default()))
            })
            .collect();
        for outbox in &outboxes {
            registry.insert(Arc::clone(outbox), SessionPolicy::Multi);
        }
        (registry, outboxes)
    }

    fn frame() -> ServerFrame {
        ServerFrame::NoticeWithdrawn(NoticeWithdrawn { notice_id: NoticeId::new(7) })
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_is_told_once_and_in_steps() {
        let (registry, outboxes) = registry(1000);
        let begun = Instant::now();
        let metrics = Metrics::default();
        tell_everybody(&registry, &metrics, &metrics.notices, &frame()).await;
        // Three full steps, and the rest.
        assert_eq!(begun.elapsed(), STEP_PAUSE * 3);
        let text: Text = frame().encode(None).into();
        assert!(outboxes.iter().all(|outbox| outbox.take_notices() == [text.clone()]));
        assert!(outboxes.iter().all(|outbox| outbox.take_notices().is_empty()));
        // Nothing of it counts for the marks.
        let most = SlowReaders::default().marks.high_bytes as usize;
        assert!(outboxes.iter().all(|outbox| outbox.bytes() < most && outbox.is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn of_very_many_notices_a_session_that_does_not_read_is_told_the_last() {
        let (registry, outboxes) = registry(1);
        let metrics = Metrics::default();
        for id in 1..=100 {
            let withdrawn = NoticeWithdrawn { notice_id: NoticeId::new(id) };
            let frame = ServerFrame::NoticeWithdrawn(withdrawn);
            tell_everybody(&registry, &metrics, &metrics.notices, &frame).await;
        }
        let told = outboxes[0].take_notices();
        assert!((16..100).contains(&told.len()), "{}", told.len());
        assert!(told.last().unwrap().contains("\"100\""), "{told:?}");
        assert_eq!(metrics.notices_dropped.get() + told.len() as u64, metrics.notices.get());
    }
}
