//! The web client at `/`: its files as they were built, and its page for every path that the
//! client itself knows.
//!
//! Nothing is compressed or read here: each file is in the binary in the forms that browsers
//! take. Without a client, `/` says how to get it.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use petrel_web::{Client, File};

use crate::answer::{not_found, wrong_method};

/// Scripts, styles and connections are the server's own; nothing is inline, nothing framed.
/// Pictures and sound may also be what the page has made itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
                      img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; \
                      manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What the client asks of the device: calls and recordings. Everything else is refused.
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), \
                           fullscreen=(self), clipboard-read=(self), clipboard-write=(self), \
                           geolocation=(self), payment=(), usb=(), serial=(), hid=()";

/// The policy of the page that stands in for a client.
const STAND_IN_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// First parts of paths at which there is never a page of the client, only what is there.
const RESERVED: [&str; 8] =
    ["api", "assets", "files", "healthz", "openapi.json", "readyz", "swagger", "ws"];

const INDEX: &str = "index.html";

/// Puts the client behind everything else that a router has.
pub(crate) fn behind(router: Router, client: Client) -> Router {
    match client {
        Client::Embedded(files) => {
            let files: &'static Files = Box::leak(Box::new(Files::new(files)));
            router.fallback_service(get(serve).fallback(other_method).with_state(files))
        }
        Client::Absent(reason) => {
            tracing::info!("there is no web client in this binary: {reason}");
            let page = include_str!("../assets/landing.html").replace("{{reason}}", reason);
            let page = get(|| async { stand_in(page) }).fallback(wrong_method);
            router.route("/", page).fallback(not_found)
        }
    }
}

async fn serve(State(files): State<&'static Files>, request: Request) -> Response {
    match files.find(request.uri().path(), request.headers()) {
        Some(file) => answer(file, request.headers()),
        None => not_found().await.into_response(),
    }
}

/// What is there can only be read.
async fn other_method(State(files): State<&'static Files>, request: Request) -> Response {
    match files.find(request.uri().path(), &HeaderMap::new()) {
        // Which methods it takes is said by who calls this.
        Some(_) => wrong_method().await.into_response(),
        None => not_found().await.into_response(),
    }
}

fn stand_in(page: String) -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, STAND_IN_POLICY)], Html(page))
}

/// The files by their paths.
struct Files(HashMap<&'static str, &'static File>);

impl Files {
    fn new(files: &'static [File]) -> Self {
        Self(files.iter().map(|file| (file.path, file)).collect())
    }

    /// The file at a path; the page of the client if a person goes there, and nothing else
    /// may be meant.
    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&'static File> {
        let path = path.strip_prefix('/')?;
        let index = || self.0.get(INDEX).copied();
        if path.is_empty() {
            return index();
        }
        let first = path.split('/').next().unwrap_or_default();
        let file = self.0.get(path).copied();
        file.or_else(|| {
            let is_page = wants_page(headers) && !RESERVED.contains(&first);
            is_page.then(index).flatten()
        })
    }
}

/// Whether a browser wants to show what it gets; scripts and programs do not say so.
fn wants_page(headers: &HeaderMap) -> bool {
    items(headers, header::ACCEPT)
        .any(|item| item.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

fn answer(file: &'static File, request: &HeaderMap) -> Response {
    let (encoding, content) = form_for(file, request);
    let tag = format!("\"{:016x}{}\"", file.hash, encoding.map_or("", |encoding| &encoding[..2]));
    let is_known = items(request, header::IF_NONE_MATCH).any(|item| {
        let item = item.trim();
        item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag
    });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static(file.content_type);
        let mut response = content.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(encoding) = encoding {
            let value = HeaderValue::from_static(encoding);
            response.headers_mut().insert(header::CONTENT_ENCODING, value);
        }
        response
    };
    let headers = response.headers_mut();
    // What may change is asked for each time, and that it is the same costs one small answer.
    let keep = if file.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.extend(
        [
            (header::CACHE_CONTROL, keep),
            (header::VARY, "accept-encoding"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("permissions-policy"), PERMISSIONS),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value))),
    );
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits"));
    response
}

