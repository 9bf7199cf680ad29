//! Is B worse than A? Two runs, or two sets of repeats, compared by confidence intervals.
//!
//! The method is the bootstrap (Efron 1979), which assumes no form of distribution: from
//! what was measured many other runs are drawn that might have been, and the interval is
//! where 95 % of the differences between them lie. What is drawn are *slices* of a run
//! ([`crate::slices`]), in blocks of neighbours, because what happens in one second is not
//! independent of the second before (Künsch 1989; the blocks are circular after Politis
//! and Romano 1992); of sets of repeats first the repeats, then the slices in each.
//!
//! Several figures are compared at once, so each has an interval that is wider by
//! Bonferroni's correction: for all of them together the stated confidence holds. A
//! difference counts as worse only if its whole interval is on the worse side *and* it is
//! larger than what the user tolerates. Few runs or blocks widen the intervals as Student's
//! distribution does.
//!
//! What it can't see is said in docs/wsbench.md: one run each knows nothing of how runs
//! differ, and a warm cache is no noise.

mod alike;
mod bootstrap;
mod table;

use serde::Serialize;

use crate::report::Report;
use crate::verdict::Outcome;

pub use alike::{Group, differences, group};
use bootstrap::{Interval, Sample, intervals};

/// What is tolerated, how sure one wants to be, and how hard to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Worse by up to so many percent is no regression.
    pub tolerated_percent: f64,
    /// How sure, for all figures together, in percent.
    pub confidence_percent: f64,
    /// Runs that are drawn.
    pub draws: usize,
    /// What the draws follow from: the same seed, the same intervals.
    pub seed: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { tolerated_percent: 5.0, confidence_percent: 95.0, draws: 2_000, seed: 1 }
    }
}

/// What a difference comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Judgement {
    /// Worse for sure, and by more than is tolerated.
    Worse,
    /// Better for sure, and by more than is tolerated.
    Better,
    /// For sure no further apart than is tolerated.
    Same,
    /// Not sure: the interval holds both no difference and one that is not tolerated.
    Unclear,
}

/// One figure of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Which figure.
    pub figure: String,
    /// Its unit.
    pub unit: String,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub after: f64,
    /// The change, in percent of what it was.
    pub change_percent: f64,
    /// The lower end of the change's confidence interval.
    pub low_percent: f64,
    /// The upper end.
    pub high_percent: f64,
    /// What it comes to.
    pub judgement: Judgement,
}

/// Two sides compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The scenario.
    pub scenario: String,
    /// Runs of each side.
    pub runs: [usize; 2],
    /// The figures.
    pub differences: Vec<Difference>,
    /// Deliveries are broken in B that were not in A.
    pub newly_broken: bool,
    /// What makes the figures worth less.
    pub warnings: Vec<String>,
    /// What was tolerated, in percent.
    pub tolerated_percent: f64,
    /// How sure, for all figures together, in percent.
    pub confidence_percent: f64,
}

impl Comparison {
    /// Compares two sets of runs of the same plan. Neither may be empty.
    pub fn of(before: &[Report], after: &[Report], rules: Rules) -> Result<Self, String> {
        let (Some(first), Some(_)) = (before.first(), after.first()) else {
            return Err("there is nothing to compare".to_owned());
        };
        let figures = figures(before, after);
        if figures.is_empty() {
            return Err(
                "neither messages nor pings nor connections were timed in both, so there is \
                 nothing to compare"
                    .to_owned(),
            );
        }
        // Bonferroni: each of n intervals errs n times as rarely.
        let error = (1.0 - rules.confidence_percent / 100.0) / figures.len() as f64;
        let mut random = fastrand::Rng::with_seed(rules.seed);
        let mut differences = Vec::new();
        // Percentiles of the same times are of the same draws.
        for figures in figures.chunk_by(|one, other| one.kind == other.kind) {
            let sides = [before, after].map(|runs| figures[0].samples(runs));
            let statistics: Vec<_> = figures.iter().map(|figure| figure.statistic).collect();
            let intervals = intervals(&sides, &statistics, error, rules.draws, &mut random);
            let compared = figures.iter().zip(intervals);
            differences.extend(
                compared
                    .map(|(figure, interval)| figure.difference(before, after, interval, rules)),
            );
        }
        let is_broken = |runs: &[Report]| runs.iter().any(|run| !run.deliveries.is_clean());
        Ok(Self {
            scenario: first.plan.scenario.clone(),
            runs: [before.len(), after.len()],
            differences,
            newly_broken: is_broken(after) && !is_broken(before),
            warnings: warnings(before, after),
            tolerated_percent: rules.tolerated_percent,
            confidence_percent: rules.confidence_percent,
        })
    }

    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        let worse = |difference: &Difference| difference.judgement == Judgement::Worse;
        if self.newly_broken || self.differences.iter().any(worse) {
            Outcome::Regression
        } else {
            Outcome::Ok
        }
    }
}

/// What is computed from slices.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Statistic {
    /// A quantile of all times together.
    Quantile(f64),
    /// The sum of counts over the sum of seconds.
    Rate,
}

/// A figure that is compared.
#[derive(Clone, Debug)]
struct Figure {
    name: String,
    unit: &'static str,
    /// The kind of times, or what is counted.
    kind: &'static str,
    statistic: Statistic,
    more_is_better: bool,
}

