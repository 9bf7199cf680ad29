//! What is known of a run at one moment, and what follows from it.

use crate::plan::{Language, Plan};
use crate::seconds::{Row, Seconds};
use crate::verdict::{Outcome, Verdict};
use crate::watch::Sample;

/// What is known at one moment.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The run's plan.
    pub plan: &'a Plan,
    /// The language of labels.
    pub language: Language,
    /// The run so far.
    pub seconds: &'a Seconds,
    /// What was seen of the server.
    pub samples: &'a [Sample],
    /// Since the beginning.
    pub elapsed_seconds: f64,
    /// When every connection had been tried.
    pub ramped_at_seconds: Option<f64>,
    /// The user has asked for the end.
    pub is_stopping: bool,
    /// Colours may be used.
    pub colour: bool,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Ramp,
    WarmUp,
    Measure,
    Drain,
}

impl Phase {
    pub(super) const ALL: [Self; 4] = [Self::Ramp, Self::WarmUp, Self::Measure, Self::Drain];

    pub(super) fn words(self) -> [&'static str; 2] {
        match self {
            Self::Ramp => ["ramp", "建连"],
            Self::WarmUp => ["warm-up", "预热"],
            Self::Measure => ["measure", "测量"],
            Self::Drain => ["drain", "收尾"],
        }
    }
}

impl View<'_> {
    /// One of two words.
    pub(super) fn say(&self, words: [&'static str; 2]) -> &'static str {
        words[usize::from(self.language == Language::Zh)]
    }

    /// Where the run is.
    pub(super) fn phase(&self) -> Phase {
        let Some(ramped) = self.ramped_at_seconds else { return Phase::Ramp };
        let hold = self.plan.hold().as_secs_f64();
        let warmup = self.plan.warmup.as_secs_f64().min(hold / 2.0);
        match self.elapsed_seconds - ramped {
            _ if self.is_stopping => Phase::Drain,
            since if since < warmup => Phase::WarmUp,
            since if since < hold => Phase::Measure,
            _ => Phase::Drain,
        }
    }

    /// How far the run is, from 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        let (ramp, hold) = (self.plan.ramp.as_secs_f64(), self.plan.hold().as_secs_f64());
        let done = match self.ramped_at_seconds {
            None => self.elapsed_seconds.min(ramp),
            Some(at) => ramp + (self.elapsed_seconds - at).min(hold),
        };
        (done / (ramp + hold).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    /// The last `count` seconds, oldest first.
    pub(super) fn recent(&self, count: usize) -> &[Row] {
        let rows = self.seconds.rows();
        &rows[rows.len().saturating_sub(count)..]
    }

    /// What it would come to if it ended now. Deliveries are settled at the end only.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of(self.plan, &self.seconds.so_far(), false)
    }

    /// Whether the verdict can already be given: before there is anything to judge, all is
    /// well.
    pub(super) fn is_judged(&self) -> bool {
        self.phase() > Phase::Ramp && self.seconds.last().is_some()
    }
}

/// The colour of an outcome: good, to be looked at, or bad.
pub(super) fn is_bad(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Ok | Outcome::ThresholdMissed | Outcome::Invalid)
}
