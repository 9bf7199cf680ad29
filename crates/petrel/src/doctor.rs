//! `petrel doctor`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use petrel_node::doctor::{Finding, Severity, examine};

use crate::exit::Failure;
use crate::settings::Settings;

/// Find out whether this machine is fit for the server that is configured.
///
/// Looks at limits of the operating system, the disk of the data directory (which it
/// measures for two seconds), permissions of secrets, the clock and the ports. Explains
/// what it finds and prints how to change it. Changes nothing itself; the server may run
/// meanwhile.
///
/// Takes the options of `petrel serve`, and exits with 0 if nothing is worse than advice,
/// 5 if there are warnings, 6 if there are problems.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    settings: Settings,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.settings.load()?.config.node();
        let mut progress = io::stderr().lock();
        if progress.is_terminal() {
            // A terminal that is gone is no reason to stop.
            let _ = writeln!(progress, "measuring the disk for two seconds …");
        }
        drop(progress);
        let findings = examine(&config);
        let text = if self.json { json(&findings) } else { text(&findings) };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::running)?;
        let count = |severity| findings.iter().filter(|it| it.severity == severity).count();
        match (count(Severity::Problem), count(Severity::Warning)) {
            (0, 0) => Ok(()),
            (0, warnings) => Err(Failure::warnings(plural(warnings, "warning"))),
            (problems, _) => Err(Failure::problems(plural(problems, "problem"))),
        }
    }
}

fn json(findings: &[Finding]) -> String {
    let worst = findings.iter().map(|finding| finding.severity).max();
    let value = serde_json::json!({ "worst": worst, "findings": findings });
    format!("{value:#}\n")
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { severity, what, why, fix } in findings {
        let mark = match severity {
            Severity::Ok => "ok     ",
            Severity::Advice => "advice ",
            Severity::Warning => "WARNING",
            Severity::Problem => "PROBLEM",
        };
        text += &format!("{mark} {what}\n");
        if !why.is_empty() {
            text += &format!("        {why}\n");
        }
        if let Some(fix) = fix {
            text += &format!("        to change it: {fix}\n");
        }
    }
    text
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
