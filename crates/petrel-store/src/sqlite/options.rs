//! What may be chosen when a store is opened.

use std::time::Duration;

use crate::Metrics;

/// The thresholds of a [`SqliteStore`](super::SqliteStore). The defaults are for a
/// server; tests choose tiny ones so that everything that happens rarely happens.
#[derive(Clone, Debug)]
pub struct Options {
    /// The memory tail is frozen and moved into the indexes when it holds this many
    /// events and cursor moves. At most two tails are in memory.
    pub tail_rows: usize,
    /// The fewest entries that one transaction moves from a frozen tail into the
    /// indexes. More are moved when new rows come in so fast that the next tail would be
    /// full before this one is done.
    pub slice_rows: usize,
    /// The tail is moved into the indexes, however small, after this time without a
    /// write. `None` waits until it is full.
    pub flush_idle_after: Option<Duration>,
    /// The write-ahead log is copied into the database in the background whenever it
    /// has grown by this much.
    pub checkpoint_bytes: u64,
    /// From this size on the writer finishes the copy between two commits, so that the
    /// write-ahead log begins again.
    pub restart_bytes: u64,
    /// At this size commits are refused until the write-ahead log has begun again.
    pub wal_bytes_max: u64,
    /// A client message id is forgotten when its message is older than this, as seen from
    /// the newest event: not at once, but with the last of those that were stored about
    /// the same time. `None` keeps all of them for ever.
    pub idempotency_window: Option<Duration>,
    /// What was overwritten has left the write-ahead log, and with it the last file it was
    /// in, about this time after its commit, or as soon as readers allow.
    pub overwritten_lingers: Duration,
    /// The name of a registered SQLite VFS to use instead of the system's own.
    pub vfs: Option<String>,
    /// Where it counts what it does.
    pub metrics: Metrics,
}

const MIB: u64 = 1024 * 1024;

impl Default for Options {
    fn default() -> Self {
        Self {
            tail_rows: 500_000,
            slice_rows: 1024,
            flush_idle_after: Some(Duration::from_secs(5)),
            checkpoint_bytes: 8 * MIB,
            restart_bytes: 64 * MIB,
            wal_bytes_max: 256 * MIB,
            idempotency_window: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            overwritten_lingers: Duration::from_secs(5),
            vfs: None,
            metrics: Metrics::default(),
        }
    }
}
