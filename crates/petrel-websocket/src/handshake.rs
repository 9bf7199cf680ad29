//! The opening handshake: one HTTP request, one response (RFC 6455, 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The most bytes of a request's or a response's head.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEADERS_MAX: usize = 64;

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The connection is a WebSocket now; the frames begin after so many bytes.
    Upgraded(usize),
    /// It is not: the HTTP status, and `Retry-After` in seconds if there was one.
    Refused {
        /// The HTTP status.
        status: u16,
        /// How long to stay away, in seconds.
        retry_after: Option<u64>,
    },
}

/// The answer is none to our request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not HTTP/1.1.
    #[error("the peer does not speak HTTP/1.1")]
    NotHttp,
    /// A head longer than [`HEAD_BYTES_MAX`].
    #[error("the peer's HTTP head is too long")]
    TooLong,
    /// 101, but `Upgrade`, `Connection` or `Sec-WebSocket-Accept` is missing or wrong, or
    /// an extension that was not offered.
    #[error("the peer's upgrade answer is malformed")]
    Malformed,
}

/// Appends a client's request to `out`. `headers` are written as given, after the ones
/// that the handshake needs.
pub fn write_request(
    out: &mut Vec<u8>,
    host: &str,
    path_and_query: &str,
    key: &str,
    headers: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) {
    for part in [
        "GET ",
        path_and_query,
        " HTTP/1.1\r\nHost: ",
        host,
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
        key,
        "\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name.as_ref(), ": ", value.as_ref(), "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The `Sec-WebSocket-Key` of sixteen random bytes.
pub fn key(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// The `Sec-WebSocket-Accept` that belongs to a key.
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

/// Reads the server's answer to the request with this key; none while its head is not
/// complete.
pub fn read_answer(bytes: &[u8], key: &str) -> Result<Option<Answer>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let Some(length) = within_bound(response.parse(bytes), bytes)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let retry_after = value(response.headers, "retry-after").and_then(|text| text.parse().ok());
        return Ok(Some(Answer::Refused { status, retry_after }));
    }
    let upgraded = has_token(response.headers, "upgrade", "websocket")
        && has_token(response.headers, "connection", "upgrade")
        && value(response.headers, "sec-websocket-accept") == Some(&accept(key))
        && value(response.headers, "sec-websocket-extensions").is_none_or(str::is_empty);
    if upgraded { Ok(Some(Answer::Upgraded(length))) } else { Err(HandshakeError::Malformed) }
}

/// Reads a client's request, for a server without any other HTTP: its key and where its
/// frames begin; none while its head is not complete.
pub fn read_request(bytes: &[u8]) -> Result<Option<(String, usize)>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let Some(length) = within_bound(request.parse(bytes), bytes)? else { return Ok(None) };
    let asked = request.method == Some("GET") && has_token(request.headers, "upgrade", "websocket");
    let key = value(request.headers, "sec-websocket-key").filter(|_| asked);
    key.map(|key| Some((key.to_owned(), length))).ok_or(HandshakeError::Malformed)
}

/// Appends a server's consent to a request with this key.
pub fn write_consent(out: &mut Vec<u8>, key: &str) {
    for part in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        &accept(key),
        "\r\n\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The length of a head that is complete; none while it is not. However its bytes arrive,
/// the same heads are too long.
fn within_bound(
    parsed: httparse::Result<usize>,
    bytes: &[u8],
) -> Result<Option<usize>, HandshakeError> {
    let (length, so_far) = match parsed.map_err(|_| HandshakeError::NotHttp)? {
        httparse::Status::Complete(length) => (Some(length), length),
        httparse::Status::Partial => (None, bytes.len()),
    };
    if so_far > HEAD_BYTES_MAX { Err(HandshakeError::TooLong) } else { Ok(length) }
}

fn value<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok().map(str::trim)
}

fn has_token(headers: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    value(headers, name)
        .is_some_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request whose head has so many bytes.
    fn request_of(length: usize) -> Vec<u8> {
        let of = |padding: &str| {
            let mut request = Vec::new();
            write_request(&mut request, "h", "/", &key([1; 16]), [("A", padding)]);
            request
        };
        of(&"x".repeat(length - of("").len()))
    }

    #[test]
    fn a_head_is_too_long_or_not_however_it_arrives() {
        let longest = request_of(HEAD_BYTES_MAX);
        assert!(matches!(read_request(&longest), Ok(Some((_, HEAD_BYTES_MAX)))));
        assert_eq!(read_request(&longest[..HEAD_BYTES_MAX - 1]), Ok(None));
        let longer = request_of(HEAD_BYTES_MAX + 1);
        assert_eq!(read_request(&longer), Err(HandshakeError::TooLong));
        assert_eq!(read_request(&longer[..HEAD_BYTES_MAX]), Ok(None));
    }
}
