//! The HTTP API: routes, and the form of their answers.
//!
//! Handlers translate: a body into a call of `petrel-logic`, its result into JSON.
//! They decide nothing.

mod answer;
mod auth;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Json};
use axum::routing::{get, post};
use petrel_logic::identity::Identity;
use petrel_protocol::http::{Credentials, LoggedIn, Profile};

pub use answer::RequestIds;
use answer::{Answer, JsonBody, answer, not_found, wrong_method};
use auth::Bearer;

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What handlers call.
#[derive(Clone)]
struct Api {
    identity: Arc<Identity>,
}

/// The routes of the HTTP port.
pub fn routes(identity: Arc<Identity>) -> Router {
    Router::new()
        .route("/", get(landing_page))
        .route("/healthz", get(healthz))
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/users/me", get(me))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Api { identity })
}

async fn landing_page() -> impl IntoResponse {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("../assets/landing.html")))
}

async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok" }))
}

async fn register(
    State(api): State<Api>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Answer<LoggedIn> {
    answer(api.identity.register(credentials).await)
}

async fn login(
    State(api): State<Api>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Answer<LoggedIn> {
    answer(api.identity.login(credentials).await)
}

async fn me(State(api): State<Api>, Bearer(user): Bearer) -> Answer<Profile> {
    answer(api.identity.profile(user).await)
}
