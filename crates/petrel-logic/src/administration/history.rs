//! What the numbers of a server were of late: a ring of samples for each, in two steps, so
//! that a page can show the last hour in detail and the last day as a whole. It is in memory
//! alone, and bounded: a number is 8 bytes, 2,160 of them for each series.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use petrel_protocol::http::admin::{RecentFigures, RecentStep};
use petrel_types::TimestampMs;

/// How often a sample is taken, how many make one of the coarser ring, and how many samples
/// the rings hold.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(5);
const FINE_PER_COARSE: usize = 12;
const FINE_MAX: usize = 720;
const COARSE_MAX: usize = 1440;

/// The numbers of one moment, by name; `None` where there was nothing to measure, as there is
/// no latency of what nobody did.
pub type Sample = BTreeMap<&'static str, Option<f64>>;

/// The rings.
#[derive(Debug, Default)]
pub struct History(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    fine: VecDeque<Sample>,
    coarse: VecDeque<Sample>,
    /// Samples that are not in the coarser ring yet.
    waiting: Vec<Sample>,
    end: TimestampMs,
}

impl History {
    /// Takes a sample in. They come one [`SAMPLE_EVERY`] after the other.
    pub fn push(&self, sample: Sample, now: TimestampMs) {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.end = now;
        rings.waiting.push(sample.clone());
        add(&mut rings.fine, sample, FINE_MAX);
        if rings.waiting.len() >= FINE_PER_COARSE {
            let mean = mean(&std::mem::take(&mut rings.waiting));
            add(&mut rings.coarse, mean, COARSE_MAX);
        }
    }

    /// The series that are wanted, all if none is named, oldest number first. Where there was
    /// nothing to measure is 0.
    pub fn recent(&self, step: RecentStep, wanted: &[String]) -> RecentFigures {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fine_ms = u64::try_from(SAMPLE_EVERY.as_millis()).unwrap_or(u64::MAX);
        let (ring, step_ms) = match step {
            RecentStep::Fine => (&rings.fine, fine_ms),
            RecentStep::Coarse => (&rings.coarse, fine_ms * FINE_PER_COARSE as u64),
        };
        let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, _) in ring.back().into_iter().flatten() {
            if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
                let numbers = ring.iter().map(|sample| shown(sample.get(name)));
                series.insert((*name).to_owned(), numbers.collect());
            }
        }
        RecentFigures { step_ms, end_ts: rings.end, series }
    }

    /// The last sample.
    pub fn now(&self) -> BTreeMap<String, f64> {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = rings.fine.back().into_iter().flatten();
        last.map(|(name, number)| ((*name).to_owned(), shown(Some(number)))).collect()
    }
}

fn add(ring: &mut VecDeque<Sample>, sample: Sample, max: usize) {
    if ring.len() == max {
        ring.pop_front();
    }
    ring.push_back(sample);
}

fn shown(number: Option<&Option<f64>>) -> f64 {
    number.copied().flatten().unwrap_or(0.0)
}

/// Of each number the mean of those samples in which there was something to measure.
fn mean(samples: &[Sample]) -> Sample {
    let mut sums: BTreeMap<&'static str, (f64, f64)> = BTreeMap::new();
    for (name, number) in samples.iter().flatten() {
        let (sum, count) = sums.entry(name).or_default();
        if let Some(number) = number {
            (*sum, *count) = (*sum + number, *count + 1.0);
        }
    }
    sums.into_iter()
        .map(|(name, (sum, count))| (name, (count > 0.0).then(|| sum / count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_hold_so_much_and_the_coarse_one_the_mean() {
        let history = History::default();
        for second in 0..20_000_u64 {
            let sample = Sample::from([("a", Some(second as f64)), ("b", Some(1.0))]);
            history.push(sample, TimestampMs::new(second * 5_000));
        }
        let fine = history.recent(RecentStep::Fine, &[]);
        assert_eq!((fine.step_ms, fine.end_ts.get()), (5_000, 19_999 * 5_000));
        assert_eq!(fine.series["a"].len(), FINE_MAX);
        assert_eq!(fine.series["a"].last(), Some(&19_999.0));
        let coarse = history.recent(RecentStep::Coarse, &["a".to_owned()]);
        assert_eq!(coarse.series.len(), 1);
        assert_eq!(coarse.series["a"].len(), COARSE_MAX);
        // 20,000 is 1,666 times twelve and a rest; the last mean is of the twelve before it.
        assert_eq!(coarse.series["a"].last(), Some(&(19_980.0 + 5.5)));
        assert_eq!(history.now()["b"], 1.0);
    }
    #[test]
    fn silence_is_no_part_of_a_mean() {
        let history = History::default();
        for second in 0..24_u64 {
            // Two of the first twelve, and none after that.
            let latency = (second < 12 && second % 6 == 0).then_some(4.0 + second as f64);
            history.push(Sample::from([("latency", latency)]), TimestampMs::new(second * 5_000));
        }
        let coarse = history.recent(RecentStep::Coarse, &[]);
        assert_eq!(coarse.series["latency"], [7.0, 0.0]);
        let fine = history.recent(RecentStep::Fine, &[]);
        assert_eq!(fine.series["latency"][..7], [4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0]);
        assert_eq!(history.now()["latency"], 0.0);
    }
}
