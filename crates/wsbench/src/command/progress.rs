//! What is said on standard error while a run goes on: one line that is rewritten on a
//! terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};

use crate::conductor::Audience;
use crate::seconds::Seconds;
use crate::span::Span;

/// Where there is no terminal, a line so often, in seconds.
const PLAIN_EVERY: u64 = 10;
/// Lines that a long run leaves behind.
const MILESTONES: u64 = 20;
/// What is a long run, in seconds.
const LONG_RUN: u64 = 600;

/// Somebody who reports progress.
pub(super) struct Progress {
    terminal: bool,
    every: u64,
    /// Of a long run every so many seconds leave a line behind, on a terminal as well.
    milestone: Option<u64>,
    conns: u32,
    line_is_open: bool,
}

impl Progress {
    pub(super) fn new(conns: u32, duration: Span, verbose: bool) -> Self {
        let seconds = duration.0.as_secs();
        Self {
            terminal: std::io::stderr().is_terminal(),
            every: if verbose { 1 } else { PLAIN_EVERY.max(seconds / MILESTONES) },
            milestone: (seconds >= LONG_RUN).then_some(seconds / MILESTONES),
            conns,
            line_is_open: false,
        }
    }

    fn say(&mut self, line: &str, stays: bool) {
        let mut stderr = std::io::stderr().lock();
        // Progress that nobody can see is no loss.
        let _ = if self.terminal {
            let end = if stays { "\n" } else { "" };
            write!(stderr, "\r\x1b[K{line}{end}")
        } else {
            writeln!(stderr, "{line}")
        };
        let _ = stderr.flush();
        self.line_is_open = self.terminal && !stays;
    }

    /// Ends a line that is being rewritten.
    pub(super) fn finish(&mut self) {
        if std::mem::take(&mut self.line_is_open) {
            // As above.
            let _ = writeln!(std::io::stderr());
        }
    }
}

impl Audience for Progress {
    fn preparing(&mut self, done: usize, of: usize) {
        if self.terminal {
            self.say(&format!("opening accounts: {done} of {of}"), false);
        }
    }

    fn second(&mut self, seconds: &Seconds) {
        let Some(row) = seconds.last() else { return };
        if !self.terminal && !row.second.is_multiple_of(self.every) {
            return;
        }
        let counters = seconds.counters();
        let mut line = format!("{:>5} s  {}/{} connections", row.second, row.live, self.conns);
        if counters.connects_failed + counters.disconnects > 0 {
            line +=
                &format!(", {} failed, {} dropped", counters.connects_failed, counters.disconnects);
        }
        if counters.messages_due > 0 {
            line += &format!(", {} sent/s, {} delivered/s", row.sent, row.delivered);
        }
        if let Some([p50, p99, _]) = row.e2e_ms {
            line += &format!(", e2e p50 {p50:.2} p99 {p99:.2} ms");
        } else if let Some([p50, p99]) = row.ping_ms {
            line += &format!(", ping p50 {p50:.2} p99 {p99:.2} ms");
        } else if let Some([p50, p99]) = row.connect_ms {
            line += &format!(", connect p50 {p50:.2} p99 {p99:.2} ms");
        }
        let stays = self.milestone.is_some_and(|every| row.second.is_multiple_of(every));
        self.say(&line, stays);
    }

    fn ramped(&mut self, seconds: &Seconds) {
        let line = format!("ramp done: {} of {} connections stand", seconds.live(), self.conns);
        self.say(&line, true);
    }
}
