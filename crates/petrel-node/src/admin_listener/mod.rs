//! The listener for operators: metrics, profiles, what is running, the log level.
//!
//! Nobody is asked for a password here, so it listens on loopback unless told otherwise.
//! What a page in a browser on the same machine could reach through a name that it
//! controls (DNS rebinding) is refused by the `Host` header.

mod log_level;
mod metrics;
mod process;
mod profile;
mod tasks;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use log_level::LogControl;
pub(crate) use metrics::{Metrics, Sample};
pub(crate) use tasks::Tasks;

/// What the listener shows.
#[derive(Clone)]
pub(crate) struct AdminListener {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    pub(crate) log: LogControl,
}

/// The page at `/`.
const OVERVIEW: &str = "\
Petrel, for operators.

  /metrics                          Prometheus metrics
  /debug/pprof/profile?seconds=30   CPU profile, for go tool pprof
  /debug/pprof/heap?seconds=30      what was allocated meanwhile and is still in use, likewise
  /debug/tasks                      threads, the runtime and the long-lived tasks
  /debug/log-level                  what is logged; change it with
                                    curl -X PUT --data debug ADDRESS/debug/log-level
";

impl AdminListener {
    /// The routes of the listener at `address`.
    pub(crate) fn routes(self, address: SocketAddr) -> Router {
        let routes = Router::new()
            .route("/", get(|| async { OVERVIEW }))
            .route("/metrics", get(metrics::scrape))
            .route("/debug/tasks", get(tasks::show))
            .route("/debug/log-level", get(log_level::show).put(log_level::change))
            .merge(profile::routes())
            .with_state(self)
            .fallback(|| async { (StatusCode::NOT_FOUND, OVERVIEW) });
        routes.layer(middleware::from_fn_with_state(address.ip().is_loopback(), check_host))
    }
}

async fn check_host(State(is_local): State<bool>, request: Request, next: Next) -> Response {
    if is_local && !names_this_machine(request.headers()) {
        let message = "ask for this by IP address or as localhost\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    next.run(request).await
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let host = host.to_str().unwrap_or_default();
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_name_this_machine() {
        let check = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            names_this_machine(&headers)
        };
        for good in ["127.0.0.1:6060", "localhost:6060", "[::1]:6060", "::1", "127.0.0.1"] {
            assert!(check(good), "{good}");
        }
        for bad in ["evil.example:6060", "localhost.evil.example", ""] {
            assert!(!check(bad), "{bad}");
        }
        assert!(names_this_machine(&HeaderMap::new()));
    }
}
