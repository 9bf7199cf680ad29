//! Everything an operator may decide, as one tree: a section a part of the system.
//!
//! A doc comment here is the documentation: `petrel.example.toml`, the reference in
//! docs/configuration.md and `petrel config` are made of this file. A new setting is a
//! field, its default in the `Default` of its section, and a line where [`NodeConfig`]
//! is made.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use petrel_api::Network;
use petrel_files::Decoder;
use petrel_gateway::{Heartbeat, SessionPolicy, SlowReaders, WaterMarks};
use petrel_logic::identity::{IdentitySettings, Registration, ThrottleSettings};
use petrel_logic::presence;
use petrel_logic::retention::Retention;
use petrel_protocol::http::admin::WordMode;
use petrel_types::OperatingLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::FilesSection;
use super::units::{Listen, Span};
use super::{AUDIT_KEEP, BenchIssuer, EXPIRY_GRACE, NodeConfig, TurnConfig};
use crate::tls::TlsConfig;

/// The shortest time for which the audit log may be kept.
const AUDIT_KEEP_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The configuration of one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node as a whole.
    pub server: ServerSection,
    /// The HTTP API.
    pub http: HttpSection,
    /// The WebSocket gateway.
    pub gateway: GatewaySection,
    /// Who may come in.
    pub identity: IdentitySection,
    /// What users are to each other.
    pub contacts: ContactsSection,
    /// Words that users must not send.
    pub words: WordsSection,
    /// Who is shown as online, and when.
    pub presence: PresenceSection,
    /// Calls.
    pub calls: CallsSection,
    /// Files that users upload.
    pub files: FilesSection,
    /// How much may be asked for, and what is large. A rate of 0 is no limit.
    pub limits: OperatingLimits,
    /// What is given up, and when.
    pub retention: RetentionSection,
    /// Searching messages.
    pub search: SearchSection,
    /// Encryption of both listeners.
    pub tls: TlsSection,
    /// The log, on standard error.
    pub log: LogSection,
    /// The listener for operators: metrics, profiles, log level.
    pub admin: AdminSection,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Where everything durable is kept. Made if it doesn't exist; only its owner can read it.
    /// PETREL_DATA_DIR names it for all commands.
    pub data_dir: PathBuf,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Where the HTTP API listens. Port 0 takes a free one.
    #[schemars(extend("format" = "HOST:PORT"))]
    pub listen: SocketAddr,
    /// Proxies whose X-Forwarded-For is believed: addresses, or networks as 10.0.0.0/8. What
    /// others say there is ignored.
    #[schemars(example = ["10.0.0.0/8"])]
    pub trusted_proxies: Vec<String>,
}

/// `[gateway]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySection {
    /// Where the WebSocket gateway listens. Port 0 takes a free one.
    #[schemars(extend("format" = "HOST:PORT"))]
    pub listen: SocketAddr,
    /// Connections beyond this are refused with 503. Each needs a descriptor: see `petrel doctor`.
    pub connections_max: u64,
    /// Web origins whose pages may connect, as `https://chat.example.com`, besides pages of the
    /// gateway's own host name.
    #[schemars(example = ["https://chat.example.com"])]
    pub allowed_origins: Vec<String>,
    /// How many sessions a user may have at once: `multi` (any number), `single` (a new session
    /// replaces the others) or `one-per-platform`. The same device never has two.
    pub session_policy: SessionPolicySetting,
    /// How long a session goes on after its token has expired.
    pub expiry_grace: Span,
    /// How long a peer may be silent before it is sent a ping, and again after each such time.
    /// From 100ms to 1h. Shorter than what proxies and NATs on the way take for idle.
    pub ping_interval: Span,
    /// How long a peer may be silent, pings unanswered, before its session is closed with code
    /// 4504. Longer than gateway.ping_interval, and at most 1d.
    pub idle_timeout: Span,
    /// When more than this many bytes wait to be written to a session, it is pushed nothing more
    /// and told of a gap later. From 16384 to 67108864; a node needs this much memory for each
    /// slow reader.
    pub outbox_high_water_bytes: u32,
    /// When no more than this many bytes wait, the session is told of the gaps and pushed to again.
    /// At most gateway.outbox_high_water_bytes.
    pub outbox_low_water_bytes: u32,
    /// How long a write may make no progress before the session is closed with code 4508. From
    /// 100ms to 10m.
    pub close_unwritable_after: Span,
}

