//! What is counted of files. Handles, passed in: see `petrel_gateway::Metrics`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of all files of a node.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) completed: Counter,
    pub(crate) refused: Counter,
    pub(crate) receiving: Gauge,
    pub(crate) finish_seconds: Histogram,
    pub(crate) thumbnails: Counter,
    pub(crate) thumbnails_failed: Counter,
    pub(crate) deleted: Counter,
    pub(crate) storage_errors: Counter,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            received_bytes,
            sent_bytes,
            completed,
            refused,
            receiving,
            finish_seconds,
            thumbnails,
            thumbnails_failed,
            deleted,
            storage_errors,
        } = metrics.clone();
        registry.register("received_bytes", "Bytes of uploads", received_bytes);
        registry.register("sent_bytes", "Bytes of downloads, but for presigned ones", sent_bytes);
        registry.register("completed", "Uploads that became files", completed);
        registry.register("refused", "Uploads that were refused or given up", refused);
        registry.register("receiving", "Uploads that are being received", receiving);
        registry.register(
            "finish_seconds",
            "Time from the last byte of an upload until the file is complete",
            finish_seconds,
        );
        registry.register("thumbnails", "Thumbnails made", thumbnails);
        registry.register(
            "thumbnails_failed",
            "Pictures that are broken, or too large to be decoded",
            thumbnails_failed,
        );
        registry.register("deleted", "Files and uploads deleted with all their bytes", deleted);
        registry.register("storage_errors", "Failures of the object store", storage_errors);
        metrics
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        Self {
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            completed: Counter::default(),
            refused: Counter::default(),
            receiving: Gauge::default(),
            finish_seconds: Histogram::new(exponential_buckets(1e-3, 2.0, 16)),
            thumbnails: Counter::default(),
            thumbnails_failed: Counter::default(),
            deleted: Counter::default(),
            storage_errors: Counter::default(),
        }
    }
}
