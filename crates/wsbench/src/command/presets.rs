//! `wsbench presets` and `wsbench gatling`: the drills of the reference systems.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::run::{self, say};
use super::{fail, print};
use crate::conductor::Signals;
use crate::machine;
use crate::preset;
use crate::report::Report;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Outcome;

/// Files that the guide of that load test wants to be able to open besides its users'.
const SPARE_DESCRIPTORS: u64 = 10_000;

#[derive(Args, Debug)]
pub(super) struct PresetsOptions {
    /// Print the plan of this one
    name: Option<String>,
    /// Only the names, one a line
    #[arg(long, conflicts_with = "name")]
    names: bool,
    /// Print reference figures beside ours, as a Markdown table, of the reports in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "names"])]
    table: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct GatlingOptions {
    /// How many users
    #[arg(value_parser = clap::value_parser!(u32).range(2..=4_000_000))]
    users: u32,
    /// Over how many seconds they come
    #[arg(value_name = "RAMP")]
    ramp_seconds: u64,
    /// For how many seconds they stay after that
    #[arg(value_name = "DURATION")]
    duration_seconds: u64,
    /// Milliseconds between two messages of a user; 0 for none
    msg_ms: u64,
    /// Milliseconds between two heartbeats of a user
    heartbeat_ms: u64,
    /// Everything else
    #[command(flatten)]
    settings: Box<Settings>,
}

/// Lists presets, or prints what is asked for.
pub(super) fn presets(options: &PresetsOptions) -> ExitCode {
    if let Some(folder) = &options.table {
        return match reports(folder) {
            Ok(reports) => print(&preset::table(&reports)),
            Err(error) => fail(Outcome::Error, &error),
        };
    }
    match &options.name {
        Some(name) => match preset::text(name) {
            Ok(text) => print(text),
            Err(error) => fail(Outcome::Usage, &error),
        },
        None if options.names => {
            print(&preset::names().map(|name| format!("{name}\n")).collect::<String>())
        }
        None => print(&preset::list()),
    }
}

/// The reports of a folder of results, in order.
fn reports(parent: &Path) -> Result<Vec<Report>, String> {
    let wrong = |error| format!("can't read {}: {error}", parent.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent).map_err(wrong)? {
        folders.push(entry.map_err(wrong)?.path());
    }
    folders.sort();
    let mut reports = Vec::new();
    for path in folders.iter().map(|folder| folder.join("report.json")) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let report = serde_json::from_str(&text)
            .map_err(|error| format!("{} is no report: {error}", path.display()))?;
        reports.push(report);
    }
    if reports.is_empty() {
        return Err(format!("there is no report in {}", parent.display()));
    }
    Ok(reports)
}

/// Runs the load test of xzll-im by its positional arguments.
pub(super) fn gatling(options: GatlingOptions, signals: &Signals) -> ExitCode {
    let GatlingOptions { users, ramp_seconds, duration_seconds, msg_ms, heartbeat_ms, settings } =
        options;
    let descriptors = machine::raise_descriptors();
    let wanted = u64::from(users) + SPARE_DESCRIPTORS;
    if descriptors < wanted {
        say(&format!(
            "{users} users want {wanted} open files, and a process may have {descriptors} here \
             (ulimit -n {wanted} raises it, if you may); worker processes make up for it"
        ));
    }
    let defaults =
        match gatling_settings(users, ramp_seconds, duration_seconds, msg_ms, heartbeat_ms) {
            Ok(defaults) => defaults,
            Err(error) => return fail(Outcome::Usage, &error),
        };
    let scenario = if msg_ms == 0 { "connect-only" } else { "messaging" };
    run::once(Some(scenario), settings.or(defaults), signals)
}

fn gatling_settings(
    users: u32,
    ramp: u64,
    duration: u64,
    msg_ms: u64,
    heartbeat_ms: u64,
) -> Result<Settings, String> {
    // The guide asks for less of more.
    let percent = if users <= 1000 { 95 } else { 90 };
    let criteria = [
        Some(format!("connected>={percent}%")),
        (msg_ms > 0).then(|| format!("delivered>={percent}%")),
    ];
    let threshold = criteria.iter().flatten().map(|text| text.parse()).collect::<Result<_, _>>()?;
    Ok(Settings {
        conns: Some(users),
        ramp: Some(Span::seconds(ramp)),
        duration: Some(Span::seconds(ramp.saturating_add(duration))),
        max_cps: Some(users.div_ceil(u32::try_from(ramp.max(1)).unwrap_or(u32::MAX)).max(500)),
        msg_interval_ms: (msg_ms > 0).then_some(msg_ms),
        ping_interval_ms: Some(heartbeat_ms),
        payload_size: Some(crate::stamp::STAMP_BYTES as u32),
        threshold: Some(threshold),
        open: Some(true),
        ..Settings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn positional_arguments_are_those_of_the_script() {
        let plan = |settings: Settings, scenario| {
            let over = Settings {
                adapter: Some(crate::adapter::AdapterKind::Xzll),
                machine_id: Some(2),
                ..Settings::default()
            };
            Plan::resolve(Some(scenario), over.or(settings)).unwrap()
        };
        let first = plan(gatling_settings(100, 30, 120, 5000, 30_000).unwrap(), "messaging");
        assert_eq!(
            (first.conns, first.ramp, first.hold()),
            (100, Span::seconds(30), Span::seconds(120))
        );
        assert_eq!((first.sender_rate, first.ping_interval), (0.2, Span::seconds(30)));
        let texts: Vec<_> = first.thresholds.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["connected>=95%", "delivered>=95%"]);
        // Each machine has users of its own.
        assert_eq!((first.machine_id, first.user_base), (2, 21_000_000));
        let silent = plan(gatling_settings(10_000, 120, 600, 0, 30_000).unwrap(), "connect-only");
        let texts: Vec<_> = silent.thresholds.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["connected>=90%"]);
    }
}
