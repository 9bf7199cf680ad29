//! The adapters against small servers that speak as the reference systems do, and that
//! share no code with them: in order where all is in order, and every fault found as what
//! it is, to the message.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;
use wsbench::report::Report;
use wsbench::verdict::Outcome;

use crate::support::{program, report, wsbench};
use crate::trial::faults;

/// A stand-in server and its log.
pub(crate) struct StandIn {
    child: Child,
    folder: TempDir,
    pub(crate) addresses: Vec<String>,
}

impl StandIn {
    pub(crate) fn start(server: &str, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(program("wsbench-stand-ins")?)
            .arg("--log")
            .arg(folder.path().join("log"))
            .arg(server)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("stdout is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let line = line.trim().strip_prefix("listening on ").context("the addresses")?;
        let addresses = line.split(' ').map(str::to_owned).collect();
        Ok(Self { child, folder, addresses })
    }

    /// How often it did what, by its own account.
    pub(crate) fn did(&self, what: &str) -> Result<u64> {
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(self.folder.path().join("log"))?.lines() {
            *counts.entry(line.to_owned()).or_insert(0) += 1;
        }
        Ok(counts.get(what).copied().unwrap_or(0))
    }

    /// A short run of ten connections against it.
    fn run(&self, line: &str) -> Result<Report> {
        let targets: Vec<_> = match &self.addresses[..] {
            [only] => vec![format!("ws://{only}/ws")],
            [_, replicas @ ..] => {
                replicas.iter().map(|address| format!("ws://{address}/ws")).collect()
            }
            [] => Vec::new(),
        };
        let (targets, base) = (targets.join(","), format!("http://{}", self.addresses[0]));
        let quick =
            "--conns 10 --ramp 100ms --duration 1200ms --warmup 0s --drain 5s --late-after 1m";
        let (scenario, options) = line.split_once(' ').context("options")?;
        let mut arguments = vec![scenario];
        // What the line says comes last and holds.
        arguments.extend(quick.split_whitespace().chain(options.split_whitespace()));
        arguments.extend(["--target", &targets]);
        if self.addresses.len() > 1 {
            arguments.extend(["--http-base", &base]);
        }
        let report = report(&arguments)?;
        assert!(report.deliveries.adds_up(), "{:?}", report.deliveries);
        Ok(report)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It has nothing left to say.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everybody was in, and everything arrived, once, in order.
fn in_order(report: &Report) {
    let tally = &report.deliveries;
    assert_eq!(report.counters.connects_ok, 10);
    assert!(tally.sent >= 50 && tally.acked == tally.sent, "{tally:?}");
    assert_eq!(tally.delivered, tally.expected, "{tally:?}");
    assert_eq!((faults(report), report.counters.server_errors), ([0; 8], 0), "{:?}", report.errors);
    assert_eq!(report.counters.frames_unrecognised, 0);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{:?}", report.verdict);
}

#[test]
fn mini_im_in_order() -> Result<()> {
    let server = StandIn::start("mini-im", &[])?;
    // Eight a second from each connection, and receipts: below the limit of thirty frames.
    let report = server.run("messaging --adapter mini-im --rate 80 --ping-interval 200ms")?;
    in_order(&report);
    assert!(report.counters.receipts_sent > 0 && server.did("delivered")? > 0);
    assert_eq!(server.did("missing_to")?, 0);
    let report = server.run("ping --adapter mini-im --ping-interval 100ms")?;
    assert!(report.counters.pongs_received >= 50, "{:?}", report.counters);
    assert_eq!(report.counters.pongs_received, report.counters.pings_sent);
    Ok(())
}

#[test]
fn mini_im_loses_a_push_whose_receipt_was_overtaken() -> Result<()> {
    let server = StandIn::start("mini-im", &["--drop-push", "7", "--resend-lock-ms", "0"])?;
    let report = server.run("single-e2e --adapter mini-im --rate 60 --drain 500ms")?;
    let tally = &report.deliveries;
    assert_eq!((tally.lost, tally.acked_but_lost), (server.did("drop_push")?, tally.lost));
    assert!(tally.lost >= 5 && tally.duplicates == 0 && tally.acked == tally.sent, "{tally:?}");
    assert_eq!(report.verdict.outcome, Outcome::DeliveryBroken);
    Ok(())
}

#[test]
fn mini_im_delivers_again_what_a_connection_missed_and_that_is_no_duplicate() -> Result<()> {
    let server = StandIn::start("mini-im", &["--resend-lock-ms", "0"])?;
    let line =
        "flap --adapter mini-im --rate 60 --flap-interval 200ms --flap-percent 20 --duration 2s";
    let report = server.run(line)?;
    let tally = &report.deliveries;
    assert!(report.counters.reconnects >= 10, "{:?}", report.counters);
    // Its receipts are a second behind, so that much comes again.
    assert!(tally.repeats > 0, "{tally:?}");
    assert_eq!((tally.duplicates, tally.lost), (0, 0), "{tally:?}");
    Ok(())
}

#[test]
fn mini_im_pushes_twice_and_is_too_busy() -> Result<()> {
    let server = StandIn::start("mini-im", &["--push-twice", "9", "--busy", "10"])?;
    let report = server.run("single-e2e --adapter mini-im --rate 60")?;
    let tally = &report.deliveries;
    assert_eq!(tally.duplicates, server.did("push_twice")?);
    assert!(tally.duplicates > 0, "{tally:?}");
    // What was refused came again, and was taken then.
    assert_eq!(report.counters.server_errors, server.did("busy")?);
    assert!(report.counters.messages_retried > 0 && tally.acked == tally.sent, "{tally:?}");
    Ok(())
}

#[test]
fn mini_im_closes_who_sends_more_than_thirty_frames_a_second() -> Result<()> {
    let server = StandIn::start("mini-im", &[])?;
    let report = server.run("ack-stress --adapter mini-im --rate 500 --duration 3s")?;
    assert!(server.did("too_many_requests")? > 0);
    assert!(report.counters.disconnects > 0);
    let said = report.errors.iter().any(|error| error.class == "server_too_many_requests");
    assert!(said, "{:?}", report.errors);
    Ok(())
}

#[test]
fn mini_im_knows_its_own_secret_only() -> Result<()> {
    let server = StandIn::start("mini-im", &[])?;
    let secret = "another-secret-of-more-than-32-characters";
    let report = server.run(&format!("ping --adapter mini-im --jwt-secret {secret}"))?;
    assert_eq!(report.counters.logins_failed, 10);
    assert_eq!(report.verdict.outcome, Outcome::SetUp);
    // It is not in the report.
    assert!(!serde_json::to_string(&report)?.contains(secret));
    Ok(())
}

#[test]
fn ethanqc_in_order() -> Result<()> {
    let server = StandIn::start("ethanqc", &[])?;
    for line in ["messaging --rate 200", "group-fanout --group-size 5 --group-senders 2 --rate 50"]
    {
        let report = server.run(&format!("{line} --adapter ethanqc --ping-interval 200ms"))?;
        in_order(&report);
        assert!(report.counters.receipts_sent > 0 && server.did("ack")? > 0);
        assert_eq!(report.counters.places_out_of_order, 0);
    }
    let report = server.run("ack-stress --adapter ethanqc --rate 50")?;
    in_order(&report);
    assert_eq!(report.counters.receipts_sent, 2 * report.deliveries.delivered);
    assert_eq!(server.did("read")?, report.deliveries.delivered);
    Ok(())
}

#[test]
fn ethanqc_with_two_replicas_pushes_half_and_the_history_has_the_rest() -> Result<()> {
    let server = StandIn::start("ethanqc", &["--replicas", "2"])?;
    let report = server.run("single-e2e --adapter ethanqc --rate 100")?;
    let tally = &report.deliveries;
    assert_eq!(tally.recovered, server.did("other_replica")?);
    assert!(tally.recovered > 0 && tally.delivered > 0 && tally.lost == 0, "{tally:?}");
    Ok(())
}

#[test]
fn ethanqc_stores_fails_and_never_pushes() -> Result<()> {
    let server = StandIn::start("ethanqc", &["--fail-after-insert", "10"])?;
    let report = server.run("single-e2e --adapter ethanqc --rate 100")?;
    let tally = &report.deliveries;
    let failed = server.did("fail_after_insert")?;
    assert!(failed >= 8, "{failed}");
    // The same again is answered as if all were well; only the history has it.
    assert_eq!((tally.recovered, tally.acked), (failed, tally.sent), "{tally:?}");
    assert_eq!(report.counters.server_errors, failed);
    Ok(())
}

#[test]
fn ethanqc_takes_both_connections_of_a_device_that_comes_back_too_soon() -> Result<()> {
    let server = StandIn::start("ethanqc", &["--same-device-kills-both"])?;
    let line = "flap --adapter ethanqc --rate 50 --flap-interval 200ms --flap-percent 20";
    let report = server.run(line)?;
    // A connection that breaks is mostly known to have ended when the next one comes.
    assert!(report.counters.reconnects >= 3, "{:?}", report.counters);
    assert_eq!(report.deliveries.lost, 0, "{:?}", report.deliveries);
    Ok(())
}

#[test]
fn xzll_in_order() -> Result<()> {
    // Long for an acknowledgement, and shorter than the run.
    let server = StandIn::start("xzll", &["--retry-ms", "2000"])?;
    let line = "messaging --adapter xzll --rate 200 --ping-interval 200ms --empty-heartbeat";
    let report = server.run(&format!("{line} --duration 3s"))?;
    in_order(&report);
    // Empty frames arrive, and are answered by nothing but the pings beside them.
    assert_eq!(server.did("no_handler")?, report.counters.pings_sent);
    assert_eq!(report.counters.pongs_received, report.counters.pings_sent);
    // Every message was acknowledged, so that none was pushed again, and relayed.
    assert_eq!((server.did("retry")?, server.did("unreadable")?), (0, 0));
    assert_eq!(server.did("delivered")?, report.deliveries.delivered);
    assert!(report.counters.receipts_received > 0);
    let report = server.run("ack-stress --adapter xzll --rate 100")?;
    in_order(&report);
    assert_eq!(server.did("read")?, report.deliveries.delivered);
    Ok(())
}

#[test]
fn xzll_pushes_again_what_nobody_acknowledges() -> Result<()> {
    let server = StandIn::start("xzll", &["--retry-ms", "200"])?;
    let report = server.run("single-e2e --adapter xzll --rate 100 --receipts false")?;
    let tally = &report.deliveries;
    assert!(tally.duplicates > 0, "{tally:?}");
    assert!(tally.duplicates <= server.did("retry")? && tally.lost == 0, "{tally:?}");
    Ok(())
}

#[test]
fn xzll_loses_what_is_for_another_node_and_keeps_no_order() -> Result<()> {
    let server =
        StandIn::start("xzll", &["--other-node", "11", "--reorder", "9", "--retry-ms", "60000"])?;
    let report = server.run("single-e2e --adapter xzll --rate 300 --drain 500ms")?;
    let tally = &report.deliveries;
    assert!(tally.reordered > 0, "{tally:?}");
    assert_eq!(tally.reordered, server.did("reorder")?, "{tally:?}");
    assert!(tally.acked_but_lost >= server.did("other_node")?, "{tally:?}");
    assert_eq!(report.verdict.outcome, Outcome::DeliveryBroken);
    Ok(())
}

#[test]
fn what_an_adapter_cant_do_is_refused_before_the_run() -> Result<()> {
    for (line, said) in [
        ("group-fanout --adapter mini-im --conns 100", "groups"),
        ("broadcast --adapter xzll --conns 100", "groups"),
        ("offline-pull --adapter mini-im --conns 10", "history"),
        ("ack-stress --adapter echo --conns 10", "messages from one connection to another"),
        ("messaging --adapter xzll --conns 10 --payload-size 10240", "10160 bytes"),
        ("messaging --adapter mini-im --conns 10 --payload-size 5000", "4096 characters"),
        ("messaging --adapter ethanqc --conns 10 --duration 15m", "access tokens"),
        ("ping --adapter mini-im --conns 10 --jwt-secret short", "--jwt-secret"),
    ] {
        let refused = wsbench(&line.split(' ').collect::<Vec<_>>())?;
        let stderr = String::from_utf8(refused.stderr)?;
        let code = refused.status.code();
        assert!(matches!(code, Some(2 | 3)) && stderr.contains(said), "{line}: {code:?} {stderr}");
    }
    Ok(())
}
