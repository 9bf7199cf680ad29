//! Reference figures beside ours, as a Markdown table.

use std::fmt::Write;
use std::str::FromStr;

use crate::metrics::Timing;
use crate::report::{Report, TimesSummary};

/// A figure of a report.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// A number.
    Plain(Read),
    /// A percentile of times of this kind.
    Time(Timing, fn(&TimesSummary) -> f64),
}

/// Reads a number from a report.
type Read = fn(&Report) -> Option<f64>;

const MIB: f64 = 1_048_576.0;

/// Figures that are no times, by name.
const PLAIN: &[(&str, Read)] = &[
    ("connected", |report| Some(report.rates.connected_percent)),
    ("pongs", |report| Some(report.rates.pong_percent)),
    ("connects.attempts", |report| {
        let (ok, failed) = connects(report);
        Some(ok + failed)
    }),
    ("connects.ok", |report| Some(connects(report).0)),
    ("connects.failed", |report| Some(connects(report).1)),
    ("pings.sent", |report| Some(report.counters.pings_sent as f64)),
    ("pings.answered", |report| Some(report.counters.pongs_received as f64)),
    ("send.rate", |report| Some(report.rates.sent_per_second)),
    ("delivered", |report| Some(report.deliveries.delivered_percent())),
    ("ackedButLost", |report| Some(report.deliveries.acked_but_lost as f64)),
    ("disconnects", |report| Some(report.counters.disconnects as f64)),
    ("memory.start", |report| Some(report.server.as_ref()?.memory_start? as f64 / MIB)),
    ("memory.max", |report| Some(report.server.as_ref()?.memory_max? as f64 / MIB)),
];

/// Connects that came to stand, and attempts that failed.
fn connects(report: &Report) -> (f64, f64) {
    let counters = &report.counters;
    let ok = counters.connects_ok + counters.reconnects;
    // An attempt that is made again has failed.
    let failed = counters.connect_retries + counters.connects_failed;
    (ok as f64, failed as f64)
}

impl FromStr for Figure {
    type Err = String;

    /// `e2e.p99`, `connects.attempts`, `memory.max`.
    fn from_str(name: &str) -> Result<Self, String> {
        if let Some((_, read)) = PLAIN.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Plain(*read));
        }
        let found = name.split_once('.').and_then(|(key, percentile)| {
            let timing = Timing::ALL.iter().find(|timing| timing.key() == key)?;
            let read: fn(&TimesSummary) -> f64 = match percentile {
                "p50" => |times| times.p50,
                "p95" => |times| times.p95,
                "p99" => |times| times.p99,
                _ => return None,
            };
            Some(Self::Time(*timing, read))
        });
        found.ok_or_else(|| format!("there is no figure {name:?}"))
    }
}

impl Figure {
    fn read(self, report: &Report) -> String {
        let value = match self {
            Self::Plain(read) => read(report),
            Self::Time(timing, read) => report.times(timing.key()).map(read),
        };
        match value {
            None => "-".to_owned(),
            Some(value) if value.fract() == 0.0 || value >= 1000.0 => format!("{value:.0}"),
            Some(value) => format!("{value:.2}"),
        }
    }
}

/// The table of these reports, those that came from presets.
pub fn table(reports: &[Report]) -> String {
    let mut table = "| drill | of | figure | theirs | ours | result | command |\n|---|---|---|---|---|---|---|\n"
        .to_owned();
    for report in reports {
        let Some(preset) = &report.plan.preset else { continue };
        let scale = report.plan.scale.map_or(String::new(), |scale| format!(" --scale {scale}"));
        for reference in &preset.reference {
            let ours: Vec<_> = reference
                .ours
                .split(' ')
                .filter_map(|name| name.parse::<Figure>().ok())
                .map(|figure| figure.read(report))
                .collect();
            // Writing to a string can't fail.
            let _ = writeln!(
                table,
                "| {} | {} | {} | {} | {} | {:?} | `wsbench --preset {}{scale}` |",
                preset.name,
                preset.system,
                reference.what,
                reference.figure,
                ours.join(" / "),
                report.verdict.outcome,
                preset.name,
            );
        }
    }
    table
}
