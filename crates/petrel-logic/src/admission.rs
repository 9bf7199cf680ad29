//! How much that is expensive may be under way at once.
//!
//! When fifteen thousand devices come back in the same second, each wants an upgrade, a
//! check of its token and a sync. Were all of that ready to run at once, whoever is already
//! here would wait behind it. So only so many run at a time; the others wait in a queue, in
//! the order in which they came, and cost nothing meanwhile. The queue is bounded in length
//! and in time; beyond, a device is told to come back later, each at another time.
//!
//! There is one [`Admission`] for a node: who reads by HTTP waits in the same queue as who
//! reads by a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_types::OperatingLimits;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::Refusal;
use crate::refusal::RETRY_AFTER_MS;

/// How long the store may take to answer a read.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Those who are refused, and those whom a drain sends away, come back spread over this
/// many milliseconds.
pub const RETURN_SPREAD_MS: u64 = 5_000;

/// The gates of a node.
#[derive(Debug)]
pub struct Admission {
    /// From the upgrade request, or the AUTH frame, to AUTH_OK.
    pub handshakes: Gate,
    /// Reads of the store: SYNC, PULL and others, and those by HTTP.
    reads: Gate,
    /// Those who are told to come back, to tell each another time.
    spread: Spread,
}

/// A gate that so many may be through at a time.
#[derive(Debug)]
pub struct Gate {
    turns: Arc<Semaphore>,
    waiting: Gauge,
    waiting_max: i64,
    wait_max: Duration,
    refused: Counter,
}

/// A turn. The next one begins when it is dropped.
pub type Turn = OwnedSemaphorePermit;

/// No turn came in time, or too many wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The numbers of a node's gates.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    waiting: Family<GateLabel, Gauge>,
    refused: Family<GateLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GateLabel {
    gate: &'static str,
}

const HANDSHAKES: GateLabel = GateLabel { gate: "handshakes" };
const READS: GateLabel = GateLabel { gate: "reads" };

/// Numbers that lie evenly between 0 and a bound, however many are taken: the fractional
/// parts of the multiples of the golden ratio (Weyl's sequence). Better than chance, which
/// puts many at the same time.
#[derive(Debug, Default)]
struct Spread(AtomicU64);

impl Admission {
    /// Gates that are open as wide as `limits` says.
    pub fn new(limits: &OperatingLimits, metrics: &Metrics) -> Self {
        let gate = |at_once: u32, label: &GateLabel| Gate {
            turns: Arc::new(Semaphore::new(usize::try_from(at_once.max(1)).unwrap_or(1))),
            waiting: metrics.waiting.get_or_create_owned(label),
            waiting_max: limits.admission_queue.into(),
            wait_max: Duration::from_millis(limits.admission_wait_ms.into()),
            refused: metrics.refused.get_or_create_owned(label),
        };
        Self {
            handshakes: gate(limits.handshakes_at_once, &HANDSHAKES),
            reads: gate(limits.reads_at_once, &READS),
            spread: Spread::default(),
        }
    }

    /// Waits for a turn to read the store and then for the read, but not for ever.
    pub async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        match self.reads.enter().await {
            Ok(_turn) => bounded(read).await,
            Err(Busy) => Err(self.refusal("too many devices read at once; try again later")),
        }
    }

    /// What somebody is told who is to come back later.
    pub fn refusal(&self, message: &str) -> Refusal {
        Refusal::new(ErrorReason::ServerBusy, message).retry_after(self.retry_after_ms())
    }

    /// When the next one who is refused should come back: each at another time.
    pub fn retry_after_ms(&self) -> u64 {
        RETRY_AFTER_MS + self.spread.next(RETURN_SPREAD_MS)
    }
}

/// Waits for the store, but not for ever.
pub async fn bounded<T>(read: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(READ_TIMEOUT, read).await.unwrap_or_else(|_| {
        Err(Refusal::new(ErrorReason::ServerBusy, "the store is slow; try again in a moment"))
    })
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waiting",
            "Handshakes, and reads of sessions and of HTTP, that wait for their turn",
            metrics.waiting.clone(),
        );
        registry.register(
            "refused",
            "Handshakes and reads that found no turn in time and were told to come back",
            metrics.refused.clone(),
        );
        metrics
    }
}

impl Gate {
    /// Waits for a turn, but not for ever.
    pub async fn enter(&self) -> Result<Turn, Busy> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let entered = self.wait().await;
        if entered.is_err() {
            self.refused.inc();
        }
        entered
    }

    async fn wait(&self) -> Result<Turn, Busy> {
        let _place = Place::take(&self.waiting, self.waiting_max)?;
        match timeout(self.wait_max, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

/// A place in the queue, for as long as it lives.
struct Place<'a>(&'a Gauge);

impl<'a> Place<'a> {
    fn take(waiting: &'a Gauge, max: i64) -> Result<Self, Busy> {
        let before = waiting.inc();
        let place = Self(waiting);
        if before >= max { Err(Busy) } else { Ok(place) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Spread {
    fn next(&self, below: u64) -> u64 {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let place = self.0.fetch_add(GOLDEN_RATIO, Ordering::Relaxed);
        ((place >> 32) * below) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(at_once: u32, queue: u32) -> Admission {
        let limits = OperatingLimits {
            reads_at_once: at_once,
            admission_queue: queue,
            admission_wait_ms: 1_000,
            ..OperatingLimits::default()
        };
        Admission::new(&limits, &Metrics::default())
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_through_at_a_time_and_the_others_come_in_their_order() {
        let admission = Arc::new(admission(2, 10));
        let first = admission.reads.enter().await.unwrap();
        let second = admission.reads.enter().await.unwrap();
        let (told, mut order) = tokio::sync::mpsc::channel(10);
        for number in 0..5 {
            let (admission, told) = (Arc::clone(&admission), told.clone());
            tokio::spawn(async move {
                let turn = admission.reads.enter().await;
                told.send((number, turn.is_ok())).await.unwrap();
            });
            tokio::task::yield_now().await;
        }
        assert!(order.try_recv().is_err(), "nobody is let in while both turns are taken");
        drop(first);
        for number in 0..5 {
            assert_eq!(order.recv().await, Some((number, true)));
        }
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_in_length_and_in_time() {
        let admission = admission(1, 2);
        let gate = &admission.reads;
        let turn = gate.enter().await.unwrap();
        let queued = async { tokio::join!(gate.enter(), gate.enter(), gate.enter()) };
        let (one, other, too_many) = queued.await;
        // The third is refused at once, the others when their time is over.
        assert_eq!(
            (one.unwrap_err(), other.unwrap_err(), too_many.unwrap_err()),
            (Busy, Busy, Busy)
        );
        assert_eq!((gate.waiting.get(), gate.refused.get()), (0, 3));
        drop(turn);
        assert!(gate.enter().await.is_ok());
    }

    #[test]
    fn those_who_are_refused_come_back_at_different_times() {
        let admission = admission(1, 1);
        let mut times: Vec<_> = (0..1_000).map(|_| admission.retry_after_ms()).collect();
        times.sort_unstable();
        assert!(times[0] >= RETRY_AFTER_MS);
        assert!(times[999] < RETRY_AFTER_MS + RETURN_SPREAD_MS);
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest <= 15, "nobody comes for {widest} ms");
        let crowd = times.windows(5).any(|five| five[4] - five[0] < 5);
        assert!(!crowd, "five at once");
    }
}
