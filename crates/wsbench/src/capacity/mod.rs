//! Capacity: the largest rate, or number of connections, at which a scenario still meets
//! its criteria. Whole runs are the trials of a [`search`].

pub mod search;

use std::fmt::Write;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conductor::{self, Audience, Failure, Signals};
use crate::plan::{BadPlan, Language, Plan};
use crate::report::{Limit, Report};
use crate::scenario::Help;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Outcome;
use crate::watch::Watch;
use search::{Found, Level, Search, Trial, confidence_percent};

/// The version of the result's form.
const FORM: &str = "wsbench.capacity/1.0";

/// The line of the list of scenarios.
pub const SUMMARY: &str =
    "the largest rate, or number of connections, that still meets the criteria";

/// The long description.
pub const HELP: Help = Help {
    does: "Runs a scenario (--of, messaging) again and again: with --search rate at --from \
           messages a second (100), with --search connections with so many connections. The \
           load doubles until a run misses its criteria, then the gap is halved until it is \
           within --tolerance (5 %). Each load is run --repeat times (5), each run with its own \
           ramp and warm-up. Criteria are the --threshold options (e2e.p99<50ms and lost<=0 if \
           there are none), what the scenario requires, and clean deliveries.",
    measures: "The largest load that most runs carried, and a confidence interval: between the \
               largest load that all runs carried and the smallest that none did, with 1 - 2 x \
               0.5^n of n runs each (93.75 % of 5). Beside it, who was the limit: a run in which \
               this generator was late, too busy or starved proves nothing about the server.",
    passes: "The first load is carried. Exit code 4 if it is not, 5 if the generator was the \
             limit, so that the answer is only a lower bound.",
    example: "wsbench capacity --of single-e2e --target ws://localhost:8084/ws --conns 200 --from 1000 --ramp 2s --duration 12s --threshold 'e2e.p99<50ms,lost<=0'",
};

/// What is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Raised {
    /// Messages a second of all connections.
    Rate,
    /// Connections.
    Connections,
}

/// How to look.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The scenario.
    pub of: String,
    /// What is raised.
    pub raised: Raised,
    /// The first load.
    pub from: u32,
    /// The largest.
    pub to: u32,
    /// How close is close enough, in percent.
    pub tolerance_percent: f64,
    /// Runs of each load.
    pub repeats: u32,
}

/// One load, and what its runs came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The load.
    pub load: f64,
    /// Most runs carried it.
    pub carried: bool,
    /// Each run.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What it came to.
    pub outcome: Outcome,
    /// What was missed, or why it proves nothing.
    pub reasons: Vec<String>,
    /// Who was the limit.
    pub limit: Limit,
    /// The 99th percentile of send to delivery, in milliseconds.
    pub e2e_p99_ms: Option<f64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// The version of this form.
    pub form: String,
    /// What was run.
    pub scenario: String,
    /// What was raised.
    pub raised: Raised,
    /// What a run had to meet.
    pub criteria: Vec<String>,
    /// The largest load that most runs carried; none if the first was not.
    pub carried: Option<f64>,
    /// The lower end of the interval.
    pub at_least: f64,
    /// The upper end; none if nothing always failed.
    pub at_most: Option<f64>,
    /// How sure the interval is, in percent.
    pub confidence_percent: f64,
    /// Who was the limit.
    pub limit: Limit,
    /// All loads, in the order in which they were tried.
    pub steps: Vec<Step>,
}

struct Nobody;

