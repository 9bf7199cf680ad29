//! The parts of a report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Conditions;
use crate::doctor::Ceiling;
use crate::metrics::Times;
use crate::plan::Plan;

/// Shares and rates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// Connections established, of those tried, in percent.
    pub connected_percent: f64,
    /// Pings answered, in percent.
    pub pong_percent: f64,
    /// Messages due a second, in the measured time.
    pub due_per_second: f64,
    /// Messages written a second, in the measured time.
    pub sent_per_second: f64,
    /// Acks a second, in the measured time.
    pub acked_per_second: f64,
    /// Deliveries a second, in the measured time. Not to be added to messages sent.
    pub delivered_per_second: f64,
    /// Under which conditions these were reached.
    #[serde(default)]
    pub conditions: Conditions,
}

/// Times of one kind, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimesSummary {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 90 % took no longer.
    pub p90: f64,
    /// 95 % took no longer.
    pub p95: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// 99.9 % took no longer.
    pub p999: f64,
    /// The standard deviation.
    pub std_dev: f64,
}

impl TimesSummary {
    pub(crate) fn of(times: &Times) -> Self {
        let ms = |us: f64| us / 1000.0;
        let at = |quantile| ms(times.value_at_quantile(quantile) as f64);
        Self {
            count: times.len(),
            min: ms(times.min() as f64),
            max: ms(times.max() as f64),
            mean: ms(times.mean()),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            std_dev: ms(times.stdev()),
        }
    }
}

/// Errors of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorClass {
    /// Its name.
    pub class: String,
    /// How many.
    pub count: u64,
    /// What is likely behind it.
    pub cause: Option<String>,
    /// What helps.
    pub cure: Option<String>,
}

/// How the generator itself fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generator {
    /// Workers.
    pub workers: usize,
    /// The workers were processes.
    pub processes: bool,
    /// Processors of this machine.
    pub cores: usize,
    /// The busiest worker's share of the measured time at work, in percent.
    pub busy_percent: f64,
    /// The largest share of it that a worker waited for a processor, in percent.
    pub starved_percent: f64,
    /// What left over 10 ms late, in percent of what was due.
    pub late_percent: f64,
    /// The longest turn of an event loop, in milliseconds.
    pub longest_turn_ms: f64,
    /// CPU time for each frame sent or received, in microseconds.
    pub cpu_us_per_frame: Option<f64>,
    /// Memory for each connection, in bytes, without the kernel's.
    pub memory_per_connection: Option<f64>,
    /// Times that it was stopped from outside.
    pub stops: Vec<Stop>,
    /// What this generator can do on this machine, against its own sink.
    pub ceiling: Option<Ceiling>,
    /// Who was the limit.
    pub limit: Limit,
}

/// A time that the process was stopped (SIGSTOP) and went on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// When, in seconds since the beginning.
    pub at_seconds: f64,
    /// For how long.
    pub seconds: f64,
}

/// Who was the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Limit {
    /// Neither: the plan asked for no more.
    #[default]
    Plan,
    /// The server: it held messages back, or used all its processors.
    Server,
    /// The generator.
    Generator,
    /// The machine that both share.
    Machine,
}

/// When what of the run was, in seconds since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    /// When every connection had been tried; none if it did not come to that.
    pub ramped_at: Option<f64>,
    /// When the measured time began: after the ramp and the warm-up.
    pub measured_from: Option<f64>,
    /// When it ended, and the drain began.
    pub measured_until: Option<f64>,
}

impl Phases {
    pub(super) fn of(plan: &Plan, ramped_at: Option<f64>, measured_seconds: f64) -> Self {
        // A warm-up that would leave nothing is cut short, as the workers do.
        let warmup = plan.warmup.as_secs_f64().min(plan.hold().as_secs_f64() / 2.0);
        let measured_from = ramped_at.map(|at| at + warmup);
        let measured_until = measured_from.map(|from| from + measured_seconds);
        Self { ramped_at, measured_from, measured_until }
    }
}
