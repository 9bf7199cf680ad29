//! The drills of the reference systems, in small, against a real Petrel.

use anyhow::{Context, Result, ensure};
use petrel_testkit::server::Launcher;
use wsbench::report::Report;

use crate::support::{program, wsbench};

fn run(arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = wsbench(arguments)?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    Ok((output.status.code(), stdout, stderr))
}

#[tokio::test]
async fn a_drill_runs_in_small_and_its_figures_stand_beside_theirs() -> Result<()> {
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let target = format!("ws://{}/ws", server.gateway_address());
    let data = server.data().display().to_string();
    let folder = tempfile::tempdir()?;
    let results = folder.path().join("results").display().to_string();
    let mark = folder.path().join("mark");
    let restart = format!("300ms:touch {}", mark.display());
    let common = [
        "--target",
        &target,
        "--data-dir",
        &data,
        "--out-dir",
        &results,
        "--late-after",
        "1m",
        "--no-ceiling",
        "--scale",
        "0.02",
        "--output",
        "json",
    ];
    // A drill that wants something done to the server is nothing without it.
    let (code, _, stderr) = run(&[&["--preset", "restart"], &common[..]].concat())?;
    ensure!(code == Some(2) && stderr.contains("--run-at"), "{stderr}");
    let (code, stdout, stderr) =
        run(&[&["--preset", "restart", "--run-at", &restart], &common[..]].concat())?;
    ensure!(code == Some(0), "{stdout} {stderr}");
    let report: Report = serde_json::from_str(&stdout)?;
    assert_eq!((report.plan.conns, report.counters.connects_ok), (10, 10));
    // Times are scaled with the rest.
    let [done] = &report.actions[..] else { panic!("{:?}", report.actions) };
    ensure!(mark.exists() && done.ok, "{done:?}");
    let (code, stdout, stderr) = run(&[&["--preset", "slow-200"], &common[..]].concat())?;
    ensure!(code == Some(0), "{stdout} {stderr}");
    let (code, table, _) = run(&["presets", "--table", &results])?;
    ensure!(code == Some(0), "{table}");
    let row = table.lines().find(|line| line.contains("connect attempts")).context("a row")?;
    assert_eq!(
        row,
        "| restart | mini-im | connect attempts | 4000 | 10 | Ok | `wsbench --preset restart --scale 0.02` |"
    );
    ensure!(table.contains("27565 / 50251 / 50679"), "{table}");
    Ok(())
}

#[test]
fn presets_are_listed_and_printed() -> Result<()> {
    let (code, names, _) = run(&["presets", "--names"])?;
    assert_eq!((code, names.lines().count()), (Some(0), 10));
    let (_, list, _) = run(&["presets"])?;
    let (_, plan, _) = run(&["presets", "flap"])?;
    ensure!(names.lines().all(|name| list.contains(name)), "{list}");
    ensure!(plan.contains("flap-percent = 20.0"), "{plan}");
    let (code, _, stderr) = run(&["--preset", "falp"])?;
    ensure!(code == Some(2) && stderr.contains("flap"), "{stderr}");
    let (code, _, stderr) = run(&["messaging", "--preset", "flap"])?;
    ensure!(code == Some(2) && stderr.contains("give one"), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn the_positional_load_test_runs_with_and_without_messages() -> Result<()> {
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let target = format!("ws://{}/ws", server.gateway_address());
    let data = server.data().display().to_string();
    for (message_ms, sent) in [("200", true), ("0", false)] {
        let numbers = ["gatling", "10", "1", "1", message_ms, "300"];
        let more = [
            "--target",
            &target,
            "--data-dir",
            &data,
            "--open",
            "false",
            "--late-after",
            "1m",
            "--warmup",
            "0s",
            "--output",
            "json",
        ];
        let (code, stdout, stderr) = run(&[&numbers[..], &more[..]].concat())?;
        ensure!(code == Some(0), "{stdout} {stderr}");
        let report: Report = serde_json::from_str(&stdout)?;
        assert_eq!(report.counters.connects_ok, 10);
        assert_eq!(report.deliveries.sent > 0, sent, "{:?}", report.deliveries);
        ensure!(report.counters.pongs_received > 0);
    }
    Ok(())
}