impl Audience for Nobody {
    fn second(&mut self, _: &crate::seconds::Seconds) {}
    fn ramped(&mut self, _: &crate::seconds::Seconds) {}
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan can't be.
    #[error(transparent)]
    Plan(#[from] BadPlan),
    /// A run can't be made.
    #[error(transparent)]
    Run(#[from] Failure),
    /// The user ended it.
    #[error("interrupted: there is no answer")]
    Interrupted,
}

/// Settings that differ from the general defaults: short runs, many of them.
fn defaults() -> Settings {
    Settings {
        conns: Some(200),
        ramp: Some(Span::seconds(2)),
        duration: Some(Span::seconds(12)),
        warmup: Some(Span::seconds(2)),
        ..Settings::default()
    }
}

/// The plan of one load.
fn plan(wanted: &Wanted, settings: &Settings, load: f64) -> Result<Plan, BadPlan> {
    let mut settings = settings.clone().or(defaults());
    match wanted.raised {
        Raised::Rate => {
            (settings.msg_rate, settings.msg_interval, settings.msg_interval_ms) =
                (None, None, None);
            settings.rate = Some(load);
        }
        Raised::Connections => settings.conns = Some(load as u32),
    }
    if settings.threshold.is_none() {
        let criteria = ["e2e.p99<50ms", "lost<=0"];
        let criteria: Result<Vec<_>, String> = criteria.iter().map(|text| text.parse()).collect();
        let talks = Plan::resolve(Some(&wanted.of), settings.clone())?;
        let talks = talks.behaviour().cast.talks();
        settings.threshold = criteria.ok().filter(|_| talks);
    }
    Plan::resolve(Some(&wanted.of), settings)
}

/// Looks for the capacity. `said` hears of each load that has been tried.
pub fn find(
    wanted: &Wanted,
    settings: &Settings,
    signals: &Signals,
    said: &mut dyn FnMut(&Step),
) -> Result<Capacity, Error> {
    let first = plan(wanted, settings, f64::from(wanted.from))?;
    let cast = first.behaviour().cast;
    if wanted.raised == Raised::Rate && !cast.talks() {
        return Err(BadPlan(format!("{} sends nothing: --search connections", wanted.of)).into());
    }
    let grain = match wanted.raised {
        Raised::Rate => 1.0,
        Raised::Connections => f64::from(cast.unit()),
    };
    let search = Search {
        from: f64::from(wanted.from),
        to: f64::from(wanted.to),
        tolerance: wanted.tolerance_percent / 100.0,
        grain,
    };
    let mut steps: Vec<Step> = Vec::new();
    let found = search.run(|load| {
        let plan = plan(wanted, settings, load)?;
        let mut runs = Vec::new();
        for _ in 0..wanted.repeats {
            runs.push(one_run(&plan, settings, signals)?);
        }
        let trials = runs.iter().map(Run::trial).collect();
        let level = Level { load, trials };
        let step = Step { load, carried: level.is_carried(), runs };
        said(&step);
        steps.push(step);
        Ok::<_, Error>(level)
    })?;
    let criteria = first.thresholds.iter().map(ToString::to_string).collect();
    Ok(Capacity::of(wanted, criteria, found, steps))
}

fn one_run(plan: &Plan, settings: &Settings, signals: &Signals) -> Result<Run, Error> {
    crate::worker::check(plan).map_err(Failure::NotSetUp)?;
    let mut watch = Watch::new(plan, settings.server_pid, settings.server_metrics.as_deref())
        .map_err(Failure::Broken)?;
    let conducted = conductor::conduct(plan, signals, &mut watch, &mut Nobody)?;
    if conducted.interrupted {
        return Err(Error::Interrupted);
    }
    let report = Report::new(plan, conducted, 0, None);
    let missed = report.verdict.requirements.iter().filter(|requirement| !requirement.held);
    let missed =
        missed.map(|requirement| format!("{}: {:.3}", requirement.what, requirement.measured));
    let reasons = report.verdict.invalid.iter().chain(&report.verdict.broken).cloned();
    Ok(Run {
        outcome: report.verdict.outcome,
        reasons: reasons.chain(missed).collect(),
        limit: report.generator.limit,
        e2e_p99_ms: report.times("e2e").map(|times| times.p99),
    })
}

impl Run {
    fn trial(&self) -> Trial {
        match self.outcome {
            Outcome::Ok => Trial::Passed,
            Outcome::Invalid => Trial::Unknown,
            _ => Trial::Failed,
        }
    }
}

impl Capacity {
    fn of(wanted: &Wanted, criteria: Vec<String>, found: Found, steps: Vec<Step>) -> Self {
        let limit = match (found.carried, found.generator_limit) {
            (_, true) => Limit::Generator,
            // It carried all that was asked for.
            (Some(carried), _) if carried >= f64::from(wanted.to) => Limit::Plan,
            _ => Limit::Server,
        };
        Self {
            form: FORM.to_owned(),
            scenario: wanted.of.clone(),
            raised: wanted.raised,
            criteria,
            carried: found.carried,
            at_least: found.at_least,
            at_most: found.at_most,
            confidence_percent: confidence_percent(wanted.repeats),
            limit,
            steps,
        }
    }

    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        match (self.carried, self.limit) {
            (_, Limit::Generator) => Outcome::Invalid,
            (None, _) => Outcome::ThresholdMissed,
            (Some(_), _) => Outcome::Ok,
        }
    }

    /// For people.
    pub fn text(&self, language: Language) -> String {
        let say = |words: [&'static str; 2]| words[usize::from(language == Language::Zh)];
        let unit = match self.raised {
            Raised::Rate => say(["messages/s", "条/秒"]),
            Raised::Connections => say(["connections", "个连接"]),
        };
        let most = self.at_most.map_or_else(|| "-".to_owned(), |most| format!("{most:.0}"));
        let carried = self.carried.map_or_else(|| "-".to_owned(), |load| format!("{load:.0}"));
        let limit = match self.limit {
            Limit::Generator => {
                say(["this generator: the server may carry more", "压测端：服务端可能承载更多"])
            }
            Limit::Plan => say(["neither: --to was reached", "均未到上限：已达 --to"]),
            _ => say(["the server", "服务端"]),
        };
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = writeln!(text, "{} {carried} {unit}", say(["Capacity:", "容量："]));
        let _ = writeln!(
            text,
            "{} {:.0} .. {most} ({:.2} %)",
            say(["Interval:", "区间："]),
            self.at_least,
            self.confidence_percent
        );
        let _ = writeln!(text, "{} {}", say(["Criteria:", "标准："]), self.criteria.join(", "));
        let _ = writeln!(text, "{} {limit}", say(["The limit was:", "瓶颈："]));
        text
    }
}

impl Step {
    /// One line for people.
    pub fn line(&self) -> String {
        let passed = self.runs.iter().filter(|run| run.outcome == Outcome::Ok).count();
        let p99 = self.runs.iter().filter_map(|run| run.e2e_p99_ms).fold(f64::NAN, f64::max);
        let p99 = if p99.is_nan() { String::new() } else { format!("  e2e p99 up to {p99:.2} ms") };
        let reason = self.runs.iter().find_map(|run| run.reasons.first());
        let reason = reason.map_or(String::new(), |reason| format!("  ({reason})"));
        let word = if self.carried { "carried" } else { "not carried" };
        format!("{:>10.0}  {passed} of {} passed: {word}{p99}{reason}", self.load, self.runs.len())
    }
}
