//! `petrel serve`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use petrel_node::{
    BenchIssuer, IdentitySettings, IssuerConfig, Network, Node, NodeConfig, RegistrationMode,
    SessionPolicy, ThrottleSettings,
};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;
use crate::logging::{self, LogFormat};

/// Run a server on the embedded engine.
///
/// Everything durable is in the data directory. Every acknowledged message is on disk
/// (fsync) before its acknowledgement leaves. Ctrl-C or SIGTERM drains and stops; a
/// second one stops at once, which loses nothing acknowledged either.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where everything durable is kept; made if it doesn't exist
    #[arg(long, value_name = "DIR", default_value = "petrel-data", env = "PETREL_DATA_DIR")]
    data_dir: PathBuf,

    /// Where the HTTP API listens; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", env = "PETREL_HTTP")]
    http: SocketAddr,

    /// Where the WebSocket gateway listens; port 0 takes a free one
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8084",
        env = "PETREL_GATEWAY"
    )]
    gateway: SocketAddr,

    /// Who may register [default: open on loopback, closed elsewhere]
    #[arg(long, value_enum, env = "PETREL_REGISTRATION")]
    registration: Option<RegistrationArgument>,

    /// How many sessions a user may have at once
    #[arg(long, value_enum, default_value = "multi", env = "PETREL_SESSION_POLICY")]
    session_policy: SessionPolicyArgument,

    /// How long an access token lasts, in seconds
    ///
    /// So often a client asks for the next one, and so long somebody can use a stolen one.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 15 * 60,
        value_parser = clap::value_parser!(u64).range(1..=24 * 60 * 60),
        env = "PETREL_ACCESS_TOKEN_SECONDS"
    )]
    access_token_seconds: u64,

    /// How long a log-in lasts that is not used, in days
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3650),
        env = "PETREL_LOGIN_DAYS"
    )]
    login_days: u64,

    /// How long a session goes on after its token has expired, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(0..=24 * 60 * 60),
        env = "PETREL_EXPIRY_GRACE_SECONDS"
    )]
    expiry_grace_seconds: u64,

    /// Another issuer whose tokens are believed: a file that describes it; repeatable
    ///
    /// The file is TOML, with `name`, `iss`, `algorithm` (HS256, RS256, ES256, EdDSA),
    /// `key_file` (the secret, or the public key in PEM), and optionally `user_claim` (sub,
    /// uid), `ids` (mapped, trusted), `first_id` and `last_id` (of trusted ids), and
    /// `allow_weak_secret` (on loopback only).
    #[arg(long, value_name = "FILE")]
    issuer: Vec<PathBuf>,

    /// A proxy whose X-Forwarded-For is believed: an address or network; repeatable
    #[arg(long, value_name = "NETWORK")]
    trusted_proxy: Vec<Network>,

    /// Slow down those who try passwords on loopback, too
    #[arg(long)]
    throttle_loopback: bool,

    /// Trust a generated key for load-test users (ids below 10000000001)
    ///
    /// The key is written to secrets/bench-issuer.key in the data directory. Whoever
    /// can read it can be any load-test user, never a registered one. Works only while
    /// all listeners are on loopback.
    #[arg(long)]
    bench_issuer: bool,

    /// Trust the bench issuer on other addresses than loopback, too
    #[arg(long, requires = "bench_issuer")]
    bench_issuer_anywhere: bool,

    /// Another web origin whose pages may connect, as `https://chat.example.com`; repeatable
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// Connections beyond this are refused with 503
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    connections_max: u64,

    /// Give up events that are older than this many days [default: keep them for ever]
    ///
    /// What is given up is gone from every device's history that does not hold it yet.
    /// A week is the least, because for so long a message that is sent again is
    /// recognised.
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u32).range(7..=36_500),
        env = "PETREL_KEEP_DAYS"
    )]
    keep_days: Option<u32>,

    /// What to log: a level (error, warn, info, debug) or tracing directives
    #[arg(long, value_name = "FILTER", default_value = "info", env = "PETREL_LOG")]
    log: String,

    /// The form of log lines
    #[arg(long, value_enum, default_value = "text", env = "PETREL_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SessionPolicyArgument {
    /// Any number; the same device only one
    Multi,
    /// One: a new session replaces the others
    Single,
    /// One per platform that clients name
    OnePerPlatform,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RegistrationArgument {
    /// Anybody
    Open,
    /// Whoever has a code that `petrel admin invite` made
    Invite,
    /// Nobody
    Closed,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::start(&self.log, self.log_format)?;
        let runtime = Runtime::new().map_err(Failure::starting)?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Failure> {
        let data_directory = self.data_dir.clone();
        // Listen for signals before starting: a Ctrl-C during the start counts.
        let shutdown = shutdown_signal().map_err(Failure::starting)?;
        let node = Node::start(self.into_config()?).await.map_err(Failure::starting)?;
        announce(&node, &data_directory).map_err(Failure::running)?;
        node.run_until(shutdown).await.map_err(Failure::running)
    }

    fn into_config(self) -> Result<NodeConfig, Failure> {
        let identity = self.identity();
        let issuers = self.issuer.iter().map(|path| IssuerConfig::read(path));
        Ok(NodeConfig {
            data_directory: self.data_dir,
            http: self.http,
            gateway: self.gateway,
            registration: self.registration.map(|registration| match registration {
                RegistrationArgument::Open => RegistrationMode::Open,
                RegistrationArgument::Invite => RegistrationMode::Invite,
                RegistrationArgument::Closed => RegistrationMode::Closed,
            }),
            identity,
            issuers: issuers.collect::<Result<_, _>>().map_err(Failure::starting)?,
            proxies: self.trusted_proxy,
            session_policy: match self.session_policy {
                SessionPolicyArgument::Multi => SessionPolicy::Multi,
                SessionPolicyArgument::Single => SessionPolicy::Single,
                SessionPolicyArgument::OnePerPlatform => SessionPolicy::OnePerPlatform,
            },
            expiry_grace: Duration::from_secs(self.expiry_grace_seconds),
            bench_issuer: match (self.bench_issuer, self.bench_issuer_anywhere) {
                (false, _) => BenchIssuer::Off,
                (true, false) => BenchIssuer::LoopbackOnly,
                (true, true) => BenchIssuer::Anywhere,
            },
            allowed_origins: self.allow_origin,
            connections_max: self.connections_max,
            keep: self.keep_days.map(|days| Duration::from_secs(u64::from(days) * DAY_SECONDS)),
        })
    }

    fn identity(&self) -> IdentitySettings {
        let defaults = IdentitySettings::default();
        IdentitySettings {
            access_token_ttl: Duration::from_secs(self.access_token_seconds),
            login_ttl: Duration::from_secs(self.login_days * DAY_SECONDS),
            throttle: ThrottleSettings {
                includes_loopback: self.throttle_loopback,
                ..defaults.throttle
            },
            ..defaults
        }
    }
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

/// Tells the person at the terminal where everything is.
fn announce(node: &Node, data_directory: &Path) -> io::Result<()> {
    let data_directory = data_directory.canonicalize()?;
    let mut out = io::stdout().lock();
    writeln!(out, "Petrel {} is ready.", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  HTTP API   http://{}", node.http_address())?;
    writeln!(out, "  WebSocket  ws://{}/ws", node.gateway_address())?;
    writeln!(out, "  Data       {}", data_directory.display())?;
    writeln!(out, "  Stop       Ctrl-C")?;
    out.flush()
}
