//! What is done to connections on purpose.

use super::StepResult;
use super::alarm::Chore;
use super::engine::{Engine, Phase};
use super::session::{Reading, Stage};
use crate::clock::{Nanos, SECOND};
use crate::metrics::{Sparse, Times, no_times};
use crate::pacer::Pacer;
use crate::plan::Arrival;
use crate::scenario::Disruption;

/// A step worked when so many of its connections came to stand,
const STEP_OK: f64 = 0.99;
/// and when so much of its rate was reached,
const STEP_REACHED: f64 = 0.95;
/// and when 99 % of them took no longer than this, in microseconds.
const STEP_P99_US: u64 = 1_000_000;
/// How long the last connections of a step may take.
const STEP_REST: Nanos = 2 * SECOND;

/// Connections a second, faster and faster.
#[derive(Debug)]
pub(super) struct Ladder {
    pacer: Pacer,
    result: StepResult,
    times: Times,
    began: Nanos,
    ends: Nanos,
    open: u32,
    free: Vec<u32>,
    /// When the last connection of the step came to stand.
    last: Nanos,
}

impl Ladder {
    fn new(rate: f64, at: Nanos, step: Nanos, free: Vec<u32>) -> Self {
        Self {
            pacer: Pacer::new(at, rate, &[], Arrival::Spread, 1, 1),
            result: StepResult { offered: rate, ..StepResult::default() },
            times: no_times(),
            began: at,
            ends: at + step,
            open: 0,
            free,
            last: at,
        }
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        self.pacer.due().filter(|due| *due < self.ends)
    }

    /// Whether all of a step's connections have been decided.
    fn is_over(&self, now: Nanos) -> bool {
        now >= self.ends && (self.open == 0 || now >= self.ends + STEP_REST)
    }

    fn finish(&mut self) -> StepResult {
        let mut result = std::mem::take(&mut self.result);
        result.nanos = (self.last.max(self.ends) - self.began).max(1);
        result.times = Sparse::of(&self.times);
        result
    }

    fn worked(&self, result: &StepResult) -> bool {
        let seconds = result.nanos as f64 / SECOND as f64;
        let attempted = result.attempted as f64;
        result.ok as f64 >= STEP_OK * attempted
            && attempted / seconds >= STEP_REACHED * result.offered - 1.0
            && self.times.value_at_quantile(0.99) <= STEP_P99_US
    }
}

/// Whether a connection is one of a share of all, spread evenly.
fn is_of(index: u32, share: f64) -> bool {
    let before = |index: u32| (f64::from(index) * share).floor();
    before(index + 1) > before(index)
}

impl Engine {
    /// Decides which recipients read slowly or not at all.
    pub(super) fn choose_readers(&mut self) {
        let (slow, deaf) = (self.behaviour.slow, self.behaviour.deaf);
        for index in 0..self.sessions.len() as u32 {
            if !self.behaviour.cast.receives(index) || slow + deaf == 0.0 {
                continue;
            }
            let lot = self.random.f64();
            self.sessions[index as usize].reading = if lot < slow {
                Reading::Slow
            } else if lot < slow + deaf {
                Reading::Deaf
            } else {
                Reading::Fast
            };
            self.sessions[index as usize].is_slow = lot < slow + deaf;
        }
    }

    /// Ends slow reading: the drain wants to know what is still to be had.
    pub(super) fn read_fast(&mut self) {
        for index in 0..self.sessions.len() as u32 {
            let session = &mut self.sessions[index as usize];
            if session.reading == Reading::Fast {
                continue;
            }
            session.reading = Reading::Fast;
            session.paused = false;
            session.last_heard = self.now;
            if session.decoder.has_bytes() {
                self.chores.add(self.now, Chore::Read, index);
            }
            self.unread.push(index);
        }
    }

    /// The run begins: plans what is to happen to connections.
    pub(super) fn begin_disruption(&mut self, at: Nanos, until: Nanos) {
        match self.behaviour.disruption {
            Disruption::None
            | Disruption::RisingRate { .. }
            | Disruption::RisingConnections { .. } => {}
            Disruption::Storm { at: after, .. } => self.storm = Some(at + after.nanos()),
            Disruption::Flap { share_per_second, of, .. } => {
                self.flapping = (0..self.sessions.len() as u32).filter(|i| is_of(*i, of)).collect();
                let rate = share_per_second * self.flapping.len() as f64;
                if rate > 0.0 {
                    let (count, seed) = (self.flapping.len() as u32, self.random.u64(..));
                    // No connection breaks so late that it can't come back in time.
                    self.flaps = Some(Pacer::new(at, rate, &[], Arrival::Poisson, count, seed));
                }
            }
            Disruption::Absence { .. } => {
                self.absent = true;
                for index in 0..self.sessions.len() as u32 {
                    if self.behaviour.cast.receives(index) {
                        self.hang_up(index, 0);
                    }
                }
            }
            Disruption::Ladder { from, step, .. } => {
                let free = (0..self.sessions.len() as u32).collect();
                let rate = f64::from(from) * self.share();
                self.ladder = Some(Ladder::new(rate, at, step.nanos().min(until - at), free));
            }
        }
    }

