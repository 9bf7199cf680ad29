//! Does something grow while nothing should? A robust line through noisy points.

use crate::worker::Trend;

/// The fewest points that make a trend.
const POINTS_MIN: usize = 10;
/// The most points a trend is computed from; more are thinned out.
const POINTS_MAX: usize = 1000;

/// The Theil-Sen slope of a value over time in seconds, and its 95 % confidence interval
/// after Sen (1968), the first fifth of the points left out as warm-up. None of too few
/// points, or of values that are 0.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    let points = &points[points.len() / 5..];
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<(f64, f64)> = points.iter().step_by(step).copied().collect();
    let count = points.len();
    let mean = points.iter().map(|(_, value)| value).sum::<f64>() / count as f64;
    if count < POINTS_MIN || mean <= 0.0 {
        return None;
    }
    let mut slopes = Vec::with_capacity(count * (count - 1) / 2);
    for (index, (at, value)) in points.iter().enumerate() {
        for (later, other) in &points[index + 1..] {
            let hours = (later - at) / 3600.0;
            if hours > 0.0 {
                slopes.push(100.0 * (other - value) / mean / hours);
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let pairs = slopes.len() as f64;
    let n = count as f64;
    // Kendall's variance without ties, which only widens the interval.
    let half = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() / 2.0;
    let at = |place: f64| slopes[(place.round().max(0.0) as usize).min(slopes.len() - 1)];
    Some(Trend {
        percent_per_hour: at(pairs / 2.0),
        percent_per_hour_low: at(pairs / 2.0 - half),
        percent_per_hour_high: at(pairs / 2.0 + half),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(value: impl Fn(usize) -> u64) -> Vec<(f64, f64)> {
        (0..200).map(|index| (index as f64 * 2.0, value(index) as f64)).collect()
    }

    #[test]
    fn a_leak_is_told_from_noise() {
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<u64> = (0..200).map(|_| random.u64(0..2_000_000)).collect();
        let flat = trend(&points(|index| 100_000_000 + noise[index])).unwrap();
        assert!(flat.percent_per_hour_low < 0.0 && flat.percent_per_hour_high > 0.0, "{flat:?}");
        let leak =
            trend(&points(|index| 100_000_000 + noise[index] + 40_000 * index as u64)).unwrap();
        assert!(leak.percent_per_hour_low > 10.0, "{leak:?}");
        assert!(leak.percent_per_hour_low <= leak.percent_per_hour);
        assert!(leak.percent_per_hour <= leak.percent_per_hour_high);
        assert!(trend(&points(|_| 1)[..5]).is_none());
        assert!(trend(&points(|_| 0)).is_none());
    }
}
