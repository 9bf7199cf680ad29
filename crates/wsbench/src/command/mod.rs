//! The command line.

mod compare;
mod go_style;
mod keep;
mod open;
mod presets;
mod progress;
mod render;
mod run;
mod scorecard;
mod searching;
mod told;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::conductor::{self, Signals};
use crate::scenario::Help;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::verdict::Outcome;
use crate::{doctor, scenario};

/// Load generator and delivery checker for WebSocket and instant-messaging servers.
///
/// Without a scenario it opens connections and holds them. Options may be written with
/// one dash or two. `wsbench scenarios` lists what else it does.
#[derive(Debug, Parser)]
#[command(
    name = "wsbench",
    version,
    disable_help_subcommand = true,
    args_override_self = true,
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    after_help = "Exit codes: 0 ok, 1 error, 2 usage, 3 set-up (nothing connected, or nothing could), 4 threshold \
                  missed, 5 run invalid (the generator was the limit), 6 delivery broken, \
                  7 regression."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Subcommands>,

    /// What to do: connect-only (the default), ping, messaging, … (see `wsbench scenarios`)
    scenario: Option<String>,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List the scenarios
    Scenarios,
    /// Explain a scenario: what it does, measures and requires to pass
    Help {
        /// Its name; without one, how to use the program
        scenario: Option<String>,
    },
    /// Run a plan from a TOML file, and judge it
    Check {
        /// The plan
        plan: PathBuf,
        /// Only say what it comes to
        #[arg(long)]
        dry_run: bool,
        /// What overrides the plan
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Look for the largest load that still meets the criteria (see `wsbench help capacity`)
    Capacity(searching::CapacityOptions),
    /// Try the behaviours of an IM server, one by one (see `wsbench help smoke`)
    Smoke(searching::SmokeOptions),
    /// List the drills of the reference systems, or set their figures beside ours
    Presets(presets::PresetsOptions),
    /// The load test of xzll-im: USERS RAMP DURATION MSG_MS HEARTBEAT_MS
    ///
    /// Users come evenly over RAMP seconds, stay DURATION seconds, send a message every
    /// MSG_MS (0: none) and a heartbeat every HEARTBEAT_MS. The variable MACHINE_ID, or
    /// --machine-id, gives each of several machines users of its own. Passes with 95 % up to
    /// 1,000 users, with 90 % beyond.
    Gatling(presets::GatlingOptions),
    /// Look at what limits a load generator here, and measure what it can do
    Doctor {
        /// How many connections are planned
        #[arg(long, default_value_t = 10_000)]
        conns: u64,
        /// To how many addresses and ports
        #[arg(long, default_value_t = 1)]
        targets: u64,
        /// From how many addresses
        #[arg(long, default_value_t = 1)]
        sources: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the report of a run that is over again, as an HTML page or in another form
    #[command(after_help = render::AFTER_HELP)]
    Report(render::Arguments),
    /// Fill the scorecard of the reference systems' guide from folders of results
    #[command(after_help = scorecard::AFTER_HELP)]
    Scorecard(scorecard::Arguments),
    /// Compare two runs, or two sets of repeats: is the second worse?
    #[command(after_help = compare::AFTER_HELP)]
    Compare(compare::Arguments),
    /// Serve a bare echo server, to see what any server costs at least on this machine
    ///
    /// One thread, no protocol but WebSocket's. Measure it as you measure your server, with
    /// `--adapter echo`, and compare. Ends with Ctrl-C.
    Sink {
        /// Where to listen; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Print the JSON Schema of reports
    Schema,
    /// A worker process of a run; started by wsbench itself
    #[command(hide = true)]
    Worker,
}

/// Runs the program and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = go_style::normalise(arguments, &CommandLine::command());
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Help goes to standard output, mistakes to standard error; if neither can be
            // written to, there is nobody to tell.
            let _ = error.print();
            return code(if error.use_stderr() { Outcome::Usage } else { Outcome::Ok });
        }
    };
    let signals = match handle_signals() {
        Ok(signals) => signals,
        Err(error) => return fail(Outcome::Error, &format!("can't handle signals: {error}")),
    };
    match line.command {
        None => run::once(line.scenario.as_deref(), line.settings, &signals),
        Some(Subcommands::Check { plan, dry_run, settings }) => {
            run::check(&plan, *settings, dry_run, &signals)
        }
        Some(Subcommands::Capacity(options)) => searching::capacity(options, &signals),
        Some(Subcommands::Smoke(options)) => searching::smoke(options),
        Some(Subcommands::Presets(options)) => presets::presets(&options),
        Some(Subcommands::Gatling(options)) => presets::gatling(options, &signals),
        Some(Subcommands::Scenarios) => print(&scenarios()),
        Some(Subcommands::Help { scenario: None }) => {
            print(&CommandLine::command().render_long_help().to_string())
        }
        Some(Subcommands::Help { scenario: Some(name) }) => match explain(&name) {
            Ok(text) => print(&text),
            Err(error) => fail(Outcome::Usage, &error),
        },
        Some(Subcommands::Doctor { conns, targets, sources, json }) => {
            run_doctor(conns, targets, sources, json, &signals)
        }
        Some(Subcommands::Report(arguments)) => render::run(&arguments),
        Some(Subcommands::Scorecard(arguments)) => scorecard::run(&arguments),
        Some(Subcommands::Compare(arguments)) => compare::run(&arguments),
        Some(Subcommands::Sink { listen }) => serve_sink(listen, &signals),
        Some(Subcommands::Schema) => print(&crate::report::json_schema()),
        Some(Subcommands::Worker) => worker(&signals),
    }
}

