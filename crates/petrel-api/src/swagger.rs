//! The document in a form that people can try: Swagger UI, from files in the repository.
//! Nothing is loaded from anywhere else.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use serde_json::Value;
use std::sync::Arc;

/// Swagger UI makes styles as it goes; scripts come from here only.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'";

/// `/openapi.json` and `/swagger`.
pub(crate) fn routes(document: Value) -> Router {
    let document = Arc::new(document);
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/swagger", get(|| async { Redirect::permanent("/swagger/") }))
        .route("/swagger/", get(page))
        .route("/swagger/start.js", get(script))
        .route("/swagger/swagger-ui.css", get(style))
        .route("/swagger/swagger-ui-bundle.js", get(bundle))
        .with_state(document)
}

async fn openapi(State(document): State<Arc<Value>>) -> Json<Value> {
    Json((*document).clone())
}

async fn page() -> impl IntoResponse {
    let page = Html(include_str!("../assets/swagger/index.html"));
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], page)
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", None, include_bytes!("../assets/swagger/start.js"))
}

async fn style() -> Response {
    let bytes = include_bytes!("../assets/swagger/swagger-ui.css.gz");
    asset("text/css; charset=utf-8", Some("gzip"), bytes)
}

async fn bundle() -> Response {
    let bytes = include_bytes!("../assets/swagger/swagger-ui-bundle.js.gz");
    asset("text/javascript; charset=utf-8", Some("gzip"), bytes)
}

/// Every browser takes gzip; a program that does not has no use for these files.
fn asset(kind: &'static str, encoding: Option<&'static str>, bytes: &'static [u8]) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}
