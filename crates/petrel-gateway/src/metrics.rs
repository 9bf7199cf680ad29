//! What a gateway counts. Handles, passed in: to count is an addition in memory.
//!
//! Labels take their values from closed lists, so that no client can make the number of
//! series grow.

use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of one gateway.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: Gauge,
    pub(crate) frames_received: Counter,
    pub(crate) frames_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) ack_seconds: Histogram,
    pub(crate) pushes: Counter,
    pub(crate) pushes_dropped: Counter,
    pub(crate) gaps: Counter,
    pub(crate) repeats: Counter,
    pub(crate) fanout_waiting: Gauge,
    pub(crate) typing_pushes: Counter,
    pub(crate) typing_dropped: Counter,
    pub(crate) signals_dropped: Counter,
    pub(crate) notices: Counter,
    pub(crate) notices_dropped: Counter,
    pub(crate) limit_changes: Counter,
    closes: Family<Close, Counter>,
    refusals: Family<Reason, Counter>,
    limits_met: Family<LimitLabel, Counter>,
}

/// A bound of the gateway that sessions meet. Those that end a session are counted by its
/// close code, those of admission by its gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    /// A connection beyond the most.
    Connections,
    /// No AUTH in time.
    AuthTime,
    /// A session was told to slow down.
    Rate,
    /// A session is not read, because too many of its sends wait for their ack.
    SendsInFlight,
    /// The command queue had no room for a user's command.
    Commands,
}

impl Limit {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connections, Self::AuthTime, Self::Rate, Self::SendsInFlight, Self::Commands];

    /// The word by which it is counted.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::AuthTime => "auth_time",
            Self::Rate => "rate",
            Self::SendsInFlight => "sends_in_flight",
            Self::Commands => "commands",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Close {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// The label of a session whose peer closed or vanished.
pub(crate) const GONE: &str = "gone";

/// The label of a session whose peer broke the WebSocket protocol.
pub(crate) const VIOLATION: &str = "violation";

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        // All series are there from the start: an alert must not wait for the first event.
        for reason in CloseCode::ALL.iter().map(|code| code.as_str()).chain([GONE, VIOLATION]) {
            drop(metrics.closes.get_or_create(&Close { reason }));
        }
        for reason in ErrorReason::ALL {
            drop(metrics.refusals.get_or_create(&Reason { reason: reason.as_str() }));
        }
        for limit in Limit::ALL {
            drop(metrics.limits_met.get_or_create(&LimitLabel { limit: limit.name() }));
        }
        let Self {
            sessions,
            frames_received,
            frames_sent,
            bytes_received,
            bytes_sent,
            ack_seconds,
            pushes,
            pushes_dropped,
            gaps,
            repeats,
            fanout_waiting,
            typing_pushes,
            typing_dropped,
            signals_dropped,
            notices,
            notices_dropped,
            limit_changes,
            closes,
            refusals,
            limits_met,
        } = metrics.clone();
        registry.register("sessions", "Authenticated connections", sessions);
        registry.register("frames_received", "Text frames from clients", frames_received);
        registry.register("frames_sent", "Text frames to clients", frames_sent);
        registry.register("bytes_received", "Payload bytes of frames from clients", bytes_received);
        registry.register("bytes_sent", "Payload bytes of frames to clients", bytes_sent);
        registry.register(
            "ack_seconds",
            "Time from reading a send to having its answer ready to write",
            ack_seconds,
        );
        registry.register("pushes", "Frames put into outboxes by the fan-out", pushes);
        registry.register(
            "pushes_dropped",
            "Pushes that became a gap because an outbox was full",
            pushes_dropped,
        );
        registry.register(
            "gaps",
            "GAP frames sent: what a device has to pull because it was not pushed",
            gaps,
        );
        registry.register(
            "repeats",
            "Events pushed again because no device acknowledged them",
            repeats,
        );
        registry.register(
            "fanout_waiting",
            "Frames that go to many and are not told to all of them yet",
            fanout_waiting,
        );
        registry.register("typing_pushes", "TYPING frames put into outboxes", typing_pushes);
        registry.register(
            "typing_dropped",
            "TYPING frames not passed on: said too often, or to a session that reads slowly",
            typing_dropped,
        );
        registry.register(
            "signals_dropped",
            "Signals of calls not passed on to a session that reads slowly",
            signals_dropped,
        );
        registry.register(
            "notices",
            "Notices of admins, and withdrawals of them, that were put on their way to a session",
            notices,
        );
        registry.register(
            "notices_dropped",
            "Notices that a session was not told, because it did not read and others came after",
            notices_dropped,
        );
        registry.register(
            "limit_changes",
            "Changes of how fast a session may send that were put on their way to it",
            limit_changes,
        );
        registry.register(
            "closes",
            "Ends of sessions, by reason; `slow` is a peer that did not read, `idle` one that vanished",
            closes,
        );
        registry.register("refusals", "Requests refused in a session, by reason", refusals);
        registry.register(
            "limits_met",
            "Times that a bound was met, by which one; `rate` counts each session that was told",
            limits_met,
        );
        metrics
    }

    pub(crate) fn closed(&self, reason: &'static str) {
        self.closes.get_or_create(&Close { reason }).inc();
    }

    pub(crate) fn met(&self, limit: Limit) {
        self.limits_met.get_or_create(&LimitLabel { limit: limit.name() }).inc();
    }

    /// How often each limit was met.
    pub(crate) fn limits_met(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Limit::ALL.into_iter().map(|limit| {
            let label = LimitLabel { limit: limit.name() };
            (limit.name(), self.limits_met.get_or_create(&label).get())
        })
    }

    pub(crate) fn refused(&self, reason: ErrorReason) {
        self.refusals.get_or_create(&Reason { reason: reason.as_str() }).inc();
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        Self {
            sessions: Gauge::default(),
            frames_received: Counter::default(),
            frames_sent: Counter::default(),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
            // From 100 µs to 52 s.
            ack_seconds: Histogram::new(exponential_buckets(100e-6, 2.0, 20)),
            pushes: Counter::default(),
            pushes_dropped: Counter::default(),
            gaps: Counter::default(),
            repeats: Counter::default(),
            fanout_waiting: Gauge::default(),
            typing_pushes: Counter::default(),
            typing_dropped: Counter::default(),
            signals_dropped: Counter::default(),
            notices: Counter::default(),
            notices_dropped: Counter::default(),
            limit_changes: Counter::default(),
            limits_met: Family::default(),
            closes: Family::default(),
            refusals: Family::default(),
        }
    }
}
