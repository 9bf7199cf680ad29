//! What an operator decides about a node.
//!
//! The settings are a typed tree ([`Config`]); files, the environment and the command
//! line are laid over its defaults by [`Loaded::read`]. [`NodeConfig`] is what the parts
//! of a node are made from.

mod calls;
mod document;
mod files;
mod gateway;
mod identity;
mod keys;
mod load;
mod sources;
mod tls;
mod tree;
mod units;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use petrel_api::Network;
use petrel_files::Decoder;
use petrel_gateway::{Heartbeat, SessionPolicy, SlowReaders};
use petrel_logic::identity::{IdentitySettings, Registration};
use petrel_logic::presence;
use petrel_protocol::http::admin::WordMode;
use petrel_types::OperatingLimits;

use crate::StartError;
use crate::tls::TlsConfig;

pub use calls::CallsSection;
pub use document::{effective, example, reference};
pub use files::{FileStorage, FilesSection};
pub use gateway::{GatewaySection, SessionPolicySetting};
pub use identity::{BenchIssuerSetting, IdentitySection, RegistrationSetting};
pub use load::{ConfigError, FILE, Loaded, Sources};
pub use sources::Origin;
pub use tls::{TlsMode, TlsSection};
pub use tree::{
    AdminSection, Config, HttpSection, LogFormat, LogSection, PresenceSection, RetentionSection,
    SearchSection, ServerSection,
};
pub use units::{Listen, Span};

/// How long a session goes on after its token has expired, if nothing else is said.
pub const EXPIRY_GRACE: Duration = Duration::from_secs(60);

/// How long the audit log is kept, if nothing else is said.
pub const AUDIT_KEEP: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The configuration of one node on the embedded engine.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where everything durable is kept.
    pub data_directory: PathBuf,
    /// Where the HTTP API listens.
    pub http: SocketAddr,
    /// Where the WebSocket gateway listens.
    pub gateway: SocketAddr,
    /// Who may register. If unset: anybody on loopback, nobody elsewhere.
    pub registration: Option<Registration>,
    /// How long log-ins and tokens last, and how fast passwords may be tried. Its
    /// `registration` is set by the field above.
    pub identity: IdentitySettings,
    /// Files that describe other issuers whose tokens are believed.
    pub issuer_files: Vec<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
    /// How many sessions a user may have at once.
    pub session_policy: SessionPolicy,
    /// How long a session goes on after its token has expired.
    pub expiry_grace: Duration,
    /// When silent peers are asked whether they are there, and given up.
    pub heartbeat: Heartbeat,
    /// How much may wait for peers that read slowly, and when they are given up.
    pub slow_readers: SlowReaders,
    /// Whether load-test users are let in.
    pub bench_issuer: BenchIssuer,
    /// Extra web origins whose pages may open a WebSocket.
    pub allowed_origins: Vec<String>,
    /// Connections beyond this are refused with 503.
    pub connections_max: u64,
    /// How long events are kept; for ever, if unset. At least a week.
    pub keep: Option<Duration>,
    /// Whether messages can be searched for.
    pub search: bool,
    /// Where the search index is kept; in the data directory, if unset.
    pub search_directory: Option<PathBuf>,
    /// Whether only friends can send each other messages.
    pub chats_need_friendship: bool,
    /// A file with words that users must not send.
    pub words_file: Option<PathBuf>,
    /// What is done about words of which it says nothing else.
    pub words_mode: WordMode,
    /// How long the audit log is kept. At least a day.
    pub audit_keep: Duration,
    /// Who is shown as online, and when.
    pub presence: presence::Settings,
    /// The servers by which devices in a call reach each other.
    pub turn: TurnConfig,
    /// Where files are, and how much may be uploaded.
    pub files: FilesSection,
    /// Who decodes the pictures among them.
    pub picture_decoder: Decoder,
    /// How much may be asked for.
    pub limits: OperatingLimits,
    /// Whether, and with which certificate, both listeners speak TLS.
    pub tls: TlsConfig,
    /// Where metrics and profiles are served.
    pub admin: Listen,
}

/// STUN and TURN servers, which are no part of this system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnConfig {
    /// As `stun:stun.example.com`.
    pub stun_urls: Vec<String>,
    /// As `turn:turn.example.com:3478?transport=udp`.
    pub turn_urls: Vec<String>,
    /// The file with what the system shares with the TURN servers.
    pub secret_file: Option<PathBuf>,
    /// For how long a credential is good.
    pub credentials_last: Duration,
}

/// Whether tokens of the bench issuer are trusted. Whoever can read its key can be any
/// load-test user (never a registered one), so it stays on loopback unless told twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchIssuer {
    /// Not trusted.
    Off,
    /// Trusted, if all listeners are on loopback.
    LoopbackOnly,
    /// Trusted wherever the listeners are.
    Anywhere,
}

impl NodeConfig {
    /// Finds contradictions before anything is touched.
    pub fn check(&self) -> Result<(), StartError> {
        if self.bench_issuer == BenchIssuer::LoopbackOnly && !self.is_loopback() {
            return Err(StartError::Config(
                "--bench-issuer lets anybody with its key in as a load-test user, so it works on \
                 loopback addresses only; add --bench-issuer-anywhere if that is what you want"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Who may register, after the default.
    pub fn effective_registration(&self) -> Registration {
        let default = if self.is_loopback() { Registration::Open } else { Registration::Closed };
        self.registration.unwrap_or(default)
    }

    /// Whether nobody can connect from another machine.
    pub fn is_loopback(&self) -> bool {
        self.http.ip().is_loopback() && self.gateway.ip().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str) -> NodeConfig {
        NodeConfig {
            data_directory: PathBuf::from("data"),
            http: format!("{host}:8080").parse().unwrap(),
            gateway: "127.0.0.1:8084".parse().unwrap(),
            registration: None,
            identity: IdentitySettings::default(),
            issuer_files: Vec::new(),
            proxies: Vec::new(),
            session_policy: SessionPolicy::Multi,
            expiry_grace: EXPIRY_GRACE,
            heartbeat: Heartbeat::default(),
            slow_readers: SlowReaders::default(),
            bench_issuer: BenchIssuer::Off,
            allowed_origins: Vec::new(),
            connections_max: 1,
            keep: None,
            search: true,
            search_directory: None,
            chats_need_friendship: false,
            words_file: None,
            words_mode: WordMode::Refuse,
            audit_keep: AUDIT_KEEP,
            presence: presence::Settings::default(),
            turn: TurnConfig::default(),
            files: FilesSection::default(),
            picture_decoder: Decoder::Here,
            limits: OperatingLimits::default(),
            tls: TlsConfig::Off,
            admin: Listen::Off,
        }
    }

    #[test]
    fn registration_is_open_on_loopback_only() {
        assert_eq!(config("127.0.0.1").effective_registration(), Registration::Open);
        assert_eq!(config("0.0.0.0").effective_registration(), Registration::Closed);
        let told = NodeConfig { registration: Some(Registration::Open), ..config("0.0.0.0") };
        assert_eq!(told.effective_registration(), Registration::Open);
    }

    #[test]
    fn the_bench_issuer_leaves_loopback_only_when_told_twice() {
        let with = |host, bench_issuer| NodeConfig { bench_issuer, ..config(host) }.check();
        assert!(with("127.0.0.1", BenchIssuer::LoopbackOnly).is_ok());
        assert!(with("0.0.0.0", BenchIssuer::LoopbackOnly).is_err());
        assert!(with("0.0.0.0", BenchIssuer::Anywhere).is_ok());
    }
}
