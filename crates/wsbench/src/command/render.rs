//! `wsbench report`: the report of a run that is over, in any form.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{code, fail, keep, open, print, run};
use crate::plan::{Language, Output};
use crate::report::Report;
use crate::verdict::Outcome;

pub(super) const AFTER_HELP: &str = "\
Examples:
  wsbench report results/20261121_093000 --open
  wsbench report results                          every run below results gets its report.html
  wsbench report report.json --html run.html
  wsbench report results/20261121_093000 --output markdown >> \"$GITHUB_STEP_SUMMARY\"";

/// The folder results are in may be so deep.
const DEPTH_MAX: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A report.json, a folder of results, or a folder of such folders (see --out-dir)
    results: PathBuf,
    /// Where to write the HTML page [default: report.html beside the report.json]
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    html: Option<PathBuf>,
    /// Show the page in a browser
    #[arg(long, conflicts_with = "output")]
    open: bool,
    /// Instead of writing a page, print the report in this form
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// The language that is shown first [default: en, or zh if the locale is Chinese]
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let language = arguments.lang.unwrap_or_else(run::language_of_locale);
    let found = match find(&arguments.results) {
        Ok(found) => found,
        Err(error) => return fail(Outcome::Usage, &error),
    };
    if let Some(output) = arguments.output {
        let text: String = found.iter().map(|(_, report)| report.print(output, language)).collect();
        return print(&text);
    }
    if arguments.html.is_some() && found.len() > 1 {
        let text = format!(
            "there are {} reports in {}; name one of them, or leave --html out and each gets its \
             report.html",
            found.len(),
            arguments.results.display()
        );
        return fail(Outcome::Usage, &text);
    }
    for (path, report) in &found {
        let page = arguments.html.clone().unwrap_or_else(|| path.with_extension("html"));
        if let Err(error) = keep::write(&page, &report.print(Output::Html, language)) {
            return fail(Outcome::Error, &error);
        }
        run::say(&format!("the HTML report is {}", page.display()));
        if arguments.open {
            open::file(&page);
        }
    }
    code(Outcome::Ok)
}

/// Every report at a path, with where it is, oldest first.
pub(super) fn find(path: &Path) -> Result<Vec<(PathBuf, Report)>, String> {
    let mut paths = Vec::new();
    if path.is_dir() {
        search(path, DEPTH_MAX, &mut paths)
            .map_err(|error| format!("can't read {}: {error}", path.display()))?;
        paths.sort_unstable();
    } else {
        paths.push(path.to_owned());
    }
    if paths.is_empty() {
        return Err(format!(
            "there is no report.json in {}; runs with --out-dir leave one",
            path.display()
        ));
    }
    paths.into_iter().map(|path| Ok((path.clone(), read(&path)?))).collect()
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let report = folder.join("report.json");
    if report.is_file() {
        found.push(report);
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Report, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("can't read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| {
        format!("{} is no report of wsbench that this version reads: {error}", path.display())
    })
}
