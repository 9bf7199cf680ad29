//! The terminal view in a real terminal: it is drawn, it stops when asked to, and it leaves
//! the terminal as it was.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use wsbench::sink::Sink;
use wsbench::terminal::Screen;

use crate::support::WSBENCH;

/// What goes into the alternate screen and out of it, and shows the cursor again.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW: &str = "\x1b[?25h";

/// Runs in a terminal of 100 × 30 (util-linux's `script` makes one) and ends it as `end`
/// does when the view is up. Returns what the terminal showed, and its settings before and
/// after.
fn in_terminal(more: &str, end: &str) -> Result<(String, [String; 2])> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    let command = format!(
        "stty rows 30 cols 100; stty -g > {}; {WSBENCH} messaging --target ws://{}/ --adapter echo \
         --conns 10 --rate 100 --ramp 100ms --duration 5m --warmup 0s --no-ceiling --drain 1s {more}; \
         stty -g > {}",
        before.display(),
        sink.address,
        after.display()
    );
    let mut script = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .env("SHELL", "/bin/sh")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("util-linux's script")?;
    let mut keys = script.stdin.take().context("stdin is piped")?;
    let mut screen = script.stdout.take().context("stdout is piped")?;
    let (mut shown, mut part, mut asked) = (Vec::new(), [0; 4096], false);
    loop {
        match screen.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => shown.extend_from_slice(&part[..count]),
        }
        // Something has been delivered.
        let text = String::from_utf8_lossy(&shown);
        if !asked && text.contains("end to end") {
            asked = true;
            keys.write_all(end.as_bytes())?;
            keys.flush()?;
        }
    }
    script.wait()?;
    let settings = [fs::read_to_string(before)?, fs::read_to_string(after)?];
    Ok((String::from_utf8_lossy(&shown).into_owned(), settings))
}

#[test]
fn the_view_stops_when_asked_to_and_gives_the_terminal_back() -> Result<()> {
    // Two keys, and a signal.
    let term = "--run-at '1s:kill -TERM $PPID'";
    for (more, end) in [("", "q"), ("", "\x03"), (term, "")] {
        let (shown, [before, after]) = in_terminal(more, end)?;
        assert_eq!(before, after, "the terminal's settings are as they were");
        let (enter, leave) = (shown.find(ENTER), shown.rfind(LEAVE));
        ensure!(enter.is_some() && enter < leave, "{shown}");
        let rest = &shown[leave.unwrap_or_default()..];
        assert!(rest.contains(SHOW), "the cursor is back: {rest}");
        assert!(
            rest.contains("Established:") && rest.contains("interrupted by the user"),
            "{rest}"
        );
        for part in ["Connections", "Per second", "Latency (ms)", "If it ended now"] {
            assert!(shown.contains(part), "{part} is missing");
        }
        assert!(shown.contains("\x1b[38;5;"), "in colour");
    }
    Ok(())
}

#[test]
fn plain_lines_are_written_where_they_are_asked_for() -> Result<()> {
    let sink = Sink::start()?;
    let command = format!(
        "{WSBENCH} messaging --plain --target ws://{}/ --adapter echo --conns 10 --rate 100 --ramp 100ms \
         --duration 600ms --warmup 0s --no-ceiling --late-after 1m",
        sink.address
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains(ENTER) && shown.contains("ramp done: 10 of 10"), "{shown}");
    Ok(())
}

/// Not a test by itself: the next one runs it in a terminal.
#[test]
#[ignore = "panics, in the terminal that the next test makes"]
fn a_program_that_panics_while_the_view_is_up() {
    let _screen = Screen::take().expect("a terminal to take");
    panic!("the view was up");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    let program = std::env::current_exe()?;
    let command = format!(
        "stty -g > {}; {} --exact terminal::a_program_that_panics_while_the_view_is_up --ignored --nocapture; stty -g > {}",
        before.display(),
        program.display(),
        after.display()
    );
    let output = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output()
        .context("util-linux's script")?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let [enter, leave, told] = [ENTER, LEAVE, "the view was up"].map(|part| shown.find(part));
    ensure!(enter.is_some() && enter < leave, "{shown}");
    ensure!(leave < told, "what is told must not be drawn over: {shown}");
    assert_eq!(fs::read_to_string(before)?, fs::read_to_string(after)?, "{shown}");
    Ok(())
}
