//! Reports of runs that never were, for tests.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::adapter::AdapterKind;
use crate::metrics::{Timing, no_times};
use crate::plan::Plan;
use crate::report::Report;
use crate::settings::Settings;
use crate::slices::{Counts, Slices};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let settings = Settings { adapter: Some(AdapterKind::Echo), ..Settings::default() };
    Plan::resolve(Some("messaging"), settings).unwrap()
});

/// A run of 40 s with latencies of a long tail, around a median in microseconds. What one
/// second is like, the next is mostly like as well.
pub(crate) fn run(median_us: f64, random: &mut fastrand::Rng) -> Report {
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
pub(crate) fn empty() -> Report {
    let conducted = crate::conductor::Conducted {
        merged: crate::worker::Merged::default(),
        seconds: crate::seconds::Seconds::new(1),
        run: 1,
        interrupted: false,
        elapsed_seconds: 40.0,
        actions: Vec::new(),
        workers: (1, false),
        ramped_at_seconds: Some(0.0),
    };
    Report::new(&PLAN, conducted, 0, None)
}

/// From a normal distribution (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let (one, two) = (random.f64().max(1e-12), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}
