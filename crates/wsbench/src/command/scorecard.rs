//! `wsbench scorecard DIR`: ten figures with their targets, from folders of results.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::{fail, print, render, run};
use crate::plan::Language;
use crate::scorecard;
use crate::verdict::Outcome;

pub(super) const AFTER_HELP: &str = "\
Runs that were kept with --out-dir fill the rows that they measure: connect-only the stable \
connections, connect-rate the connections per second, single-e2e throughput and latency, \
reconnect-storm the way back, offline-pull the pull, soak of 4 h the memory. Rows that no run \
measured stay open; runs that are INVALID do not count.

Examples:
  wsbench scorecard results
  wsbench scorecard results --output html --lang zh > scorecard.html";

/// The form of a scorecard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// GitHub-flavoured Markdown.
    Markdown,
    /// One HTML page.
    Html,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A folder of results, or a folder of such folders (see --out-dir)
    results: PathBuf,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    /// Its language [default: en, or zh if the locale is Chinese]
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let language = arguments.lang.unwrap_or_else(run::language_of_locale);
    let reports: Vec<_> = match render::find(&arguments.results) {
        Ok(found) => found.into_iter().map(|(_, report)| report).collect(),
        Err(error) => return fail(Outcome::Usage, &error),
    };
    let rows = scorecard::rows(&reports);
    print(&match arguments.output {
        Form::Text => scorecard::text(&rows, language),
        Form::Markdown => scorecard::markdown(&rows, language),
        Form::Html => scorecard::html(&rows, language),
    })
}
