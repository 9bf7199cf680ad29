//! Running plans.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use petrel_types::{Clock, SystemClock};

use super::keep::{self, keep};
use super::progress::Progress;
use super::told::command_line;
use super::{code, fail, open, print};
use crate::calendar;
use crate::conductor::{self, Conducted, Failure, Signals};
use crate::doctor;
use crate::export::{Destination, Exporter};
use crate::plan::{Language, Output, Plan, PlanFile, PresetOf, Run};
use crate::report::Report;
use crate::settings::Settings;
use crate::terminal::{self, Live};
use crate::verdict::Outcome;
use crate::watch::Watch;

/// How long the ceiling is measured before a run, in seconds.
const CEILING_SECONDS: f64 = 2.0;
/// Runs that are shorter than this are not worth it, in seconds.
const CEILING_RUN_MIN: f64 = 20.0;

/// What concerns the report and not the run.
struct Presentation {
    output: Output,
    language: Language,
    out_dir: Option<PathBuf>,
    html: Option<PathBuf>,
    metrics_url: Option<String>,
    server_pid: Option<u32>,
    ceiling: bool,
    open: bool,
    verbose: bool,
    plain: bool,
    prometheus: Option<SocketAddr>,
    remote_write: Option<Destination>,
    repeat: u32,
}

/// Runs a scenario of the command line.
pub(super) fn once(scenario: Option<&str>, settings: Settings, signals: &Signals) -> ExitCode {
    let Some(name) = settings.preset.clone() else {
        let scenario = scenario.map(str::to_owned);
        return code(run_all(vec![Run { scenario, settings, ..Run::default() }], None, signals));
    };
    if let Some(scenario) = scenario {
        return fail(
            Outcome::Usage,
            &format!("the scenario {scenario}, or the preset {name}? give one"),
        );
    }
    match preset(&name, settings) {
        Ok((preset, runs)) => code(run_all(runs, Some(&preset), signals)),
        Err(error) => fail(Outcome::Usage, &error),
    }
}

/// Runs a plan file.
pub(super) fn check(path: &Path, over: Settings, dry_run: bool, signals: &Signals) -> ExitCode {
    let runs = match read_plan(path, &over) {
        Ok(runs) => runs,
        Err(error) => return fail(Outcome::Usage, &format!("{}: {error}", path.display())),
    };
    if !dry_run {
        return code(run_all(runs, None, signals));
    }
    let mut text = String::new();
    for Run { scenario, settings, .. } in runs {
        match Plan::resolve(scenario.as_deref(), settings) {
            Ok(plan) => {
                text += &serde_json::to_string_pretty(&plan.without_secrets())
                    .expect("a plan has no odd keys");
                text.push('\n');
            }
            Err(error) => return fail(Outcome::Usage, &error.to_string()),
        }
    }
    print(&text)
}

fn read_plan(path: &Path, over: &Settings) -> Result<Vec<Run>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    PlanFile::parse(&text)?.runs(over)
}

/// The runs of a preset, or why it says nothing as it is.
fn preset(name: &str, over: Settings) -> Result<(PresetOf, Vec<Run>), String> {
    let file = crate::preset::find(name)?;
    if let Some(wants) = file.wants.as_ref().filter(|_| over.run_at.is_none()) {
        return Err(format!("the preset {name} wants {wants}"));
    }
    if let Some(hint) = &file.hint {
        say(&format!("{name}: {hint}"));
    }
    let system = file.system.clone().unwrap_or_default();
    Ok((PresetOf { name: name.to_owned(), system, reference: Vec::new() }, file.runs(&over)?))
}

fn run_all(runs: Vec<Run>, preset: Option<&PresetOf>, signals: &Signals) -> Outcome {
    let mut worst = Outcome::Ok;
    for Run { scenario, settings, reference } in runs {
        let presentation = match Presentation::of(&settings) {
            Ok(presentation) => presentation,
            Err(error) => {
                fail(Outcome::Usage, &error);
                return Outcome::Usage;
            }
        };
        let mut plan = match Plan::resolve(scenario.as_deref(), settings) {
            Ok(plan) => plan,
            Err(error) => {
                fail(Outcome::Usage, &error.to_string());
                return Outcome::Usage;
            }
        };
        plan.preset = preset.map(|preset| PresetOf { reference, ..preset.clone() });
        for _ in 0..presentation.repeat {
            let outcome = match run(&plan, &presentation, signals) {
                Ok((outcome, interrupted)) => {
                    if interrupted {
                        return outcome;
                    }
                    outcome
                }
                Err(failure) => {
                    let outcome = match failure {
                        Failure::NotSetUp(_) => Outcome::SetUp,
                        Failure::Broken(_) => Outcome::Error,
                    };
                    fail(outcome, &failure.to_string());
                    return outcome;
                }
            };
            if outcome.severity() > worst.severity() {
                worst = outcome;
            }
        }
    }
    worst
}

/// The language of a report: as asked for, else of the locale.
pub(super) fn language(settings: &Settings) -> Language {
    settings.lang.unwrap_or_else(language_of_locale)
}

