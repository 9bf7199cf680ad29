//! `/metrics`: the numbers of all parts in one registry, as Prometheus reads them.
//!
//! What happens often is counted by its part, in handles made here. What only has a
//! present value (queue depths, memory) is asked for when somebody looks.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{AdminListener, process};

/// The media type of the text format (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The handles of all parts, and where their numbers are shown.
pub(crate) struct Metrics {
    registry: Registry,
    sampler: Sampler,
    pub(crate) gateway: petrel_gateway::Metrics,
    pub(crate) admission: petrel_logic::admission::Metrics,
    pub(crate) presence: petrel_logic::presence::Metrics,
    pub(crate) calls: petrel_logic::call::Metrics,
    pub(crate) http: petrel_api::Metrics,
    pub(crate) files: petrel_files::Metrics,
    pub(crate) sequencer: petrel_logic::sequencer::Metrics,
    pub(crate) store: petrel_store::Metrics,
    pub(crate) search: petrel_logic::search::Metrics,
    pub(crate) words: petrel_logic::words::Metrics,
    pub(crate) limits: petrel_logic::administration::LimitsMetrics,
}

/// What a node knows of its present state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) connections: u64,
    pub(crate) users_online: u64,
    pub(crate) outbox_bytes: u64,
    pub(crate) commands_queued: u64,
    pub(crate) batches_queued: u64,
}

type Ask = Box<dyn Fn() -> Sample + Send + Sync>;

/// Asks the node, once it is there.
#[derive(Clone, Default)]
struct Sampler(Arc<OnceLock<Ask>>);

impl Metrics {
    /// All numbers, at nought.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let sampler = Sampler::default();
        registry.register_collector(Box::new(sampler.clone()));
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("petrel_build", "What is running", Info::new(version));
        Self {
            gateway: petrel_gateway::Metrics::register(
                registry.sub_registry_with_prefix("petrel_gateway"),
            ),
            admission: petrel_logic::admission::Metrics::register(
                registry.sub_registry_with_prefix("petrel_admission"),
            ),
            presence: petrel_logic::presence::Metrics::register(
                registry.sub_registry_with_prefix("petrel_presence"),
            ),
            calls: petrel_logic::call::Metrics::register(
                registry.sub_registry_with_prefix("petrel_calls"),
            ),
            http: petrel_api::Metrics::register(registry.sub_registry_with_prefix("petrel_http")),
            files: petrel_files::Metrics::register(
                registry.sub_registry_with_prefix("petrel_files"),
            ),
            sequencer: petrel_logic::sequencer::Metrics::register(
                registry.sub_registry_with_prefix("petrel_sequencer"),
            ),
            store: petrel_store::Metrics::register(
                registry.sub_registry_with_prefix("petrel_store"),
            ),
            search: petrel_logic::search::Metrics::register(
                registry.sub_registry_with_prefix("petrel_search"),
            ),
            words: petrel_logic::words::Metrics::register(
                registry.sub_registry_with_prefix("petrel_words"),
            ),
            limits: petrel_logic::administration::LimitsMetrics::register(
                registry.sub_registry_with_prefix("petrel_limits"),
            ),
            sampler,
            registry,
        }
    }

    /// Where present values are asked for. Only the first call counts.
    pub(crate) fn sample_with(&self, ask: impl Fn() -> Sample + Send + Sync + 'static) {
        let _ = self.sampler.0.set(Box::new(ask));
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("a string takes everything");
        out
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}

impl Collector for Sampler {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        let node = self.0.get().map(|ask| ask()).unwrap_or_default();
        gauge(
            "petrel_gateway_connections",
            "Open WebSocket connections, authenticated or not",
            node.connections,
        )?;
        gauge("petrel_gateway_users_online", "Users with at least one session", node.users_online)?;
        gauge(
            "petrel_gateway_outbox_bytes",
            "Bytes that wait to be written, over all sessions",
            node.outbox_bytes,
        )?;
        gauge(
            "petrel_log_commands_queued",
            "Commands that wait for the sequencer",
            node.commands_queued,
        )?;
        gauge(
            "petrel_fanout_batches_queued",
            "Committed batches that wait for the fan-out",
            node.batches_queued,
        )?;

        let process = process::now();
        gauge("process_resident_memory_bytes", "Resident memory", process.resident_bytes)?;
        gauge("process_virtual_memory_bytes", "Virtual memory", process.virtual_bytes)?;
        gauge("process_threads", "Threads", process.threads)?;
        gauge("process_open_fds", "Open descriptors", process.open_descriptors)?;
        gauge("process_max_fds", "Descriptors that may be open", process.descriptors_max)?;
        let cpu = ConstCounter::new(process.cpu_seconds);
        let name = "process_cpu_seconds";
        cpu.encode(encoder.encode_descriptor(
            name,
            "CPU time, user and system",
            None,
            cpu.metric_type(),
        )?)
    }
}

pub(super) async fn scrape(State(admin): State<AdminListener>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], admin.metrics.text())
}