/// `[identity]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySection {
    /// Who may register: `open` (anybody), `invite` (whoever has a code that `petrel admin invite`
    /// made) or `closed` (nobody). If not set: open as long as all listeners are on loopback, closed otherwise.
    #[schemars(example = &"closed")]
    pub registration: Option<RegistrationSetting>,
    /// Whether tokens of a generated key for load-test users are trusted: `off`, `loopback` (as
    /// long as all listeners are on loopback) or `anywhere`. Whoever can read the key,
    /// secrets/bench-issuer.key in the data directory, can be any load-test user, never a
    /// registered one.
    pub bench_issuer: BenchIssuerSetting,
    /// How long an access token lasts: so often does a client ask for the next one, and so long
    /// can somebody use a stolen one.
    pub access_token_lasts: Span,
    /// How long a log-in lasts that is not refreshed.
    pub login_lasts: Span,
    /// The most log-ins of a user. The next one ends the one that was refreshed longest ago.
    pub logins_per_user_max: u32,
    /// How many users may be registered from one address in a row. Each further one within an
    /// hour has to wait, twice as long as the one before, up to a quarter of an hour.
    pub free_registrations_per_address: u32,
    /// Whether those who try passwords, or register many users, have to wait on loopback, too.
    pub throttle_loopback: bool,
    /// Other issuers whose tokens are believed: a file for each, in TOML, with `name`, `iss`,
    /// `algorithm` (HS256, RS256, ES256, EdDSA), `key_file` (the secret, or the public key as PEM),
    /// and optionally `user_claim` (sub, uid), `ids` (mapped, trusted), `first_id` and `last_id` (of
    /// trusted ids), and `allow_weak_secret` (on loopback only).
    #[schemars(example = ["/etc/petrel/company.toml"])]
    pub issuers: Vec<PathBuf>,
}

/// How many sessions a user may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionPolicySetting {
    /// Any number.
    #[default]
    Multi,
    /// One.
    Single,
    /// One per platform.
    OnePerPlatform,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationSetting {
    /// Anybody.
    Open,
    /// Whoever has a code.
    Invite,
    /// Nobody.
    Closed,
}

/// Where load-test users are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BenchIssuerSetting {
    /// Nowhere.
    #[default]
    Off,
    /// On loopback.
    Loopback,
    /// Everywhere.
    Anywhere,
}

/// `[contacts]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContactsSection {
    /// Whether only friends can send each other messages. If not, anybody can write to anybody who
    /// has not blocked the sender. Groups are not concerned.
    pub chats_need_friendship: bool,
}

/// `[words]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WordsSection {
    /// A file with a word in each line, beside the words that admins put in while the server runs.
    /// Read again when it changes. `refuse:`, `replace:` or `flag:` before a word says what is done
    /// about it; lines that begin with # say nothing.
    #[schemars(example = &"/etc/petrel/words.txt")]
    pub file: Option<PathBuf>,
    /// What is done about words of the file that say nothing else: `refuse`, `replace` (by *) or
    /// `flag` (the audit log tells of it).
    pub mode: WordMode,
}

/// `[presence]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceSection {
    /// How long after the last connection a user still counts as online, so that a lost
    /// connection or a page that reloads is no news. At most 10m.
    pub offline_after: Span,
}

/// `[calls]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallsSection {
    /// STUN servers, by which devices learn how they are seen from outside.
    #[schemars(example = ["stun:stun.example.com:3478"])]
    pub stun_urls: Vec<String>,
    /// TURN servers, which relay calls between devices that can't reach each other directly:
    /// coturn with `use-auth-secret`, or others that know its scheme.
    #[schemars(example = ["turn:turn.example.com:3478?transport=udp"])]
    pub turn_urls: Vec<String>,
    /// A file with the secret that is shared with the TURN servers (`static-auth-secret` of
    /// coturn), at least 16 bytes. Needed if there are TURN servers.
    #[schemars(example = &"/etc/petrel/turn-secret")]
    pub turn_secret_file: Option<PathBuf>,
    /// For how long a credential for the TURN servers is good. From 1m to 7d.
    pub turn_credentials_last: Span,
}

