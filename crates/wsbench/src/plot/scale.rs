//! Axes: where a value lies, and which values are written beside the axis.

use super::numbers::short;

/// Where values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps are equally far apart.
    Linear {
        /// The value at the beginning.
        from: f64,
        /// The value at the end.
        to: f64,
    },
    /// Equal factors are equally far apart.
    Log {
        /// The value at the beginning, above 0.
        from: f64,
        /// The value at the end.
        to: f64,
    },
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Where values lie.
    pub scale: Scale,
    /// Values that are written beside it, and how.
    pub ticks: Vec<(f64, String)>,
    /// The unit, which is written once.
    pub unit: String,
}

impl Scale {
    /// Where a value lies: 0 at the beginning, 1 at the end, nothing outside.
    pub fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => (value.max(from) / from).log10() / (to / from).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values at both ends.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Self::Linear { from, to } | Self::Log { from, to } => (from, to),
        }
    }
}

impl Axis {
    /// From 0 (or `from`) to a round value above `most`, with about `count` ticks.
    pub fn linear(from: f64, most: f64, count: usize, unit: &str) -> Self {
        let most = if most > from { most } else { from + 1.0 };
        let step = round_step((most - from) / count.max(1) as f64);
        let to = (most / step - 1e-9).ceil() * step;
        Self {
            scale: Scale::Linear { from, to },
            ticks: multiples(from, to, step),
            unit: unit.to_owned(),
        }
    }

    /// Exactly from one value to another: time, whose end is where the run ended.
    pub fn exact(from: f64, to: f64, count: usize, unit: &str) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = round_step((to - from) / count.max(1) as f64);
        Self {
            scale: Scale::Linear { from, to },
            ticks: multiples(from, to, step),
            unit: unit.to_owned(),
        }
    }

    /// From a round value below `least` to one above `most`, with a tick at every power of
    /// ten, and at 2 and 5 between them where few powers fit.
    pub fn log(least: f64, most: f64, unit: &str) -> Self {
        let least = if least > 0.0 { least } else { 1e-3 };
        let most = most.max(least * 1.01);
        let candidates: Vec<f64> = (-9..=12)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|lead| lead * 10f64.powi(power)))
            .collect();
        let from = candidates.iter().rev().find(|value| **value <= least).copied();
        let to = candidates.iter().find(|value| **value >= most).copied();
        let (from, to) = (from.unwrap_or(least), to.unwrap_or(most));
        let many = (to / from).log10() > 3.0;
        let ticks = candidates
            .iter()
            .filter(|value| (from * 0.999..=to * 1.001).contains(*value))
            .filter(|value| !many || (value.log10() - value.log10().round()).abs() < 1e-6)
            .map(|value| (*value, short(*value)))
            .collect();
        Self { scale: Scale::Log { from, to }, ticks, unit: unit.to_owned() }
    }

    /// Percentiles, for a curve whose x is *nines*: −log10 of the share above. 90 % is 1,
    /// 99 % is 2, so that a tail has as much room as the rest.
    pub fn percentiles(nines: f64) -> Self {
        let nines = nines.clamp(2.0, 7.0);
        let ticks = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999, 99.99999];
        let ticks = ticks
            .into_iter()
            .map(|percent: f64| (super::scale::nines(percent / 100.0), format!("{percent}")))
            .filter(|(place, _)| *place <= nines + 1e-9)
            .collect();
        Self { scale: Scale::Linear { from: 0.0, to: nines }, ticks, unit: "%".to_owned() }
    }
}

/// −log10 of the share above a quantile: 0.9 is 1, 0.99 is 2.
pub fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

/// 1, 2 or 5 times a power of ten, at least as large as `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let lead = step / power;
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| lead <= round * (1.0 + 1e-9));
    round.unwrap_or(10.0) * power
}

fn multiples(from: f64, to: f64, step: f64) -> Vec<(f64, String)> {
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|times| times as f64 * step).map(|value| (value, short(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_values() {
        assert_eq!(written(&Axis::linear(0.0, 17.0, 4, "")), ["0", "5", "10", "15", "20"]);
        assert_eq!(
            written(&Axis::linear(0.0, 20_000.0, 4, "")),
            ["0", "5000", "10k", "15k", "20k"]
        );
        assert_eq!(written(&Axis::linear(0.0, 0.0, 4, "")), ["0", "0.5", "1"]);
        assert_eq!(written(&Axis::exact(0.0, 33.0, 5, "s")), ["0", "10", "20", "30"]);
        assert_eq!(
            written(&Axis::log(0.3, 40.0, "ms")),
            ["0.2", "0.5", "1", "2", "5", "10", "20", "50"]
        );
        assert_eq!(written(&Axis::log(0.02, 4_000.0, "ms")), ["0.1", "1", "10", "100", "1000"]);
        assert_eq!(written(&Axis::percentiles(3.2)), ["0", "50", "90", "99", "99.9"]);
    }

    #[test]
    fn values_lie_where_they_belong() {
        let linear = Scale::Linear { from: 0.0, to: 10.0 };
        assert_eq!(
            [0.0, 5.0, 10.0, 11.0, -1.0].map(|v| linear.place(v)),
            [0.0, 0.5, 1.0, 1.0, 0.0]
        );
        let log = Scale::Log { from: 1.0, to: 100.0 };
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|v| log.place(v)), [0.0, 0.0, 0.5, 1.0]);
        assert!((nines(0.999) - 3.0).abs() < 1e-9);
    }
}