    /// Does to connections what is due.
    pub(super) fn disrupt_due(&mut self) {
        if let Disruption::Storm { away, .. } = self.behaviour.disruption
            && self.storm.is_some_and(|at| at <= self.now)
        {
            self.storm = None;
            for index in 0..self.sessions.len() as u32 {
                self.hang_up(index, away.nanos());
            }
        }
        for _ in 0..Self::events_per_turn() {
            let Some(pacer) = &mut self.flaps else { break };
            if pacer.due().is_none_or(|due| due > self.now) {
                break;
            }
            let Some((place, _)) = pacer.take() else { break };
            let index = self.flapping[place as usize];
            let Disruption::Flap { away, goodbye, .. } = self.behaviour.disruption else { break };
            if goodbye {
                self.say_goodbye(index);
            }
            self.hang_up(index, away.nanos());
        }
        if self.absent
            && self.sends.is_none()
            && self.ledger.in_flight() == 0
            && self.nothing_held_back()
        {
            self.come_back();
        }
        self.climb();
        self.grow();
    }

    fn nothing_held_back(&mut self) -> bool {
        let ledger = &mut self.ledger;
        self.senders
            .iter()
            .all(|sender| ledger.stream(*sender).is_none_or(|stream| stream.held_back.is_empty()))
    }

    /// The absent come back.
    pub(super) fn come_back(&mut self) {
        if !std::mem::take(&mut self.absent) {
            return;
        }
        for index in 0..self.sessions.len() as u32 {
            let session = &mut self.sessions[index as usize];
            if session.stage == Stage::Off && session.was_live {
                session.stage = Stage::Waiting;
                let jitter = self.random.u64(0..=self.plan.reconnect_jitter.nanos());
                session.since = self.now + jitter;
                self.chores.add(self.now + jitter, Chore::Dial, index);
            }
        }
    }

    fn climb(&mut self) {
        for _ in 0..Self::events_per_turn() {
            let Some(ladder) = &mut self.ladder else { return };
            if ladder.due().is_none_or(|due| due > self.now) {
                break;
            }
            let Some(index) = ladder.free.pop() else {
                // All connections are busy: the step is late, and that counts.
                break;
            };
            let Some((_, due)) = ladder.pacer.take() else { break };
            ladder.open += 1;
            ladder.result.attempted += 1;
            self.metrics.counters.connects_attempted += 1;
            self.sessions[index as usize].since = due;
            self.sessions[index as usize].was_live = false;
            self.sessions[index as usize].stage = Stage::Waiting;
            self.dial_again(index, due);
        }
        let now = self.now;
        if self.ladder.as_ref().is_some_and(|ladder| ladder.is_over(now)) {
            self.next_step();
        }
    }

    fn next_step(&mut self) {
        let Disruption::Ladder { factor, step, .. } = self.behaviour.disruption else { return };
        let Some(mut ladder) = self.ladder.take() else { return };
        let result = ladder.finish();
        let worked = ladder.worked(&result);
        let rate = result.offered * factor;
        self.steps.push(result);
        let Phase::Run(until) = self.phase else { return };
        if worked && self.now + step.nanos() <= until {
            self.ladder = Some(Ladder::new(rate, self.now, step.nanos(), ladder.free));
        }
    }

    /// A connection of a ladder stands: it is closed again. False if there is no ladder.
    pub(super) fn climbed(&mut self, index: u32, since: Nanos) -> bool {
        if !matches!(self.behaviour.disruption, Disruption::Ladder { .. }) {
            return false;
        }
        self.metrics.counters.connects_ok += 1;
        self.say_goodbye(index);
        self.live -= 1;
        let session = &mut self.sessions[index as usize];
        if let Some(mut socket) = session.socket.take() {
            // It is dropped all the same.
            let _ = self.poll.registry().deregister(socket.source());
        }
        session.reset(Stage::Off);
        if let Some(ladder) = &mut self.ladder {
            ladder.open = ladder.open.saturating_sub(1);
            ladder.result.ok += 1;
            ladder.last = self.now;
            ladder.free.push(index);
            let us = self.now.saturating_sub(since).div_ceil(crate::clock::MICROSECOND);
            ladder.times.saturating_record(us);
        }
        true
    }

    /// A connection of a ladder failed. False if there is no ladder.
    pub(super) fn ladder_failed(&mut self, index: u32) -> bool {
        if !matches!(self.behaviour.disruption, Disruption::Ladder { .. }) {
            return false;
        }
        self.metrics.counters.connects_failed += 1;
        self.sessions[index as usize].reset(Stage::Off);
        if let Some(ladder) = &mut self.ladder {
            ladder.open = ladder.open.saturating_sub(1);
            ladder.free.push(index);
        }
        true
    }
}