/// `[retention]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSection {
    /// Events that are older are given up: gone from every device's history that does not hold
    /// them yet. At least 7d, because for so long a message that is sent again is recognised. If
    /// not set, they are kept for ever.
    #[schemars(example = &"365d")]
    pub keep: Option<Span>,
}

/// `[search]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSection {
    /// Whether messages can be searched for. If not, no index is kept, and searches are refused
    /// with `search_off`; switched on again, the index catches up with what was said meanwhile.
    pub enabled: bool,
    /// Where the index is kept; `search` in the data directory, if not set. It is about as large as
    /// the messages, is made of them, and can be deleted while the server is stopped: then it is
    /// made again. Only its owner can read it.
    #[schemars(example = &"/var/cache/petrel/search")]
    pub dir: Option<PathBuf>,
}

/// `[tls]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// Whether both listeners speak TLS: `off`, `files` (a certificate of your own) or
    /// `self-signed` (made at the first start and kept in the data directory; for a LAN).
    pub mode: TlsMode,
    /// The certificate and its chain, as PEM. Read again when the file changes and on SIGHUP.
    #[schemars(example = &"/etc/petrel/fullchain.pem")]
    pub certificate: Option<PathBuf>,
    /// The private key, as PEM.
    #[schemars(example = &"/etc/petrel/privkey.pem")]
    pub key: Option<PathBuf>,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// No TLS.
    #[default]
    Off,
    /// From `tls.certificate` and `tls.key`.
    Files,
    /// Made by the node itself.
    SelfSigned,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// What is logged: a level (error, warn, info, debug, trace) or tracing directives such as
    /// `info,petrel_gateway=debug`. Can be changed while the node runs, at the admin listener.
    pub filter: String,
    /// The form of log lines: `pretty` (for people) or `json` (one object a line).
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    #[serde(alias = "text")]
    Pretty,
    /// One JSON object a line, for programs.
    Json,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSection {
    /// Where /metrics, /debug/pprof, /debug/tasks and /debug/log-level are served, or `off`.
    /// Nobody is asked for a password there: keep it on loopback or a network of your own.
    pub listen: Listen,
    /// How long the audit log is kept, which tells what admins of the system did. At least 1d.
    pub audit_keep: Span,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("petrel-data") }
    }
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), trusted_proxies: Vec::new() }
    }
}

impl Default for GatewaySection {
    fn default() -> Self {
        let heartbeat = Heartbeat::default();
        let slow_readers = SlowReaders::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8084)),
            connections_max: 100_000,
            allowed_origins: Vec::new(),
            session_policy: SessionPolicySetting::default(),
            expiry_grace: Span(EXPIRY_GRACE),
            ping_interval: Span(heartbeat.ping_interval),
            idle_timeout: Span(heartbeat.idle_timeout),
            outbox_high_water_bytes: slow_readers.marks.high_bytes,
            outbox_low_water_bytes: slow_readers.marks.low_bytes,
            close_unwritable_after: Span(slow_readers.close_after),
        }
    }
}

impl Default for IdentitySection {
    fn default() -> Self {
        let settings = IdentitySettings::default();
        Self {
            registration: None,
            bench_issuer: BenchIssuerSetting::default(),
            access_token_lasts: Span(settings.access_token_ttl),
            login_lasts: Span(settings.login_ttl),
            logins_per_user_max: settings.logins_per_user_max,
            free_registrations_per_address: settings.throttle.free_registrations,
            throttle_loopback: settings.throttle.includes_loopback,
            issuers: Vec::new(),
        }
    }
}

impl IdentitySection {
    fn settings(&self) -> IdentitySettings {
        let defaults = IdentitySettings::default();
        IdentitySettings {
            access_token_ttl: self.access_token_lasts.0,
            login_ttl: self.login_lasts.0,
            logins_per_user_max: self.logins_per_user_max,
            throttle: ThrottleSettings {
                free_registrations: self.free_registrations_per_address,
                includes_loopback: self.throttle_loopback,
                ..defaults.throttle
            },
            ..defaults
        }
    }
}

