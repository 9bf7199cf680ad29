//! What the HTTP side counts. Handles, passed in: see `petrel_gateway::Metrics`.

use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of all HTTP requests of a node, upgrades included.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    seconds: Histogram,
}

/// A route is a template as `/api/users/{id}`, never what a client wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "requests",
            "Requests by method, route and status; route `none` is a path that is not there",
            metrics.requests.clone(),
        );
        registry.register("request_seconds", "Time to answer a request", metrics.seconds.clone());
        metrics
    }

    pub(crate) fn answered(
        &self,
        method: &Method,
        route: Option<&str>,
        status: u16,
        time: Duration,
    ) {
        let request =
            Request { method: name(method), route: route.unwrap_or("none").to_owned(), status };
        self.requests.get_or_create(&request).inc();
        self.seconds.observe(time.as_secs_f64());
    }
}

impl Default for Metrics {
    /// Numbers that nobody sees.
    fn default() -> Self {
        let seconds = Histogram::new(exponential_buckets(100e-6, 2.0, 18));
        Self { requests: Family::default(), seconds }
    }
}

/// A client may invent methods.
fn name(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.iter().position(|known| known == method).map_or("other", |place| NAMES[place])
}
