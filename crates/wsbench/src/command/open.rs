//! Opening a report when the run is over, where there is somebody to look at it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::run::say;

/// What a report is opened as, best first.
const FORMS: [&str; 2] = ["report.html", "report.txt"];

/// Opens the report in a folder of results, or says why not.
pub(super) fn report(folder: &Path) {
    let found = FORMS.iter().map(|name| folder.join(name)).find(|path| path.exists());
    if let Some(path) = found {
        file(&path);
    }
}

/// Opens a file, or says why not.
pub(super) fn file(path: &Path) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !cfg!(target_os = "macos") && !display {
        return say(&format!("there is no display to open {} on", path.display()));
    }
    let opened = Command::new(opener)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = opened {
        say(&format!("can't open {} with {opener}: {error}", path.display()));
    }
}
