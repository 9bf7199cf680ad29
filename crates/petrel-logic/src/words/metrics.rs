//! What the word filter counts.

use petrel_protocol::http::admin::WordMode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The handles.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) words: Gauge,
    met: Family<Met, Counter>,
    pub(super) flagged_dropped: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Met {
    mode: &'static str,
}

impl Metrics {
    /// Registers the handles.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("words", "Words of the filter", metrics.words.clone());
        registry.register(
            "met",
            "Texts in which words were met, by what was done about them",
            metrics.met.clone(),
        );
        registry.register(
            "flagged_dropped",
            "Flagged texts that are not in the audit log, because there were too many at once",
            metrics.flagged_dropped.clone(),
        );
        for mode in WordMode::ALL {
            let _ = metrics.met.get_or_create(&Met { mode: mode.as_str() });
        }
        metrics
    }

    pub(super) fn met(&self, mode: WordMode) {
        self.met.get_or_create(&Met { mode: mode.as_str() }).inc();
    }
}
