//! What searching counts. Handles, passed in.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of a node's search.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) indexed: Counter,
    pub(super) erased: Counter,
    pub(super) behind: Gauge,
    pub(super) seconds: Histogram,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { indexed, erased, behind, seconds } = metrics.clone();
        registry.register("indexed", "Messages given to the search index, edits included", indexed);
        registry.register("erased", "Messages taken out of the search index", erased);
        registry.register(
            "behind_rows",
            "Rows of the store that the search index does not know yet",
            behind,
        );
        registry.register("seconds", "Time to answer a search", seconds);
        metrics
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        Self {
            indexed: Counter::default(),
            erased: Counter::default(),
            behind: Gauge::default(),
            seconds: Histogram::new(exponential_buckets(250e-6, 2.0, 14)),
        }
    }
}
