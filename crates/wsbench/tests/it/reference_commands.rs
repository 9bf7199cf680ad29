//! Every wsbench command line that the documents of the reference systems print, as
//! printed, with the host changed and connections and times made smaller by a factor,
//! against a real Petrel.

use anyhow::{Result, ensure};
use petrel_testkit::server::Launcher;
use wsbench::report::Report;

use crate::support::{each, program, wsbench};

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

/// Lines that run at the same time.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn every_printed_command_line_runs() -> Result<()> {
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let host = server.gateway_address().to_string();
    let data = server.data().display().to_string();
    let lines: Vec<_> = COMMAND_LINES.lines().enumerate().collect();
    assert!(lines.len() > 20, "{}", lines.len());
    for some in lines.chunks(AT_ONCE) {
        each(some, |(number, line)| run(line, &host, &data, *number as u32))?;
    }
    Ok(())
}

/// Runs a line with users of its own.
fn run(line: &str, host: &str, data: &str, number: u32) -> Result<()> {
    let printed = line.replace("HOST", host);
    let words = printed.split_whitespace().skip(1).map(str::to_owned);
    let mut arguments: Vec<String> = words.filter(|word| word != "...").collect();
    if line.ends_with("...") {
        // The document leaves the rest to the reader.
        arguments.extend([format!("--target=ws://{host}/ws"), "--conns=100".to_owned()]);
    }
    let user_base = (1_000_000 * (number + 1)).to_string();
    let more = [
        ["--scale", scale(line)],
        ["--data-dir", data],
        ["--user-base", &user_base],
        ["--output", "json"],
        ["--late-after", "1m"],
    ];
    if !line.contains("--help") {
        arguments.extend(more.concat().into_iter().map(str::to_owned));
        arguments.push("--no-ceiling".to_owned());
    }
    let output = wsbench(&arguments)?;
    let stdout = String::from_utf8(output.stdout)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line}: {}\n{stdout}\n{stderr}", output.status);
    if line.contains("--help") {
        ensure!(stdout.contains("--max-cps"), "{stdout}");
        return Ok(());
    }
    let report: Report = serde_json::from_str(&stdout)?;
    let counters = &report.counters;
    ensure!(counters.connects_ok == u64::from(report.plan.conns), "{line}: {stdout}");
    ensure!(counters.connections_final == counters.connects_ok, "{line}: {stdout}");
    ensure!(report.deliveries.delivered == report.deliveries.sent, "{line}: {stdout}");
    let messaging = line.contains("messaging");
    ensure!(messaging == (report.plan.scenario == "messaging"), "{line}");
    Ok(())
}
