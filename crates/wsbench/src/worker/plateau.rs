//! The steps of a rising load, of all workers together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StairResult;
use crate::metrics::{Times, Timing, no_times};

/// A step worked when so much of what it should bring came, in percent,
const COMPLETE_PERCENT: f64 = 99.0;
/// and when 99 % of it took no longer than this, in milliseconds.
const P99_MS_MAX: f64 = 1000.0;
/// More than this share of late events says that the generator was the limit, in percent.
const LATE_PERCENT_MAX: f64 = 1.0;
/// From one step to the next, growth of the 99th percentile by this factor is an explosion.
const EXPLOSION: f64 = 10.0;
/// And less than this is none worth the name, in milliseconds: below, noise is all there is.
const NOISE_MS: f64 = 5.0;

/// One step of a rising load: what became of what was *meant* to happen in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plateau {
    /// The load: messages a second, or connections.
    pub load: f64,
    /// When it began, in seconds.
    pub from_seconds: f64,
    /// When it ended, in seconds.
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
    /// What left late through the generator's own fault, in percent of what was due.
    pub late_percent: f64,
    /// Median and 99th percentile of send to delivery, in milliseconds.
    pub e2e_ms: Option<[f64; 2]>,
    /// The same of send to ack.
    pub ack_ms: Option<[f64; 2]>,
    /// The same of connecting.
    pub connect_ms: Option<[f64; 2]>,
    /// The same of pings.
    pub ping_ms: Option<[f64; 2]>,
    /// The server's resident memory at the end, in bytes, if it is on this machine.
    pub server_memory: Option<u64>,
    /// It brought what it should, in time.
    pub worked: bool,
}

/// How a server leaves the load that it can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondKnee {
    /// It never did: every step worked.
    NotReached,
    /// The 99th percentile grows by less than ten times from one step to the next.
    SlowRise,
    /// It grows by ten times and more.
    Explosion,
    /// It stays: the server refuses what it can't carry.
    Refusal,
    /// The generator could go no further.
    GeneratorLimit,
}

/// Puts the steps of all workers together. `per_message` is how many deliveries each
/// message should bring.
pub(super) fn together(workers: &[Vec<StairResult>], per_message: u32) -> Vec<Plateau> {
    let most = workers.iter().map(Vec::len).max().unwrap_or(0);
    let at = |index: usize| workers.iter().filter_map(move |stairs| stairs.get(index));
    (0..most).map(|index| one(at(index), per_message)).collect()
}

fn one<'a>(parts: impl Iterator<Item = &'a StairResult>, per_message: u32) -> Plateau {
    let mut sum = Plateau::default();
    let mut times: BTreeMap<Timing, Times> = BTreeMap::new();
    let (mut scheduled, mut late) = (0, 0);
    for part in parts {
        (sum.load, sum.from_seconds) = (part.load, part.from_seconds);
        sum.until_seconds = part.until_seconds;
        for (mine, theirs) in [
            (&mut sum.due, part.due),
            (&mut sum.sent, part.sent),
            (&mut sum.acked, part.acked),
            (&mut sum.delivered, part.delivered),
            (&mut sum.attempted, part.attempted),
            (&mut sum.connected, part.connected),
            (&mut sum.disconnects, part.disconnects),
            (&mut sum.pings, part.pings),
            (&mut sum.pongs, part.pongs),
            (&mut scheduled, part.scheduled),
            (&mut late, part.late),
        ] {
            *mine += theirs;
        }
        for (reason, count) in &part.refused {
            *sum.refused.entry(reason.clone()).or_default() += count;
        }
        for (timing, sparse) in &part.times {
            sparse.add_to(times.entry(*timing).or_insert_with(no_times));
        }
    }
    let two = |timing: Timing| {
        let times = times.get(&timing)?;
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        Some([at(0.5), at(0.99)])
    };
    sum.late_percent = 100.0 * late as f64 / (scheduled.max(1)) as f64;
    sum.e2e_ms = two(Timing::EndToEnd);
    sum.ack_ms = two(Timing::Ack);
    sum.connect_ms = two(Timing::Connect);
    sum.ping_ms = two(Timing::Ping);
    sum.worked = worked(&sum, per_message);
    sum
}

