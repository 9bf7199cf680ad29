//! How often a limit was met.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the gateway, and what waits now.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) over_rate: AtomicU64,
    pub(crate) banned: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) fanout_waiting: AtomicU64,
}

/// How often limits were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LimitsMet {
    /// Sessions that were told to slow down, each time counted.
    pub over_rate: u64,
    /// Sessions closed with 4429.
    pub banned: u64,
    /// Handshakes and reads that found no turn in time, and connections beyond the most.
    pub turned_away: u64,
    /// Frames that go to many and are not told to all yet. Not a count, but a level.
    pub fanout_waiting: u64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> LimitsMet {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LimitsMet {
            over_rate: of(&self.over_rate),
            banned: of(&self.banned),
            turned_away: of(&self.turned_away),
            fanout_waiting: of(&self.fanout_waiting),
        }
    }
}
