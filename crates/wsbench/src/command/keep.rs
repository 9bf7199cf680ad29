//! Where results go: a folder with the date, with the report in all its forms.

use std::fs;
use std::path::{Path, PathBuf};

use crate::calendar;
use crate::plan::{Language, Output};
use crate::report::Report;
use crate::watch::Watch;

/// Puts the report, in all its forms, into a folder with the date.
pub(super) fn keep(
    report: &Report,
    parent: &Path,
    watch: &Watch,
    language: Language,
) -> Result<PathBuf, String> {
    let folder = free_folder(parent, &calendar::folder_name(report.started_at_ms))?;
    let mut server = "at_seconds,memory_bytes,cpu_seconds\n".to_owned();
    for sample in watch.samples() {
        server +=
            &format!("{:.3},{},{:.3}\n", sample.at_seconds, sample.memory, sample.cpu as f64 / 1e9);
    }
    for (name, content) in [
        ("report.txt", report.print(Output::Text, language)),
        ("report.json", report.print(Output::Json, language)),
        ("report.csv", report.print(Output::Csv, language)),
        ("report.html", report.print(Output::Html, language)),
        ("report.md", report.print(Output::Markdown, language)),
        ("junit.xml", report.print(Output::Junit, language)),
        ("seconds.csv", report.seconds_table()),
        ("server.csv", server),
        ("metrics.csv", watch.metrics_table().unwrap_or_default()),
    ] {
        if !content.is_empty() {
            write(&folder.join(name), &content)?;
        }
    }
    Ok(folder)
}

/// Writes a file whole.
pub(super) fn write(path: &Path, content: &str) -> Result<(), String> {
    fs::write(path, content).map_err(|error| format!("can't write {}: {error}", path.display()))
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
