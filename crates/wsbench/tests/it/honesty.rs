//! Is the bench honest? Against a server that lies by known amounts, and keeps its own
//! account, every fault must be found exactly, and nothing where there was none.

use anyhow::Result;
use wsbench::report::Report;
use wsbench::verdict::Outcome;

use crate::support::{Liar, report};

/// How to speak to the lying server's messenger.
const TEMPLATES: [&str; 12] = [
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

const TIMES: [&str; 8] =
    ["--ramp", "500ms", "--duration", "4s", "--warmup", "200ms", "--drain", "3s"];

/// What a lying server did, and what was found.
struct Trial {
    did: std::collections::BTreeMap<String, u64>,
    waits: Vec<u64>,
    found: Report,
}

impl Trial {
    fn did(&self, fault: &str) -> u64 {
        self.did.get(fault).copied().unwrap_or(0)
    }

    /// Recorded times of at least so many microseconds.
    fn times_over(&self, key: &str, us: u64) -> u64 {
        let buckets = self.found.histograms_us.get(key).into_iter().flatten();
        buckets.filter(|(value, _)| *value >= us).map(|(_, count)| count).sum()
    }
}

/// Pairs that talk through the messenger, 3,000 messages a second.
fn messenger(faults: &[&str], more: &[&str]) -> Result<Trial> {
    let liar = Liar::start(faults)?;
    let target = format!("ws://{}/im", liar.address);
    let start = ["messaging", "--target", &target, "--conns", "20", "--rate", "3000"];
    trial(&liar, &[&start, &TEMPLATES[..], &TIMES[..], more].concat())
}

/// Connections that talk to themselves.
fn echo(faults: &[&str], more: &[&str]) -> Result<Trial> {
    let liar = Liar::start(faults)?;
    let target = format!("ws://{}/echo", liar.address);
    let start =
        ["messaging", "--target", &target, "--conns", "20", "--rate", "3000", "--adapter", "echo"];
    trial(&liar, &[&start, &TIMES[..], more].concat())
}

fn trial(liar: &Liar, arguments: &[&str]) -> Result<Trial> {
    let found = report(arguments)?;
    let (did, waits) = liar.confession()?;
    assert!(found.deliveries.adds_up(), "{:?}", found.deliveries);
    assert!(found.deliveries.sent > 5_000, "{}", found.deliveries.sent);
    Ok(Trial { did, waits, found })
}

/// Everything that can be wrong with deliveries: lost, acked and lost, duplicated,
/// reordered, at somebody else's, corrupt, unmatched answers, disconnects.
fn faults(report: &Report) -> [u64; 8] {
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

#[test]
fn nothing_is_found_where_nothing_was_done() -> Result<()> {
    for trial in [messenger(&[], &[])?, echo(&[], &[])?] {
        assert!(trial.did.is_empty());
        assert_eq!(faults(&trial.found), [0; 8]);
        assert_eq!(trial.found.deliveries.delivered, trial.found.deliveries.expected);
        assert!(trial.found.verdict.broken.is_empty(), "{:?}", trial.found.verdict);
        assert_ne!(trial.found.verdict.outcome, Outcome::DeliveryBroken);
    }
    Ok(())
}

#[test]
fn one_dropped_in_ten_thousand_is_lost() -> Result<()> {
    for trial in [messenger(&["--drop", "10000"], &[])?, echo(&["--drop", "10000"], &[])?] {
        let dropped = trial.did("drop");
        assert!(dropped >= 1);
        assert_eq!(faults(&trial.found), [dropped, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(trial.found.deliveries.gaps, dropped);
        assert_eq!(trial.found.deliveries.examples.len() as u64, dropped);
        assert_eq!(trial.found.verdict.outcome, Outcome::DeliveryBroken);
        assert_eq!(trial.found.verdict.exit_code, 6);
    }
    Ok(())
}

#[test]
fn acked_and_dropped_is_acked_but_lost() -> Result<()> {
    let trial = messenger(&["--ack-and-drop", "997"], &[])?;
    let dropped = trial.did("ack_and_drop");
    assert!(dropped > 5);
    assert_eq!(faults(&trial.found), [dropped, dropped, 0, 0, 0, 0, 0, 0]);
    assert!(trial.found.deliveries.examples.iter().all(|lost| lost.acked));
    Ok(())
}

#[test]
fn twice_is_once_too_often() -> Result<()> {
    for trial in [messenger(&["--duplicate", "997"], &[])?, echo(&["--duplicate", "997"], &[])?] {
        let duplicated = trial.did("duplicate");
        assert!(duplicated > 5);
        assert_eq!(faults(&trial.found), [0, 0, duplicated, 0, 0, 0, 0, 0]);
    }
    Ok(())
}

#[test]
fn changed_places_are_reordered_by_one() -> Result<()> {
    for trial in [messenger(&["--reorder", "997"], &[])?, echo(&["--reorder", "997"], &[])?] {
        let reordered = trial.did("reorder");
        assert!(reordered > 5);
        assert_eq!(faults(&trial.found), [0, 0, 0, reordered, 0, 0, 0, 0]);
        assert_eq!(trial.found.deliveries.reorder_depth_max, 1);
        assert_eq!(trial.found.deliveries.gaps, 0);
    }
    Ok(())
}

#[test]
fn what_somebody_else_gets_is_found_there_and_missed_here() -> Result<()> {
    let trial = messenger(&["--wrong-user", "997"], &[])?;
    let misdelivered = trial.did("wrong_user");
    assert!(misdelivered > 5);
    assert_eq!(faults(&trial.found), [misdelivered, misdelivered, 0, 0, misdelivered, 0, 0, 0]);
    Ok(())
}

#[test]
fn one_changed_letter_is_corrupt_wherever_it_is() -> Result<()> {
    for trial in [messenger(&["--corrupt", "97"], &[])?, echo(&["--corrupt", "97"], &[])?] {
        let spoiled = trial.did("corrupt");
        assert!(spoiled > 90);
        let [lost, .., corrupt, unmatched, disconnects] = faults(&trial.found);
        assert_eq!([lost, corrupt, unmatched, disconnects], [spoiled, spoiled, 0, 0]);
    }
    Ok(())
}

#[test]
fn an_answer_to_nothing_is_noticed() -> Result<()> {
    let trial = messenger(&["--wrong-answer", "997"], &[])?;
    let wrong = trial.did("wrong_answer");
    assert!(wrong > 5);
    assert_eq!(faults(&trial.found), [0, 0, 0, 0, 0, 0, wrong, 0]);
    assert_eq!(trial.found.deliveries.acked, trial.found.deliveries.sent - wrong);
    Ok(())
}

#[test]
fn a_reset_is_a_disconnect_and_no_loss() -> Result<()> {
    let trial = messenger(&["--reset", "997"], &[])?;
    let resets = trial.did("reset");
    assert!(resets > 5);
    let [lost, _, duplicates, reordered, wrong, corrupt, unmatched, disconnects] =
        faults(&trial.found);
    assert_eq!([duplicates, reordered, wrong, corrupt, unmatched], [0; 5]);
    assert_eq!((disconnects, lost), (resets, 0));
    let errors: Vec<_> =
        trial.found.errors.iter().map(|error| (error.class.as_str(), error.count)).collect();
    assert_eq!(errors, [("lost_conn_reset", resets)]);
    Ok(())
}

#[test]
fn a_slow_accept_is_a_slow_connect() -> Result<()> {
    let faults = ["--slow-accept", "7", "--slow-accept-ms", "400"];
    let trial = echo(&faults, &["--conns", "100"])?;
    let slow = trial.did("slow_accept");
    assert_eq!(slow, 100 / 7);
    // None can be faster than the server was slow.
    assert!(trial.times_over("connectRaw", 399_000) >= slow);
    // On a machine that is not overloaded no other is as slow.
    assert_eq!(trial.times_over("connectRaw", 399_000), slow, "is this machine overloaded?");
    assert_eq!(trial.found.counters.connects_ok, 100);
    Ok(())
}

#[test]
fn one_delayed_in_ten_thousand_is_found_in_the_tail() -> Result<()> {
    // Each recipient gets a message every 400 ms or so, so nobody waits behind another.
    let faults = ["--delay", "10000", "--delay-ms", "1500"];
    let trial = messenger(&faults, &["--conns", "1200", "--max-cps", "10000", "--drain", "5s"])?;
    let delayed = trial.did("delay");
    assert!(delayed >= 1);
    assert_eq!(self::faults(&trial.found), [0; 8]);
    let over = trial.times_over("e2e", 1_498_000);
    assert_eq!(over, delayed, "is this machine overloaded?");
    Ok(())
}

#[test]
fn five_milliseconds_read_five_milliseconds() -> Result<()> {
    let trial = messenger(
        &["--delay-all-ms", "5"],
        &["--conns", "400", "--max-cps", "10000", "--rate", "2500"],
    )?;
    let raw = trial.found.times("e2eRaw").expect("it was measured");
    // By the server's own clock, in milliseconds.
    let waited = trial.waits[trial.waits.len() / 2] as f64 / 1000.0;
    assert!(trial.waits[0] >= 5_000);
    // Nothing can be faster than the server was slow; three digits are kept.
    assert!(raw.min >= 4.99, "{raw:?}");
    assert!(raw.p50 >= waited * 0.999, "{raw:?} {waited}");
    // The stated error: the fastest is at most 1 ms above what the server says of its
    // fastest. (The median is, too, on a machine that has nothing else to do.)
    let fastest = trial.waits[0] as f64 / 1000.0;
    assert!(raw.min <= fastest + 1.0, "{raw:?} {fastest}");
    Ok(())
}

#[test]
fn a_stall_shows_whole_in_the_corrected_latency() -> Result<()> {
    let trial = messenger(&["--stall", "3000"], &["--rate", "2000"])?;
    assert_eq!(trial.did("stall"), 1);
    assert_eq!(self::faults(&trial.found), [0; 8]);
    let e2e = trial.found.times("e2e").expect("it was measured");
    assert!(e2e.max >= 1_990.0, "{e2e:?}");
    // In two seconds 4,000 messages were due. Half of them waited for longer than a
    // second, a quarter for longer than one and a half.
    for (over_us, share) in [(1_000_000, 0.5), (1_500_000, 0.25), (200_000, 0.9)] {
        let over = trial.times_over("e2e", over_us) as f64 / 4000.0;
        assert!((share - 0.05..share + 0.15).contains(&over), "{over_us}: {over}");
    }
    Ok(())
}

#[test]
fn a_closed_loop_hides_the_stall_and_says_so() -> Result<()> {
    // However fast the machine is, the stall is in the time that is measured.
    let trial = messenger(&["--stall", "5000"], &["--in-flight", "1", "--warmup", "0s"])?;
    // The stall is in the longest time, but few messages were sent that could tell of it.
    assert!(trial.found.times("e2e").expect("measured").max >= 1_990.0);
    // Two of each of the 20 senders at most: one acknowledged and not yet delivered, and
    // the one after it. In the open loop it was half of all that were due.
    assert!(trial.times_over("e2e", 1_000_000) <= 40);
    assert_eq!(trial.found.plan.in_flight, Some(1));
    Ok(())
}
