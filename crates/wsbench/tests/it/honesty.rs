//! Is the bench honest? Against a server that lies by known amounts, and keeps its own
//! account, every fault must be found exactly, and nothing where there was none.

use anyhow::Result;
use wsbench::verdict::Outcome;

use crate::trial::{LONGER, both, echo, faults, messenger};

#[test]
fn nothing_is_found_where_nothing_was_done() -> Result<()> {
    for trial in both(&[], &[])? {
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
    for trial in both(&["--drop", "10000"], &LONGER)? {
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
    let trial = messenger(&["--ack-and-drop", "397"], &[])?;
    let dropped = trial.did("ack_and_drop");
    assert!(dropped > 5);
    assert_eq!(faults(&trial.found), [dropped, dropped, 0, 0, 0, 0, 0, 0]);
    assert!(trial.found.deliveries.examples.iter().all(|lost| lost.acked));
    Ok(())
}

#[test]
fn twice_is_once_too_often() -> Result<()> {
    for trial in both(&["--duplicate", "397"], &[])? {
        let duplicated = trial.did("duplicate");
        assert!(duplicated > 5);
        assert_eq!(faults(&trial.found), [0, 0, duplicated, 0, 0, 0, 0, 0]);
    }
    Ok(())
}

#[test]
fn changed_places_are_reordered_by_one() -> Result<()> {
    for trial in both(&["--reorder", "397"], &[])? {
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
    let trial = messenger(&["--wrong-user", "397"], &[])?;
    let misdelivered = trial.did("wrong_user");
    assert!(misdelivered > 5);
    assert_eq!(faults(&trial.found), [misdelivered, misdelivered, 0, 0, misdelivered, 0, 0, 0]);
    Ok(())
}

#[test]
fn one_changed_letter_is_corrupt_wherever_it_is() -> Result<()> {
    for trial in both(&["--corrupt", "37"], &[])? {
        let spoiled = trial.did("corrupt");
        assert!(spoiled > 90);
        let [lost, .., corrupt, unmatched, disconnects] = faults(&trial.found);
        assert_eq!([lost, corrupt, unmatched, disconnects], [spoiled, spoiled, 0, 0]);
    }
    Ok(())
}

#[test]
fn an_answer_to_nothing_is_noticed() -> Result<()> {
    let trial = messenger(&["--wrong-answer", "397"], &[])?;
    let wrong = trial.did("wrong_answer");
    assert!(wrong > 5);
    assert_eq!(faults(&trial.found), [0, 0, 0, 0, 0, 0, wrong, 0]);
    assert_eq!(trial.found.deliveries.acked, trial.found.deliveries.sent - wrong);
    Ok(())
}

#[test]
fn a_reset_is_a_disconnect_and_no_loss() -> Result<()> {
    let trial = messenger(&["--reset", "397"], &[])?;
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
    // So long that nothing a busy machine does to others is as slow.
    let amounts = ["--slow-accept", "7", "--slow-accept-ms", "3000"];
    let trial = echo(&amounts, &["--conns", "100"])?;
    let slow = trial.did("slow_accept");
    assert_eq!(slow, 100 / 7);
    // None can be faster than the server was slow.
    assert_eq!(trial.times_over("connectRaw", 2_998_000), slow);
    assert_eq!(trial.found.counters.connects_ok, 100);
    Ok(())
}

#[test]
fn one_delayed_in_ten_thousand_is_found_in_the_tail() -> Result<()> {
    // Each recipient gets a message every 400 ms or so: the next one behind the delayed
    // one waits for 1.1 s.
    let amounts = ["--delay", "10000", "--delay-ms", "1500"];
    let more = ["--conns", "1200", "--max-cps", "10000", "--drain", "5s"];
    let trial = messenger(&amounts, &[&more[..], &LONGER].concat())?;
    let delayed = trial.did("delay");
    assert!(delayed >= 1);
    assert_eq!(faults(&trial.found), [0; 8]);
    let over = trial.times_over("e2e", 1_498_000);
    // Acks are never delayed, so they are the control: on a machine that holds none of
    // them up for 300 ms there is none too many.
    let held_up = trial.times_over("ack", 300_000);
    assert!((delayed..=delayed + held_up).contains(&over), "{delayed} {over} {held_up}");
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
    // fastest, and above what this machine adds to anything: acks are never delayed. (The
    // median is, too, on a machine that has nothing else to do.)
    let fastest = trial.waits[0] as f64 / 1000.0;
    let added = trial.found.times("ack").expect("it was measured").min;
    assert!(raw.min <= fastest + 1.0 + added, "{raw:?} {fastest} {added}");
    Ok(())
}

#[test]
fn a_stall_shows_whole_in_the_corrected_latency() -> Result<()> {
    // With ten under way a sender holds the rest back, so that only the time a message was
    // meant to leave tells of the stall.
    let more = ["--rate", "2000", "--max-in-flight", "10", "--duration", "3s"];
    let trial = messenger(&["--stall", "1000"], &more)?;
    assert_eq!(trial.did("stall"), 1);
    assert_eq!(faults(&trial.found), [0; 8]);
    // By the server's own clock; then it had the backlog to work off.
    let stall = trial.waits[0] as f64 / 1e6;
    let longest = trial.found.times("e2e").expect("it was measured").max / 1e3;
    assert!(stall >= 2.0 && longest >= stall - 0.01, "{stall} {longest}");
    // 2,000 messages a second were due all the time. A message that was due so long after
    // the beginning of the stall waited for the rest of it at least. (How many more did
    // depends on how fast this machine works the backlog off.)
    for over in [0.5, 1.0, 1.5] {
        let found = trial.times_over("e2e", (over * 1e6) as u64) as f64 / 2000.0;
        let least = (stall - over) * 0.95;
        assert!(found >= least, "{over}: {found}, and not {least}");
    }
    // Each is a message that was sent, and none is made up.
    let measured = |key| trial.found.times(key).expect("it was measured").count;
    assert_eq!(measured("e2e"), measured("e2eRaw"));
    assert!(measured("e2e") <= trial.found.deliveries.delivered);
    Ok(())
}

#[test]
fn a_closed_loop_hides_the_stall_and_says_so() -> Result<()> {
    let more = ["--in-flight", "1", "--warmup", "0s", "--duration", "3s"];
    let trial = messenger(&["--stall", "1000"], &more)?;
    // The stall is in the longest time, but few messages were sent that could tell of it.
    assert!(trial.found.times("e2e").expect("measured").max >= 1_990.0);
    // Two of each of the 20 senders at most: one acknowledged and not yet delivered, and
    // the one after it. In the open loop it was half of all that were due.
    assert!(trial.times_over("e2e", 1_000_000) <= 40);
    assert_eq!(trial.found.plan.in_flight, Some(1));
    Ok(())
}
