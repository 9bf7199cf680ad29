//! The report of a run: everything measured, what it comes to, and under which
//! conditions. One structure; [`text`], [`csv`](table), [`html`], [`markdown`], [`junit`]
//! and JSON are forms of it.

mod conditions;
pub(crate) mod html;
mod json;
mod junit;
mod markdown;
mod parts;
mod plan_words;
mod rating;
mod rising;
mod table;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::causes;
use crate::conductor::{Conducted, Done};
use crate::doctor::Ceiling;
use crate::ledger::Tally;
use crate::machine::{self, Machine};
use crate::metrics::{Counters, Sparse};
use crate::plan::{Language, Output, Plan};
use crate::seconds::Row;
use crate::slices::Slice;
use crate::trend::trend;
use crate::verdict::Verdict;
use crate::worker::{Plateau, Step, Trend, Watched};

pub use conditions::Conditions;
pub use parts::{ErrorClass, Generator, Limit, Phases, Rates, Stop, TimesSummary};
pub use plan_words::plan_in_words;
pub use rating::Rating;

/// The version of the report's form. The second number rises when fields are added, the
/// first when they change or go.
pub const FORM: &str = "wsbench.report/1.1";

/// Shorter runs say nothing of how latency changes over time, in seconds.
const TREND_SECONDS_MIN: f64 = 60.0;

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
    /// The command line, without what is secret in it.
    #[serde(default)]
    pub command: Option<String>,
    /// The machine that the generator ran on.
    #[serde(default)]
    pub machine: Option<Machine>,
    /// When what of the run was.
    #[serde(default)]
    pub phases: Phases,
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
    /// How the 99th percentile of each second's end-to-end latency, or of its pings where
    /// there are no messages, changed during the run; of runs of a minute and more.
    pub latency_trend: Option<Trend>,
    /// What became of the messages.
    pub deliveries: Tally,
    /// Errors by class.
    pub errors: Vec<ErrorClass>,
    /// The steps of the connection rate.
    pub steps: Vec<Step>,
    /// The steps of a rising load.
    #[serde(default)]
    pub plateaus: Vec<Plateau>,
    /// Commands that were run meanwhile.
    #[serde(default)]
    pub actions: Vec<Done>,
    /// How the generator itself fared.
    pub generator: Generator,
    /// What was seen of the server.
    pub server: Option<Watched>,
    /// Second by second.
    pub seconds: Vec<Row>,
    /// The run in at most sixty slices, with histograms: what runs are compared by.
    #[serde(default)]
    pub slices: Vec<Slice>,
}

impl Report {
    /// Puts a report together.
    pub fn new(
        plan: &Plan,
        conducted: Conducted,
        started_at_ms: u64,
        ceiling: Option<Ceiling>,
    ) -> Self {
        let Conducted {
            merged,
            mut seconds,
            run,
            interrupted,
            elapsed_seconds,
            actions,
            workers,
            ramped_at_seconds,
        } = conducted;
        let verdict = Verdict::of(plan, &merged, interrupted);
        let measured_seconds = merged.measured_seconds();
        let per_second = |count: u64| {
            if measured_seconds > 0.0 { count as f64 / measured_seconds } else { 0.0 }
        };
        let counters = merged.counters.clone();
        let times_ms = merged
            .all_times()
            .iter()
            .map(|(timing, times)| (timing.key().to_owned(), TimesSummary::of(times)))
            .collect();
        let sent_per_second = per_second(counters.messages_sent_measured);
        let rates = Rates {
            connected_percent: merged.connected_percent(),
            pong_percent: merged.pong_percent(),
            due_per_second: per_second(counters.messages_due_measured),
            sent_per_second,
            acked_per_second: per_second(counters.acks_measured),
            delivered_per_second: per_second(counters.deliveries_measured),
            conditions: Conditions::of(plan, &merged, &times_ms, sent_per_second),
        };
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
            command: None,
            machine: Some(machine::describe()),
            phases: Phases::of(plan, ramped_at_seconds, measured_seconds),
            plan: plan.without_secrets(),
            verdict,
            rates,
            times_ms,
            histograms_us: merged
                .all_times()
                .iter()
                .map(|(timing, times)| (timing.key().to_owned(), Sparse::of(times).into_buckets()))
                .collect(),
            latency_trend: latency_trend(seconds.finish(), measured_seconds),
            deliveries: merged.tally.clone(),
            errors,
            steps: merged.steps.clone(),
            plateaus: merged.plateaus.clone(),
            actions,
            generator,
            server: merged.server.clone(),
            seconds: seconds.rows().to_vec(),
            slices: seconds.slices(),
            counters,
        }
    }

    /// The report in the form that goes to standard output.
    pub fn print(&self, output: Output, language: Language) -> String {
        match output {
            Output::Text => text::write(self, language),
            Output::Json => json::write(self),
            Output::Csv => table::report(self),
            Output::Html => html::write(self, language),
            Output::Markdown => markdown::write(self, language),
            Output::Junit => junit::write(self),
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

/// Whether what users wait for grows while the load does not.
fn latency_trend(seconds: &[Row], measured_seconds: f64) -> Option<Trend> {
    if measured_seconds < TREND_SECONDS_MIN {
        return None;
    }
    let talks = seconds.iter().any(|row| row.e2e_ms.is_some());
    let points: Vec<_> = seconds
        .iter()
        .filter_map(|row| {
            let p99 =
                if talks { row.e2e_ms.map(|e2e| e2e[1]) } else { row.ping_ms.map(|ping| ping[1]) };
            Some((row.second as f64, p99?))
        })
        .collect();
    trend(&points)
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
