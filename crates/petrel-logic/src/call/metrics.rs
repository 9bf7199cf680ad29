//! What calls count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Outcome;

/// The numbers of a node's calls.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) under_way: Gauge,
    pub(super) held: Gauge,
    pub(super) offers: Counter,
    pub(super) resumed: Counter,
    pub(super) too_many: Counter,
    records: Family<OutcomeLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        // All series are there from the start: an alert must not wait for the first event.
        for outcome in ["answered", "missed", "cancelled", "rejected", "busy"] {
            drop(metrics.records.get_or_create(&OutcomeLabel { outcome }));
        }
        let Self { under_way, held, offers, resumed, too_many, records } = metrics.clone();
        registry.register("under_way", "Calls that ring or are talked in", under_way);
        registry.register(
            "held",
            "Calls that were cut off because a device is gone, and may go on",
            held,
        );
        registry.register("offers", "Calls that began to ring", offers);
        registry.register("resumed", "Calls that went on after they had been cut off", resumed);
        registry.register(
            "too_many",
            "Offers and candidates refused because there were too many of the user's of late",
            too_many,
        );
        registry.register("records", "Records of calls that were stored, by outcome", records);
        metrics
    }

    pub(super) fn recorded(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Talked(_) => "answered",
            Outcome::Missed => "missed",
            Outcome::Cancelled => "cancelled",
            Outcome::Rejected => "rejected",
            Outcome::Busy => "busy",
        };
        self.records.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