fn worked(step: &Plateau, per_message: u32) -> bool {
    let complete = |part: u64, whole: u64| part as f64 * 100.0 >= whole as f64 * COMPLETE_PERCENT;
    let in_time = [step.e2e_ms, step.connect_ms, step.ping_ms]
        .into_iter()
        .flatten()
        .all(|[_, p99]| p99 <= P99_MS_MAX);
    in_time
        && complete(step.delivered, step.due * u64::from(per_message))
        && complete(step.connected, step.attempted)
        && complete(step.pongs, step.pings)
        && step.disconnects == 0
}

impl Plateau {
    /// Whether the generator was the limit.
    pub fn generator_was_late(&self) -> bool {
        self.late_percent > LATE_PERCENT_MAX
    }

    fn p99(&self) -> f64 {
        self.e2e_ms.or(self.ping_ms).map_or(0.0, |[_, p99]| p99)
    }

    fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// The last step before the first that failed.
pub fn knee(steps: &[Plateau]) -> Option<&Plateau> {
    steps.iter().take_while(|step| step.worked).last()
}

/// What happens beyond the knee.
pub fn beyond_knee(steps: &[Plateau]) -> BeyondKnee {
    let Some(first) = steps.iter().position(|step| !step.worked) else {
        return BeyondKnee::NotReached;
    };
    let failed = &steps[first];
    if failed.generator_was_late() {
        return BeyondKnee::GeneratorLimit;
    }
    let before = first.checked_sub(1).map_or(NOISE_MS, |index| steps[index].p99().max(NOISE_MS));
    match failed.p99() / before {
        growth if growth >= EXPLOSION => BeyondKnee::Explosion,
        // What came at all came soon: the rest was turned away.
        growth if growth < 2.0 && failed.refusals() > 0 => BeyondKnee::Refusal,
        _ => BeyondKnee::SlowRise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Sparse;

    fn part(due: u64, delivered: u64, ms: u64) -> StairResult {
        let mut times = no_times();
        times.saturating_record_n(ms * 1000, delivered.max(1));
        StairResult {
            load: due as f64,
            due,
            sent: due,
            delivered,
            scheduled: due,
            times: vec![(Timing::EndToEnd, Sparse::of(&times))],
            ..StairResult::default()
        }
    }

    fn steps(parts: &[(u64, u64, u64)]) -> Vec<Plateau> {
        let parts: Vec<_> = parts.iter().map(|(due, came, ms)| part(*due, *came, *ms)).collect();
        together(&[parts.clone(), parts], 1)
    }

    #[test]
    fn workers_add_up_and_what_did_not_come_fails_a_step() {
        let steps = steps(&[(100, 100, 2), (200, 190, 2), (400, 400, 2)]);
        assert_eq!((steps[1].due, steps[1].delivered, steps[1].load), (400, 380, 200.0));
        assert_eq!(steps.iter().map(|step| step.worked).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(knee(&steps).unwrap().load, 100.0);
    }

    #[test]
    fn an_explosion_is_told_from_a_slow_rise_from_refusals_and_from_the_generators_end() {
        assert_eq!(beyond_knee(&steps(&[(1, 1, 2), (2, 2, 3)])), BeyondKnee::NotReached);
        assert_eq!(beyond_knee(&steps(&[(1, 1, 900), (2, 2, 1500)])), BeyondKnee::SlowRise);
        assert_eq!(beyond_knee(&steps(&[(1, 1, 20), (2, 2, 1500)])), BeyondKnee::Explosion);
        let mut refused = steps(&[(100, 100, 20), (200, 150, 25)]);
        assert_eq!(beyond_knee(&refused), BeyondKnee::SlowRise);
        refused[1].refused.insert("server_busy".into(), 50);
        assert_eq!(beyond_knee(&refused), BeyondKnee::Refusal);
        refused[1].late_percent = 3.0;
        assert_eq!(beyond_knee(&refused), BeyondKnee::GeneratorLimit);
    }
}
