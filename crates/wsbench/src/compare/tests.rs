//! Made-up series, whose difference is known.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::*;
use crate::adapter::AdapterKind;
use crate::metrics::{Timing, no_times};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::slices::{Counts, Slices};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let settings = Settings { adapter: Some(AdapterKind::Echo), ..Settings::default() };
    Plan::resolve(Some("messaging"), settings).unwrap()
});

/// A run of 40 s with latencies of a long tail, around a median in microseconds. What one
/// second is like, the next is mostly like as well.
fn run(median_us: f64, random: &mut fastrand::Rng) -> Report {
    let mut slices = Slices::default();
    let mut whole = no_times();
    let mut mood = 0.0;
    let mut delivered = 0;
    for second in 1..=40 {
        mood = 0.5 * mood + 0.04 * normal(random);
        let mut times = no_times();
        let count = 400 + random.u64(..20);
        for _ in 0..count {
            let us = median_us * f64::exp(mood + 0.5 * normal(random));
            times.record(us.max(1.0) as u64).unwrap();
        }
        whole.add(&times).unwrap();
        delivered += count;
        let counts = Counts { sent: count, delivered: count, pongs: 0 };
        slices.add(second, counts, &[(Timing::EndToEnd, times)]);
    }
    let mut report = empty();
    report.slices = slices.list();
    report.phases.measured_from = Some(0.0);
    report.phases.measured_until = Some(40.0);
    report.counters.messages_due = delivered;
    report.rates.delivered_per_second = delivered as f64 / 40.0;
    report.times_ms = BTreeMap::from([("e2e".to_owned(), crate::report::TimesSummary::of(&whole))]);
    let buckets = crate::metrics::Sparse::of(&whole).into_buckets();
    report.histograms_us = BTreeMap::from([("e2e".to_owned(), buckets)]);
    report
}

/// A report of nothing.
fn empty() -> Report {
    let conducted = crate::conductor::Conducted {
        merged: crate::worker::Merged::default(),
        seconds: crate::seconds::Seconds::new(1),
        run: 1,
        interrupted: false,
        elapsed_seconds: 40.0,
        workers: (1, false),
        ramped_at_seconds: Some(0.0),
    };
    Report::new(&PLAN, conducted, 0, None, None)
}

/// From a normal distribution (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let (one, two) = (random.f64().max(1e-12), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

fn compared(before: &[Report], after: &[Report]) -> Comparison {
    let rules = Rules { draws: 300, ..Rules::default() };
    Comparison::of(before, after, rules).unwrap()
}

fn judgement(comparison: &Comparison, figure: &str) -> Judgement {
    comparison.differences.iter().find(|one| one.figure == figure).unwrap().judgement
}

#[test]
fn a_shift_of_ten_percent_is_found() {
    let mut random = fastrand::Rng::with_seed(7);
    let set = |median, random: &mut fastrand::Rng| -> Vec<Report> {
        (0..5).map(|_| run(median, random)).collect()
    };
    let mut found = 0;
    for _ in 0..8 {
        let (before, after) = (set(2000.0, &mut random), set(2200.0, &mut random));
        let worse = compared(&before, &after);
        found += u32::from(judgement(&worse, "e2e p50") == Judgement::Worse);
        assert_eq!(worse.outcome() == Outcome::Regression, judgement(&worse, "e2e p50") == Judgement::Worse);
        assert_ne!(judgement(&compared(&after, &before), "e2e p50"), Judgement::Worse);
    }
    assert_eq!(found, 8);
}

#[test]
fn a_large_shift_is_found_in_one_run_each() {
    let mut random = fastrand::Rng::with_seed(3);
    let (before, after) = (run(2000.0, &mut random), run(2600.0, &mut random));
    let comparison = compared(std::slice::from_ref(&before), &[after]);
    assert_eq!(judgement(&comparison, "e2e p50"), Judgement::Worse);
    assert_eq!(judgement(&comparison, "deliveries"), Judgement::Same);
    assert_eq!(comparison.outcome(), Outcome::Regression);
    assert!(comparison.text(crate::plan::Language::En).contains("REGRESSION"));
    assert!(comparison.warnings.iter().any(|warning| warning.contains("--repeat")));
}

/// At 95 % for all figures together, at most one of twenty comparisons of the same with the
/// same may call anything worse. With no tolerance at all, so that only the interval
/// decides.
#[test]
fn noise_is_called_a_regression_no_more_often_than_stated() {
    let mut random = fastrand::Rng::with_seed(11);
    let rules = Rules { draws: 300, tolerated_percent: 0.0, ..Rules::default() };
    let wrong = (0..100)
        .filter(|_| {
            let (before, after) = (run(2000.0, &mut random), run(2000.0, &mut random));
            let comparison = Comparison::of(&[before], &[after], rules).unwrap();
            comparison.outcome() == Outcome::Regression
        })
        .count();
    assert!(wrong <= 5, "{wrong} of 100");
}

#[test]
fn what_can_not_be_known_is_not_called_the_same() {
    let mut random = fastrand::Rng::with_seed(5);
    let (mut before, after) = (run(2000.0, &mut random), run(2000.0, &mut random));
    before.slices.truncate(3);
    let comparison = compared(&[before], &[after]);
    assert_eq!(judgement(&comparison, "e2e p99"), Judgement::Unclear);
    assert!(comparison.warnings.iter().any(|warning| warning.contains("too few")));
}

#[test]
fn deliveries_that_broke_are_a_regression_however_fast() {
    let mut random = fastrand::Rng::with_seed(5);
    let (before, mut after) = (run(2000.0, &mut random), run(1000.0, &mut random));
    after.deliveries.lost = 1;
    let comparison = compared(&[before], &[after]);
    assert_eq!(comparison.outcome(), Outcome::Regression);
}

#[test]
fn runs_are_alike_if_they_were_asked_to_do_the_same() {
    let (one, mut other) = (empty(), empty());
    other.plan.seed = 99;
    other.plan.targets = vec!["ws://elsewhere:1/".parse().unwrap()];
    let groups = group(vec![one.clone(), other.clone()]);
    assert_eq!(groups.len(), 1, "where and with which choices does not matter");
    other.plan.payload_size = 1024;
    let groups = group(vec![one, other]);
    let [first, second] = &groups[..] else { panic!("{}", groups.len()) };
    assert_eq!(differences(first, second), ["payloadSize was 128, is 1024"]);
}
