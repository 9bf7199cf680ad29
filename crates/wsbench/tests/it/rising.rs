//! Scenarios in which the load rises, or one message means much work, against a real
//! Petrel; and the search for a capacity against a server whose capacity is known.

use anyhow::Result;
use petrel_testkit::server::{Launcher, Server};
use wsbench::capacity::Capacity;
use wsbench::report::Report;
use wsbench::verdict::Outcome;
use wsbench::worker::{BeyondKnee, beyond_knee};

use crate::stand_ins::StandIn;
use crate::support::{program, report, wsbench};
use crate::trial::faults;

async fn petrel() -> Result<Server> {
    Launcher::new(program("petrel")?)?.bench_issuer().start().await
}

fn run(server: &Server, line: &str) -> Result<Report> {
    let target = format!("ws://{}/ws", server.gateway_address());
    let data = server.data().display().to_string();
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.extend(["--target", &target, "--data-dir", &data, "--late-after", "1m"]);
    report(&arguments)
}

#[tokio::test]
async fn one_sends_and_all_get_it() -> Result<()> {
    let report = run(
        &petrel().await?,
        "broadcast --conns 300 --rate 20 --ramp 300ms --max-cps 3000 --duration 1500ms --warmup 0s",
    )?;
    let tally = &report.deliveries;
    assert!(tally.sent >= 15, "{tally:?}");
    assert_eq!(
        (tally.expected, tally.delivered),
        (299 * tally.sent, 299 * tally.sent),
        "{tally:?}"
    );
    assert_eq!(faults(&report), [0; 8]);
    assert!(report.times("fanoutLast").is_some_and(|times| times.count > 0));
    Ok(())
}

#[tokio::test]
async fn some_come_and_go_and_the_others_are_told_and_not_cut_off() -> Result<()> {
    let at_once = ["--set", "presence.offline_after=0s"];
    let launcher = Launcher::new(program("petrel")?)?.bench_issuer();
    let server = at_once.into_iter().fold(launcher, Launcher::argument).start().await?;
    let line = "presence-churn --conns 40 --ramp 200ms --duration 3s --warmup 0s \
                --flap-interval 200ms --flap-percent 20 --away 700ms --ping-interval 200ms";
    let report = run(&server, line)?;
    let counters = &report.counters;
    // A fifth of the twenty that come and go, every 200 ms, as far as they are there.
    assert!(counters.hangups >= 10, "{counters:?}");
    assert_eq!((counters.disconnects, counters.connections_final), (0, 40), "{counters:?}");
    assert_eq!(counters.reconnects, counters.hangups);
    // Half of the connections ping all the time, the others when they are there.
    assert!(counters.pongs_received > 20 * 8, "{counters:?}");
    // Five of each group follow the other five: 20 sessions hear of five each at first, and
    // then of what changes, unless it changes again before they are told.
    let changes = 5 * (counters.hangups + counters.reconnects);
    let told = 20 * 5 + 1..=20 * 5 + changes;
    assert!(told.contains(&counters.presences_told), "{counters:?}");
    assert_eq!((counters.presences_wrong, counters.unmatched_answers), (0, 0), "{counters:?}");
    for kind in ["arrival", "departure"] {
        let times = report.times(kind).map_or(0, |times| times.count);
        assert!((1..=changes).contains(&times), "{kind}: {times}");
    }
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{:?}", report.verdict);
    Ok(())
}

#[tokio::test]
async fn every_message_gets_two_receipts_and_senders_hear_of_them() -> Result<()> {
    let report = run(
        &petrel().await?,
        "ack-stress --conns 20 --rate 300 --ramp 200ms --duration 1500ms --warmup 0s",
    )?;
    let counters = &report.counters;
    assert!(counters.deliveries >= 200, "{counters:?}");
    assert_eq!(counters.receipts_sent, 2 * counters.deliveries);
    assert!(counters.receipts_received > 0, "{counters:?}");
    assert_eq!(faults(&report), [0; 8]);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{:?}", report.verdict);
    Ok(())
}

