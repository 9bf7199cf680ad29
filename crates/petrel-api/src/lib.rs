//! The HTTP API: routes, the form of their answers, the document that tells of them, and the
//! web client.

mod answer;
mod bearer;
mod client;
mod cookie;
mod extract;
mod limits;
mod metrics;
mod openapi;
mod operator;
mod read_out;
mod route;
mod routes;
mod source;
mod swagger;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::response::Json;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use petrel_files::Files;
use petrel_logic::administration::{Administration, Operator};
use petrel_logic::admission::Admission;
use petrel_logic::call::TurnServers;
use petrel_logic::contacts::Contacts;
use petrel_logic::identity::Identity;
use petrel_logic::presence::Presence;
use petrel_logic::requester::Requester;
use petrel_logic::search::Search;
use petrel_logic::sync::Catchup;
use petrel_types::Clock;
use serde_json::Value;

pub use answer::RequestIds;
use answer::{not_found, wrong_method};
pub use limits::RequestLimits;
pub use metrics::Metrics;
use openapi::Document;
pub use source::{Network, NetworkError, Proxies};

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What handlers call.
#[derive(Clone)]
pub struct Api {
    /// Recognises tokens.
    pub identity: Arc<Identity>,
    /// Answers reads.
    pub catchup: Catchup,
    /// Answers searches.
    pub search: Search,
    /// Finds users and reads lists of contacts.
    pub contacts: Arc<Contacts>,
    /// Knows who is online.
    pub presence: Arc<Presence>,
    /// The servers by which devices in a call reach each other.
    pub turn: Arc<TurnServers>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Puts things into timelines.
    pub requester: Arc<Requester>,
    /// Takes and gives files.
    pub files: Arc<Files>,
    /// How many reads may be under way at once, those of sessions included.
    pub admission: Arc<Admission>,
    /// What admins of the system may do.
    pub administration: Arc<Administration>,
    /// How many requests somebody may make.
    pub limits: RequestLimits,
    /// Proxies whose word on where a request comes from is believed.
    pub proxies: Arc<Proxies>,
    /// Extra web origins whose pages may log in with a cookie.
    pub allowed_origins: Arc<[String]>,
}

/// The routes of the HTTP port, and behind them the web client.
pub fn routes(api: Api) -> Router {
    let mut document = Document::new();
    let routes = route::add(Router::new(), &mut document, routes::all());
    let gate = middleware::from_fn_with_state(api.clone(), operator::gate);
    let routes = routes
        .with_state(api)
        .route("/healthz", get(healthz))
        .merge(swagger::routes(document.finish()))
        .method_not_allowed_fallback(wrong_method);
    client::behind(routes, petrel_web::CLIENT)
        .layer(gate)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// The routes of admins alone, for somebody who may use all of them: at the machine itself,
/// no matter whether a server runs.
pub fn operator_routes(administration: Arc<Administration>, operator: Operator) -> Router {
    let routes = route::add(Router::new(), &mut Document::new(), routes::admin::routes());
    routes
        .with_state(administration)
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(Extension(operator))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl FromRef<Api> for Arc<Administration> {
    fn from_ref(api: &Api) -> Self {
        Self::clone(&api.administration)
    }
}

/// The OpenAPI document of all routes.
pub fn openapi() -> Value {
    let mut document = Document::new();
    routes::all().for_each(|route| document.add(&route));
    document.finish()
}

async fn healthz() -> Json<Value> {
    Json(serde_json::json!({ "status": "ok" }))
}
