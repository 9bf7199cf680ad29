//! As much of HTTP/1.1 as some protocols need beside their WebSocket: one request with
//! JSON, one answer, over a connection that is kept.

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path and the query.
    pub path: String,
    /// The bearer's token, if one is needed.
    pub token: Option<String>,
    /// JSON, for `POST`.
    pub body: String,
}

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// The most headers of an answer.
const HEADERS_MAX: usize = 64;

/// An answer that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no answer in HTTP/1.1 of a size that is read here")]
pub struct Unreadable;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The server closes the connection after it.
    pub closes: bool,
    /// How many bytes it took.
    pub length: usize,
}

impl Request {
    /// Writes it.
    pub fn write(&self, authority: &str, out: &mut Vec<u8>) {
        let Self { method, path, body, .. } = self;
        out.extend_from_slice(
            format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n").as_bytes(),
        );
        if let Some(token) = &self.token {
            out.extend_from_slice(format!("Authorization: Bearer {token}\r\n").as_bytes());
        }
        if !body.is_empty() {
            let length = body.len();
            out.extend_from_slice(
                format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
                    .as_bytes(),
            );
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.as_bytes());
    }
}

/// Reads an answer, when it is whole. `ended` says that nothing more will come.
pub fn read_answer(bytes: &[u8], ended: bool) -> Result<Option<Answer>, Unreadable> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(bytes).map_err(|_| Unreadable)? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial if ended || bytes.len() > ANSWER_BYTES_MAX => {
            return Err(Unreadable);
        }
        httparse::Status::Partial => return Ok(None),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let is = |name: &str, word: &str| {
        header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let status = head.code.ok_or(Unreadable)?;
    let closes = is("connection", "close");
    let rest = &bytes[start..];
    let (body, length) = if matches!(status, 100..=199 | 204 | 304) {
        (Vec::new(), 0)
    } else if is("transfer-encoding", "chunked") {
        match chunks(rest)? {
            Some(read) => read,
            None if ended => return Err(Unreadable),
            None => return Ok(None),
        }
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| Unreadable)?;
        match rest.get(..length) {
            _ if length > ANSWER_BYTES_MAX => return Err(Unreadable),
            Some(body) => (body.to_vec(), length),
            None if ended => return Err(Unreadable),
            None => return Ok(None),
        }
    } else if ended {
        (rest.to_vec(), rest.len())
    } else {
        return Ok(None);
    };
    Ok(Some(Answer { status, body, closes, length: start + length }))
}

/// A body in chunks, and how long it was on the wire.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Unreadable> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let (skip, size) = match httparse::parse_chunk_size(&bytes[at..]).map_err(|_| Unreadable)? {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return Ok(None),
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= ANSWER_BYTES_MAX);
        let size = size.ok_or(Unreadable)?;
        at += skip;
        // The chunk and the line end after it. Trailers are not sent to those who don't ask.
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Unreadable);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_when_they_are_whole() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP";
        for cut in 0..plain.len() - 4 {
            assert_eq!(read_answer(&plain[..cut], false), Ok(None), "{cut}");
        }
        let answer = read_answer(plain, false).unwrap().unwrap();
        assert_eq!((answer.status, &answer.body[..], answer.length), (200, &b"hello"[..], 43));
        let chunked = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                        3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        for cut in 0..chunked.len() {
            assert_eq!(read_answer(&chunked[..cut], false), Ok(None), "{cut}");
        }
        let answer = read_answer(chunked, false).unwrap().unwrap();
        assert_eq!((answer.status, &answer.body[..], answer.closes), (500, &b"hello"[..], true));
        let until_the_end = b"HTTP/1.1 200 OK\r\n\r\nhello";
        assert_eq!(read_answer(until_the_end, false), Ok(None));
        assert_eq!(read_answer(until_the_end, true).unwrap().unwrap().body, b"hello");
        assert_eq!(read_answer(b"HTTP/1.1 200 OK\r\nContent-Le", true), Err(Unreadable));
        assert_eq!(read_answer(b"SSH-2.0\r\n\r\n", false), Err(Unreadable));
    }
}
