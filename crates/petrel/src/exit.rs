//! Exit codes, which scripts may rely on.

use std::fmt::Display;
use std::process::ExitCode;

/// The table of exit codes in every `--help`. (2 is clap's.)
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, or stopped by Ctrl-C or SIGTERM after draining
  1  failed while running
  2  the command line is wrong
  3  could not start: a wrong configuration, a taken port, an unusable data directory or certificate
  4  `petrel verify` found that the data contradicts itself
  5  `petrel doctor` found something to worry about
  6  `petrel doctor` found something that does not work
130  stopped at once by a second Ctrl-C or SIGTERM; nothing acknowledged is lost by it";

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Something went wrong while running.
    pub(crate) fn running(error: impl Display) -> Self {
        Self { code: 1, message: error.to_string() }
    }

    /// It could not start.
    pub(crate) fn starting(error: impl Display) -> Self {
        Self { code: 3, message: error.to_string() }
    }

    /// The data contradicts itself.
    pub(crate) fn contradiction(message: impl Display) -> Self {
        Self { code: 4, message: message.to_string() }
    }

    /// It works, but not under load or attack.
    pub(crate) fn warnings(message: impl Display) -> Self {
        Self { code: 5, message: message.to_string() }
    }

    /// It would not work.
    pub(crate) fn problems(message: impl Display) -> Self {
        Self { code: 6, message: message.to_string() }
    }

    /// Tells the person at the terminal, and the script.
    #[expect(clippy::print_stderr, reason = "this is what the person at the terminal reads")]
    pub(crate) fn report(self) -> ExitCode {
        for line in self.message.lines() {
            eprintln!("petrel: {line}");
        }
        ExitCode::from(self.code)
    }
}
