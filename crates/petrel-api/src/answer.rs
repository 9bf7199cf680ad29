//! The form of answers: `{code: 0, message, data}` or `{code, reason, message,
//! requestId}` with an honest HTTP status.
//!
//! A handler that refuses leaves the [`Refusal`] in the response's extensions;
//! [`RequestIds`], the outermost layer, gives every request an id and writes the
//! body of refusals with it. So also the gateway, which knows no request ids, can
//! refuse an upgrade in the same form.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::{Extension, Router};
use petrel_logic::Refusal;
use petrel_protocol::http::{Failure, Success};
use petrel_protocol::{ErrorReason, json};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::{BODY_BYTES_MAX, Metrics};

/// What a handler returns.
pub(crate) type Answer<T> = Result<Json<Success<T>>, Refused>;

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refused(Refusal);

/// A JSON body, whose faults are refused in our own form.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// Wraps the result of a call.
pub(crate) fn answer<T>(result: Result<T, Refusal>) -> Answer<T> {
    result.map(|data| Json(Success::new(data))).map_err(Refused)
}

pub(crate) async fn not_found() -> Refused {
    Refused(nothing_there())
}

/// Also what those are told who must not know that there is something.
pub(crate) fn nothing_there() -> Refusal {
    Refusal::new(ErrorReason::NotFound, "there is nothing at this path")
}

pub(crate) async fn wrong_method() -> Refused {
    Refused(Refusal::new(ErrorReason::MethodNotAllowed, "the path does not take this method"))
}

/// Gives every request an id: a prefix of the node's start and a count.
#[derive(Clone, Debug)]
pub struct RequestIds {
    prefix: u32,
    next: Arc<AtomicU64>,
    metrics: Metrics,
}

impl RequestIds {
    /// Ids that begin with `prefix`, which should be random. Requests are counted in
    /// `metrics`.
    pub fn new(prefix: u32, metrics: Metrics) -> Self {
        Self { prefix, next: Arc::new(AtomicU64::new(1)), metrics }
    }

    /// Puts ids onto the requests of a router: in the log, in the header
    /// `x-request-id` of every answer and in the body of refusals.
    pub fn layer(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), with_request_id))
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

async fn with_request_id(State(ids): State<RequestIds>, request: Request, next: Next) -> Response {
    let request_id = ids.next();
    // What is logged below on the way to an answer says for which request.
    let span = tracing::debug_span!("request", request_id);
    let method = request.method().clone();
    // Only the path: a query may hold a token.
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begin = Instant::now();
    let mut response = next.run(request).instrument(span).await;
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let headers = std::mem::take(response.headers_mut());
        response = failure(&refusal, &request_id);
        // What the handler says beside the refusal: where an upload is, for instance.
        let of_body = [header::CONTENT_TYPE, header::CONTENT_LENGTH];
        for (name, value) in headers {
            if let Some(name) = name.filter(|name| !of_body.contains(name)) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    let status = response.status().as_u16();
    let route = route.as_ref().map(MatchedPath::as_str);
    ids.metrics.answered(&method, route, status, begin.elapsed());
    tracing::debug!(request_id, %method, path, status, "answered");
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn failure(refusal: &Refusal, request_id: &str) -> Response {
    let body = Failure {
        code: refusal.reason.code(),
        reason: refusal.reason,
        message: refusal.message.clone(),
        request_id: request_id.to_owned(),
        retry_after_ms: refusal.retry_after_ms,
    };
    let mut response = (status_of(refusal.reason), Json(body)).into_response();
    if let Some((name, value)) = response_header(refusal) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn response_header(refusal: &Refusal) -> Option<(header::HeaderName, HeaderValue)> {
    match refusal.reason.http_status() {
        401 => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        429 | 503 | 507 => {
            // In whole seconds, and not before the time.
            let seconds = refusal.retry_after_ms().unwrap_or(1000).div_ceil(1000).max(1);
            Some((header::RETRY_AFTER, HeaderValue::from(seconds)))
        }
        _ => None,
    }
}

fn status_of(reason: ErrorReason) -> StatusCode {
    StatusCode::from_u16(reason.http_status()).expect("the table of reasons holds valid statuses")
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (status_of(self.0.reason), Extension(self.0)).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::<Box<RawValue>>::from_request(request, state).await {
            Ok(Json(text)) => read_object(text.get()).map(Self).map_err(Refused),
            Err(rejection) => Err(Refused(refusal_of(&rejection))),
        }
    }
}

/// Reads a text that is known to be JSON.
fn read_object<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    if !text.starts_with('{') {
        return Err(Refusal::new(ErrorReason::InvalidField, "the body must be a JSON object"));
    }
    json::from_str(text)
        .map_err(|error| Refusal::new(ErrorReason::InvalidField, format!("the body: {error}")))
}

fn refusal_of(rejection: &JsonRejection) -> Refusal {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => Refusal::new(
            ErrorReason::UnsupportedMediaType,
            "send the body as JSON, with the header `content-type: application/json`",
        ),
        _ if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("a request body has at most {BODY_BYTES_MAX} bytes");
            Refusal::new(ErrorReason::FrameTooLarge, message)
        }
        _ => {
            let text = rejection.body_text();
            Refusal::new(ErrorReason::BadJson, format!("the body is not JSON: {}", cause_of(&text)))
        }
    }
}

/// What is wrong, without the words that the framework begins with.
pub(crate) fn cause_of(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(_, cause)| cause)
}
