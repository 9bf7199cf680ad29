//! `wsbench compare A B`: is B worse than A?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::{code, fail, print, render, run};
use crate::compare::{self, Comparison, Group, Rules};
use crate::plan::Language;
use crate::report::Report;
use crate::verdict::Outcome;

pub(super) const AFTER_HELP: &str = "\
A and B are each a report.json, a folder of results, or a folder of such folders: runs of the \
same plan in it are repeats (wsbench … --repeat 5 --out-dir A), runs of several plans are \
compared plan by plan.

Exit code 7 if B is worse: the whole confidence interval of a change lies on the worse side, \
and the change is larger than --fail-over. Exit code 2 if the plans differ.

Examples:
  wsbench compare results/before results/after
  wsbench compare before.json after.json --fail-over 10% --output markdown >> \"$GITHUB_STEP_SUMMARY\"";

/// The form of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// One JSON array, a comparison for each plan.
    Json,
    /// GitHub-flavoured Markdown.
    Markdown,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What it was
    a: PathBuf,
    /// What it is
    b: PathBuf,
    /// Worse by up to so much is no regression
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    fail_over: f64,
    /// How sure, for all figures together
    #[arg(long, value_name = "PERCENT", default_value = "95%", value_parser = confidence)]
    confidence: f64,
    /// Compare runs although their plans differ
    #[arg(long)]
    force: bool,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    /// Its language [default: en, or zh if the locale is Chinese]
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// What random draws follow from: the same seed, the same intervals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim().parse::<f64>();
    number
        .ok()
        .filter(|number| (0.0..=1000.0).contains(number))
        .ok_or_else(|| format!("{text:?} is not a percentage; write 5%"))
}

fn confidence(text: &str) -> Result<f64, String> {
    percent(text)
        .ok()
        .filter(|number| (50.0..=99.9).contains(number))
        .ok_or_else(|| format!("{text:?} is not a confidence; write one from 50% to 99.9%"))
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match compare(arguments) {
        Ok((text, outcome)) => {
            print(&text);
            code(outcome)
        }
        Err(error) => fail(Outcome::Usage, &error),
    }
}

fn compare(arguments: &Arguments) -> Result<(String, Outcome), String> {
    let reports = |path| -> Result<Vec<Report>, String> {
        Ok(render::find(path)?.into_iter().map(|(_, report)| report).collect())
    };
    let (before, after) = (reports(&arguments.a)?, reports(&arguments.b)?);
    let rules = Rules {
        tolerated_percent: arguments.fail_over,
        confidence_percent: arguments.confidence,
        seed: arguments.seed,
        ..Rules::default()
    };
    let language = arguments.lang.unwrap_or_else(run::language_of_locale);
    let (pairs, unmatched) = pairs(before, after, arguments.force)?;
    let comparisons = pairs
        .iter()
        .map(|(before, after)| Comparison::of(before, after, rules))
        .collect::<Result<Vec<_>, _>>()?;
    let outcome = if comparisons.iter().any(|one| one.outcome() != Outcome::Ok) {
        Outcome::Regression
    } else {
        Outcome::Ok
    };
    let mut text = match arguments.output {
        Form::Json => {
            serde_json::to_string_pretty(&comparisons).expect("a comparison has no odd keys") + "\n"
        }
        Form::Text => {
            let texts: Vec<_> = comparisons.iter().map(|one| one.text(language)).collect();
            texts.join("\n")
        }
        Form::Markdown => {
            let texts: Vec<_> = comparisons.iter().map(|one| one.markdown(language)).collect();
            texts.join("\n")
        }
    };
    if arguments.output == Form::Text && unmatched > 0 {
        text += &format!("\n{unmatched} plans are only in A or only in B, and are not compared\n");
    }
    Ok((text, outcome))
}

type Pairs = Vec<(Vec<Report>, Vec<Report>)>;

/// Which runs of A are compared with which of B, and how many plans are only on one side.
fn pairs(before: Vec<Report>, after: Vec<Report>, force: bool) -> Result<(Pairs, usize), String> {
    if force {
        return Ok((vec![(before, after)], 0));
    }
    let (before, mut after) = (compare::group(before), compare::group(after));
    if let ([before], [after]) = (&before[..], &after[..])
        && let differences = compare::differences(before, after)
        && !differences.is_empty()
    {
        return Err(not_alike(&differences));
    }
    let all = before.len() + after.len();
    let mut pairs = Vec::new();
    for group in before {
        let same = |other: &Group| compare::differences(&group, other).is_empty();
        if let Some(place) = after.iter().position(same) {
            pairs.push((group.runs, after.swap_remove(place).runs));
        }
    }
    if pairs.is_empty() {
        let text = "no plan is both in A and in B; --force compares them all the same";
        return Err(text.to_owned());
    }
    let unmatched = all - 2 * pairs.len();
    Ok((pairs, unmatched))
}

fn not_alike(differences: &[String]) -> String {
    format!(
        "A and B were not asked to do the same, so the figures can't be compared:\n  {}\n\
         --force compares them all the same",
        differences.join("\n  ")
    )
}
