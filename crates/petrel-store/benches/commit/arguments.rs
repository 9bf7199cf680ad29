//! What the command line asks for.

use std::path::PathBuf;
use std::process;

use crate::workload::Cursors;

const HELP: &str = "\
Arguments after `--`:
  --messages N    only the run that grows a store, with N messages
  --batch N       messages per commit of that run (1000)
  --cursors       move a cursor with each message of that run
  --receipts      move two cursors with each message of that run
  --plot FILE     draw the commits of that run over time, as SVG
  --backup        make a backup at the end of that run, while commits go on";

pub(crate) struct Arguments {
    pub(crate) messages: Option<u64>,
    pub(crate) batch: usize,
    pub(crate) cursors: Cursors,
    pub(crate) plot: Option<PathBuf>,
    pub(crate) backup: bool,
}

impl Arguments {
    pub(crate) fn parse() -> Self {
        let mut parsed =
            Self { messages: None, batch: 1000, cursors: Cursors::None, plot: None, backup: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            if argument == "--plot" {
                parsed.plot = Some(arguments.next().map_or_else(|| end(), PathBuf::from));
                continue;
            }
            let mut number = || arguments.next().and_then(|text| text.parse().ok());
            match argument.as_str() {
                // Cargo says this to every benchmark.
                "--bench" => {}
                "--cursors" => parsed.cursors = Cursors::Own,
                "--receipts" => parsed.cursors = Cursors::Receipts,
                "--backup" => parsed.backup = true,
                "--messages" => parsed.messages = Some(number().unwrap_or_else(|| end())),
                "--batch" => {
                    parsed.batch = number().map_or_else(|| end(), |batch| batch as usize);
                }
                _ => end(),
            }
        }
        parsed
    }
}

fn end() -> ! {
    println!("{HELP}");
    process::exit(2)
}
