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

/// The intervals of the changes of some statistics from the first side to the second, each
/// of which errs in a share `error` of all comparisons. Each side is a set of runs, each
/// run a list of slices. None if a run has too few slices, or nothing can be drawn.
pub(super) fn intervals(
    sides: &[Vec<Vec<Sample>>; 2],
    statistics: &[Statistic],
    error: f64,
    draws: usize,
    random: &mut fastrand::Rng,
) -> Vec<Option<Interval>> {
    if sides.iter().flatten().any(|run| run.len() < SLICES_MIN) {
        return vec![None; statistics.len()];
    }
    let dense = sides.each_ref().map(|runs| Dense::of(runs));
    let mut changes = vec![Vec::with_capacity(draws); statistics.len()];
    for _ in 0..draws {
        let [before, after] = dense.each_ref().map(|side| side.draw(random));
        for (statistic, changes) in statistics.iter().zip(&mut changes) {
            let change = f64::ln(after.value(*statistic) / before.value(*statistic));
            changes.extend(change.is_finite().then_some(change));
        }
    }
    let wider = widening(sides, error);
    changes
        .into_iter()
        .map(|changes| (changes.len() > draws / 2).then(|| within(changes, error, wider)))
        .collect()
}

/// Where all but a share `error` of the changes lie, on both sides of the middle so many
/// times as far away as they do.
fn within(mut changes: Vec<f64>, error: f64, wider: f64) -> Interval {
    changes.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| changes[((changes.len() - 1) as f64 * share).round() as usize];
    let middle = at(0.5);
    let end = |share| (middle + wider * (at(share) - middle)).exp_m1();
    Interval { low: end(error / 2.0), high: end(1.0 - error / 2.0) }
}

/// A bootstrap of few independent parts is too sure of itself, as the normal distribution
/// is where Student's belongs: it divides by n where n - 1 is due, and knows nothing of how
/// uncertain the spread itself is. What is independent are the runs of a set, or the blocks
/// of a single run.
fn widening(sides: &[Vec<Vec<Sample>>; 2], error: f64) -> f64 {
    let parts = sides.each_ref().map(|runs| match &runs[..] {
        [run] => (run.len() as f64 / block_of(run.len()) as f64).max(2.0),
        runs => runs.len() as f64,
    });
    let fewest = parts[0].min(parts[1]);
    let freedom = parts[0] + parts[1] - 2.0;
    let z = normal_quantile(error / 2.0);
    // Student's quantile from the normal one (Fisher and Cornish 1960), to the third order.
    let student = z
        + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
            / (384.0 * freedom.powi(3));
    (fewest / (fewest - 1.0)).sqrt() * student / z
}

/// Beyond which value a share of a normal distribution lies, for shares below a half
/// (Abramowitz and Stegun 1964, 26.2.23; to within 0.00045).
fn normal_quantile(share: f64) -> f64 {
    let t = (-2.0 * share.ln()).sqrt();
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t)
        / (1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t.powi(3))
}

/// A side, with its buckets numbered, so that thousands of draws are cheap.
struct Dense {
    values: Vec<u64>,
    runs: Vec<Vec<DenseSlice>>,
}

enum DenseSlice {
    /// Places in `values`, and how many.
    Times(Vec<(u32, u64)>),
    Count {
        count: u64,
        seconds: u64,
    },
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

    /// A side that might have been measured.
    fn draw(&self, random: &mut fastrand::Rng) -> Drawn<'_> {
        let mut drawn = Drawn {
            values: &self.values,
            counts: vec![0; self.values.len()],
            count: 0,
            seconds: 0,
        };
        for _ in 0..self.runs.len() {
            let run = &self.runs[random.usize(..self.runs.len())];
            draw_blocks(run.len(), random, |place| match &run[place] {
                DenseSlice::Times(buckets) => {
                    buckets.iter().for_each(|(place, more)| drawn.counts[*place as usize] += more)
                }
                DenseSlice::Count { count, seconds } => {
                    drawn.count += count;
                    drawn.seconds += seconds;
                }
            });
        }
        drawn
    }
}

/// What was drawn.
struct Drawn<'a> {
    values: &'a [u64],
    counts: Vec<u64>,
    count: u64,
    seconds: u64,
}

impl Drawn<'_> {
    fn value(&self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Rate => self.count as f64 / self.seconds as f64,
            Statistic::Quantile(quantile) => {
                let buckets = self.values.iter().copied().zip(self.counts.iter().copied());
                quantile_of_sorted(buckets, quantile)
            }
        }
    }
}

/// How many neighbouring slices are drawn together: twice the cube root of their number,
/// the rate that Künsch found best.
fn block_of(length: usize) -> usize {
    (2.0 * (length as f64).cbrt()).round().max(1.0) as usize
}

/// As many places as there are, in blocks of neighbours that begin anywhere; the end is
/// followed by the beginning.
fn draw_blocks(length: usize, random: &mut fastrand::Rng, mut take: impl FnMut(usize)) {
    let block = block_of(length);
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
    fn few_parts_are_less_sure() {
        // Against tables of Student's distribution.
        for (share, z) in [(0.025, 1.95996), (0.005, 2.57583), (0.00625, 2.49771)] {
            assert!((normal_quantile(share) - z).abs() < 0.001, "{share}");
        }
        let set = |runs: usize| vec![vec![Sample::Count { count: 1, seconds: 1 }; 20]; runs];
        let five = widening(&[set(5), set(5)], 0.05);
        let tables = (5.0_f64 / 4.0).sqrt() * 2.306 / 1.95996;
        assert!((five - tables).abs() < 0.02, "{five} is not {tables}");
        assert!(widening(&[set(2), set(2)], 0.05) > 2.0 * five);
        assert!(widening(&[set(100), set(100)], 0.05) < 1.02);
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
