//! Small servers that speak the protocols of mini-im, EthanQC/IM and xzll-im as those
//! speak them, with the faults that matter to a load generator. They are what the
//! adapters of `wsbench` are tested against, and share no code with them: another
//! WebSocket implementation, another runtime, another encoder.
//!
//! What a fault did is written to the log, one word a line. Nothing is kept on disk, and
//! nothing is fast: they stand in for servers, they do not measure up to them.

mod ethanqc;
mod log;
mod mini_im;
mod peers;
mod token;
mod web;
mod xzll;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

use log::Log;

/// A small server that speaks a reference system's protocol.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where each misdeed is written down
    #[arg(long)]
    log: PathBuf,
    #[command(subcommand)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Server {
    /// mini-im
    MiniIm(mini_im::Faults),
    /// EthanQC/IM: the first address is the gateway's, the others are the delivery service's
    Ethanqc(ethanqc::Faults),
    /// xzll-im
    Xzll(xzll::Faults),
}

#[expect(clippy::print_stdout, reason = "whoever started it reads the addresses here")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let log = Arc::new(Log::new(&arguments.log)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listeners = match &arguments.server {
            Server::Ethanqc(faults) => 1 + faults.replicas,
            _ => 1,
        };
        let mut bound = Vec::new();
        for _ in 0..listeners {
            bound.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        let addresses: Result<Vec<_>, _> = bound
            .iter()
            .map(|listener| Ok::<_, std::io::Error>(listener.local_addr()?.to_string()))
            .collect();
        println!("listening on {}", addresses?.join(" "));
        match arguments.server {
            Server::MiniIm(faults) => mini_im::serve(bound.remove(0), faults, log).await?,
            Server::Ethanqc(faults) => ethanqc::serve(bound, faults, log).await?,
            Server::Xzll(faults) => xzll::serve(bound.remove(0), faults, log).await?,
        }
        Ok(())
    })
}
