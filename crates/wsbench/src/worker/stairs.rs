//! A load that rises step by step. What becomes of a message, a ping or a connection
//! counts to the step in which it was *meant* to happen, however late it came, so that a
//! step that the server could not carry does not look good at the next one's expense.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use crate::clock::{MICROSECOND, Nanos, SECOND};
use crate::metrics::{Sparse, Times, Timing, no_times};
use crate::pacer::Pacer;
use crate::plan::{Arrival, Stage};
use crate::scenario::Disruption;

/// One step of a rising load, at one worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StairResult {
    /// Messages a second, or connections, of all workers together.
    pub load: f64,
    /// When it began and ended, in seconds after the origin of the run.
    pub from_seconds: f64,
    /// See `from_seconds`.
    pub until_seconds: f64,
    /// Messages that were due.
    pub due: u64,
    /// Messages that were written.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Messages that the server did not take, by its reason.
    pub refused: BTreeMap<String, u64>,
    /// Connections that were tried.
    pub attempted: u64,
    /// Connections that came to stand.
    pub connected: u64,
    /// Connections that were lost.
    pub disconnects: u64,
    /// Pings.
    pub pings: u64,
    /// Pongs.
    pub pongs: u64,
    /// What was due, and what of it left late through this generator's own fault.
    pub scheduled: u64,
    /// See `scheduled`.
    pub late: u64,
    /// What was timed.
    pub times: Vec<(Timing, Sparse)>,
}

/// One step, while the run goes on.
#[derive(Debug)]
pub(super) struct Stair {
    from: Nanos,
    /// When its connections should all have been dialled.
    settled: Nanos,
    until: Nanos,
    /// How many of this worker's connections are open in it.
    connections: u32,
    pub(super) result: StairResult,
    times: BTreeMap<Timing, Times>,
}

impl Stair {
    /// Records a time that ended now.
    pub(super) fn time(&mut self, timing: Timing, from: Nanos, now: Nanos) {
        let us = now.saturating_sub(from).div_ceil(MICROSECOND);
        self.times.entry(timing).or_insert_with(no_times).saturating_record(us);
    }
}

/// All steps.
#[derive(Debug, Default)]
pub(super) struct Stairs {
    stairs: Vec<Stair>,
    /// How many connections have been dialled.
    opened: u32,
}

impl Stairs {
    /// The step in which something was meant to happen.
    pub(super) fn at(&mut self, intended: Nanos) -> Option<&mut Stair> {
        let index = self.stairs.partition_point(|stair| stair.until <= intended);
        self.stairs.get_mut(index).filter(|stair| stair.from <= intended)
    }

    /// The same, for what counts only when the step's connections have been dialled.
    pub(super) fn plateau(&mut self, intended: Nanos) -> Option<&mut Stair> {
        self.at(intended).filter(|stair| stair.settled <= intended)
    }

    /// When the next connection is to be dialled, and which.
    pub(super) fn next_dial(&self) -> Option<(Nanos, u32)> {
        let before = |index: usize| index.checked_sub(1).map_or(0, |i| self.stairs[i].connections);
        let index = self.stairs.partition_point(|stair| stair.connections <= self.opened);
        let stair = self.stairs.get(index)?;
        let (base, growth) = (before(index), stair.settled - stair.from);
        let (place, count) = (self.opened - base, stair.connections - base);
        let wait = u128::from(growth) * u128::from(place) / u128::from(count.max(1));
        Some((stair.from + wait as Nanos, self.opened))
    }

    /// When the last step is over.
    pub(super) fn end(&self) -> Option<Nanos> {
        self.stairs.last().map(|stair| stair.until)
    }

    pub(super) fn shift(&mut self, now: Nanos, by: Nanos) {
        for stair in &mut self.stairs {
            for moment in [&mut stair.from, &mut stair.settled, &mut stair.until] {
                if *moment > now.saturating_sub(by) {
                    *moment += by;
                }
            }
        }
    }

    pub(super) fn finish(self, origin: Nanos) -> Vec<StairResult> {
        let seconds = |at: Nanos| at.saturating_sub(origin) as f64 / SECOND as f64;
        let finish = |stair: Stair| StairResult {
            from_seconds: seconds(stair.from),
            until_seconds: seconds(stair.until),
            times: stair.times.iter().map(|(key, times)| (*key, Sparse::of(times))).collect(),
            ..stair.result
        };
        self.stairs.into_iter().map(finish).collect()
    }
}

/// The loads of a rising rate that fit into the time, at most this many.
const RATE_STAIRS_MAX: usize = 64;

/// The rates of a rising load: `from`, times `factor` after every step, as long as another
/// whole step fits into the time.
pub(super) fn rates(from: f64, factor: f64, step: Nanos, time: Nanos) -> Vec<f64> {
    let count = (time / step.max(1)).clamp(1, RATE_STAIRS_MAX as u64);
    (0..count as i32).map(|step| from * factor.powi(step)).collect()
}