/// The shortest form that the asker takes, and what that form is called.
fn form_for(file: &'static File, request: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let forms = [("br", file.brotli), ("gzip", file.gzip)];
    forms
        .into_iter()
        .filter(|(name, _)| takes(request, name))
        .find_map(|(name, content)| content.map(|content| (Some(name), content)))
        .unwrap_or((None, file.plain))
}

/// Whether `accept-encoding` names an encoding, and not with the weight 0.
fn takes(request: &HeaderMap, encoding: &str) -> bool {
    items(request, header::ACCEPT_ENCODING).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_named && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// The items of a header that is a list.
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILES: [File; 2] = [
        File {
            path: "index.html",
            content_type: "text/html; charset=utf-8",
            hash: 1,
            is_immutable: false,
            plain: b"page",
            gzip: None,
            brotli: None,
        },
        File {
            path: "assets/app-1234.js",
            content_type: "text/javascript; charset=utf-8",
            hash: 2,
            is_immutable: true,
            plain: b"plain",
            gzip: Some(b"gzipped"),
            brotli: Some(b"brotli"),
        },
    ];

    fn with(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn found(path: &str, headers: &HeaderMap) -> Option<&'static str> {
        Files::new(&FILES).find(path, headers).map(|file| file.path)
    }

    fn script(accept_encoding: &'static str) -> Response {
        answer(&FILES[1], &with(&[(header::ACCEPT_ENCODING, accept_encoding)]))
    }

    fn value(response: &Response, name: HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().expect("ASCII"))
    }

    #[test]
    fn a_person_gets_the_page_at_every_path_of_the_client() {
        let person = with(&[(header::ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]);
        for path in ["/", "/chats/17", "/settings", "/apiary", "/user.name"] {
            assert_eq!(found(path, &person), Some("index.html"), "{path}");
        }
    }

    #[test]
    fn no_path_of_the_server_or_of_a_file_becomes_the_page() {
        let person = with(&[(header::ACCEPT, "text/html")]);
        for path in ["/api", "/api/nothing", "/ws", "/files/1", "/assets/old-1.js", "/swagger/x"] {
            assert_eq!(found(path, &person), None, "{path}");
        }
        let script = with(&[(header::ACCEPT, "*/*")]);
        assert_eq!(found("/chats/17", &script), None);
        assert_eq!(found("/", &script), Some("index.html"));
        assert_eq!(found("/assets/app-1234.js", &script), Some("assets/app-1234.js"));
        assert_eq!(found("*", &person), None);
    }

    #[test]
    fn each_gets_the_shortest_form_that_it_takes() {
        let encoding =
            |accepted| value(&script(accepted), header::CONTENT_ENCODING).map(str::to_owned);
        assert_eq!(encoding("gzip, deflate, br, zstd").as_deref(), Some("br"));
        assert_eq!(encoding("GZIP;q=0.5, br;q=0").as_deref(), Some("gzip"));
        assert_eq!(encoding("gzip;q=0, br; q=0.000"), None);
        assert_eq!(encoding("deflate"), None);
        assert_eq!(value(&script("br"), header::VARY), Some("accept-encoding"));
    }

    #[test]
    fn who_has_it_already_is_told_so() {
        let tag = value(&script("br"), header::ETAG).expect("a tag").to_owned();
        let ask = |known: &str| {
            let mut headers = with(&[(header::ACCEPT_ENCODING, "br")]);
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).expect("ASCII"));
            answer(&FILES[1], &headers).status()
        };
        assert_eq!(ask(&tag), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(&format!("\"other\", W/{tag}")), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("*"), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("\"other\""), StatusCode::OK);
        // The same content in another form has another tag.
        assert_ne!(value(&script("gzip"), header::ETAG), Some(tag.as_str()));
    }

    #[test]
    fn only_what_is_named_by_its_content_is_kept() {
        let page = answer(&FILES[0], &HeaderMap::new());
        assert_eq!(value(&page, header::CACHE_CONTROL), Some("no-cache"));
        let script = script("br");
        let keep = value(&script, header::CACHE_CONTROL).expect("a rule");
        assert!(keep.contains("immutable"), "{keep}");
        for response in [page, script] {
            let policy = value(&response, header::CONTENT_SECURITY_POLICY).expect("a policy");
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
            assert_eq!(value(&response, header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        }
    }
}
