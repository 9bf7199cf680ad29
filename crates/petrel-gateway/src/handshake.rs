//! From an HTTP request to a WebSocket (RFC 6455 §4.2).
//!
//! A token may come with the request, in `Authorization: Bearer` or in the query as
//! `token` or `accessToken`; then a bad one is refused with 401 before the upgrade.
//! Without one the session waits for an AUTH frame. Tokens are never logged.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper_util::rt::TokioIo;
use petrel_logic::Refusal;
use petrel_logic::admission::{Turn, bounded};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Auth;
use petrel_websocket::handshake::accept as accept_key_of;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::metrics::Limit;
use crate::session::Socket;
use crate::{Gateway, session};

/// What may be said in the query instead of in an AUTH frame.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameters {
    token: Option<String>,
    access_token: Option<String>,
    v: Option<u32>,
    device_id: Option<String>,
    platform: Option<String>,
    /// Separated by commas.
    caps: Option<String>,
}

/// `GET /ws`.
pub(crate) async fn upgrade(
    State(gateway): State<Gateway>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Response {
    let accepted = match parameters {
        Ok(Query(parameters)) => match admit(&gateway).await {
            Ok(turn) => accept(&gateway, parameters, request, turn).await,
            Err(refusal) => Err(refusal),
        },
        Err(rejection) => Err(Refusal::new(ErrorReason::InvalidField, rejection.body_text())),
    };
    match accepted {
        Ok(response) => response,
        Err(refusal) => refuse(refusal),
    }
}

/// Waits for a turn. It lasts until AUTH_OK is out, if a token came with the request, and
/// otherwise until the upgrade is done.
async fn admit(gateway: &Gateway) -> Result<Turn, Refusal> {
    let admission = gateway.shared.admission();
    admission
        .handshakes
        .enter()
        .await
        .map_err(|_| admission.refusal("too many devices connect at once; come back in a moment"))
}

async fn accept(
    gateway: &Gateway,
    parameters: Parameters,
    mut request: Request,
    turn: Turn,
) -> Result<Response, Refusal> {
    let accept_key = check_upgrade(request.headers())?;
    check_origin(request.headers(), &gateway.shared.config.allowed_origins)?;
    let auth = given_auth(request.headers(), parameters)?;
    let identity = &gateway.shared.dependencies.identity;
    let authenticated = match &auth {
        Some(auth) => {
            session::check_auth(auth)?;
            Some(bounded(identity.authenticate(&auth.token)).await?)
        }
        None => None,
    };
    let guard = ConnectionGuard::enter(gateway)?;

    let on_upgrade = hyper::upgrade::on(&mut request);
    let gateway = gateway.clone();
    let draining = gateway.shared.draining.clone();
    let tracker = gateway.shared.sessions.clone();
    tracker.spawn(async move {
        let upgraded = match on_upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(%error, "a connection went away during its upgrade");
                return;
            }
        };
        let authenticated = auth.zip(authenticated);
        let patience = gateway.shared.config.slow_readers.close_after;
        // Out of its wrapping, a plain connection costs a kilobyte less.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                let socket = Socket::new(stream, &parts.read_buf, draining, patience);
                // It keeps all of the buffer that the request was read into.
                drop(parts.read_buf);
                session::run(gateway, socket, authenticated, turn).await;
            }
            Err(upgraded) => {
                let socket = Socket::new(TokioIo::new(upgraded), &[], draining, patience);
                session::run(gateway, socket, authenticated, turn).await;
            }
        }
        drop(guard);
    });

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept_key);
    Ok(response)
}