/// The figures that both sides have.
fn figures(before: &[Report], after: &[Report]) -> Vec<Figure> {
    let everywhere = |has: &dyn Fn(&Report) -> bool| before.iter().chain(after).all(has);
    let timed =
        |kind: &str| everywhere(&|run| run.times(kind).is_some_and(|times| times.count > 0));
    let mut figures = Vec::new();
    let kind = ["e2e", "ack", "ping", "connect"].into_iter().find(|kind| timed(kind));
    if let Some(kind) = kind {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            figures.push(Figure {
                name: format!("{kind} {name}"),
                unit: "ms",
                kind,
                statistic: Statistic::Quantile(quantile),
                more_is_better: false,
            });
        }
    }
    let counted = if everywhere(&|run| run.counters.messages_due > 0) {
        Some(("delivered", "deliveries"))
    } else if everywhere(&|run| run.counters.pongs_received > 0) {
        Some(("pongs", "pongs"))
    } else {
        None
    };
    if let Some((kind, name)) = counted {
        figures.push(Figure {
            name: name.to_owned(),
            unit: "/s",
            kind,
            statistic: Statistic::Rate,
            more_is_better: true,
        });
    }
    figures
}

impl Figure {
    /// For each run its slices, as far as they concern this figure.
    fn samples(&self, runs: &[Report]) -> Vec<Vec<Sample>> {
        runs.iter().map(|run| self.slices(run)).collect()
    }

    fn slices(&self, run: &Report) -> Vec<Sample> {
        let from = run.phases.measured_from.unwrap_or(0.0);
        let until = run.phases.measured_until.unwrap_or(f64::INFINITY);
        let whole = run.slices.iter().filter(|slice| {
            // Only whole slices have a rate; what is timed at the edges is timed all the same.
            self.statistic != Statistic::Rate
                || (slice.from_second as f64 >= from && slice.to_second as f64 <= until)
        });
        whole
            .filter_map(|slice| match self.statistic {
                Statistic::Rate => Some(Sample::Count {
                    count: if self.kind == "delivered" { slice.delivered } else { slice.pongs },
                    seconds: slice.to_second - slice.from_second,
                }),
                Statistic::Quantile(_) => {
                    Some(Sample::Times(slice.histograms_us.get(self.kind)?.clone()))
                }
            })
            .collect()
    }

    fn difference(
        &self,
        before: &[Report],
        after: &[Report],
        interval: Option<Interval>,
        rules: Rules,
    ) -> Difference {
        let [before, after] = [before, after].map(|runs| self.value(runs));
        let change = 100.0 * (after / before - 1.0);
        let (low, high) = interval.map_or((f64::NEG_INFINITY, f64::INFINITY), |interval| {
            (100.0 * interval.low, 100.0 * interval.high)
        });
        // From here on up is worse.
        let turn = |change: f64| if self.more_is_better { -change } else { change };
        let (worst, best) = (turn(low).max(turn(high)), turn(low).min(turn(high)));
        let tolerated = rules.tolerated_percent;
        let judgement = if best > 0.0 && turn(change) > tolerated {
            Judgement::Worse
        } else if worst < 0.0 && turn(change) < -tolerated {
            Judgement::Better
        } else if worst <= tolerated && best >= -tolerated {
            Judgement::Same
        } else {
            Judgement::Unclear
        };
        Difference {
            figure: self.name.clone(),
            unit: self.unit.to_owned(),
            before,
            after,
            change_percent: change,
            low_percent: low,
            high_percent: high,
            judgement,
        }
    }

    /// The figure itself, of all runs together: exact, from whole histograms.
    fn value(&self, runs: &[Report]) -> f64 {
        match self.statistic {
            Statistic::Quantile(quantile) => {
                let all = runs.iter().filter_map(|run| run.histograms_us.get(self.kind));
                bootstrap::quantile(all.flatten().copied().collect(), quantile) / 1000.0
            }
            Statistic::Rate => {
                let rate = |run: &Report| match self.kind {
                    "delivered" => run.rates.delivered_per_second,
                    _ => run.counters.pongs_received as f64 / run.elapsed_seconds.max(1e-9),
                };
                runs.iter().map(rate).sum::<f64>() / runs.len() as f64
            }
        }
    }
}

/// What makes a comparison worth less.
fn warnings(before: &[Report], after: &[Report]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (side, runs) in [("A", before), ("B", after)] {
        let count = |is: &dyn Fn(&Report) -> bool| runs.iter().filter(|run| is(run)).count();
        let invalid = count(&|run| !run.verdict.invalid.is_empty());
        if invalid > 0 {
            warnings.push(format!(
                "{invalid} of {} runs of {side} are INVALID: the generator was the limit, not the server",
                runs.len()
            ));
        }
        let interrupted = count(&|run| run.interrupted);
        if interrupted > 0 {
            warnings.push(format!("{interrupted} runs of {side} were ended early by the user"));
        }
        if runs.iter().any(|run| run.slices.len() < bootstrap::SLICES_MIN) {
            warnings.push(format!(
                "a run of {side} has fewer than {} slices (seconds): too few for an interval",
                bootstrap::SLICES_MIN
            ));
        }
        if let [run] = runs
            && run.deliveries.faults() > 0
        {
            warnings.push(format!("deliveries are broken in {side}"));
        }
    }
    let machines: Vec<_> =
        before.iter().chain(after).filter_map(|run| run.machine.as_ref()).collect();
    if machines.windows(2).any(|pair| pair[0] != pair[1]) {
        warnings.push("the runs were made on different machines or kernels".to_owned());
    }
    if before.len() == 1 && after.len() == 1 {
        warnings.push(
            "one run each: how much runs differ by themselves is not known; --repeat 5 on both \
             sides shows it"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
pub(crate) mod made_up;
#[cfg(test)]
mod tests;
