//! A run, with everything decided: what all workers get, and what a report quotes.

mod check;
mod file;
mod resolve;
mod words;

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapter::{self, Abilities, AdapterKind, Templates};
use crate::preset::Reference;
use crate::scenario::{self, Behaviour, Scenario};
use crate::span::Span;
use crate::target::Target;
use crate::verdict::Threshold;

pub use file::{PlanFile, Run};
pub use words::{Action, Arrival, Language, LoginBy, Output, Stage};

/// A run, with everything decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// Where to connect.
    pub targets: Vec<Target>,
    /// Which protocol the server speaks.
    pub adapter: AdapterKind,
    /// How many connections.
    pub conns: u32,
    /// How long the run takes, ramp included.
    pub duration: Span,
    /// Over how long connections are opened.
    pub ramp: Span,
    /// The most connections opened a second.
    pub max_cps: u32,
    /// From the end of the ramp until something is measured.
    pub warmup: Span,
    /// How long to wait for what is under way.
    pub drain: Span,
    /// Messages a second of one sender; 0 for none.
    pub sender_rate: f64,
    /// Messages a second of all senders, instead.
    pub total_rate: Option<f64>,
    /// Bytes of a message's text.
    pub payload_size: u32,
    /// The rate over time.
    pub stages: Vec<Stage>,
    /// Closed loop: messages each sender keeps under way.
    pub in_flight: Option<u32>,
    /// Open loop: unanswered messages beyond which a sender holds back.
    pub max_in_flight: u32,
    /// How sends fall into time.
    pub arrival: Arrival,
    /// Time between a connection's pings; 0 for none.
    pub ping_interval: Span,
    /// An empty binary frame goes with each ping.
    #[serde(default)]
    pub empty_heartbeat: bool,
    /// What leaves later than this is late.
    pub late_after: Span,
    /// What random choices follow from.
    pub seed: u64,
    /// The first user id.
    pub user_base: u64,
    /// Senders go to the first target, recipients to the last.
    pub role_pinned: bool,
    /// The key of the load-test users.
    pub token_key: Option<PathBuf>,
    /// Where else it is looked for.
    pub data_dir: PathBuf,
    /// Which of several load generators this is.
    pub machine_id: u64,
    /// What tokens are signed with, of protocols that sign with a shared secret.
    pub jwt_secret: Option<String>,
    /// Who signs them.
    pub jwt_issuer: Option<String>,
    /// What lets load-test users in, of protocols that have one word for all.
    pub token: Option<String>,
    /// Where requests beside the WebSockets go.
    pub http_base: Option<String>,
    /// Where the token goes.
    pub login_by: LoginBy,
    /// Recipients acknowledge what they get.
    pub receipts: bool,
    /// How long a connection may take to stand.
    pub handshake_timeout: Span,
    /// How often a failed connection is tried again.
    pub retry: u32,
    /// The first wait before that.
    pub retry_delay: Span,
    /// Silence after which a connection is given up; 0 for never.
    pub read_timeout: Span,
    /// How long a write or an answer may take.
    pub write_timeout: Span,
    /// Bytes read at once.
    pub read_buffer: u32,
    /// Bytes that may wait to be written before messages are held back.
    pub write_buffer: u32,
    /// Connections that break are opened again; the scenario says, if this doesn't.
    pub reconnect: Option<bool>,
    /// The kernel's receive buffer.
    pub receive_buffer: Option<u32>,
    /// Headers of the upgrade request.
    pub headers: Vec<(String, String)>,
    /// Addresses to connect from.
    pub sources: Vec<IpAddr>,
    /// Messages in binary frames.
    pub binary: bool,
    /// Certificates to trust.
    pub cacert: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// The client's certificate.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The templates of the raw adapter.
    pub raw: Templates,
    /// When a reconnect storm breaks out, after the ramp.
    pub storm_at: Option<Span>,
    /// How long connections stay away.
    pub away: Span,
    /// The longest random wait before a connection comes back.
    pub reconnect_jitter: Span,
    /// How often connections flap.
    pub flap_interval: Span,
    /// How many of them, in percent.
    pub flap_percent: f64,
    /// Recipients that read slowly, in percent.
    pub slow_percent: f64,
    /// How long they take for each message.
    pub slow_delay: Span,
    /// Recipients that read nothing, in percent.
    pub no_read_percent: f64,
    /// Messages for each absent recipient.
    pub offline_messages: u32,
    /// Connections that come and go, in percent.
    pub churn_percent: f64,
    /// How many connections each plateau has, rising.
    pub sizes: Vec<u32>,
    /// The first step of the connection rate.
    pub rate_from: u32,
    /// How much faster each step is.
    pub rate_factor: f64,
    /// How long each step lasts.
    pub step: Span,
    /// Members of a group.
    pub group_size: u32,
    /// How many of them speak.
    pub group_senders: u32,
    /// Commands that are run while the run goes on.
    pub actions: Vec<Action>,
    /// The preset that it is, with the figures of another system.
    pub preset: Option<PresetOf>,
    /// How much smaller or larger than given, if it is.
    pub scale: Option<f64>,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
    /// Workers asked for.
    pub workers: Option<u32>,
}

/// Where EthanQC/IM takes messages, if nobody says otherwise.
const HTTP_PORT: u16 = 8080;

/// Which preset a plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresetOf {
    /// Its name.
    pub name: String,
    /// Whose figures stand in `reference`.
    pub system: String,
    /// The figures.
    pub reference: Vec<Reference>,
}

/// The settings ask for something that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlan(pub String);

impl Plan {
    /// Where requests beside the WebSockets go: host and port.
    pub fn http_authority(&self) -> Result<String, String> {
        let Some(base) = &self.http_base else {
            let target = self.targets.first().ok_or("there is no target")?;
            return Ok(Target { port: HTTP_PORT, tls: false, ..target.clone() }.authority());
        };
        let wrong = || format!("--http-base {base:?} is not an address; write http://HOST:PORT");
        let rest = base.strip_prefix("http://").ok_or_else(wrong)?;
        let target: Target = format!("ws://{rest}").parse().map_err(|_| wrong())?;
        let host =
            if target.host.contains(':') { format!("[{}]", target.host) } else { target.host };
        Ok(format!("{host}:{}", target.port))
    }

    /// The addresses behind that, and what it is called.
    pub fn http_base(&self) -> Result<(Vec<std::net::SocketAddr>, String), String> {
        let authority = self.http_authority()?;
        let target: Target = format!("ws://{authority}/").parse()?;
        Ok((target.resolve()?, authority))
    }

    /// The plan without what should not be read in a report.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { jwt_secret: None, token: None, ..self.clone() }
    }

    /// What the server's protocol can do.
    pub fn abilities(&self) -> Abilities {
        adapter::abilities(self.adapter, &self.raw)
    }

    /// The scenario.
    pub fn scenario(&self) -> &'static dyn Scenario {
        scenario::find(&self.scenario).expect("a plan is made for a scenario that exists")
    }

    /// What its users do: what the scenario says, with the disturbances that are asked for.
    pub fn behaviour(&self) -> Behaviour {
        self.scenario().behaviour(self).disturbed(self)
    }

    /// How long the run goes on after the ramp.
    pub fn hold(&self) -> Span {
        match self.duration.0.checked_sub(self.ramp.0) {
            Some(rest) if !rest.is_zero() => Span(rest),
            // As long as the ramp, when the ramp eats all of the time.
            _ => Span(self.ramp.0.min(Span::seconds(60).0)),
        }
    }
}
