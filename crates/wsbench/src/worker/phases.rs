//! The phases of a run, from the end of the ramp to the goodbyes.

use super::engine::{Engine, Phase};
use super::session::Stage;
use crate::adapter::HistoryFrom;
use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::scenario::Disruption;

/// How long recipients may read their histories after the drain.
const SETTLE_MAX: Nanos = 30 * SECOND;
/// How long closing may take.
const CLOSE_MAX: Nanos = SECOND;
/// How often a drain is asked whether all has come: a question to the whole ledger.
const QUIET_EVERY: Nanos = 25 * MILLISECOND;
/// How often a worker measures how busy it is.
const USAGE_EVERY: Nanos = 10 * MILLISECOND;

impl Engine {
    pub(super) fn change_phase(&mut self) {
        match self.phase {
            Phase::Ramp => {
                let late =
                    self.origin + self.plan.ramp.nanos() + 2 * self.plan.handshake_timeout.nanos();
                if self.stop {
                    self.drain();
                } else if self.undecided == 0 || (self.dials.is_none() && self.now > late) {
                    self.usage.memory_after = crate::machine::own_memory();
                    self.usage.memory_connections = self.live;
                    self.begin_founding();
                }
            }
            Phase::Found | Phase::Waiting if self.stop => self.drain(),
            Phase::Found => self.finish_founding(),
            Phase::Waiting => {}
            Phase::Run(until) => {
                // The clock of a thread's CPU time is a system call.
                if self.now >= self.next_usage {
                    self.measure_usage();
                    self.next_usage = self.now + USAGE_EVERY;
                }
                if self.stop || self.now >= until || self.is_finished() {
                    self.drain();
                }
            }
            Phase::Drain(until) => {
                if self.now >= until || self.now >= self.next_quiet && self.is_quiet() {
                    self.settle();
                }
                if self.now >= self.next_quiet {
                    self.next_quiet = self.now + QUIET_EVERY;
                }
            }
            Phase::Settle(until) => {
                if self.now >= until || self.has_settled() {
                    self.close();
                }
            }
            Phase::Close(_) => {}
        }
    }

    pub(super) fn begin_run(&mut self, at: Nanos) {
        let until = at + self.plan.hold().nanos();
        self.begin_stairs(at, until);
        // A warm-up that would leave nothing is left out.
        let warm = at + self.plan.warmup.nanos().min(self.plan.hold().nanos() / 2);
        self.measured = (warm, until);
        self.phase = Phase::Run(until);
        self.begin_sending(at, until);
        self.begin_disruption(at, until);
        self.begin_following();
    }

    /// Whether a scenario that has an end of its own has come to it.
    pub(super) fn is_finished(&self) -> bool {
        match self.behaviour.disruption {
            Disruption::Absence { .. } => {
                !self.absent && self.sends.is_none() && self.ledger.is_complete()
            }
            Disruption::Ladder { .. } => self.ladder.is_none(),
            Disruption::RisingConnections { .. } | Disruption::RisingRate { .. } => {
                self.stairs.end().is_some_and(|end| end <= self.now)
            }
            _ => false,
        }
    }

    pub(super) fn drain(&mut self) {
        // The usage of a run that was cut short is measured up to here.
        self.measured.1 = self.measured.1.min(self.now.max(self.measured.0));
        self.measure_usage();
        (self.sends, self.pings, self.flaps, self.dials) = (None, None, None, None);
        (self.storm, self.ladder) = (None, None);
        self.come_back();
        self.read_fast();
        self.send_all_receipts();
        self.phase = Phase::Drain(self.now + self.plan.drain.nanos());
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_quiet(&mut self) -> bool {
        let pings =
            self.sessions.iter().any(|session| session.is_live() && session.ping.0 > session.pong);
        let busy = self.sessions.iter().any(|session| session.reads_history);
        // Who has stood and is on the way back would be missing for no fault of the server.
        let returning = self.sessions.iter().any(|session| {
            session.was_live && !matches!(session.stage, Stage::Live | Stage::Off | Stage::Failed)
        });
        !pings
            && !busy
            && !returning
            && !self.calls.are_open()
            && self.ledger.is_complete()
            && self.presence_is_known()
    }

    /// After the drain every recipient that misses something reads its history.
    pub(super) fn settle(&mut self) {
        self.phase = Phase::Settle(self.now + SETTLE_MAX);
        self.settling.clear();
        self.read_missing();
    }

    /// Lets every recipient that misses something read its history.
    fn read_missing(&mut self) {
        self.settled_at = self.progress();
        if !self.abilities.history || self.stop && self.ledger.in_flight() > 0 && self.live == 0 {
            return;
        }
        for index in 0..self.sessions.len() as u32 {
            if self.behaviour.cast.receives(index)
                && self.ledger.is_behind(index)
                && self.sessions[index as usize].is_live()
                && self.read_history(index, HistoryFrom::Start)
            {
                self.settling.push(index);
            }
        }
        self.flush_dirty();
    }

    pub(super) fn has_settled(&mut self) -> bool {
        let sessions = &self.sessions;
        self.settling.retain(|index| sessions[*index as usize].reads_history);
        if self.settling.is_empty() && self.progress() != self.settled_at {
            // Something was still under way, so there may be more to read than there was.
            self.read_missing();
        }
        self.settling.is_empty()
    }

    /// What has been answered and delivered: while this changes, the server is at work.
    fn progress(&self) -> (u64, u64) {
        (self.metrics.counters.deliveries, self.ledger.in_flight())
    }

    pub(super) fn close(&mut self) {
        self.metrics.counters.connections_final = u64::from(self.live);
        self.count_wrong_presence();
        let lost =
            self.sessions.iter().filter(|session| session.was_live && !session.is_live()).count();
        if self.behaviour.reconnects {
            self.metrics.counters.reconnects_failed = lost as u64;
        }
        self.phase = Phase::Close(self.now + CLOSE_MAX);
        for index in 0..self.sessions.len() as u32 {
            self.say_goodbye(index);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Close(until) => {
                self.now >= until || self.sessions.iter().all(|session| session.socket.is_none())
            }
            _ => false,
        }
    }
}
