//! Made-up series, whose difference is known.

use super::made_up::{empty, run};
use super::*;

fn compared(before: &[Report], after: &[Report]) -> Comparison {
    let rules = Rules { draws: 200, ..Rules::default() };
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
        assert_eq!(
            worse.outcome() == Outcome::Regression,
            judgement(&worse, "e2e p50") == Judgement::Worse
        );
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
    let rules = Rules { draws: 200, tolerated_percent: 0.0, ..Rules::default() };
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
