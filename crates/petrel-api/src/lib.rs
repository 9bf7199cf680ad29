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
mod route;
mod routes;
mod source;
mod swagger;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Json;
use axum::routing::get;
use petrel_logic::admission::Admission;
use petrel_logic::contacts::Contacts;
use petrel_logic::identity::Identity;
use petrel_logic::presence::Presence;
use petrel_logic::requester::Requester;
use petrel_logic::sync::Catchup;
use serde_json::Value;

pub use answer::RequestIds;
use answer::wrong_method;
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
    /// Finds users and reads lists of contacts.
    pub contacts: Arc<Contacts>,
    /// Knows who is online.
    pub presence: Arc<Presence>,
    /// Puts things into timelines.
    pub requester: Arc<Requester>,
    /// How many reads may be under way at once, those of sessions included.
    pub admission: Arc<Admission>,
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
    let routes = routes
        .with_state(api)
        .route("/healthz", get(healthz))
        .merge(swagger::routes(document.finish()))
        .method_not_allowed_fallback(wrong_method);
    client::behind(routes, petrel_web::CLIENT).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
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
