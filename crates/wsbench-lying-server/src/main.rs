//! A WebSocket server that misbehaves by known amounts, and writes each misdeed into its
//! log. It is what `wsbench` is tested against, and shares no code with it: another
//! WebSocket implementation, another runtime, no common crate.
//!
//! `/echo` sends everything back. `/im` is a small messenger in JSON: `login`, `send`
//! with an ack to the sender and a `message` to the recipient, `ping`; `join` enters a
//! group, and what is sent to a group goes to all its other members. A fault of a group's
//! message befalls the copy of one of them.
//!
//! A fault with `N` happens to every N-th message (or connection); the log has one JSON
//! object per line for each time that it did.

mod connection;
mod faults;
mod people;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;

use faults::{Fault, Faults};

/// A WebSocket server that misbehaves by known amounts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where each misdeed is written down
    #[arg(long)]
    log: PathBuf,
    #[command(flatten)]
    faults: Amounts,
}

/// How often each fault happens.
#[derive(clap::Args, Debug)]
struct Amounts {
    /// Every N-th message vanishes without an ack
    #[arg(long, value_name = "N")]
    drop: Option<u64>,
    /// Every N-th message is acknowledged and vanishes
    #[arg(long, value_name = "N")]
    ack_and_drop: Option<u64>,
    /// Every N-th message is delivered twice
    #[arg(long, value_name = "N")]
    duplicate: Option<u64>,
    /// Every N-th message changes places with the next to the same recipient
    #[arg(long, value_name = "N")]
    reorder: Option<u64>,
    /// Every N-th message goes to somebody else
    #[arg(long, value_name = "N")]
    wrong_user: Option<u64>,
    /// Every N-th message has one letter changed
    #[arg(long, value_name = "N")]
    corrupt: Option<u64>,
    /// Every N-th message, and what is behind it to the same recipient, waits for --delay-ms
    #[arg(long, value_name = "N")]
    delay: Option<u64>,
    /// How long that is
    #[arg(long, value_name = "MS", default_value_t = 200)]
    delay_ms: u64,
    /// Every message waits for so long
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay_all_ms: u64,
    /// With the N-th message, once, everything stands still
    #[arg(long, value_name = "N")]
    stall: Option<u64>,
    /// For so long
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    stall_ms: u64,
    /// Every N-th connection waits for --slow-accept-ms before its upgrade is answered
    #[arg(long, value_name = "N")]
    slow_accept: Option<u64>,
    /// How long that is
    #[arg(long, value_name = "MS", default_value_t = 300)]
    slow_accept_ms: u64,
    /// With every N-th message its sender's connection is reset
    #[arg(long, value_name = "N")]
    reset: Option<u64>,
    /// Every N-th ack names a message that was never sent
    #[arg(long, value_name = "N")]
    wrong_answer: Option<u64>,
}

impl Amounts {
    fn every(&self) -> Vec<(Fault, u64)> {
        [
            (Fault::Drop, self.drop),
            (Fault::AckAndDrop, self.ack_and_drop),
            (Fault::Duplicate, self.duplicate),
            (Fault::Reorder, self.reorder),
            (Fault::WrongUser, self.wrong_user),
            (Fault::Corrupt, self.corrupt),
            (Fault::Delay, self.delay),
            (Fault::Stall, self.stall),
            (Fault::SlowAccept, self.slow_accept),
            (Fault::Reset, self.reset),
            (Fault::WrongAnswer, self.wrong_answer),
        ]
        .into_iter()
        .filter_map(|(fault, every)| Some((fault, every.filter(|every| *every > 0)?)))
        .collect()
    }
}

#[expect(clippy::print_stdout, reason = "whoever started it reads the address here")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let faults = Arc::new(Faults::new(
        arguments.faults.every(),
        faults::Durations {
            delay_ms: arguments.faults.delay_ms,
            delay_all_ms: arguments.faults.delay_all_ms,
            stall_ms: arguments.faults.stall_ms,
            slow_accept_ms: arguments.faults.slow_accept_ms,
        },
        &arguments.log,
    )?);
    // One thread: when it stands still, everything does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        println!("listening on {}", listener.local_addr()?);
        let people = Arc::new(people::People::default());
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(connection::serve(socket, people.clone(), faults.clone()));
        }
    })
}
