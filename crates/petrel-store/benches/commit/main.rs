//! What durable commits cost, in messages per second, CPU, bytes and stalls.
//!
//! `cargo bench -p petrel-store --bench commit -- --help` tells the arguments. The data
//! lives below the target directory, on the disk that the build is on, because a memory
//! file system would measure another thing.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, and ends when something fails"
)]

mod arguments;
mod bare;
mod grown;
mod indexed;
mod lazy;
mod measure;
mod plot;
mod trace;
mod workload;

use std::path::{Path, PathBuf};

use self::arguments::Arguments;
use self::measure::{Report, print_header};
use self::workload::{Cursors, Workload};

const BATCHES: [usize; 4] = [1, 100, 1000, 5000];
const GROWN_MESSAGES: u64 = 1_000_000;
const CONVERSATIONS: [u64; 2] = [1_000, 100_000];

fn main() {
    let arguments = Arguments::parse();
    let scratch = Scratch::new();
    trace::listen();
    println!("Each message: 150 bytes of payload, a random client message id.");
    if let Some(messages) = arguments.messages {
        grown::run(&scratch.place(), &arguments, messages);
        return;
    }
    print_header();
    for batch in BATCHES {
        for conversations in CONVERSATIONS {
            for cursors in [Cursors::None, Cursors::Own, Cursors::Receipts] {
                let messages = messages(batch);
                let workload = Workload { batch, conversations, cursors, messages };
                lazy::run(&scratch.place(), &workload).print();
            }
        }
    }
    for batch in BATCHES {
        let messages = messages(batch);
        let workload = Workload { batch, conversations: 100_000, cursors: Cursors::None, messages };
        bare::run(&scratch.place(), &workload).print();
        indexed::run(&scratch.place(), &workload).print();
    }
    println!();
    grown::run(&scratch.place(), &arguments, GROWN_MESSAGES);
}

/// How many messages tell what a commit of `batch` costs, without waiting for long.
fn messages(batch: usize) -> u64 {
    (batch as u64 * 300).clamp(1_000, 200_000)
}

/// A directory that is deleted at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commit-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A fresh directory; what was in it before is deleted.
    fn place(&self) -> PathBuf {
        let place = self.0.join("place");
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(&place).unwrap();
        place
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Prints a report as soon as it is there, so that a run that is cut off was not in vain.
trait Print {
    fn print(&self);
}

impl Print for Report {
    fn print(&self) {
        println!("{self}");
    }
}
