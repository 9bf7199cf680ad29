//! Running plans.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use petrel_types::{Clock, SystemClock};

use super::progress::Progress;
use super::{code, fail, open, print};
use crate::conductor::{self, Failure, Signals};
use crate::doctor;
use crate::plan::{Language, Output, Plan, PlanFile, PresetOf, Run};
use crate::report::Report;
use crate::settings::Settings;
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
    metrics_url: Option<String>,
    server_pid: Option<u32>,
    ceiling: bool,
    open: bool,
    verbose: bool,
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
        let presentation = Presentation::of(&settings);
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

/// The language that is asked for, or else that of the locale.
pub(super) fn language(settings: &Settings) -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let chinese = locale.is_some_and(|locale| locale.starts_with("zh"));
    settings.lang.unwrap_or(if chinese { Language::Zh } else { Language::En })
}

impl Presentation {
    fn of(settings: &Settings) -> Self {
        let open = settings.open.unwrap_or(false);
        Self {
            output: settings.output.unwrap_or(Output::Text),
            language: language(settings),
            out_dir: settings.out_dir.clone().or_else(|| open.then(|| "results".into())),
            open,
            metrics_url: settings.server_metrics.clone(),
            server_pid: settings.server_pid,
            ceiling: !settings.no_ceiling.unwrap_or(false),
            verbose: settings.verbose.unwrap_or(false),
            repeat: settings.repeat.unwrap_or(1),
        }
    }
}

fn run(
    plan: &Plan,
    presentation: &Presentation,
    signals: &Signals,
) -> Result<(Outcome, bool), Failure> {
    crate::worker::check(plan).map_err(Failure::NotSetUp)?;
    let mut watch = Watch::new(plan, presentation.server_pid, presentation.metrics_url.as_deref())
        .map_err(Failure::Broken)?;
    let ceiling = (presentation.ceiling && plan.duration.as_secs_f64() >= CEILING_RUN_MIN)
        .then(|| doctor::measure_ceiling(signals, CEILING_SECONDS))
        .transpose()
        .map_err(Failure::Broken)?;
    let started_at_ms = SystemClock.now().get();
    let mut progress = Progress::new(plan.conns, plan.duration, presentation.verbose);
    let conducted = conductor::conduct(plan, signals, &mut watch, &mut progress);
    progress.finish();
    let report = Report::new(plan, conducted?, started_at_ms, ceiling);
    if let Some(parent) = &presentation.out_dir {
        let folder =
            keep(&report, parent, &watch, presentation.language).map_err(Failure::Broken)?;
        say(&format!("results are in {}", folder.display()));
        if presentation.open {
            open::report(&folder);
        }
    }
    print(&report.print(presentation.output, presentation.language));
    Ok((report.verdict.outcome, report.interrupted))
}

/// Puts the report, in all its forms, into a folder with the date.
fn keep(
    report: &Report,
    parent: &Path,
    watch: &Watch,
    language: Language,
) -> Result<PathBuf, String> {
    let folder = free_folder(parent, &date(report.started_at_ms))?;
    let mut server = "at_seconds,memory_bytes,cpu_seconds\n".to_owned();
    for sample in watch.samples() {
        server +=
            &format!("{:.3},{},{:.3}\n", sample.at_seconds, sample.memory, sample.cpu as f64 / 1e9);
    }
    for (name, content) in [
        ("report.txt", report.print(Output::Text, language)),
        ("report.json", report.print(Output::Json, language)),
        ("report.csv", report.print(Output::Csv, language)),
        ("seconds.csv", report.seconds_table()),
        ("server.csv", server),
        ("metrics.csv", watch.metrics_table().unwrap_or_default()),
    ] {
        if content.is_empty() {
            continue;
        }
        let path = folder.join(name);
        fs::write(&path, content)
            .map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    Ok(folder)
}

fn free_folder(parent: &Path, name: &str) -> Result<PathBuf, String> {
    let wrong = |error| format!("can't make {}: {error}", parent.display());
    fs::create_dir_all(parent).map_err(wrong)?;
    for number in 1..1000 {
        let suffix = if number == 1 { String::new() } else { format!("_{number}") };
        let folder = parent.join(format!("{name}{suffix}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(wrong(error)),
        }
    }
    Err(format!("{} is full of results of this second", parent.display()))
}

/// `YYYYMMDD_HHMMSS`, in UTC. The civil calendar from days, after Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms".
fn date(ms: u64) -> String {
    let seconds = ms / 1000;
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}")
}

#[expect(clippy::print_stderr, reason = "this is the command line")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_the_date() {
        assert_eq!(date(0), "19700101_000000");
        assert_eq!(date(1_709_210_096_000), "20240229_123456");
        assert_eq!(date(1_800_000_000_000), "20270115_080000");
    }

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
