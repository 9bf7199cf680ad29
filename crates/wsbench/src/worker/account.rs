//! How a worker itself fares: deadlines, its own CPU time, stops from outside, and what
//! it reports.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::engine::{Engine, Phase, SWEEP};
use super::session::{Reading, Stage};
use super::{Second, Update, WorkerResult};
use crate::clock::{self, MILLISECOND, Nanos, SECOND};
use crate::metrics::Sparse;

/// Without the loop turning for so long while the process was stopped, it was stopped.
const STOP_MIN: Nanos = 250 * MILLISECOND;
/// How long a worker that stood still waits to hear whether it was stopped, in ms.
const SIGNAL_PATIENCE_MS: u32 = 20;

impl Engine {
    /// The processor time of the measured time, and nothing else.
    pub(super) fn measure_usage(&mut self) {
        let (from, until) = self.measured;
        let frames = self.metrics.counters.frames_received + self.metrics.counters.frames_sent;
        if self.usage_at.is_none() && self.now >= from {
            self.usage_at =
                Some((self.now, clock::thread_cpu(), crate::machine::thread_wait(), frames));
        }
        let Some((at, cpu, wait, before)) = self.usage_at else { return };
        // The last measurement is of the turn that notices the end.
        if self.now <= until + SWEEP || self.usage.measured_nanos == 0 {
            self.usage.measured_nanos = self.now.min(until.max(at)) - at;
            self.usage.cpu_nanos = clock::thread_cpu() - cpu;
            self.usage.frames = frames - before;
            // A file read, and good enough once a turn of the sweep.
            if self.now + SWEEP >= until || self.stop {
                self.usage.wait_nanos = crate::machine::thread_wait() - wait;
            }
        }
    }

    /// The process may have been stopped (SIGSTOP). Then time stood still for this side
    /// only: the schedule moves on by as much, silence is not the server's, and what was
    /// under way is not timed.
    ///
    /// `polled` is when the poll began that has just ended.
    pub(super) fn notice_stop(&mut self, polled: Nanos) {
        let turned = std::mem::replace(&mut self.turned, self.now);
        // It may have been stopped in the poll, where it mostly is, or in the turn before.
        let longest = [(turned, polled), (polled, self.now)]
            .into_iter()
            .max_by_key(|(from, to)| to.saturating_sub(*from));
        if let Some((from, to)) = longest.filter(|(from, to)| *to >= from + STOP_MIN) {
            self.stood_still = Some((from, to));
            // The thread that takes the signal may come to it a little later than this one.
            for _ in 0..SIGNAL_PATIENCE_MS {
                if self.link.continued.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        if !self.link.continued.swap(false, Ordering::Relaxed) {
            return;
        }
        let recent = self.stood_still.take().filter(|(_, until)| self.now < until + SECOND);
        let Some((before, until)) = recent else { return };
        let gap = until - before;
        self.usage.stops.push((before.saturating_sub(self.origin) as f64 / 1e9, gap as f64 / 1e9));
        self.untimed_before = self.now;
        let pacers = [&mut self.dials, &mut self.sends, &mut self.pings, &mut self.flaps];
        for pacer in pacers.into_iter().flatten() {
            pacer.shift(gap);
        }
        self.stairs.shift(self.now, gap);
        for session in &mut self.sessions {
            session.last_heard = self.now;
            if let Some(dialing) = &mut session.dialing {
                dialing.deadline += gap;
            }
        }
        if let Phase::Run(until) = &mut self.phase {
            *until += gap;
            self.measured.1 += gap;
            if self.measured.0 > before {
                self.measured.0 += gap;
            }
        }
    }

    pub(super) fn report_second(&mut self) {
        // A scenario without a ramp is through with it before its time begins.
        let second = self.now.saturating_sub(self.origin) / SECOND;
        self.next_second = self.origin + (second + 1) * SECOND;
        let second = Second {
            second,
            counters: self.metrics.counters.clone(),
            live: self.live,
            times: self.metrics.take_second(),
            errors: self.metrics.errors.clone(),
            duplicates: self.ledger.duplicates(),
            reordered: self.ledger.reordered(),
        };
        self.tell(Update::Second(Box::new(second)));
    }

    pub(super) fn tell(&mut self, update: Update) {
        // If nobody listens any more, the stop comes by the other way.
        let _ = self.link.updates.send(update);
    }

    pub(super) fn result(mut self) -> WorkerResult {
        self.report_second();
        let times = self.metrics.times().iter();
        WorkerResult {
            times: times.map(|(timing, times)| (*timing, Sparse::of(times))).collect(),
            counters: self.metrics.counters.clone(),
            errors: std::mem::take(&mut self.metrics.errors),
            tally: self.ledger.settle(self.first),
            steps: std::mem::take(&mut self.steps),
            stairs: std::mem::take(&mut self.stairs).finish(self.origin),
            usage: std::mem::take(&mut self.usage),
        }
    }

    /// Looks at every connection's deadlines.
    pub(super) fn sweep(&mut self) {
        let read_timeout = self.plan.read_timeout.nanos();
        let write_timeout = self.plan.write_timeout.nanos();
        for index in 0..self.sessions.len() as u32 {
            let session = &self.sessions[index as usize];
            match session.stage {
                Stage::Connecting | Stage::Upgrading | Stage::LoggingIn => {
                    let deadline = session.dialing.as_ref().map(|dialing| dialing.deadline);
                    if deadline.is_some_and(|deadline| self.now > deadline) {
                        self.lost(index, "timeout");
                    }
                }
                Stage::Live => {
                    let fast = session.reading == Reading::Fast;
                    let silent = self.now.saturating_sub(session.last_heard);
                    if fast && read_timeout > 0 && silent > read_timeout {
                        self.lost(index, "io_timeout");
                    } else if session.stuck > 0 && self.now - session.stuck > write_timeout {
                        self.lost(index, "write_timeout");
                    }
                }
                Stage::Off | Stage::Waiting | Stage::Failed => {}
            }
        }
        let before = self.now.saturating_sub(write_timeout.max(SECOND) * 3);
        self.metrics.counters.answer_timeouts += self.ledger.expire(before);
        self.sweep_calls();
        self.top_up();
    }
}
