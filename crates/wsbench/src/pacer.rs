//! When things happen: the times at which connects, sends and pings are due.
//!
//! A pacer is a rate over time. The n-th event is due when the integral of the rate
//! reaches n, whatever happened to the events before it (open loop); so nothing that is
//! slow can make the plan slower.

use std::f64;

use crate::clock::{Nanos, SECOND};
use crate::plan::{Arrival, Stage};

/// A schedule of events, one actor after the other.
#[derive(Debug)]
pub struct Pacer {
    start: Nanos,
    curve: Curve,
    arrival: Arrival,
    actors: u32,
    /// How many events came before the next one.
    events: u64,
    /// Where on the integral of the rate the next event is.
    place: f64,
    next: Option<Nanos>,
    random: fastrand::Rng,
}

impl Pacer {
    /// Events of `actors` actors, so many per second in all, from `start` on.
    pub fn new(
        start: Nanos,
        per_second: f64,
        stages: &[Stage],
        arrival: Arrival,
        actors: u32,
        seed: u64,
    ) -> Self {
        let mut pacer = Self {
            start,
            curve: Curve::new(per_second, stages),
            arrival,
            actors: actors.max(1),
            events: 0,
            place: 0.0,
            next: None,
            random: fastrand::Rng::with_seed(seed),
        };
        if arrival == Arrival::Poisson {
            pacer.place = pacer.wait();
        }
        pacer.schedule();
        pacer
    }

    /// When the next event is due; none when the rate has come to an end.
    pub fn due(&self) -> Option<Nanos> {
        self.next
    }

    /// Takes the next event: whose it is, and when it was due.
    pub fn take(&mut self) -> Option<(u32, Nanos)> {
        let due = self.next?;
        let actor = match self.arrival {
            Arrival::Spread | Arrival::Burst => (self.events % u64::from(self.actors)) as u32,
            Arrival::Poisson => self.random.u32(0..self.actors),
        };
        self.events += 1;
        self.place = match self.arrival {
            Arrival::Spread => self.events as f64,
            Arrival::Burst => (self.events - self.events % u64::from(self.actors)) as f64,
            Arrival::Poisson => self.place + self.wait(),
        };
        self.schedule();
        Some((actor, due))
    }

    /// Moves everything that is to come later: the generator itself was stopped.
    pub fn shift(&mut self, by: Nanos) {
        self.start += by;
        self.next = self.next.map(|next| next + by);
    }

    fn schedule(&mut self) {
        self.next = self
            .curve
            .time_of(self.place)
            .map(|seconds| self.start + (seconds * SECOND as f64) as Nanos);
    }

    fn wait(&mut self) -> f64 {
        -(1.0 - self.random.f64()).ln()
    }
}

/// A rate that goes in straight lines.
#[derive(Debug)]
struct Curve {
    segments: Vec<Segment>,
    /// The rate after the last segment.
    rest: f64,
    /// The segment in which the last question ended.
    current: usize,
    /// Time and events before it.
    before: (f64, f64),
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    seconds: f64,
    from: f64,
    to: f64,
}

impl Segment {
    fn events(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }
}

impl Curve {
    fn new(rate: f64, stages: &[Stage]) -> Self {
        let mut segments = Vec::new();
        let mut from = if stages.is_empty() { rate } else { 0.0 };
        for stage in stages {
            let to = rate * stage.factor;
            segments.push(Segment { seconds: stage.time.as_secs_f64(), from, to });
            from = to;
        }
        Self { segments, rest: from, current: 0, before: (0.0, 0.0) }
    }

    /// When the integral reaches `events`, which never falls from call to call.
    fn time_of(&mut self, events: f64) -> Option<f64> {
        while let Some(segment) = self.segments.get(self.current) {
            let wanted = events - self.before.1;
            if wanted <= segment.events() {
                return Some(self.before.0 + time_within(segment, wanted));
            }
            self.before.0 += segment.seconds;
            self.before.1 += segment.events();
            self.current += 1;
        }
        let rest = (events - self.before.1) / self.rest;
        (self.rest > 0.0 && rest.is_finite()).then_some(self.before.0 + rest)
    }
}

/// Solves from·t + slope·t²/2 = events for t.
fn time_within(segment: &Segment, events: f64) -> f64 {
    let slope = (segment.to - segment.from) / segment.seconds.max(f64::MIN_POSITIVE);
    let root = (segment.from * segment.from + 2.0 * slope * events).max(0.0).sqrt();
    let sum = segment.from + root;
    if sum > 0.0 { (2.0 * events / sum).min(segment.seconds) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dues(pacer: &mut Pacer, count: usize) -> Vec<(u32, f64)> {
        (0..count)
            .map_while(|_| pacer.take())
            .map(|(actor, due)| (actor, due as f64 / SECOND as f64))
            .collect()
    }

    fn stage(text: &str) -> Stage {
        text.parse().unwrap()
    }

    #[test]
    fn spread_is_even_and_goes_round() {
        let mut pacer = Pacer::new(SECOND, 4.0, &[], Arrival::Spread, 2, 1);
        assert_eq!(dues(&mut pacer, 4), [(0, 1.0), (1, 1.25), (0, 1.5), (1, 1.75)]);
    }

    #[test]
    fn a_burst_is_all_at_once() {
        let mut pacer = Pacer::new(0, 3.0, &[], Arrival::Burst, 3, 1);
        let dues = dues(&mut pacer, 6);
        assert_eq!(dues[..3], [(0, 0.0), (1, 0.0), (2, 0.0)]);
        assert_eq!(dues[3..], [(0, 1.0), (1, 1.0), (2, 1.0)]);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_follow_from_the_seed() {
        let run = |seed| dues(&mut Pacer::new(0, 1000.0, &[], Arrival::Poisson, 7, seed), 20_000);
        let last = run(1).last().unwrap().1;
        assert!((19.0..21.0).contains(&last), "{last}");
        assert_eq!(run(2), run(2));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn stages_have_the_events_of_their_area() {
        // Up to 10/s in 4 s (20 events), 2 s of it (20), down to nothing in 2 s (10).
        let stages = [stage("4s:1"), stage("2s:1"), stage("2s:0")];
        let mut pacer = Pacer::new(0, 10.0, &stages, Arrival::Spread, 1, 1);
        let times: Vec<f64> = dues(&mut pacer, 1000).into_iter().map(|(_, time)| time).collect();
        let within = |from: f64, to: f64| times.iter().filter(|t| (from..to).contains(t)).count();
        assert_eq!((within(0.0, 4.0), within(4.0, 6.0)), (20, 20));
        assert!((10..=11).contains(&within(6.0, 9.0)), "{}", within(6.0, 9.0));
        assert!(times.is_sorted());
        assert_eq!(pacer.due(), None);
    }
}
