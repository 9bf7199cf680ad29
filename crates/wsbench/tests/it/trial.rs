//! A run against a lying server: what it did by its own account, and what was found.

use std::collections::BTreeMap;

use anyhow::Result;
use wsbench::report::Report;

use crate::support::{Liar, report};

/// How to speak to the lying server's messenger.
pub(crate) const TEMPLATES: [&str; 12] = [
    "--adapter",
    "raw",
    "--raw-login",
    r#"{"type":"login","user":"{user}"}"#,
    "--raw-login-ok",
    r#""welcome""#,
    "--raw-send",
    r#"{"type":"send","to":"{to}","id":"{id}","body":"{body}"}"#,
    "--raw-ack",
    r#""type":"ack""#,
    "--raw-ping",
    r#"{"type":"ping","token":"{token}"}"#,
];

/// Short, but long enough for every fault to happen.
pub(crate) const TIMES: [&str; 8] =
    ["--ramp", "500ms", "--duration", "4s", "--warmup", "200ms", "--drain", "3s"];

/// What a lying server did, and what was found.
pub(crate) struct Trial {
    pub(crate) did: BTreeMap<String, u64>,
    pub(crate) waits: Vec<u64>,
    pub(crate) found: Report,
}

impl Trial {
    pub(crate) fn did(&self, fault: &str) -> u64 {
        self.did.get(fault).copied().unwrap_or(0)
    }

    /// Recorded times of at least so many microseconds.
    pub(crate) fn times_over(&self, key: &str, us: u64) -> u64 {
        let buckets = self.found.histograms_us.get(key).into_iter().flatten();
        buckets.filter(|(value, _)| *value >= us).map(|(_, count)| count).sum()
    }
}

/// Pairs that talk through the messenger, 3,000 messages a second.
pub(crate) fn messenger(faults: &[&str], more: &[&str]) -> Result<Trial> {
    let liar = Liar::start(faults)?;
    let target = format!("ws://{}/im", liar.address);
    let start = ["messaging", "--target", &target, "--conns", "20", "--rate", "3000"];
    many(&liar, &[&start, &TEMPLATES[..], &TIMES[..], more].concat())
}

/// Connections that talk to themselves.
pub(crate) fn echo(faults: &[&str], more: &[&str]) -> Result<Trial> {
    let liar = Liar::start(faults)?;
    let target = format!("ws://{}/echo", liar.address);
    let start =
        ["messaging", "--target", &target, "--conns", "20", "--rate", "3000", "--adapter", "echo"];
    many(&liar, &[&start, &TIMES[..], more].concat())
}

fn many(liar: &Liar, arguments: &[&str]) -> Result<Trial> {
    let trial = run(liar, arguments)?;
    let sent = trial.found.deliveries.sent;
    // A closed loop sends as many as the machine lets it.
    assert!(sent > 5_000 || trial.found.plan.in_flight.is_some(), "{sent}");
    Ok(trial)
}

/// A run, and what the server has to say of it.
pub(crate) fn run(liar: &Liar, arguments: &[&str]) -> Result<Trial> {
    let found = report(arguments)?;
    let (did, waits) = liar.confession()?;
    assert!(found.deliveries.adds_up(), "{:?}", found.deliveries);
    Ok(Trial { did, waits, found })
}

/// Everything that can be wrong with deliveries: lost, acked and lost, duplicated,
/// reordered, at somebody else's, corrupt, unmatched answers, disconnects.
pub(crate) fn faults(report: &Report) -> [u64; 8] {
    let tally = &report.deliveries;
    [
        tally.lost,
        tally.acked_but_lost,
        tally.duplicates,
        tally.reordered,
        tally.wrong_recipient,
        tally.corrupt,
        report.counters.unmatched_answers,
        report.counters.disconnects,
    ]
}
