//! Everything an operator may decide, as one tree: a section a part of the system. The large
//! sections have a module each beside this one.
//!
//! A doc comment here and there is the documentation: `petrel.example.toml`, the reference in
//! docs/configuration.md and `petrel config` are made of them. A new setting is a field, its
//! default in the `Default` of its section, and a line where [`NodeConfig`] is made.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use petrel_api::Network;
use petrel_files::Decoder;
use petrel_logic::presence;
use petrel_logic::retention::Retention;
use petrel_protocol::http::admin::WordMode;
use petrel_types::OperatingLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calls::CallsSection;
use super::files::FilesSection;
use super::gateway::GatewaySection;
use super::identity::IdentitySection;
use super::tls::TlsSection;
use super::units::{Listen, Span};
use super::{AUDIT_KEEP, NodeConfig};

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
        found.extend(self.tls.contradiction());
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
            registration: self.identity.registration(),
            identity: self.identity.settings(),
            issuer_files: self.identity.issuers.clone(),
            // One that can't be read is a contradiction, and is told as that.
            proxies: self.http.trusted_proxies.iter().flat_map(|text| text.parse()).collect(),
            session_policy: self.gateway.session_policy(),
            expiry_grace: self.gateway.expiry_grace.0,
            heartbeat: self.gateway.heartbeat(),
            slow_readers: self.gateway.slow_readers(),
            bench_issuer: self.identity.bench_issuer(),
            allowed_origins: self.gateway.allowed_origins.clone(),
            connections_max: self.gateway.connections_max,
            chats_need_friendship: self.contacts.chats_need_friendship,
            words_file: self.words.file.clone(),
            words_mode: self.words.mode,
            audit_keep: self.admin.audit_keep.0,
            presence: presence::Settings { offline_after: self.presence.offline_after.0 },
            turn: self.calls.turn(),
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
