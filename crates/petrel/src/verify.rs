//! `petrel verify`.

use std::io::{self, Write};
use std::time::Instant;

use clap::Args;
use petrel_store::sqlite::{Report, verify};

use crate::exit::Failure;
use crate::settings::DataDirectory;

/// Check a data directory for contradictions.
///
/// Walks every timeline, both indexes, heads, cursors and marks, and says what does not
/// fit together. Takes about as long as reading everything. The server must be stopped;
/// after a crash, what its log holds is brought into the database first, as a start
/// would. Nothing else is changed.
///
/// The search index is not looked at: it is made of the rest, and the server makes it again
/// when it is damaged or deleted.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    data: DataDirectory,
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let begin = Instant::now();
        let report = verify(&self.data.path()?).map_err(Failure::starting)?;
        print(&report, begin).map_err(Failure::running)?;
        match report.problem_count {
            0 => Ok(()),
            1 => Err(Failure::contradiction("the data directory has a contradiction")),
            many => {
                Err(Failure::contradiction(format!("the data directory has {many} contradictions")))
            }
        }
    }
}

fn print(report: &Report, begin: Instant) -> io::Result<()> {
    let Report { events, conversations, index_entries, problem_count, problems } = report;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Checked {events} events of {conversations} conversations and {index_entries} index \
         entries in {:.1} s.",
        begin.elapsed().as_secs_f64()
    )?;
    for problem in problems {
        writeln!(out, "  {problem}")?;
    }
    let untold = problem_count.saturating_sub(problems.len() as u64);
    if untold > 0 {
        writeln!(out, "  … and {untold} more")?;
    }
    if *problem_count == 0 {
        writeln!(out, "Everything fits together.")?;
    }
    out.flush()
}
