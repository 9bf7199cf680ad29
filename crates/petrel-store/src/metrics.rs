//! What a store counts.
//!
//! Handles, passed in when a store is opened: to count is an addition in memory, and
//! somebody else decides whether and where the numbers are shown.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of one store.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) commits: Counter,
    pub(crate) commits_failed: Counter,
    pub(crate) commit_writes: Histogram,
    pub(crate) commit_seconds: Histogram,
    pub(crate) sync_seconds: Histogram,
    pub(crate) read_seconds: Histogram,
    pub(crate) wal_bytes: Gauge,
    pub(crate) tail_rows: Gauge,
    pub(crate) checkpoints: Counter,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            commits,
            commits_failed,
            commit_writes,
            commit_seconds,
            sync_seconds,
            read_seconds,
            wal_bytes,
            tail_rows,
            checkpoints,
        } = metrics.clone();
        registry.register("commits", "Transactions brought to disk", commits);
        registry.register(
            "commits_failed",
            "Transactions that failed, of whatever kind",
            commits_failed,
        );
        registry.register(
            "commit_writes",
            "Writes that one transaction brought to disk together",
            commit_writes,
        );
        registry.register(
            "commit_seconds",
            "Time from the beginning of a transaction until it is on disk",
            commit_seconds,
        );
        registry.register(
            "sync_seconds",
            "The part of it that writes the log and waits for fsync",
            sync_seconds,
        );
        registry.register(
            "read_seconds",
            "Time that a read takes once a thread has taken it up",
            read_seconds,
        );
        registry.register("wal_bytes", "Length of the write-ahead log in use", wal_bytes);
        registry.register(
            "tail_rows",
            "Entries in memory that are not in the indexes yet",
            tail_rows,
        );
        registry.register(
            "wal_restarts",
            "Times that the write-ahead log began again",
            checkpoints,
        );
        metrics
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        // From 50 µs (a page cache) to 26 s (a stalled disk).
        let times = || Histogram::new(exponential_buckets(50e-6, 2.0, 20));
        Self {
            commits: Counter::default(),
            commits_failed: Counter::default(),
            commit_writes: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            commit_seconds: times(),
            sync_seconds: times(),
            read_seconds: times(),
            wal_bytes: Gauge::default(),
            tail_rows: Gauge::default(),
            checkpoints: Counter::default(),
        }
    }
}