/// A staircase in the terms of the pacer: straight up, then level.
pub(super) fn staircase(rates: &[f64], step: Nanos) -> Vec<Stage> {
    let first = rates.first().copied().unwrap_or(1.0);
    let level = |rate: &f64| {
        let factor = rate / first;
        let time = crate::span::Span(std::time::Duration::from_nanos(step));
        [Stage { time: crate::span::Span::default(), factor }, Stage { time, factor }]
    };
    let end = Stage { time: crate::span::Span::default(), factor: 0.0 };
    rates.iter().flat_map(level).chain([end]).collect()
}

impl Engine {
    /// The run begins: plans the steps, if the load rises in steps.
    pub(super) fn begin_stairs(&mut self, at: Nanos, until: Nanos) {
        let stair = |from, settled, until, connections, load| Stair {
            from,
            settled,
            until,
            connections,
            result: StairResult { load, ..StairResult::default() },
            times: BTreeMap::new(),
        };
        match self.behaviour.disruption {
            Disruption::RisingRate { from, factor, step } => {
                let rates = rates(f64::from(from), factor, step.nanos(), until - at);
                let all = self.sessions.len() as u32;
                let stairs = rates.iter().zip(0..).map(|(load, index)| {
                    let from = at + index * step.nanos();
                    stair(from, from, from + step.nanos(), all, *load)
                });
                self.stairs = Stairs { stairs: stairs.collect(), opened: all };
            }
            Disruption::RisingConnections { step } => {
                let (mut from, mut before) = (at, 0);
                for size in self.plan.sizes.clone() {
                    let growth = SECOND * u64::from(size - before) / u64::from(self.plan.max_cps);
                    let (settled, until) = (from + growth, from + growth + step.nanos());
                    let own = self.own_share(size);
                    self.stairs.stairs.push(stair(from, settled, until, own, f64::from(size)));
                    (from, before) = (until, size);
                }
                let count = self.sessions.len() as u32;
                if !self.plan.ping_interval.0.is_zero() {
                    let rate = f64::from(count) / self.plan.ping_interval.as_secs_f64();
                    let seed = self.random.u64(..);
                    self.pings = Some(Pacer::new(at, rate, &[], Arrival::Spread, count, seed));
                }
            }
            _ => {}
        }
    }

    /// How many of the first `size` connections of the plan, spread over all workers, are
    /// this worker's.
    fn own_share(&self, size: u32) -> u32 {
        let (size, conns) = (u64::from(size), u64::from(self.plan.conns));
        let first = u64::from(self.first);
        let upto = |index: u64| index * size / conns;
        (upto(first + self.sessions.len() as u64) - upto(first)) as u32
    }

    /// Dials the connections that a step is due.
    pub(super) fn grow(&mut self) {
        if !matches!(self.behaviour.disruption, Disruption::RisingConnections { .. }) {
            return;
        }
        for _ in 0..Self::events_per_turn() {
            let Some((due, index)) = self.stairs.next_dial() else { return };
            if due > self.now {
                return;
            }
            self.stairs.opened += 1;
            self.scheduled(due);
            self.first_dial(index, due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stairs() -> Stairs {
        let stair = |from, settled, until, connections| Stair {
            from,
            settled,
            until,
            connections,
            result: StairResult::default(),
            times: BTreeMap::new(),
        };
        Stairs { stairs: vec![stair(100, 110, 200, 2), stair(200, 240, 300, 6)], opened: 0 }
    }

    #[test]
    fn what_is_meant_for_a_step_counts_to_it_and_growing_is_not_its_plateau() {
        let mut stairs = stairs();
        assert!(stairs.at(99).is_none() && stairs.at(300).is_none());
        stairs.at(199).unwrap().result.due += 1;
        stairs.at(200).unwrap().result.due += 2;
        assert_eq!(stairs.stairs[0].result.due, 1);
        assert_eq!(stairs.stairs[1].result.due, 2);
        assert!(stairs.plateau(239).is_none() && stairs.plateau(240).is_some());
    }

    #[test]
    fn each_step_dials_what_it_adds_evenly() {
        let mut stairs = stairs();
        let mut dials = Vec::new();
        while let Some((at, index)) = stairs.next_dial() {
            dials.push((at, index));
            stairs.opened += 1;
        }
        assert_eq!(dials, [(100, 0), (105, 1), (200, 2), (210, 3), (220, 4), (230, 5)]);
    }

    #[test]
    fn a_staircase_sends_each_rate_for_one_step() {
        let rates = rates(10.0, 2.0, SECOND, 3 * SECOND + SECOND / 2);
        assert_eq!(rates, [10.0, 20.0, 40.0]);
        let stages = staircase(&rates, SECOND);
        let mut pacer = Pacer::new(0, 10.0, &stages, Arrival::Spread, 1, 1);
        let mut counts = [0; 4];
        while let Some((_, due)) = pacer.take() {
            counts[(due / SECOND) as usize] += 1;
            if due >= 3 * SECOND {
                break;
            }
        }
        // An event on the edge may fall to either side.
        for (count, wanted) in counts.iter().zip([10i32, 20, 40]) {
            assert!((count - wanted).abs() <= 1, "{counts:?}");
        }
        assert_eq!(pacer.due(), None);
    }
}