/// Checks that this is a WebSocket upgrade and returns what proves that we agree.
fn check_upgrade(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let wrong = |what: &str| Refusal::new(ErrorReason::InvalidField, what);
    if !has_token(headers, header::CONNECTION, "upgrade")
        || !has_token(headers, header::UPGRADE, "websocket")
    {
        return Err(wrong("this is a WebSocket endpoint: connect with ws:// or wss://"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(wrong("only WebSocket version 13 (RFC 6455) is spoken here"));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| wrong("Sec-WebSocket-Key is missing"))?;
    let key = key.to_str().map_err(|_| wrong("Sec-WebSocket-Key is not base64"))?;
    let accept_key = accept_key_of(key);
    Ok(HeaderValue::from_str(&accept_key).expect("base64 is a valid header value"))
}

/// A browser sends the page's origin. A page may connect to the host it came from (on
/// any port: the client may be served by the HTTP port) and to hosts that list it.
/// Programs send no origin.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same_host = origin
        .split_once("://")
        .is_some_and(|(_, page_host)| host_name(page_host).eq_ignore_ascii_case(host_name(host)));
    if same_host || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        Ok(())
    } else {
        Err(Refusal::new(
            ErrorReason::ForbiddenOrigin,
            format!("pages of {origin} may not connect here"),
        ))
    }
}

/// The host of `host:port`, where the host may be an IPv6 address in brackets.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

/// The AUTH that came with the request, if any.
fn given_auth(headers: &HeaderMap, parameters: Parameters) -> Result<Option<Auth>, Refusal> {
    let bearer = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let token = value.to_str().ok().and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
            });
            Some(token.ok_or_else(|| {
                Refusal::new(
                    ErrorReason::InvalidToken,
                    "the Authorization header is not of the form `Bearer <token>`",
                )
            })?)
        }
        None => None,
    };
    let token = bearer.or(parameters.token).or(parameters.access_token);
    Ok(token.map(|token| Auth {
        token,
        v: parameters.v,
        caps: parameters.caps.iter().flat_map(|caps| caps.split(',')).map(str::to_owned).collect(),
        device_id: parameters.device_id,
        platform: parameters.platform,
        client: None,
    }))
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// A refusal as an HTTP answer. Its body is written where request ids are known: the
/// refusal travels there as an extension of the response.
pub(crate) fn refuse(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.reason.http_status())
        .expect("the table of reasons holds valid statuses");
    let mut response = status.into_response();
    response.extensions_mut().insert(refusal);
    response
}

/// Counts a connection for as long as it lives.
struct ConnectionGuard(Gateway);

impl ConnectionGuard {
    fn enter(gateway: &Gateway) -> Result<Self, Refusal> {
        let shared = &gateway.shared;
        let busy = |message| Err(shared.admission().refusal(message));
        if shared.draining.is_cancelled() {
            return busy("this server is going down");
        }
        let before = shared.connections.fetch_add(1, Ordering::Relaxed);
        let guard = Self(gateway.clone());
        if before >= shared.connections_max.load(Ordering::Relaxed) {
            shared.dependencies.metrics.met(Limit::Connections);
            return busy("this server has all the connections it can take");
        }
        Ok(guard)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn pages_of_the_same_host_and_listed_pages_may_connect() {
        let check = |origin, host, allowed: &[String]| {
            check_origin(&headers(&[("origin", origin), ("host", host)]), allowed).is_ok()
        };
        assert!(check("http://chat.example:8080", "chat.example:8084", &[]));
        assert!(check("http://[::1]:8080", "[::1]:8084", &[]));
        assert!(!check("https://evil.example", "chat.example:8084", &[]));
        assert!(!check("null", "chat.example:8084", &[]));
        assert!(check("https://app.example", "im.example", &["https://app.example".to_owned()]));
        assert!(check_origin(&headers(&[("host", "chat.example")]), &[]).is_ok());
    }

    #[test]
    fn an_upgrade_needs_every_header() {
        let all = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        // The example of RFC 6455 §1.3.
        assert_eq!(check_upgrade(&headers(&all)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(missing);
            assert!(check_upgrade(&headers(&some)).is_err(), "went without {:?}", all[missing]);
        }
    }
}
