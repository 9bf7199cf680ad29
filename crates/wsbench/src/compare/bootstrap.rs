//! Confidence intervals by drawing again from what was measured.

use super::Statistic;

/// The fewest slices that an interval is computed from.
pub(super) const SLICES_MIN: usize = 8;

/// One slice of a run, as far as it concerns a figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    /// Filled buckets: microseconds, and how many.
    Times(Vec<(u64, u64)>),
    /// A count in some seconds.
    Count { count: u64, seconds: u64 },
}

/// Where a relative change lies: 0.1 is 10 % more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The interval of the change of a statistic from the first side to the second: of so many
/// draws, all but `error`. Each side is a set of runs, each run a list of slices. None if a
/// run has too few slices.
pub(super) fn interval(
    sides: &[Vec<Vec<Sample>>; 2],
    statistic: Statistic,
    error: f64,
    draws: usize,
    random: &mut fastrand::Rng,
) -> Option<Interval> {
    if sides.iter().flatten().any(|run| run.len() < SLICES_MIN) {
        return None;
    }
    let dense = sides.each_ref().map(|runs| Dense::of(runs));
    let mut changes: Vec<f64> = (0..draws)
        .map(|_| {
            let [before, after] = dense.each_ref().map(|side| side.draw(statistic, random));
            after / before - 1.0
        })
        .filter(|change| change.is_finite())
        .collect();
    if changes.len() < draws / 2 {
        return None;
    }
    changes.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| changes[((changes.len() - 1) as f64 * share).round() as usize];
    Some(Interval { low: at(error / 2.0), high: at(1.0 - error / 2.0) })
}

/// A side, with its buckets numbered, so that thousands of draws are cheap.
struct Dense {
    values: Vec<u64>,
    runs: Vec<Vec<DenseSlice>>,
}

enum DenseSlice {
    /// Places in `values`, and how many.
    Times(Vec<(u32, u64)>),
    Count { count: u64, seconds: u64 },
}

impl Dense {
    fn of(runs: &[Vec<Sample>]) -> Self {
        let mut values: Vec<u64> = runs
            .iter()
            .flatten()
            .flat_map(|sample| match sample {
                Sample::Times(buckets) => buckets.as_slice(),
                Sample::Count { .. } => &[],
            })
            .map(|(value, _)| *value)
            .collect();
        values.sort_unstable();
        values.dedup();
        let place = |value: &u64| values.binary_search(value).unwrap_or(0) as u32;
        let runs = runs
            .iter()
            .map(|run| {
                run.iter()
                    .map(|sample| match sample {
                        Sample::Count { count, seconds } => {
                            DenseSlice::Count { count: *count, seconds: *seconds }
                        }
                        Sample::Times(buckets) => DenseSlice::Times(
                            buckets.iter().map(|(value, count)| (place(value), *count)).collect(),
                        ),
                    })
                    .collect()
            })
            .collect();
        Self { values, runs }
    }

    /// The statistic of a side that might have been measured.
    fn draw(&self, statistic: Statistic, random: &mut fastrand::Rng) -> f64 {
        let mut counts = vec![0; self.values.len()];
        let (mut count, mut seconds) = (0, 0);
        for _ in 0..self.runs.len() {
            let run = &self.runs[random.usize(..self.runs.len())];
            draw_blocks(run.len(), random, |place| match &run[place] {
                DenseSlice::Times(buckets) => {
                    buckets.iter().for_each(|(place, more)| counts[*place as usize] += more);
                }
                DenseSlice::Count { count: more, seconds: longer } => {
                    count += more;
                    seconds += longer;
                }
            });
        }
        match statistic {
            Statistic::Rate => count as f64 / seconds as f64,
            Statistic::Quantile(quantile) => {
                let buckets = self.values.iter().copied().zip(counts);
                quantile_of_sorted(buckets, quantile)
            }
        }
    }
}

/// As many places as there are, in blocks of neighbours that begin anywhere; the end is
/// followed by the beginning. Blocks grow with the cube root of the length, which is the
/// rate that Künsch found best.
fn draw_blocks(length: usize, random: &mut fastrand::Rng, mut take: impl FnMut(usize)) {
    let block = (length as f64).cbrt().round().max(1.0) as usize;
    let mut drawn = 0;
    while drawn < length {
        let from = random.usize(..length);
        for offset in 0..block.min(length - drawn) {
            take((from + offset) % length);
        }
        drawn += block;
    }
}

/// A quantile of buckets in any order.
pub(super) fn quantile(mut buckets: Vec<(u64, u64)>, quantile: f64) -> f64 {
    buckets.sort_unstable();
    quantile_of_sorted(buckets.into_iter(), quantile)
}

/// In a straight line within the bucket: a bucket is up to a percent wide, and a quantile
/// that jumps from one to the next would hide and invent changes of that size.
fn quantile_of_sorted(buckets: impl Iterator<Item = (u64, u64)> + Clone, quantile: f64) -> f64 {
    let total: u64 = buckets.clone().map(|(_, count)| count).sum();
    let wanted = quantile * total as f64;
    let (mut below, mut previous) = (0, None);
    for (value, count) in buckets.filter(|(_, count)| *count > 0) {
        if (below + count) as f64 >= wanted {
            // Where neighbours are far apart nothing is known of what is between them.
            let step = (value / 128).max(1);
            let from = value.saturating_sub(step).max(previous.unwrap_or(0)) as f64;
            let share = (wanted - below as f64) / count as f64;
            return from + share * (value as f64 - from);
        }
        below += count;
        previous = Some(value);
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_values() {
        let buckets: Vec<_> = (1..=1000).map(|value| (value, 1)).collect();
        for (at, value) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            assert!((quantile(buckets.clone(), at) - value).abs() <= 1.0, "{at}");
        }
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }

    #[test]
    fn blocks_take_as_many_as_there_are_and_favour_none() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut taken = [0_u32; 20];
        for _ in 0..2_000 {
            let mut drawn = 0;
            draw_blocks(20, &mut random, |place| {
                taken[place] += 1;
                drawn += 1;
            });
            assert_eq!(drawn, 20);
        }
        assert!(taken.iter().all(|times| (1_800..2_200).contains(times)), "{taken:?}");
    }
}