fn code(outcome: Outcome) -> ExitCode {
    ExitCode::from(outcome.code())
}

#[expect(clippy::print_stderr, reason = "this is the command line")]
fn fail(outcome: Outcome, message: &str) -> ExitCode {
    eprintln!("wsbench: {message}");
    code(outcome)
}

/// Writes to standard output. A reader that went away is not an error of ours.
fn print(text: &str) -> ExitCode {
    let written = io::stdout().lock().write_all(text.as_bytes());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(Outcome::Error, &format!("can't write: {error}"))
        }
        _ => code(Outcome::Ok),
    }
}

/// SIGINT and SIGTERM end a run with a report; a second one ends it without. SIGCONT says
/// that the process had been stopped.
fn handle_signals() -> io::Result<Signals> {
    use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM};
    let signals = Signals::default();
    let mut received = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGCONT])?;
    let handler = signals.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in received.forever() {
            if signal != SIGCONT {
                handler.interrupts.fetch_add(1, Ordering::Relaxed);
            } else if let Ok(list) = handler.continued.lock() {
                list.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
            }
        }
    })?;
    Ok(signals)
}

fn worker(signals: &Signals) -> ExitCode {
    let continued = Arc::new(AtomicBool::new(false));
    if let Ok(mut list) = signals.continued.lock() {
        list.push(continued.clone());
    }
    match conductor::work_as_process(continued) {
        Ok(()) => code(Outcome::Ok),
        Err(error) => fail(Outcome::Error, &format!("worker: {error}")),
    }
}

/// What is no scenario of one run, and is listed with them.
const COMMANDS: [(&str, &str, Help); 2] = [
    ("capacity", crate::capacity::SUMMARY, crate::capacity::HELP),
    ("smoke", crate::smoke::SUMMARY, crate::smoke::HELP),
];

fn scenarios() -> String {
    let scenarios = scenario::all().iter().map(|scenario| (scenario.name(), scenario.summary()));
    let commands = COMMANDS.iter().map(|(name, summary, _)| (*name, *summary));
    let mut text = String::new();
    for (name, summary) in scenarios.chain(commands) {
        text += &format!("{name:<18} {summary}\n");
    }
    text + "\nwsbench help <scenario> says what each does, measures and requires to pass.\n"
}

fn explain(name: &str) -> Result<String, String> {
    let command = COMMANDS.iter().find(|(known, ..)| *known == name);
    let (name, summary, help) = match command {
        Some((name, summary, help)) => (*name, *summary, *help),
        None => {
            let scenario = scenario::find(name).map_err(|error| error.to_string())?;
            (scenario.name(), scenario.summary(), scenario.help())
        }
    };
    let mut text = format!("{name}: {summary}\n");
    for (title, body) in [
        ("What it does", help.does),
        ("What it measures", help.measures),
        ("What it requires", help.passes),
    ] {
        text += &format!("\n{title}\n{}", wrapped(body, 76));
    }
    text += &format!("\nExample\n  {}\n", help.example);
    Ok(text)
}

fn wrapped(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines += &format!("  {line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("  {line}\n")
}

/// Serves until it is interrupted.
fn serve_sink(listen: SocketAddr, signals: &Signals) -> ExitCode {
    let sink = match Sink::listen(listen) {
        Ok(sink) => sink,
        Err(error) => return fail(Outcome::Error, &format!("can't listen on {listen}: {error}")),
    };
    print(&format!("ws://{}/\n", sink.address));
    while signals.interrupts.load(Ordering::Relaxed) == 0 && !sink.is_finished() {
        thread::sleep(Duration::from_millis(100));
    }
    match sink.finish() {
        Ok(_) => code(Outcome::Ok),
        Err(error) => fail(Outcome::Error, &format!("the sink failed: {error}")),
    }
}

fn run_doctor(conns: u64, targets: u64, sources: u64, json: bool, signals: &Signals) -> ExitCode {
    let findings = doctor::examine(conns, targets, sources);
    if io::stderr().is_terminal() {
        run::say("measuring this generator against its own sink for five seconds …");
    }
    let ceiling = match doctor::measure_ceiling(signals, 5.0) {
        Ok(ceiling) => ceiling,
        Err(error) => return fail(Outcome::Error, &error),
    };
    if json {
        let value = serde_json::json!({ "findings": findings, "ceiling": ceiling });
        return print(&format!("{value:#}\n"));
    }
    let mut text = format!("A load generator of {conns} connections on this machine:\n\n");
    for finding in findings {
        text += &format!(
            "{} {}\n     {}\n",
            if finding.ok { "ok  " } else { "LOOK" },
            finding.what,
            finding.why
        );
        if let Some(cure) = finding.cure {
            text += &format!("     try: {cure}\n");
        }
    }
    text += &format!(
        "\nWhat this generator can do here, against its own sink on the same processors:\n\n\
         {:>10.0} messages/s there and back, 64 connections x 16 under way ({:.2} us CPU per frame)\n\
         {:>10.0} messages/s there and back, 200 connections x 1 under way ({:.2} us CPU per frame)\n\
         {:>10.0} connections/s\n\
         {:>10.3} ms median round trip at 1,000 messages/s\n",
        ceiling.messages_per_second,
        ceiling.cpu_us_per_frame,
        ceiling.round_trips_per_second,
        ceiling.cpu_us_per_round_trip_frame,
        ceiling.connects_per_second,
        ceiling.idle_round_trip_ms,
    );
    print(&text)
}
