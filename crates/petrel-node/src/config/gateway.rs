//! What an operator decides about the WebSocket gateway.

use std::net::SocketAddr;
use std::time::Duration;

use petrel_gateway::{Heartbeat, SessionPolicy, SlowReaders, WaterMarks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EXPIRY_GRACE;
use super::units::Span;

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

impl GatewaySection {
    pub(super) fn session_policy(&self) -> SessionPolicy {
        match self.session_policy {
            SessionPolicySetting::Multi => SessionPolicy::Multi,
            SessionPolicySetting::Single => SessionPolicy::Single,
            SessionPolicySetting::OnePerPlatform => SessionPolicy::OnePerPlatform,
        }
    }

    pub(super) fn heartbeat(&self) -> Heartbeat {
        Heartbeat { ping_interval: self.ping_interval.0, idle_timeout: self.idle_timeout.0 }
    }

    pub(super) fn slow_readers(&self) -> SlowReaders {
        let marks = WaterMarks {
            high_bytes: self.outbox_high_water_bytes,
            low_bytes: self.outbox_low_water_bytes,
        };
        SlowReaders { marks, close_after: self.close_unwritable_after.0 }
    }

    pub(super) fn contradictions(&self) -> impl Iterator<Item = String> {
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
