//! The report of a run: everything measured, what it comes to, and under which
//! conditions. One structure; [`text`], [`csv`](table) and JSON are forms of it.

mod rating;
mod table;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::causes;
use crate::conductor::Conducted;
use crate::doctor::Ceiling;
use crate::ledger::Tally;
use crate::machine;
use crate::metrics::{Counters, Sparse, Times};
use crate::plan::{Language, Output, Plan};
use crate::seconds::Row;
use crate::verdict::Verdict;
use crate::worker::{Step, Watched};

pub use rating::Rating;

/// The version of the report's form. The second number rises when fields are added, the
/// first when they change or go.
pub const FORM: &str = "wsbench.report/1.0";

/// Everything about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this form.
    pub form: String,
    /// The version of wsbench.
    pub wsbench: String,
    /// When the run began, in milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
    /// How long was measured, in seconds: without ramp, warm-up and drain.
    pub measured_seconds: f64,
    /// The user ended it early.
    pub interrupted: bool,
    /// The run's random name, part of every message.
    pub run: u32,
    /// What was to be done.
    pub plan: Plan,
    /// What it comes to.
    pub verdict: Verdict,
    /// What was counted.
    pub counters: Counters,
    /// Shares and rates that follow from the counts.
    pub rates: Rates,
    /// What was timed, in milliseconds.
    pub times_ms: BTreeMap<String, TimesSummary>,
    /// The same whole: for each kind the filled buckets, as microseconds and counts.
    /// Adding those of several reports is exact.
    pub histograms_us: BTreeMap<String, Vec<(u64, u64)>>,
    /// What became of the messages.
    pub deliveries: Tally,
    /// Errors by class.
    pub errors: Vec<ErrorClass>,
    /// The steps of the connection rate.
    pub steps: Vec<Step>,
    /// How the generator itself fared.
    pub generator: Generator,
    /// What was seen of the server.
    pub server: Option<Watched>,
    /// Second by second.
    pub seconds: Vec<Row>,
}

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

impl Report {
    /// Puts a report together.
    pub fn new(
        plan: &Plan,
        conducted: Conducted,
        started_at_ms: u64,
        ceiling: Option<Ceiling>,
    ) -> Self {
        let Conducted { merged, mut seconds, run, interrupted, elapsed_seconds, workers } =
            conducted;
        let verdict = Verdict::of(plan, &merged, interrupted);
        let measured_seconds = merged.measured_seconds();
        let per_second = |count: u64| {
            if measured_seconds > 0.0 { count as f64 / measured_seconds } else { 0.0 }
        };
        let counters = merged.counters.clone();
        let rates = Rates {
            connected_percent: merged.connected_percent(),
            pong_percent: merged.pong_percent(),
            due_per_second: per_second(counters.messages_due_measured),
            sent_per_second: per_second(counters.messages_sent_measured),
            acked_per_second: per_second(counters.acks_measured),
            delivered_per_second: per_second(counters.deliveries_measured),
        };
        let times_ms = merged
            .all_times()
            .iter()
            .map(|(timing, times)| (timing.key().to_owned(), TimesSummary::of(times)))
            .collect();
        let mut errors: Vec<_> = merged
            .errors
            .iter()
            .map(|(class, count)| {
                let known = causes::explain(class);
                ErrorClass {
                    class: class.clone(),
                    count: *count,
                    cause: known.map(|known| known.cause[0].to_owned()),
                    cure: known.map(|known| known.cure[0].to_owned()),
                }
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        let stops = merged.usage.iter().flat_map(|usage| &usage.stops);
        let longest = merged.usage.iter().map(|usage| usage.longest_turn_nanos).max();
        let mut generator = Generator {
            workers: workers.0,
            processes: workers.1,
            cores: machine::cores(),
            busy_percent: merged.busy_percent(),
            starved_percent: merged.starved_percent(),
            late_percent: merged.late_percent(),
            longest_turn_ms: longest.unwrap_or(0) as f64 / 1e6,
            cpu_us_per_frame: merged.cpu_us_per_frame(),
            memory_per_connection: merged.memory_per_connection(),
            stops: stops
                .map(|(at_seconds, seconds)| Stop { at_seconds: *at_seconds, seconds: *seconds })
                .collect(),
            ceiling,
            limit: Limit::Plan,
        };
        generator.limit = limit(&generator, &rates, &counters, merged.server.as_ref(), plan);
        Self {
            form: FORM.to_owned(),
            wsbench: env!("CARGO_PKG_VERSION").to_owned(),
            started_at_ms,
            elapsed_seconds,
            measured_seconds,
            interrupted,
            run,
            plan: plan.clone(),
            verdict,
            rates,
            times_ms,
            histograms_us: merged
                .all_times()
                .iter()
                .map(|(timing, times)| (timing.key().to_owned(), Sparse::of(times).into_buckets()))
                .collect(),
            deliveries: merged.tally.clone(),
            errors,
            steps: merged.steps.clone(),
            generator,
            server: merged.server.clone(),
            seconds: seconds.finish().to_vec(),
            counters,
        }
    }

    /// The report in the form that goes to standard output.
    pub fn print(&self, output: Output, language: Language) -> String {
        match output {
            Output::Text => text::write(self, language),
            Output::Json => {
                serde_json::to_string_pretty(self).expect("a report has no odd keys") + "\n"
            }
            Output::Csv => table::report(self),
        }
    }

    /// The seconds, as a table.
    pub fn seconds_table(&self) -> String {
        table::seconds(&self.seconds)
    }

    /// Times of a kind.
    pub fn times(&self, key: &str) -> Option<&TimesSummary> {
        self.times_ms.get(key)
    }
}

impl TimesSummary {
    fn of(times: &Times) -> Self {
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

/// Who was the limit: by what was late, what was held back, and whose processors were
/// used up.
fn limit(
    generator: &Generator,
    rates: &Rates,
    counters: &Counters,
    server: Option<&Watched>,
    plan: &Plan,
) -> Limit {
    let near_ceiling = generator
        .ceiling
        .as_ref()
        .is_some_and(|ceiling| rates.sent_per_second > 0.8 * ceiling.messages_per_second);
    if generator.late_percent > 1.0 && generator.starved_percent > 20.0 {
        return Limit::Machine;
    }
    if generator.busy_percent > 90.0 || generator.late_percent > 1.0 || near_ceiling {
        return Limit::Generator;
    }
    let cores = generator.cores as f64;
    let served = server.and_then(|server| server.cores_used).unwrap_or(0.0);
    let used = served + generator.busy_percent / 100.0 * generator.workers as f64;
    let held_back = counters.messages_held_back > counters.messages_due / 100;
    if plan.in_flight.is_some() || held_back {
        // Asked for as much as goes: somebody was the limit.
        return if used > 0.9 * cores { Limit::Machine } else { Limit::Server };
    }
    Limit::Plan
}

/// The JSON Schema of a report.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Report);
    serde_json::to_string_pretty(&schema).expect("a schema has no odd keys") + "\n"
}
