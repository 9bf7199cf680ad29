//! Every wsbench command line that the documents of the reference systems print, as
//! printed, with the host changed and connections and times made smaller by a factor,
//! against a real Petrel.

use anyhow::{Result, ensure};
use petrel_testkit::server::Launcher;
use wsbench::report::Report;

use crate::support::{program, wsbench};

/// One line each; `HOST` stands for the host and port.
const COMMAND_LINES: &str = include_str!("command-lines.txt");

/// How much smaller: the longest line asks for four hours.
fn scale(line: &str) -> &'static str {
    match line {
        _ if line.contains("4h") => "0.0002",
        _ if line.contains("30m") => "0.001",
        _ => "0.005",
    }
}

#[tokio::test]
async fn every_printed_command_line_runs() -> Result<()> {
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let host = server.gateway_address().to_string();
    let data = server.data().display().to_string();
    let mut lines = 0;
    for line in COMMAND_LINES.lines() {
        let printed = line.replace("HOST", &host);
        let words = printed.split_whitespace().skip(1).map(str::to_owned);
        let mut arguments: Vec<String> = words.filter(|word| word != "...").collect();
        if line.ends_with("...") {
            // The document leaves the rest to the reader.
            arguments.extend([format!("--target=ws://{host}/ws"), "--conns=100".to_owned()]);
        }
        let more = [
            "--scale",
            scale(line),
            "--data-dir",
            &data,
            "--output",
            "json",
            "--no-ceiling",
            "--late-after",
            "1m",
        ];
        if !line.contains("--help") {
            arguments.extend(more.map(str::to_owned));
        }
        let output = wsbench(&arguments)?;
        let stdout = String::from_utf8(output.stdout)?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {}\n{stdout}\n{stderr}", output.status);
        if line.contains("--help") {
            ensure!(stdout.contains("--max-cps"), "{stdout}");
        } else {
            let report: Report = serde_json::from_str(&stdout)?;
            let counters = &report.counters;
            ensure!(counters.connects_ok == u64::from(report.plan.conns), "{line}: {stdout}");
            ensure!(counters.connections_final == counters.connects_ok, "{line}: {stdout}");
            ensure!(report.deliveries.delivered == report.deliveries.sent, "{line}: {stdout}");
            let messaging = line.contains("messaging");
            ensure!(messaging == (report.plan.scenario == "messaging"), "{line}");
        }
        lines += 1;
    }
    assert!(lines > 20, "{lines}");
    Ok(())
}
