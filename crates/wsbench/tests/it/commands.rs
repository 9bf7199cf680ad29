//! Options, end to end: what is said on the command line is what happens.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::Result;
use wsbench::report::Report;
use wsbench::sink::Sink;
use wsbench::verdict::Outcome;

use crate::support::{SMALL, WSBENCH, each, report, words, wsbench};

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<_> =
        fs::read_dir(parent)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.sort();
    Ok(folders)
}

fn read(folder: &Path) -> Result<Report> {
    Ok(serde_json::from_str(&fs::read_to_string(folder.join("report.json"))?)?)
}

#[test]
fn a_plan_runs_its_runs_and_the_worst_of_them_is_the_exit_code() -> Result<()> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let (plan, results) = (folder.path().join("plan.toml"), folder.path().join("results"));
    let write = |threshold: &str| {
        fs::write(
            &plan,
            format!(
                "target = ['ws://{}/']\nadapter = 'echo'\nconns = 6\nramp = '100ms'\nwarmup = '0s'\n\
                 duration = '1s'\nlate-after = '1m'\nno-ceiling = true\nseed = 7\n\
                 [[run]]\nscenario = 'ping'\nping-interval = '200ms'\n\
                 [[run]]\nscenario = 'messaging'\nrate = 100.0\nthreshold = ['{threshold}']\n",
                sink.address
            ),
        )
    };
    let run = |more: &[&str]| {
        let (plan, results) = (plan.display().to_string(), results.display().to_string());
        wsbench(&[&["check", &plan, "--out-dir", &results][..], more].concat())
    };
    write("e2e.p99<1us")?;
    assert_eq!(run(&[])?.status.code(), Some(4));
    write("lost<=0")?;
    assert_eq!(run(&["--conns", "8"])?.status.code(), Some(0));
    let folders = folders(&results)?;
    let reports = folders.iter().map(|folder| read(folder)).collect::<Result<Vec<_>>>()?;
    let seen: Vec<_> =
        reports.iter().map(|report| (&*report.plan.scenario, report.plan.conns)).collect();
    assert_eq!(seen, [("ping", 6), ("messaging", 6), ("ping", 8), ("messaging", 8)]);
    assert!(reports.iter().all(|report| report.plan.seed == 7));
    // Without a run it only says what it comes to, the same each time.
    let (once, again) = (run(&["--dry-run"])?, run(&["--dry-run"])?);
    assert_eq!(once.stdout, again.stdout);
    assert!(String::from_utf8(once.stdout)?.contains(r#""scenario": "ping""#));
    fs::write(&plan, "conns = 6\nspeed = 'high'\n")?;
    let refused = run(&[])?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("speed"));
    Ok(())
}