impl Presentation {
    fn of(settings: &Settings) -> Result<Self, String> {
        let open = settings.open.unwrap_or(false);
        Ok(Self {
            output: settings.output.unwrap_or(Output::Text),
            language: language(settings),
            out_dir: settings.out_dir.clone().or_else(|| open.then(|| "results".into())),
            open,
            html: settings.html.clone(),
            metrics_url: settings.server_metrics.clone(),
            server_pid: settings.server_pid,
            ceiling: !settings.no_ceiling.unwrap_or(false),
            verbose: settings.verbose.unwrap_or(false),
            plain: settings.plain.unwrap_or(false),
            prometheus: settings.prometheus,
            remote_write: settings
                .prometheus_remote_write
                .as_deref()
                .map(str::parse)
                .transpose()?,
            repeat: settings.repeat.unwrap_or(1),
        })
    }
}

/// Conducts a run, shows how it goes (drawn on a terminal, in lines elsewhere), and tells
/// Prometheus.
fn conduct(
    plan: &Plan,
    presentation: &Presentation,
    signals: &Signals,
    watch: &mut Watch,
    started_at_ms: u64,
) -> Result<Conducted, Failure> {
    let clock = SystemClock;
    let name = calendar::folder_name(started_at_ms);
    let mut exporter = Exporter::new(
        plan,
        &clock,
        &name,
        presentation.prometheus,
        presentation.remote_write.as_ref(),
    )
    .map_err(Failure::Broken)?;
    if let Some(address) = exporter.address() {
        say(&format!("metrics are at http://{address}/metrics"));
    }
    let mut live = None;
    if terminal::is_wanted(presentation.plain) {
        // A terminal that can't be drawn on gets lines.
        live = Live::new(plan, presentation.language, signals.interrupts.clone()).ok();
    }
    let conducted = match &mut live {
        Some(live) => conductor::conduct(plan, signals, watch, &mut (live, &mut exporter)),
        None => {
            let mut progress = Progress::new(plan.conns, plan.duration, presentation.verbose);
            let conducted =
                conductor::conduct(plan, signals, watch, &mut (&mut progress, &mut exporter));
            progress.finish();
            conducted
        }
    };
    // What is said from here on is said on the terminal as it was.
    drop(live);
    let mut conducted = conducted?;
    // The last second is over, too.
    conducted.seconds.finish();
    if let Some(complaint) = exporter.finish(&conducted.seconds) {
        say(&complaint);
    }
    Ok(conducted)
}

/// The language of this user's locale.
pub(super) fn language_of_locale() -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let is_chinese = locale.is_some_and(|locale| locale.starts_with("zh"));
    if is_chinese { Language::Zh } else { Language::En }
}

fn run(
    plan: &Plan,
    presentation: &Presentation,
    signals: &Signals,
) -> Result<(Outcome, bool), Failure> {
    conductor::check(plan).map_err(Failure::NotSetUp)?;
    let mut watch = Watch::new(plan, presentation.server_pid, presentation.metrics_url.as_deref())
        .map_err(Failure::Broken)?;
    let ceiling = (presentation.ceiling && plan.duration.as_secs_f64() >= CEILING_RUN_MIN)
        .then(|| doctor::measure_ceiling(signals, CEILING_SECONDS))
        .transpose()
        .map_err(Failure::Broken)?;
    let started_at_ms = SystemClock.now().get();
    let conducted = conduct(plan, presentation, signals, &mut watch, started_at_ms);
    let mut report = Report::new(plan, conducted?, started_at_ms, ceiling);
    report.command = Some(command_line(&std::env::args_os().collect::<Vec<_>>()));
    if let Some(parent) = &presentation.out_dir {
        let folder =
            keep(&report, parent, &watch, presentation.language).map_err(Failure::Broken)?;
        say(&format!("results are in {}", folder.display()));
        if presentation.open {
            open::report(&folder);
        }
    }
    if let Some(path) = &presentation.html {
        keep::write(path, &report.print(Output::Html, presentation.language))
            .map_err(Failure::Broken)?;
        say(&format!("the HTML report is {}", path.display()));
    }
    print(&report.print(presentation.output, presentation.language));
    Ok((report.verdict.outcome, report.interrupted))
}

#[expect(clippy::print_stderr, reason = "this is the command line")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_file_is_read_and_its_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_plan(&path, &Settings { conns: Some(7), ..Settings::default() })
        };
        let runs = read(
            "target = ['ws://h:1/']\nramp = '1s'\nconns = 5\nadapter = 'echo'\n[[run]]\nscenario = 'ping'\n\
             [[run]]\nscenario = 'messaging'\nramp = '2s'\nthreshold = ['e2e.p99<1s']\n",
        )
        .unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!(runs[0].scenario.as_deref(), Some("ping"));
        assert_eq!(runs[0].settings.conns, Some(7));
        assert_eq!(runs[1].settings.ramp, Some("2s".parse().unwrap()));
        assert!(read("conss = 5").unwrap_err().contains("conss"));
        assert!(read("ramp = '5'").unwrap_err().contains("duration"));
    }
}
