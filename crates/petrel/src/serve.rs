//! `petrel serve`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use petrel_node::config::Loaded;
use petrel_node::{Decoder, LogControl, Node, NodeConfig};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::exit::Failure;
use crate::settings::Settings;
use crate::{logging, service};

/// Run a server on the embedded engine.
///
/// Everything durable is in the data directory. Every acknowledged message is on disk
/// (fsync) before its acknowledgement leaves. Ctrl-C or SIGTERM drains and stops; a
/// second one stops at once, which loses nothing acknowledged either. SIGHUP reads the
/// TLS certificate again.
///
/// Every option can also be given in a configuration file or as an environment variable:
/// see `petrel config --help`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let loaded = self.settings.load()?;
        let log = logging::start(&loaded.config.log)?;
        if let Some(file) = &loaded.file {
            tracing::info!(file = %file.display(), "configuration read");
        }
        let runtime = Runtime::new().map_err(Failure::starting)?;
        runtime.block_on(serve(loaded, log))
    }
}

async fn serve(loaded: Loaded, log: LogControl) -> Result<(), Failure> {
    let config = loaded.config;
    ignore_file_size_signal().map_err(Failure::starting)?;
    // Listen for signals before starting: a Ctrl-C during the start counts.
    let shutdown = shutdown_signal().map_err(Failure::starting)?;
    let program = std::env::current_exe().map_err(Failure::starting)?;
    let settings = NodeConfig { picture_decoder: Decoder::Program(program), ..config.node() };
    let node = Node::start(settings, log).await.map_err(Failure::starting)?;
    reload_on_hangup(node.reload()).map_err(Failure::starting)?;
    announce(&node, &config.server.data_dir).map_err(Failure::running)?;
    service::ready();
    let shutdown = async {
        shutdown.await;
        service::stopping();
    };
    node.run_until(shutdown).await.map_err(Failure::running)
}

/// A file that may not grow any more (`ulimit -f`) is a full disk to us and no reason to be
/// killed: with a handler of SIGXFSZ in place the write fails instead.
fn ignore_file_size_signal() -> io::Result<()> {
    const SIGXFSZ: i32 = 25;
    // The handler stays when its listener is gone.
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

/// Completes at the first SIGINT or SIGTERM; the second ends the process.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!("stopped at once");
            // 128 + SIGINT, as shells report it.
            std::process::exit(130);
        });
    })
}

/// Passes every SIGHUP on.
fn reload_on_hangup(reload: Arc<Notify>) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload.notify_one();
        }
    });
    Ok(())
}

/// Tells the person at the terminal where everything is.
fn announce(node: &Node, data_directory: &Path) -> io::Result<()> {
    let data_directory = data_directory.canonicalize()?;
    let fingerprint = node.tls_fingerprint();
    let s = if fingerprint.is_some() { "s" } else { "" };
    let mut out = io::stdout().lock();
    writeln!(out, "Petrel {} is ready.", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  HTTP API   http{s}://{}", node.http_address())?;
    writeln!(out, "  WebSocket  ws{s}://{}/ws", node.gateway_address())?;
    if let Some(fingerprint) = fingerprint {
        writeln!(out, "  SHA-256    {fingerprint}")?;
    }
    if let Some(address) = node.admin_address() {
        writeln!(out, "  Admin      http://{address}")?;
    }
    writeln!(out, "  Data       {}", data_directory.display())?;
    writeln!(out, "  Stop       Ctrl-C")?;
    out.flush()
}
