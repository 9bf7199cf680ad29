//! The clocks of a load generator: monotonic time, which all processes of one machine
//! share, and CPU time.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the system's monotonic clock. Values of different processes of one
/// machine can be compared; the origin means nothing.
pub type Nanos = u64;

/// One microsecond, in nanoseconds.
pub const MICROSECOND: Nanos = 1_000;
/// One millisecond, in nanoseconds.
pub const MILLISECOND: Nanos = 1_000_000;
/// One second, in nanoseconds.
pub const SECOND: Nanos = 1_000_000_000;

/// The monotonic time now.
pub fn now() -> Nanos {
    read(ClockId::Monotonic)
}

/// The CPU time that the calling thread has used.
pub fn thread_cpu() -> Nanos {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock);
    // Neither clock is ever negative.
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

/// A duration in whole nanoseconds; one of centuries becomes the longest there is.
pub fn nanos(duration: std::time::Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