#[test]
fn several_targets_share_the_connections_and_pinned_roles_do_not() -> Result<()> {
    let pinned = "group-fanout --group-size 5 --group-senders 1 --raw-send {group}{body} \
                  --conns 10 --rate 50 --ramp 100ms --duration 1s --drain 0s --no-ceiling";
    each([(SMALL, (5, 5)), (pinned, (5, 5)), (pinned, (2, 8))], |(line, wanted)| {
        let (one, other) = (Sink::start()?, Sink::start()?);
        let targets = format!("ws://{}/,ws://{}/", one.address, other.address);
        let mut arguments = [&words(line), &["--target", &targets][..]].concat();
        if wanted != (5, 5) {
            arguments.push("--role-pinned");
        }
        let report = report(&arguments)?;
        assert_eq!(report.counters.connects_ok, 10);
        // The first target has been asked for its metrics as well.
        assert_eq!((one.finish()? - 1, other.finish()?), wanted);
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_run_in_which_nothing_connects_ends_after_the_ramp() -> Result<()> {
    let line = "--adapter echo --conns 3 --ramp 100ms --retry 0 --duration 10m --no-ceiling \
                --target ws://127.0.0.1:1/";
    let report = report(&words(line))?;
    assert_eq!(report.verdict.outcome, Outcome::SetUp);
    assert_eq!(report.counters.connects_failed, 3);
    assert!(report.elapsed_seconds < 300.0 && !report.interrupted);
    Ok(())
}

#[test]
fn a_group_larger_than_a_process_may_open_is_refused_before_the_run() -> Result<()> {
    let line = "group-fanout --target ws://127.0.0.1:1/ --conns 600 --group-size 300 --raw-send \
                {group}{body}";
    let command = format!("ulimit -n 200; exec {WSBENCH} {line}");
    let refused = Command::new("sh").args(["-c", &command]).output()?;
    assert_eq!(refused.status.code(), Some(3));
    let stderr = String::from_utf8(refused.stderr)?;
    for words in ["300 connections belong together", "--group-size 136", "ulimit -Hn 364"] {
        assert!(stderr.contains(words), "{stderr}");
    }
    // Groups that do fit are shared out among processes, and get as far as connecting.
    let command = command.replace("300", "100") + " --ramp 0s --duration 1s --retry 0";
    let tried = Command::new("sh").args(["-c", &command]).output()?;
    assert_eq!(tried.status.code(), Some(3));
    assert!(String::from_utf8(tried.stdout)?.contains("conn_refused"));
    Ok(())
}

#[test]
fn disturbances_go_with_any_scenario() -> Result<()> {
    let sink = Sink::start()?;
    let target = format!("ws://{}/", sink.address);
    // As a script of the reference systems has it.
    let flaps = "-Mode connect -Clients 10 -DurationSeconds 2 -ramp 100ms -Reconnect \
                 -FlapIntervalMs 500 -FlapPct 50 --adapter echo --late-after 1m -WsUrl";
    let flapped = report(&[&words(flaps), &[&*target][..]].concat())?;
    assert_eq!(flapped.plan.scenario, "connect-only");
    let counters = &flapped.counters;
    assert!(counters.hangups >= 5 && counters.reconnects > 0, "{counters:?}");
    // Twenty messages a second for each, of which half of the recipients take three.
    let slows = "messaging --adapter echo --conns 4 --rate 80 --ramp 100ms --duration 1500ms --warmup 0s \
                 --drain 3s --no-ceiling --late-after 1m --slow-percent 50 --slow-delay 300ms \
                 --output json --target";
    let slowed = report(&[&words(slows), &[&*target][..]].concat())?;
    let median = |key| slowed.times(key).map_or(0.0, |times| times.p50);
    assert!(median("e2e") > 0.0 && median("slowE2e") > 200.0, "{:?}", slowed.times_ms);
    assert!(median("slowE2e") > 2.0 * median("e2e"), "{:?}", slowed.times_ms);
    Ok(())
}

#[test]
fn stages_send_what_their_area_says() -> Result<()> {
    let sink = Sink::start()?;
    let target = format!("ws://{}/", sink.address);
    // Up to 200 a second and down again, a second each: 200 in all, and then nothing.
    let more = ["--stages", "1s:1,1s:0", "--duration", "3s", "--target", &target];
    let report = report(&[&words(SMALL), &more[..]].concat())?;
    let sent = report.deliveries.sent;
    assert!((199..=201).contains(&sent), "{sent}");
    assert_eq!(report.deliveries.delivered, sent);
    Ok(())
}

#[test]
fn repeated_runs_have_a_report_each() -> Result<()> {
    let sink = Sink::start()?;
    let target = format!("ws://{}/", sink.address);
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    let more = ["--repeat", "3", "--out-dir", &out, "--target", &target];
    let output = wsbench(&[&words(SMALL), &more[..]].concat())?;
    assert_eq!(output.status.code(), Some(0));
    let reports =
        folders(folder.path())?.iter().map(|folder| read(folder)).collect::<Result<Vec<_>>>()?;
    let runs: BTreeMap<u32, bool> =
        reports.iter().map(|report| (report.run, report.deliveries.is_clean())).collect();
    // Each has a name of its own, so that none counts what is left of another.
    assert_eq!(runs.len(), 3);
    assert!(runs.values().all(|clean| *clean));
    assert_eq!(String::from_utf8(output.stdout)?.matches("--- Verdict ---").count(), 3);
    Ok(())
}

#[test]
fn headers_go_into_the_upgrade_and_a_refusal_says_why() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let target = format!("ws://{}/there?a=b", listener.local_addr()?);
    let asked = thread::spawn(move || -> Result<Vec<String>> {
        loop {
            let (mut socket, _) = listener.accept()?;
            let head = BufReader::new(socket.try_clone()?).lines();
            let head = head.map_while(Result::ok).take_while(|line| !line.is_empty());
            let head: Vec<String> = head.collect();
            std::io::Write::write_all(&mut socket, b"HTTP/1.1 401 Unauthorized\r\n\r\n")?;
            // It looks for metrics first.
            if head.iter().any(|line| line.starts_with("Upgrade")) {
                return Ok(head);
            }
        }
    });
    let line = "--adapter echo --conns 1 --ramp 0s --duration 1s --retry 0 --no-ceiling \
                --output json -H X-Probe:7 --target";
    let output = wsbench(&[&words(line), &[&*target][..]].concat())?;
    let report: Report = serde_json::from_slice(&output.stdout)?;
    let head = asked.join().expect("the server does not panic")?;
    assert_eq!(head[0], "GET /there?a=b HTTP/1.1");
    assert!(head.iter().any(|line| line == "X-Probe: 7"), "{head:?}");
    assert_eq!(output.status.code(), Some(3));
    let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
    assert_eq!((&*error.class, error.count), ("http_401", 1));
    assert!(error.cure.as_ref().is_some_and(|cure| cure.contains("-H")));
    Ok(())
}
