//! Waking up in time. `epoll` counts in milliseconds, which is too coarse for a schedule,
//! so on Linux a timer descriptor does the waking.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Nanos;

/// What is to be done with a session at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chore {
    /// Dial.
    Dial,
    /// Read on.
    Read,
    /// Send again what was refused.
    SendAgain,
    /// Ask again for a group.
    Found,
}

/// Chores of sessions, by time.
#[derive(Debug, Default)]
pub(super) struct Chores {
    heap: BinaryHeap<Reverse<(Nanos, Chore, u32)>>,
}

impl Chores {
    pub(super) fn add(&mut self, at: Nanos, chore: Chore, session: u32) {
        self.heap.push(Reverse((at, chore, session)));
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn take(&mut self, now: Nanos) -> Option<(Chore, u32, Nanos)> {
        let Reverse((at, chore, session)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((chore, session, at))
    }
}

pub(super) use timer::Timer;

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use crate::clock::{MICROSECOND, Nanos, SECOND};

    /// Below this, waiting costs more than it saves: setting the timer and being woken.
    const TOO_SHORT: Nanos = 5 * MICROSECOND;

    /// A timer descriptor in a poll.
    #[derive(Debug)]
    pub(in super::super) struct Timer {
        descriptor: OwnedFd,
        armed: Nanos,
    }

    impl Timer {
        pub(in super::super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            registry.register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { descriptor, armed: 0 })
        }

        /// How long to poll so that it ends by `due`, and no longer than `longest`.
        pub(in super::super) fn wait(
            &mut self,
            now: Nanos,
            due: Option<Nanos>,
            longest: Nanos,
        ) -> io::Result<Duration> {
            let Some(due) = due.filter(|due| *due < now + longest) else {
                return Ok(Duration::from_nanos(longest));
            };
            if due < now + TOO_SHORT {
                return Ok(Duration::ZERO);
            }
            if self.armed != due {
                let at = Timespec { tv_sec: (due / SECOND) as i64, tv_nsec: (due % SECOND) as _ };
                let never = Timespec { tv_sec: 0, tv_nsec: 0 };
                let spec = Itimerspec { it_interval: never, it_value: at };
                timerfd_settime(&self.descriptor, TimerfdTimerFlags::ABSTIME, &spec)?;
                self.armed = due;
            }
            Ok(Duration::from_nanos(longest))
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    use crate::clock::Nanos;

    /// Elsewhere the poll itself is precise.
    #[derive(Debug)]
    pub(in super::super) struct Timer;

    impl Timer {
        pub(in super::super) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(in super::super) fn wait(
            &mut self,
            now: Nanos,
            due: Option<Nanos>,
            longest: Nanos,
        ) -> io::Result<Duration> {
            let wait = due.map_or(longest, |due| due.saturating_sub(now)).min(longest);
            Ok(Duration::from_nanos(wait))
        }
    }
}
