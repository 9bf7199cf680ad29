//! The run in at most sixty slices of equal length, with a histogram of each: small enough
//! to keep in every report, and what two reports are compared by.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Times, Timing};

/// The most slices. When a run needs more, neighbours are joined, and slices become twice
/// as long.
const SLICES_MAX: usize = 60;

/// Kinds of times that slices keep.
const KEPT: [Timing; 4] = [Timing::Connect, Timing::Ping, Timing::Ack, Timing::EndToEnd];

/// Significant digits of a slice's times: to within one percent. The histograms of the
/// whole run have three.
const DIGITS: u8 = 2;

/// A part of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Slice {
    /// Where it begins, in seconds since the beginning of the run.
    pub from_second: u64,
    /// Where it ends.
    pub to_second: u64,
    /// Messages written in it.
    pub sent: u64,
    /// Deliveries in it.
    pub delivered: u64,
    /// Pongs in it.
    pub pongs: u64,
    /// What was timed in it: for each kind the filled buckets, as microseconds and counts,
    /// to two significant digits.
    pub histograms_us: BTreeMap<String, Vec<(u64, u64)>>,
}

/// What is counted in a second besides times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages written.
    pub sent: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Pongs.
    pub pongs: u64,
}

/// The slices so far.
#[derive(Debug)]
pub struct Slices {
    seconds_each: u64,
    /// By place.
    parts: BTreeMap<u64, Part>,
    /// Tells which values are the same to [`DIGITS`] digits.
    grid: Histogram<u64>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    counts: Counts,
    times: BTreeMap<Timing, BTreeMap<u64, u64>>,
}

impl Default for Slices {
    fn default() -> Self {
        let grid = Histogram::new(DIGITS).expect("two digits are a precision that there is");
        Self { seconds_each: 1, parts: BTreeMap::new(), grid }
    }
}

impl Slices {
    /// Takes the second that ends at `second`.
    pub fn add(&mut self, second: u64, counts: Counts, times: &[(Timing, Times)]) {
        let part = self.parts.entry(second.saturating_sub(1) / self.seconds_each).or_default();
        part.add_counts(counts);
        for (timing, times) in times.iter().filter(|(timing, _)| KEPT.contains(timing)) {
            let buckets = part.times.entry(*timing).or_default();
            for bucket in times.iter_recorded() {
                let value = self.grid.highest_equivalent(bucket.value_iterated_to());
                *buckets.entry(value).or_default() += bucket.count_at_value();
            }
        }
        while self.parts.len() > SLICES_MAX {
            self.join_neighbours();
        }
    }

    /// The slices, in order.
    pub fn list(&self) -> Vec<Slice> {
        self.parts
            .iter()
            .map(|(place, part)| Slice {
                from_second: place * self.seconds_each,
                to_second: (place + 1) * self.seconds_each,
                sent: part.counts.sent,
                delivered: part.counts.delivered,
                pongs: part.counts.pongs,
                histograms_us: part
                    .times
                    .iter()
                    .map(|(timing, buckets)| {
                        let buckets = buckets.iter().map(|(value, count)| (*value, *count));
                        (timing.key().to_owned(), buckets.collect())
                    })
                    .collect(),
            })
            .collect()
    }

    fn join_neighbours(&mut self) {
        self.seconds_each *= 2;
        for (place, part) in std::mem::take(&mut self.parts) {
            self.parts.entry(place / 2).or_default().add(part);
        }
    }
}

impl Part {
    fn add_counts(&mut self, counts: Counts) {
        self.counts.sent += counts.sent;
        self.counts.delivered += counts.delivered;
        self.counts.pongs += counts.pongs;
    }

    fn add(&mut self, other: Self) {
        self.add_counts(other.counts);
        for (timing, buckets) in other.times {
            let mine = self.times.entry(timing).or_default();
            for (value, count) in buckets {
                *mine.entry(value).or_default() += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::no_times;

    fn second(us: u64) -> [(Timing, Times); 2] {
        let mut times = no_times();
        times.record(us).unwrap();
        [(Timing::EndToEnd, times.clone()), (Timing::EndToEndRaw, times)]
    }

    #[test]
    fn a_long_run_has_few_slices_and_loses_nothing() {
        let mut slices = Slices::default();
        for at in 1..=1_000 {
            slices.add(at, Counts { sent: 2, delivered: 1, pongs: 3 }, &second(at * 100));
        }
        let list = slices.list();
        assert_eq!(list.len(), 32, "32 slices of 32 seconds");
        assert_eq!(list.iter().map(|slice| slice.sent).sum::<u64>(), 2_000);
        assert_eq!(list.iter().map(|slice| slice.delivered).sum::<u64>(), 1_000);
        for (index, slice) in list.iter().enumerate() {
            assert_eq!(
                (slice.from_second, slice.to_second),
                (index as u64 * 32, index as u64 * 32 + 32)
            );
            assert_eq!(slice.histograms_us.keys().collect::<Vec<_>>(), ["e2e"]);
            let count: u64 = slice.histograms_us["e2e"].iter().map(|(_, count)| count).sum();
            assert_eq!(count, slice.delivered);
            for (value, _) in &slice.histograms_us["e2e"] {
                let from = slice.from_second * 100;
                assert!((from..=(slice.to_second * 100) * 101 / 100).contains(value), "{value}");
            }
        }
    }

    #[test]
    fn seconds_in_which_nothing_was_heard_are_no_slices() {
        let mut slices = Slices::default();
        slices.add(1, Counts::default(), &[]);
        slices.add(9, Counts { sent: 1, ..Counts::default() }, &[]);
        let list = slices.list();
        assert_eq!(list.iter().map(|slice| slice.from_second).collect::<Vec<_>>(), [0, 8]);
    }
}
