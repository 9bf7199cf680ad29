//! Groups of a real Petrel.

use anyhow::Result;
use petrel_testkit::server::Launcher;
use wsbench::verdict::Outcome;

use crate::support::{program, report, wsbench};

#[tokio::test]
async fn every_member_of_a_group_gets_every_message() -> Result<()> {
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let target = format!("ws://{}/ws", server.gateway_address());
    let data = server.data().display().to_string();
    // Three commands for each group: the most that one of them takes is 500 members.
    for (conns, size, senders) in [("40", "20", "4"), ("1010", "1010", "3")] {
        let report = report(&[
            "group-fanout",
            "--target",
            &target,
            "--data-dir",
            &data,
            "--conns",
            conns,
            "--group-size",
            size,
            "--group-senders",
            senders,
            "--rate",
            "20",
            "--ramp",
            "500ms",
            "--max-cps",
            "5000",
            "--duration",
            "3s",
            "--warmup",
            "0s",
            "--late-after",
            "1m",
        ])?;
        let tally = &report.deliveries;
        assert!(tally.sent >= 40, "{tally:?}");
        assert_eq!(tally.expected, tally.sent * (size.parse::<u64>()? - 1));
        assert_eq!(tally.delivered + tally.recovered, tally.expected, "{tally:?}");
        assert_eq!((tally.faults(), tally.returned), (0, 0), "{tally:?}");
        assert_eq!(tally.acked, tally.sent);
        assert_eq!(report.counters.places_out_of_order, 0);
        assert!(report.times("fanoutLast").is_some_and(|times| times.count > 0));
        assert_ne!(report.verdict.outcome, Outcome::DeliveryBroken);
    }
    Ok(())
}

#[test]
fn a_group_larger_than_petrel_takes_is_refused_before_the_run() -> Result<()> {
    let line = "group-fanout --adapter petrel --conns 20001 --group-size 20001";
    let refused = wsbench(&line.split(' ').collect::<Vec<_>>())?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("20000 members"));
    Ok(())
}
