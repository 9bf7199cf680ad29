//! Is the bench honest about groups? One message is for many, a fault befalls the copy
//! of one member, and that one delivery must be found wrong, and no other.

use anyhow::Result;
use wsbench::verdict::Outcome;

use crate::support::{Liar, each};
use crate::trial::{TEMPLATES, TIMES, Trial, faults, run};

/// Two groups of twenty in which four speak, 300 messages a second in all.
fn groups(faults: &[&str]) -> Result<Trial> {
    let liar = Liar::start(faults)?;
    let target = format!("ws://{}/im", liar.address);
    let start = ["group-fanout", "--target", &target, "--conns", "40", "--rate", "300"];
    let sizes = ["--group-size", "20", "--group-senders", "4"];
    let rooms = [
        "--raw-join",
        r#"{"type":"join","group":"{group}"}"#,
        "--raw-join-ok",
        r#""joined""#,
        "--raw-send",
        r#"{"type":"send","group":"{group}","id":"{id}","body":"{body}"}"#,
    ];
    // The later --raw-send is the one that holds.
    let trial = run(&liar, &[&start, &TEMPLATES[..], &TIMES[..], &sizes, &rooms].concat())?;
    let tally = &trial.found.deliveries;
    assert!(tally.sent > 300, "{}", tally.sent);
    assert_eq!(tally.expected, tally.sent * 19);
    Ok(trial)
}

#[test]
fn nothing_is_found_in_groups_where_nothing_was_done() -> Result<()> {
    let trial = groups(&[])?;
    assert_eq!(faults(&trial.found), [0; 8]);
    assert_eq!(trial.found.deliveries.delivered, trial.found.deliveries.expected);
    assert_ne!(trial.found.verdict.outcome, Outcome::DeliveryBroken);
    let last = trial.found.times("fanoutLast").expect("each message has a last recipient");
    let first = trial.found.times("fanoutFirst").expect("and a first");
    assert_eq!(last.count, first.count);
    assert!(last.p50 >= first.p50);
    Ok(())
}

#[test]
fn the_one_copy_that_is_missing_is_lost() -> Result<()> {
    let trials = each([["--drop", "37"], ["--ack-and-drop", "37"]], |faults| groups(&faults))?;
    let dropped = trials[0].did("drop");
    assert!(dropped > 5);
    // The fault keeps the ack back as well.
    assert_eq!(faults(&trials[0].found), [dropped, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(trials[0].found.verdict.outcome, Outcome::DeliveryBroken);
    let dropped = trials[1].did("ack_and_drop");
    assert!(dropped > 5);
    assert_eq!(faults(&trials[1].found), [dropped, dropped, 0, 0, 0, 0, 0, 0]);
    Ok(())
}

#[test]
fn the_one_copy_that_is_wrong_is_found() -> Result<()> {
    let trials = each([["--duplicate", "37"], ["--corrupt", "37"]], |faults| groups(&faults))?;
    let duplicated = trials[0].did("duplicate");
    assert!(duplicated > 5);
    assert_eq!(faults(&trials[0].found), [0, 0, duplicated, 0, 0, 0, 0, 0]);
    let spoiled = trials[1].did("corrupt");
    assert!(spoiled > 5);
    let [lost, _, duplicates, reordered, wrong, corrupt, ..] = faults(&trials[1].found);
    assert_eq!([lost, duplicates, reordered, wrong, corrupt], [spoiled, 0, 0, 0, spoiled]);
    Ok(())
}

#[test]
fn a_copy_that_leaves_its_group_is_found_there_and_missed_here() -> Result<()> {
    let trial = groups(&["--wrong-user", "37"])?;
    let astray = trial.did("wrong_user");
    assert!(astray > 5);
    assert_eq!(faults(&trial.found), [astray, astray, 0, 0, astray, 0, 0, 0]);
    Ok(())
}