#[tokio::test]
async fn each_rate_has_its_step_and_each_size_its_plateau() -> Result<()> {
    let server = petrel().await?;
    let report = run(
        &server,
        "backpressure-ramp --conns 10 --rate-from 50 --rate-factor 2 --step 500ms --ramp 100ms \
         --duration 1700ms",
    )?;
    let steps = &report.plateaus;
    let due: Vec<u64> = steps.iter().map(|step| step.due).collect();
    // Half a second each of 50, 100 and 200 a second.
    for (due, wanted) in due.iter().zip([25u64, 50, 100]) {
        assert!(due.abs_diff(wanted) <= 1, "{due} {wanted}");
    }
    assert_eq!(steps.len(), 3);
    // One may fall on the very end, which is no step's.
    assert!(report.deliveries.sent - due.iter().sum::<u64>() <= 1, "{due:?}");
    assert!(steps.iter().all(|step| step.worked && step.delivered == step.due), "{steps:?}");
    assert_eq!(beyond_knee(steps), BeyondKnee::NotReached);

    let report =
        run(&server, "step --sizes 10,30,60 --step 500ms --max-cps 500 --ping-interval 100ms")?;
    let steps = &report.plateaus;
    let tried: Vec<_> =
        steps.iter().map(|step| (step.load, step.attempted, step.connected)).collect();
    assert_eq!(tried, [(10.0, 10, 10), (30.0, 20, 20), (60.0, 30, 30)]);
    assert!(steps.iter().all(|step| step.worked && step.pongs == step.pings), "{steps:?}");
    assert!(steps.windows(2).all(|two| two[0].pings < two[1].pings), "{steps:?}");
    assert_eq!(report.counters.connections_final, 60);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{:?}", report.verdict);
    Ok(())
}

/// mini-im takes no more than thirty frames a second from a connection, after a burst of
/// sixty.
#[test]
fn a_server_that_turns_away_is_told_from_one_that_gets_slow() -> Result<()> {
    let server = StandIn::start("mini-im", &["--busy", "3"])?;
    let target = format!("ws://{}/ws", server.addresses[0]);
    let line = "backpressure-ramp --adapter mini-im --conns 10 --rate-from 20 --step 500ms --ramp 100ms \
                --duration 1200ms --drain 2s --late-after 1m --target";
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.push(&target);
    let report = report(&arguments)?;
    let refused: u64 =
        report.plateaus.iter().filter_map(|step| step.refused.get("server_busy")).sum();
    assert_eq!(refused, server.did("busy")?);
    assert!(refused > 0);
    Ok(())
}

#[test]
fn the_capacity_of_a_server_that_carries_so_much_is_found() -> Result<()> {
    // Ten senders of at most thirty frames a second after a burst of sixty: in two seconds
    // at most 1,200 frames pass, and who sends more is cut off.
    let server = StandIn::start("mini-im", &[])?;
    let target = format!("ws://{}/ws", server.addresses[0]);
    let line = "capacity --of single-e2e --adapter mini-im --conns 20 --from 50 --to 200 --tolerance 50 \
                --repeat 1 --ramp 100ms --duration 700ms --warmup 0s --receipts false --late-after 1m \
                --threshold e2e.p99<5s,lost<=0 --output json --target";
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.push(&target);
    let output = wsbench(&arguments)?;
    let text = String::from_utf8(output.stdout)?;
    let capacity: Capacity = serde_json::from_str(&text)?;
    let loads: Vec<_> = capacity.steps.iter().map(|step| step.load).collect();
    assert_eq!(loads, [50.0, 100.0, 200.0], "{text}");
    assert_eq!((output.status.code(), capacity.carried), (Some(0), Some(200.0)), "{text}");
    // A criterion that nothing meets, at the first load.
    let never = line.replace("e2e.p99<5s", "e2e.p99<1us");
    let mut arguments: Vec<&str> = never.split_whitespace().collect();
    arguments.push(&target);
    let output = wsbench(&arguments)?;
    let capacity: Capacity = serde_json::from_slice(&output.stdout)?;
    assert_eq!((output.status.code(), capacity.carried), (Some(4), None));
    assert!(capacity.steps[0].runs[0].reasons.iter().any(|reason| reason.contains("e2e.p99")));
    Ok(())
}
