//! Thresholds of the command line.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Relation, Requirement};
use crate::metrics::Timing;
use crate::worker::Merged;

/// A threshold of the command line: `e2e.p99<50ms`, `lost<=0`, `connected>=99.9%`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold {
    metric: Metric,
    relation: Relation,
    /// Milliseconds for times, percent for shares, else a plain number.
    wanted: f64,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Time(Timing, Statistic),
    Connected,
    Pongs,
    SendRate,
    DeliveryRate,
    Delivered,
    Lost,
    Duplicates,
    Reordered,
    AckedButLost,
    Errors,
    Disconnects,
    Knee,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Statistic {
    Quantile(f64),
    Mean,
    Max,
    Min,
}

/// The plain metrics and their names.
const METRICS: [(&str, Metric); 12] = [
    ("connected", Metric::Connected),
    ("pongs", Metric::Pongs),
    ("send.rate", Metric::SendRate),
    ("delivery.rate", Metric::DeliveryRate),
    ("delivered", Metric::Delivered),
    ("lost", Metric::Lost),
    ("duplicates", Metric::Duplicates),
    ("reordered", Metric::Reordered),
    ("ackedButLost", Metric::AckedButLost),
    ("errors", Metric::Errors),
    ("disconnects", Metric::Disconnects),
    ("knee", Metric::Knee),
];

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let relations = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Less),
            (">", Relation::More),
        ];
        let (at, symbol, relation) = relations
            .iter()
            .filter_map(|(symbol, relation)| Some((trimmed.find(symbol)?, *symbol, *relation)))
            .min_by_key(|(at, symbol, _)| (*at, 2 - symbol.len()))
            .ok_or_else(|| format!("{text:?} has no <, <=, > or >="))?;
        let (name, value) = (trimmed[..at].trim(), trimmed[at + symbol.len()..].trim());
        let metric = parse_metric(name)?;
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let wanted = match metric {
            Metric::Time(..) => value
                .parse::<crate::span::Span>()
                .map(|span| span.as_secs_f64() * 1000.0)
                .map_err(|error| error.to_string())?,
            _ => number(value.strip_suffix('%').unwrap_or(value))
                .ok_or_else(|| format!("{value:?} is not a number"))?,
        };
        Ok(Self { metric, relation, wanted, text: trimmed.to_owned() })
    }
}

fn parse_metric(name: &str) -> Result<Metric, String> {
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) {
        return Ok(*metric);
    }
    let parsed = name.split_once('.').and_then(|(timing, statistic)| {
        let timing = Timing::ALL.iter().find(|known| known.key() == timing)?;
        let statistic = match statistic {
            "mean" | "avg" => Statistic::Mean,
            "max" => Statistic::Max,
            "min" => Statistic::Min,
            percentile => Statistic::Quantile(quantile(percentile.strip_prefix('p')?)?),
        };
        Some(Metric::Time(*timing, statistic))
    });
    parsed.ok_or_else(|| {
        let plain: Vec<_> = METRICS.iter().map(|(name, _)| *name).collect();
        let times: Vec<_> = Timing::ALL.iter().map(|timing| timing.key()).collect();
        format!(
            "there is no {name:?}; there are {} and, with .p50 .p99 .p99.9 .mean .max .min, {}",
            plain.join(", "),
            times.join(", ")
        )
    })
}

/// `99` and `99.9` as they are, `999` as people write 99.9.
fn quantile(digits: &str) -> Option<f64> {
    let percent: f64 = match digits {
        "999" => 99.9,
        "9999" => 99.99,
        other => other.parse().ok()?,
    };
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

impl Threshold {
    /// Whether it held.
    pub fn check(&self, merged: &Merged) -> Requirement {
        let seconds = merged.measured_seconds().max(f64::MIN_POSITIVE);
        let counters = &merged.counters;
        let measured = match self.metric {
            Metric::Time(timing, statistic) => {
                let times = merged.times(timing);
                // Nothing measured holds nothing: not a number compares with nothing.
                let us = if times.is_empty() {
                    f64::NAN
                } else {
                    match statistic {
                        Statistic::Quantile(quantile) => times.value_at_quantile(quantile) as f64,
                        Statistic::Mean => times.mean(),
                        Statistic::Max => times.max() as f64,
                        Statistic::Min => times.min() as f64,
                    }
                };
                us / 1000.0
            }
            Metric::Connected => merged.connected_percent(),
            Metric::Pongs => merged.pong_percent(),
            Metric::SendRate => counters.messages_sent_measured as f64 / seconds,
            Metric::DeliveryRate => counters.deliveries_measured as f64 / seconds,
            Metric::Delivered => merged.tally.delivered_percent(),
            Metric::Lost => merged.tally.lost as f64,
            Metric::Duplicates => merged.tally.duplicates as f64,
            Metric::Reordered => merged.tally.reordered as f64,
            Metric::AckedButLost => merged.tally.acked_but_lost as f64,
            Metric::Errors => merged.errors.values().sum::<u64>() as f64,
            Metric::Disconnects => counters.disconnects as f64,
            Metric::Knee => merged.knee().map_or(0.0, |step| step.offered),
        };
        let mut requirement = Requirement::new(&self.text, measured, self.relation, self.wanted);
        if measured.is_nan() {
            requirement.measured = -1.0;
            requirement.held = false;
        }
        requirement
    }
}

impl TryFrom<String> for Threshold {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> Self {
        threshold.text
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        let read = |text: &str| text.parse::<Threshold>().unwrap();
        let threshold = read("e2e.p99<50ms");
        assert_eq!(
            (threshold.metric, threshold.relation, threshold.wanted),
            (Metric::Time(Timing::EndToEnd, Statistic::Quantile(0.99)), Relation::Less, 50.0)
        );
        assert_eq!(read("connect.max <= 1.5s").wanted, 1500.0);
        assert_eq!(read("connected>=99.9%").wanted, 99.9);
        assert_eq!(
            read("ping.p99.9<1s").metric,
            Metric::Time(Timing::Ping, Statistic::Quantile(99.9 / 100.0))
        );
        for wrong in ["e2e.p99", "e2e.p99<50", "e2e.p101<1s", "nothing<1", "lost<x", "e2e<1s"] {
            assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_measured_holds_no_threshold() {
        let requirement = "e2e.p99<1h".parse::<Threshold>().unwrap().check(&Merged::default());
        assert!(!requirement.held);
        let requirement = "lost<=0".parse::<Threshold>().unwrap().check(&Merged::default());
        assert!(requirement.held);
    }
}