impl Default for SearchSection {
    fn default() -> Self {
        Self { enabled: true, dir: None }
    }
}

impl Default for PresenceSection {
    fn default() -> Self {
        Self { offline_after: Span(presence::Settings::default().offline_after) }
    }
}

impl Default for CallsSection {
    fn default() -> Self {
        Self {
            stun_urls: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret_file: None,
            turn_credentials_last: Span(Duration::from_secs(60 * 60)),
        }
    }
}

impl CallsSection {
    fn contradictions(&self) -> Vec<String> {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut found = Vec::new();
        let lists = [
            ("stun_urls", &self.stun_urls, ["stun:", "stuns:"]),
            ("turn_urls", &self.turn_urls, ["turn:", "turns:"]),
        ];
        for (name, urls, schemes) in lists {
            let is_wrong = |url: &&String| {
                let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
                rest.is_none_or(str::is_empty) || url.contains(char::is_whitespace)
            };
            if let Some(wrong) = urls.iter().find(is_wrong) {
                let [one, other] = schemes;
                found.push(format!(
                    "calls.{name}: {wrong:?} is no such server; write {one}HOST:PORT or \
                     {other}HOST:PORT"
                ));
            }
        }
        if !self.turn_urls.is_empty() && self.turn_secret_file.is_none() {
            found.push(
                "calls.turn_urls need calls.turn_secret_file, the secret that the TURN servers \
                 share"
                    .to_owned(),
            );
        }
        if !(MINUTE..=7 * 24 * 60 * MINUTE).contains(&self.turn_credentials_last.0) {
            found.push("calls.turn_credentials_last must be between 1m and 7d".to_owned());
        }
        found
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::default() }
    }
}

impl Default for AdminSection {
    fn default() -> Self {
        let listen = Listen::At(SocketAddr::from(([127, 0, 0, 1], 6060)));
        Self { listen, audit_keep: Span(AUDIT_KEEP) }
    }
}

impl GatewaySection {
    fn contradictions(&self) -> impl Iterator<Item = String> {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let (ping, idle) = (self.ping_interval.0, self.idle_timeout.0);
        let interval = (!(Duration::from_millis(100)..=HOUR).contains(&ping))
            .then(|| "gateway.ping_interval must be between 100ms and 1h".to_owned());
        let timeout = (idle <= ping || idle > 24 * HOUR).then(|| {
            format!(
                "gateway.idle_timeout must be longer than gateway.ping_interval ({}), or no answer \
                 could come in time, and at most 1d",
                self.ping_interval
            )
        });
        interval.into_iter().chain(timeout).chain(self.slow_reader_contradictions())
    }

    fn slow_reader_contradictions(&self) -> impl Iterator<Item = String> + use<> {
        let (high, low) = (self.outbox_high_water_bytes, self.outbox_low_water_bytes);
        let mark = (!(16 * 1024..=64 * 1024 * 1024).contains(&high)).then(|| {
            "gateway.outbox_high_water_bytes must be between 16384 and 67108864".to_owned()
        });
        let marks = (low > high).then(|| {
            format!("gateway.outbox_low_water_bytes must be at most the high water mark, {high}")
        });
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_secs(600));
        let patience = (!(shortest..=longest).contains(&self.close_unwritable_after.0))
            .then(|| "gateway.close_unwritable_after must be between 100ms and 10m".to_owned());
        mark.into_iter().chain(marks).chain(patience)
    }
}

impl TlsSection {
    fn node(&self) -> TlsConfig {
        match (self.mode, &self.certificate, &self.key) {
            (TlsMode::Files, Some(certificate), Some(key)) => {
                TlsConfig::Files { certificate: certificate.clone(), key: key.clone() }
            }
            (TlsMode::SelfSigned, ..) => TlsConfig::SelfSigned,
            // Without both files it is a contradiction, and is told as that.
            (TlsMode::Off | TlsMode::Files, ..) => TlsConfig::Off,
        }
    }
}

