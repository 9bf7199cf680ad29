//! Exit codes, which scripts may rely on.

use std::fmt::Display;
use std::process::ExitCode;

/// The table of exit codes in every `--help`. (2 is clap's.)
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, or stopped by Ctrl-C or SIGTERM after draining
  1  failed while running
  2  the command line is wrong
  3  could not start: a taken port, an unusable data directory, options that exclude each other
  4  `petrel verify` found that the data contradicts itself";

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

    /// Tells the person at the terminal, and the script.
    #[expect(clippy::print_stderr, reason = "this is what the person at the terminal reads")]
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("petrel: {}", self.message);
        ExitCode::from(self.code)
    }
}
