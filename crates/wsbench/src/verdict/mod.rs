//! What a run comes to: valid or not, passed or not, and the exit code that says it.

mod threshold;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::scenario::Disruption;
use crate::worker::{BeyondKnee, Merged, beyond_knee, knee};

pub use threshold::Threshold;

/// Exit codes. The worst that applies is used; from worst to best: set-up, delivery
/// broken, invalid, threshold missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// 0: everything held.
    Ok,
    /// 1: an error of this program or of the machine.
    Error,
    /// 2: the command line or the plan is wrong.
    Usage,
    /// 3: the test could not be set up: no connection stood.
    SetUp,
    /// 4: a threshold or a requirement of the scenario was missed.
    ThresholdMissed,
    /// 5: the generator was at its own limit, so the figures say nothing about the server.
    Invalid,
    /// 6: messages were lost, duplicated, reordered, changed or misdelivered.
    DeliveryBroken,
    /// 7: worse than a baseline.
    Regression,
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::SetUp => 3,
            Self::ThresholdMissed => 4,
            Self::Invalid => 5,
            Self::DeliveryBroken => 6,
            Self::Regression => 7,
        }
    }

    /// How bad it is: higher is worse.
    pub fn severity(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::ThresholdMissed => 1,
            Self::Regression => 2,
            Self::Invalid => 3,
            Self::DeliveryBroken => 4,
            Self::SetUp => 5,
            Self::Error => 6,
            Self::Usage => 7,
        }
    }
}

/// More than this share of late sends makes a run invalid, in percent.
const LATE_PERCENT_MAX: f64 = 1.0;
/// More than this share of the time at work makes a run invalid, in percent.
const BUSY_PERCENT_MAX: f64 = 90.0;

/// Something that must hold, and whether it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// What.
    pub what: String,
    /// What it was.
    pub measured: f64,
    /// `<`, `<=`, `>` or `>=`.
    pub relation: Relation,
    /// What it should be.
    pub wanted: f64,
    /// Whether it held.
    pub held: bool,
}

/// How two numbers should stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Relation {
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or the same.
    #[serde(rename = "<=")]
    AtMost,
    /// More.
    #[serde(rename = ">")]
    More,
    /// More or the same.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Relation {
    fn holds(self, measured: f64, wanted: f64) -> bool {
        match self {
            Self::Less => measured < wanted,
            Self::AtMost => measured <= wanted,
            Self::More => measured > wanted,
            Self::AtLeast => measured >= wanted,
        }
    }

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl Requirement {
    fn new(what: impl Into<String>, measured: f64, relation: Relation, wanted: f64) -> Self {
        let held = relation.holds(measured, wanted);
        Self { what: what.into(), measured, relation, wanted, held }
    }

    /// It must be at least so much.
    pub fn at_least(what: &str, measured: f64, wanted: f64) -> Self {
        Self::new(what, measured, Relation::AtLeast, wanted)
    }

    /// It must be at most so much.
    pub fn at_most(what: &str, measured: f64, wanted: f64) -> Self {
        Self::new(what, measured, Relation::AtMost, wanted)
    }
}

/// Everything a run comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The worst that applies.
    pub outcome: Outcome,
    /// The exit code that says it.
    pub exit_code: u8,
    /// Why the figures say nothing about the server, if they don't.
    pub invalid: Vec<String>,
    /// What is wrong with the deliveries, if something is.
    pub broken: Vec<String>,
    /// What had to hold, and whether it did.
    pub requirements: Vec<Requirement>,
}

impl Verdict {
    /// Judges a run. `interrupted` runs are judged by their deliveries alone.
    pub fn of(plan: &Plan, merged: &Merged, interrupted: bool) -> Self {
        let mut requirements = plan.scenario().requirements(plan, merged);
        requirements.extend(plan.thresholds.iter().map(|threshold| threshold.check(merged)));
        let invalid = invalid(plan, merged);
        let broken = broken(merged);
        let missed = requirements.iter().any(|requirement| !requirement.held);
        let attempted = merged.counters.connects_attempted;
        let outcome = if attempted > 0 && merged.counters.connects_ok == 0 {
            Outcome::SetUp
        } else if !broken.is_empty() {
            Outcome::DeliveryBroken
        } else if !invalid.is_empty() {
            Outcome::Invalid
        } else if missed && !interrupted {
            Outcome::ThresholdMissed
        } else {
            Outcome::Ok
        };
        Self { outcome, exit_code: outcome.code(), invalid, broken, requirements }
    }
}

fn invalid(plan: &Plan, merged: &Merged) -> Vec<String> {
    let mut reasons = Vec::new();
    // Beyond the knee somebody is always at the limit. What counts is who was at the knee.
    let rises = matches!(plan.behaviour().disruption, Disruption::RisingRate { .. });
    if rises && beyond_knee(&merged.plateaus) == BeyondKnee::GeneratorLimit {
        let carried = knee(&merged.plateaus).map_or(0.0, |step| step.load);
        reasons.push(format!(
            "the first step that failed is one in which this generator was late: the server \
             carries {carried:.0} messages a second or more"
        ));
    }
    let late = merged.late_percent();
    if late > LATE_PERCENT_MAX && !rises {
        reasons.push(format!(
            "{late:.2} % of what was due left over {} late (at most {LATE_PERCENT_MAX} %)",
            plan.late_after
        ));
    }
    let busy = merged.busy_percent();
    if busy > BUSY_PERCENT_MAX && !rises {
        reasons.push(format!(
            "the generator was busy {busy:.0} % of the time (at most {BUSY_PERCENT_MAX} %)"
        ));
    }
    // All workers stand still at once; one of them is enough to tell.
    let stopped = merged.usage.iter().max_by_key(|usage| usage.stops.len());
    for (at, seconds) in stopped.iter().flat_map(|usage| &usage.stops) {
        reasons.push(format!(
            "the generator was stopped from outside (SIGSTOP) at {at:.1} s for {seconds:.1} s: \
             the load was not what the plan says"
        ));
    }
    if merged.tally.overflowed {
        reasons.push("more messages are missing than are counted exactly".to_owned());
    }
    reasons
}

fn broken(merged: &Merged) -> Vec<String> {
    let tally = &merged.tally;
    [
        (tally.acked_but_lost, "acknowledged and lost"),
        (tally.lost - tally.acked_but_lost, "lost without an acknowledgement"),
        (tally.duplicates, "delivered twice"),
        (tally.reordered, "delivered out of order"),
        (tally.wrong_recipient, "delivered to somebody else"),
        (tally.corrupt, "changed on the way"),
        (tally.invented, "delivered though nobody sent them"),
        (tally.refused_but_delivered, "refused and delivered all the same"),
        (merged.counters.unmatched_answers, "answers that answer nothing"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect()
}
