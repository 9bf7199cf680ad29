//! What a sequencer counts. Handles, passed in: see `petrel_store::Metrics`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of one sequencer.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) commands: Counter,
    pub(super) commands_refused: Counter,
    pub(super) batch_commands: Histogram,
    pub(super) batch_seconds: Histogram,
    pub(super) fanout_wait_seconds: Histogram,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { commands, commands_refused, batch_commands, batch_seconds, fanout_wait_seconds } =
            metrics.clone();
        registry.register("commands", "Commands decided", commands);
        registry.register(
            "commands_refused",
            "Commands refused because their batch could not be stored",
            commands_refused,
        );
        registry.register(
            "batch_commands",
            "Commands that are decided and committed together",
            batch_commands,
        );
        registry.register(
            "batch_seconds",
            "Time to load, decide and commit a batch",
            batch_seconds,
        );
        registry.register(
            "fanout_wait_seconds",
            "Time that the sequencer waited for the fan-out",
            fanout_wait_seconds,
        );
        metrics
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        let times = || Histogram::new(exponential_buckets(50e-6, 2.0, 20));
        Self {
            commands: Counter::default(),
            commands_refused: Counter::default(),
            batch_commands: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            batch_seconds: times(),
            fanout_wait_seconds: times(),
        }
    }
}
