//! The bytes of files, for whoever has a link: whole or in part, and never as anything that a
//! browser would run.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use petrel_files::link::Link;
use petrel_files::{Content, Range, Variant, disposition};
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_types::{FileId, TimestampMs};
use schemars::JsonSchema;
use serde::Deserialize;

use super::files::TAG;
use crate::Api;
use crate::answer::Refused;
use crate::extract::{PathOf, QueryOf};
use crate::route::{Outcome, Route};

/// What a browser that shows a file may do with it: nothing.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'";

const OUTCOMES: &[Outcome] = &[
    Outcome {
        status: 200,
        meaning: "All of it.",
        has_bytes: true,
        headers: &["ETag", "Content-Disposition"],
    },
    Outcome {
        status: 206,
        meaning: "The bytes of `Range`.",
        has_bytes: true,
        headers: &["ETag", "Content-Range"],
    },
    Outcome {
        status: 304,
        meaning: "You have it already (`If-None-Match`).",
        has_bytes: false,
        headers: &["ETag"],
    },
];

const REASONS: &[ErrorReason] =
    &[ErrorReason::InvalidLink, ErrorReason::FileNotFound, ErrorReason::RangeNotSatisfiable];

/// What proves that a link was made here.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LinkQuery {
    /// Until when the link is good.
    expires: u64,
    /// The proof.
    signature: String,
}

pub(super) fn routes() -> [Route; 2] {
    [
        Route::new(Method::GET, "/files/{fileId}", TAG, "A file, by a link to it", original)
            .query::<LinkQuery>()
            .outcomes(OUTCOMES)
            .reasons(REASONS)
            .public(),
        Route::new(
            Method::GET,
            "/files/{fileId}/thumbnail",
            TAG,
            "The thumbnail of a file, by a link to it",
            thumbnail,
        )
        .query::<LinkQuery>()
        .outcomes(OUTCOMES)
        .reasons(REASONS)
        .public(),
    ]
}

async fn original(
    State(api): State<Api>,
    PathOf(file): PathOf<FileId>,
    QueryOf(link): QueryOf<LinkQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    serve(&api, (file, Variant::Original), link, &method, &headers).await
}

async fn thumbnail(
    State(api): State<Api>,
    PathOf(file): PathOf<FileId>,
    QueryOf(link): QueryOf<LinkQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    serve(&api, (file, Variant::Thumbnail), link, &method, &headers).await
}

async fn serve(
    api: &Api,
    (file, variant): (FileId, Variant),
    link: LinkQuery,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response, Refused> {
    let LinkQuery { expires, signature } = link;
    let link = Link { expires: TimestampMs::new(expires), signature };
    let content = api.admission.read(api.files.content(file, variant, &link)).await?;
    let headers = said_of(&content);
    if has_it(asked, &content.etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let size = content.size;
    let (status, (first, end)) = match wanted(asked, &content.etag) {
        None => (StatusCode::OK, (0, size)),
        Some(range) => match range.within(size) {
            Some(stretch) => (StatusCode::PARTIAL_CONTENT, stretch),
            None => return Ok(not_satisfiable(size)),
        },
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(api.files.bytes(&content, first, end).await?)
    };
    let mut response = (status, headers, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - first));
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert(header::CONTENT_RANGE, value(&format!("bytes {first}-{}/{size}", end - 1)));
    }
    Ok(response)
}

/// The headers of every answer about a file.
fn said_of(content: &Content) -> HeaderMap {
    let disposition = disposition(content.is_shown, Some(&content.name));
    // Only for who asked, and no longer than the link is good.
    let caching = format!("private, max-age={}, immutable", content.lasts_seconds);
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, value(&content.content_type)),
        (header::CONTENT_DISPOSITION, value(&disposition)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, value(&caching)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::ETAG, value(&content.etag)),
    ])
}

/// Whether the client has these bytes already (RFC 9110 §13.1.2).
fn has_it(asked: &HeaderMap, etag: &str) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    known
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// The one stretch that is wanted. Several, or what can't be read, count as all of it, as
/// RFC 9110 §14.2 allows; so does a stretch of other bytes than these.
fn wanted(asked: &HeaderMap, etag: &str) -> Option<Range> {
    if asked.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != etag.as_bytes()) {
        return None;
    }
    let range = asked.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    match (first, last) {
        ("", count) => Some(Range::Last(number(count)?)),
        (first, "") => Some(Range::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::From(first, Some(last)))
        }
    }
}

fn not_satisfiable(size: u64) -> Response {
    let message = format!("the file has {size} bytes, and none of these");
    let refusal = Refusal::new(ErrorReason::RangeNotSatisfiable, message);
    let place = [(header::CONTENT_RANGE, value(&format!("bytes */{size}")))];
    (place, Refused::from(refusal)).into_response()
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text))).collect()
    }

    #[test]
    fn one_range_is_read_and_anything_else_means_all() {
        let range = |text| wanted(&asked(&[(header::RANGE, text)]), "\"e\"");
        assert_eq!(range("bytes=0-4"), Some(Range::From(0, Some(4))));
        assert_eq!(range("bytes=7-"), Some(Range::From(7, None)));
        assert_eq!(range("bytes=-3"), Some(Range::Last(3)));
        for odd in ["bytes=0-1,3-4", "bytes=-", "bytes=4-2", "bytes=+1-2", "items=0-1", "bytes=a-b"]
        {
            assert_eq!(range(odd), None, "{odd}");
        }
        let both = |etag| {
            wanted(&asked(&[(header::RANGE, "bytes=1-2"), (header::IF_RANGE, etag)]), "\"e\"")
        };
        assert!(both("\"e\"").is_some() && both("\"f\"").is_none() && both("W/\"e\"").is_none());
    }

    #[test]
    fn what_a_client_has_is_recognised() {
        let has = |text| has_it(&asked(&[(header::IF_NONE_MATCH, text)]), "\"e\"");
        assert!(has("\"e\"") && has("*") && has("\"d\", W/\"e\""));
        assert!(!has("\"d\"") && !has("e"));
    }
}