impl Config {
    /// Finds what no single value shows. Each message says what to do.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.retention.keep.is_some_and(|keep| keep.0 < Retention::KEEP_MIN) {
            found.push("retention.keep is shorter than 7d; make it longer".to_owned());
        }
        if self.admin.audit_keep.0 < AUDIT_KEEP_MIN {
            found.push("admin.audit_keep is shorter than 1d; make it longer".to_owned());
        }
        found.extend(self.gateway.contradictions());
        found.extend(self.calls.contradictions());
        if self.presence.offline_after.0 > Duration::from_secs(600) {
            found.push("presence.offline_after is longer than 10m; make it shorter".to_owned());
        }
        found.extend(self.files.contradictions());
        let has_files = self.tls.certificate.is_some() || self.tls.key.is_some();
        let has_both = self.tls.certificate.is_some() && self.tls.key.is_some();
        match self.tls.mode {
            TlsMode::Files if !has_both => found.push(
                "tls.mode is `files`, so tls.certificate and tls.key (--tls-certificate, \
                 --tls-key) must both be given"
                    .to_owned(),
            ),
            TlsMode::Off | TlsMode::SelfSigned if has_files => found.push(
                "tls.certificate and tls.key are used only with tls.mode = \"files\"; set that, or \
                 take them out"
                    .to_owned(),
            ),
            _ => {}
        }
        for text in &self.http.trusted_proxies {
            let wrong = text.parse::<Network>().err();
            found.extend(wrong.map(|error| format!("http.trusted_proxies: {error}")));
        }
        found.extend(self.node().check().err().map(|error| error.to_string()));
        found
    }

    /// What the parts of a node need of it.
    pub fn node(&self) -> NodeConfig {
        NodeConfig {
            data_directory: self.server.data_dir.clone(),
            http: self.http.listen,
            gateway: self.gateway.listen,
            registration: self.identity.registration.map(|registration| match registration {
                RegistrationSetting::Open => Registration::Open,
                RegistrationSetting::Invite => Registration::Invite,
                RegistrationSetting::Closed => Registration::Closed,
            }),
            identity: self.identity.settings(),
            issuer_files: self.identity.issuers.clone(),
            // One that can't be read is a contradiction, and is told as that.
            proxies: self.http.trusted_proxies.iter().flat_map(|text| text.parse()).collect(),
            session_policy: match self.gateway.session_policy {
                SessionPolicySetting::Multi => SessionPolicy::Multi,
                SessionPolicySetting::Single => SessionPolicy::Single,
                SessionPolicySetting::OnePerPlatform => SessionPolicy::OnePerPlatform,
            },
            expiry_grace: self.gateway.expiry_grace.0,
            heartbeat: Heartbeat {
                ping_interval: self.gateway.ping_interval.0,
                idle_timeout: self.gateway.idle_timeout.0,
            },
            slow_readers: SlowReaders {
                marks: WaterMarks {
                    high_bytes: self.gateway.outbox_high_water_bytes,
                    low_bytes: self.gateway.outbox_low_water_bytes,
                },
                close_after: self.gateway.close_unwritable_after.0,
            },
            bench_issuer: match self.identity.bench_issuer {
                BenchIssuerSetting::Off => BenchIssuer::Off,
                BenchIssuerSetting::Loopback => BenchIssuer::LoopbackOnly,
                BenchIssuerSetting::Anywhere => BenchIssuer::Anywhere,
            },
            allowed_origins: self.gateway.allowed_origins.clone(),
            connections_max: self.gateway.connections_max,
            chats_need_friendship: self.contacts.chats_need_friendship,
            words_file: self.words.file.clone(),
            words_mode: self.words.mode,
            audit_keep: self.admin.audit_keep.0,
            presence: presence::Settings { offline_after: self.presence.offline_after.0 },
            turn: TurnConfig {
                stun_urls: self.calls.stun_urls.clone(),
                turn_urls: self.calls.turn_urls.clone(),
                secret_file: self.calls.turn_secret_file.clone(),
                credentials_last: self.calls.turn_credentials_last.0,
            },
            files: self.files.clone(),
            picture_decoder: Decoder::Here,
            limits: self.limits.clone(),
            keep: self.retention.keep.map(|keep| keep.0),
            search: self.search.enabled,
            search_directory: self.search.dir.clone(),
            tls: self.tls.node(),
            admin: self.admin.listen,
        }
    }
}
