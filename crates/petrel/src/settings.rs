//! The options of the command line that are settings: each is a key of the
//! configuration, over which it wins.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use petrel_node::config::{Listen, Loaded, Sources};
use toml::Value;

use crate::exit::Failure;

/// Where settings come from, in rising order of weight: defaults, the file, variables
/// (`PETREL_HTTP__LISTEN` for `http.listen`), these options.
#[derive(Debug, Default, Args)]
pub(crate) struct Settings {
    /// The configuration file [default: petrel.toml, if it is there]
    ///
    /// `petrel config example` prints one with every setting.
    #[arg(long, value_name = "FILE", env = "PETREL_CONFIG")]
    config: Option<PathBuf>,

    /// Set any key of the configuration, as gateway.connections_max=20000; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Where everything durable is kept; made if it doesn't exist [default: petrel-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Where the HTTP API listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<SocketAddr>,

    /// Where the WebSocket gateway listens; port 0 takes a free one [default: 127.0.0.1:8084]
    #[arg(long, value_name = "HOST:PORT")]
    gateway: Option<SocketAddr>,

    /// Who may register [default: open on loopback, closed elsewhere]
    #[arg(long, value_enum)]
    registration: Option<Registration>,

    /// How many sessions a user may have at once [default: multi]
    #[arg(long, value_enum)]
    session_policy: Option<SessionPolicy>,

    /// Another issuer whose tokens are believed: a file that describes it; repeatable
    ///
    /// `petrel config docs` says at identity.issuers what is in it.
    #[arg(long, value_name = "FILE")]
    issuer: Vec<PathBuf>,

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

    /// Connections beyond this are refused with 503 [default: 100000]
    #[arg(long, value_name = "N")]
    connections_max: Option<u32>,

    /// Give up events that are older than this many days [default: keep them for ever]
    ///
    /// What is given up is gone from every device's history that does not hold it yet.
    /// A week is the least, because for so long a message that is sent again is
    /// recognised.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..=36_500))]
    keep_days: Option<u32>,

    /// Speak TLS on both listeners [default: off]
    #[arg(long, value_enum)]
    tls: Option<Tls>,

    /// The certificate and its chain, as PEM; implies --tls files
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// Where metrics, profiles and the log level are served, or off [default: 127.0.0.1:6060]
    #[arg(long, value_name = "HOST:PORT|off")]
    admin: Option<Listen>,

    /// What to log: a level (error, warn, info, debug, trace) or tracing directives [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// The form of log lines: pretty or json [default: pretty]
    #[arg(long, value_name = "FORM", value_parser = PossibleValuesParser::new(["pretty", "text", "json"]), hide_possible_values = true)]
    log_format: Option<String>,
}

/// Which data directory: as `petrel serve` finds it.
#[derive(Debug, Args)]
pub(crate) struct DataDirectory {
    /// The data directory [default: server.data_dir of the configuration, else petrel-data]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,

    /// The configuration file that says where it is [default: petrel.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "PETREL_CONFIG", global = true)]
    config: Option<PathBuf>,
}

impl DataDirectory {
    /// Where it is. One that is named needs no configuration.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        match &self.data_dir {
            Some(path) => Ok(path.clone()),
            None => Ok(Settings::of_file(self.config.clone()).load()?.config.server.data_dir),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Registration {
    /// Anybody
    Open,
    /// Whoever has a code that `petrel admin invite` made
    Invite,
    /// Nobody
    Closed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SessionPolicy {
    /// Any number; the same device only one
    Multi,
    /// One: a new session replaces the others
    Single,
    /// One per platform that clients name
    OnePerPlatform,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tls {
    /// Plain HTTP and WebSocket
    Off,
    /// With the certificate that --tls-certificate names
    Files,
    /// With one made at the first start, for a LAN
    SelfSigned,
}

impl Settings {
    /// Those that come from `file` alone, and the environment.
    pub(crate) fn of_file(file: Option<PathBuf>) -> Self {
        Self { config: file, ..Self::default() }
    }

    /// Reads all sources of settings.
    pub(crate) fn load(self) -> Result<Loaded, Failure> {
        // Known to the command line alone.
        let variables = env::vars_os().filter(|(name, _)| name != "PETREL_CONFIG").collect();
        let (file, assignments) = (self.config.clone(), self.set.clone());
        let sources = Sources { file, variables, assignments, flags: self.flags() };
        Loaded::read(sources).map_err(Failure::starting)
    }

    fn flags(self) -> Vec<(&'static str, Value, &'static str)> {
        let bench_issuer = match (self.bench_issuer, self.bench_issuer_anywhere) {
            (false, _) => None,
            (true, false) => Some("loopback"),
            (true, true) => Some("anywhere"),
        };
        let tls = match self.tls {
            None => self.tls_certificate.as_ref().map(|_| "files"),
            Some(Tls::Off) => Some("off"),
            Some(Tls::Files) => Some("files"),
            Some(Tls::SelfSigned) => Some("self-signed"),
        };
        let registration = self.registration.map(|registration| match registration {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        });
        let session_policy = self.session_policy.map(|policy| match policy {
            SessionPolicy::Multi => "multi",
            SessionPolicy::Single => "single",
            SessionPolicy::OnePerPlatform => "one-per-platform",
        });
        let issuers: Vec<_> =
            self.issuer.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let issuers = (!issuers.is_empty()).then(|| Value::from(issuers));
        let path =
            |path: Option<PathBuf>| path.map(|path| path.to_string_lossy().into_owned().into());
        let text = |text: Option<String>| text.map(Value::from);
        let origins = (!self.allow_origin.is_empty()).then(|| Value::from(self.allow_origin));
        let flags = [
            ("server.data_dir", path(self.data_dir), "--data-dir"),
            ("http.listen", text(self.http.map(|it| it.to_string())), "--http"),
            ("gateway.listen", text(self.gateway.map(|it| it.to_string())), "--gateway"),
            ("gateway.allowed_origins", origins, "--allow-origin"),
            ("gateway.connections_max", self.connections_max.map(Value::from), "--connections-max"),
            ("identity.registration", registration.map(Value::from), "--registration"),
            ("gateway.session_policy", session_policy.map(Value::from), "--session-policy"),
            ("identity.issuers", issuers, "--issuer"),
            ("identity.bench_issuer", bench_issuer.map(Value::from), "--bench-issuer"),
            ("retention.keep", text(self.keep_days.map(|days| format!("{days}d"))), "--keep-days"),
            ("tls.mode", tls.map(Value::from), "--tls"),
            ("tls.certificate", path(self.tls_certificate), "--tls-certificate"),
            ("tls.key", path(self.tls_key), "--tls-key"),
            ("admin.listen", text(self.admin.map(|it| it.to_string())), "--admin"),
            ("log.filter", text(self.log), "--log"),
            ("log.format", text(self.log_format), "--log-format"),
        ];
        flags.into_iter().filter_map(|(key, value, flag)| Some((key, value?, flag))).collect()
    }
}
