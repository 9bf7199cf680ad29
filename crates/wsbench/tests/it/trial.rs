//! A run against a lying server: what it did by its own account, and what was found.

use std::collections::BTreeMap;

use anyhow::Result;
use wsbench::report::Report;

use crate::support::{Liar, each, report};

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

/// Short: one and a half seconds of messages. Faults that are to happen several times are
/// made frequent rather than the run long. What is lost is waited for all of the drain,
/// which costs nothing but time, and a busy machine needs it.
pub(crate) const TIMES: [&str; 8] =
    ["--ramp", "200ms", "--duration", "1700ms", "--warmup", "100ms", "--drain", "3s"];

/// Long enough for one message in ten thousand.
pub(crate) const LONGER: [&str; 2] = ["--duration", "4s"];

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

/// The same faults in the messenger and in the echo, at the same time.
pub(crate) fn both(faults: &[&str], more: &[&str]) -> Result<Vec<Trial>> {
    each([true, false], |relays| if relays { messenger(faults, more) } else { echo(faults, more) })
}

fn many(liar: &Liar, arguments: &[&str]) -> Result<Trial> {
    let trial = run(liar, arguments)?;
    let sent = trial.found.deliveries.sent;
    // A closed loop sends as many as the machine lets it.
    assert!(sent > 3_000 || trial.found.plan.in_flight.is_some(), "{sent}");
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
