//! What presence counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers of a node's presence.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) watches: Gauge,
    pub(super) told: Counter,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { watches, told } = metrics.clone();
        registry.register("watches", "Users that sessions are told of, over all sessions", watches);
        registry.register(
            "changes_told",
            "Times that a session was to be told of a user; what follows before it is written takes its place",
            told,
        );
        metrics
    }
}
