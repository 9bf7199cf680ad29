//! `wsbench capacity` and `wsbench smoke`: commands that run more than one thing and have
//! results of their own.

use std::process::ExitCode;

use clap::Args;

use super::run::{language, say};
use super::{code, fail, print};
use crate::capacity::{self, Raised, Wanted};
use crate::conductor::{Failure, Signals};
use crate::plan::{Output, Plan};
use crate::settings::Settings;
use crate::smoke;
use crate::span::Span;
use crate::verdict::Outcome;

/// The largest load that is tried, if nobody says otherwise.
const RATE_MAX: u32 = 1_000_000;
const CONNECTIONS_MAX: u32 = 1_000_000;
/// Runs of each load, if nobody says otherwise.
const REPEATS: u32 = 5;

#[derive(Args, Debug)]
pub(super) struct CapacityOptions {
    /// The scenario whose capacity is looked for
    #[arg(long, value_name = "SCENARIO", default_value = "messaging")]
    of: String,
    /// What is raised
    #[arg(long, value_enum, default_value = "rate")]
    search: Raised,
    /// The first load: messages a second, or connections [default: 100]
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    from: u32,
    /// The largest load that is tried [default: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    to: Option<u32>,
    /// How close is close enough, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    tolerance: f64,
    /// What every run has in common
    #[command(flatten)]
    settings: Box<Settings>,
}

#[derive(Args, Debug)]
pub(super) struct SmokeOptions {
    /// Only these behaviours; repeatable or separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// How long to wait for each frame
    #[arg(long, value_name = "TIME", default_value = "8s")]
    patience: Span,
    /// Where, and as whom
    #[command(flatten)]
    settings: Box<Settings>,
}

/// Looks for a capacity.
pub(super) fn capacity(options: CapacityOptions, signals: &Signals) -> ExitCode {
    let CapacityOptions { of, search, from, to, tolerance, mut settings } = options;
    let most = match search {
        Raised::Rate => RATE_MAX,
        Raised::Connections => CONNECTIONS_MAX,
    };
    let to = to.unwrap_or(most);
    if from > to || !(tolerance > 0.0 && tolerance.is_finite()) {
        return fail(Outcome::Usage, "--from is at most --to, --tolerance more than 0");
    }
    let repeats = settings.repeat.take().unwrap_or(REPEATS);
    let wanted = Wanted { of, raised: search, from, to, tolerance_percent: tolerance, repeats };
    let found = capacity::find(&wanted, &settings, signals, &mut |step| say(&step.line()));
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let outcome = match &error {
                capacity::Error::Plan(_) => Outcome::Usage,
                capacity::Error::Run(Failure::NotSetUp(_)) => Outcome::SetUp,
                capacity::Error::Run(Failure::Broken(_)) | capacity::Error::Interrupted => {
                    Outcome::Error
                }
            };
            return fail(outcome, &error.to_string());
        }
    };
    match settings.output {
        Some(Output::Json) => print_json(&found),
        _ => print(&found.text(language(&settings))),
    };
    code(found.outcome())
}

/// Takes the behaviours of a server.
pub(super) fn smoke(options: SmokeOptions) -> ExitCode {
    let SmokeOptions { only, patience, settings } = options;
    let language = language(&settings);
    let json = settings.output == Some(Output::Json);
    let plan = match Plan::resolve(Some("ping"), *settings) {
        Ok(plan) => plan,
        Err(error) => return fail(Outcome::Usage, &error.to_string()),
    };
    let said = smoke::run(&plan, &only, patience.0, &mut |behaviour| {
        if json {
            say(&behaviour.line(language));
        }
    });
    match said {
        Ok(smoke) => {
            if json {
                print_json(&smoke)
            } else {
                print(&smoke.text(language))
            };
            code(if smoke.ok { Outcome::Ok } else { Outcome::ThresholdMissed })
        }
        Err(error) => fail(Outcome::Usage, &error),
    }
}

fn print_json(value: &impl serde::Serialize) -> ExitCode {
    let text = serde_json::to_string_pretty(value).expect("a result has no odd keys");
    print(&format!("{text}\n"))
}
