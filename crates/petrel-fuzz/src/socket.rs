//! Bytes as they come from a socket.

use std::ops::ControlFlow;

use petrel_websocket::{Decoder, ProtocolError, Role, handshake};

/// What requests and answers are made of.
pub(crate) const HEAD_WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "HTTP/1.1 101 \r\n",
    "HTTP/1.1 503 \r\n",
    "\r\n",
    "\r\n\r\n",
    "Upgrade: websocket\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "Sec-WebSocket-Extensions: ",
    "Retry-After: 18446744073709551615\r\n",
    ": ",
    ",",
];

/// The key of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The longest message that the decoder is to take.
const LIMIT: u32 = 1000;

/// The longest incomplete header, or control frame without its last byte.
const BEGINNING_BYTES_MAX: usize = 14 + 125;

type Outcome = (Vec<String>, Option<ProtocolError>);

/// The first byte says which end reads and the second how the rest is cut: however it
/// arrives, the same is said, and what is held stays within bounds.
pub(crate) fn frames(bytes: &[u8]) {
    let [end, cut, rest @ ..] = bytes else { return };
    let role = if end % 2 == 0 { Role::Server } else { Role::Client };
    let whole = decode(role, rest, rest.len().max(1), false);
    assert_eq!(decode(role, rest, usize::from(*cut).max(1), false), whole, "in pieces");
    assert_eq!(decode(role, rest, usize::from(*cut).max(1), true), whole, "one at a time");
    assert_eq!(decode(role, rest, 1, false), whole, "byte by byte");
}

fn decode(role: Role, bytes: &[u8], piece: usize, one_at_a_time: bool) -> Outcome {
    let mut decoder = Decoder::new(role, LIMIT);
    let mut said = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        loop {
            let fed = decoder.feed(&mut piece, |message| {
                said.push(format!("{message:?}"));
                if one_at_a_time { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if let Err(error) = fed {
                return (said, Some(error));
            }
            if !decoder.has_bytes() {
                break;
            }
            piece.clear();
        }
        assert!(decoder.bytes_held() <= LIMIT as usize + BEGINNING_BYTES_MAX);
    }
    (said, None)
}

/// A head is read when it is complete, the same whatever follows, and not before.
pub(crate) fn handshake(bytes: &[u8]) {
    if let Ok(Some((key, length))) = handshake::read_request(bytes) {
        assert!(length <= bytes.len());
        let again = handshake::read_request(&bytes[..length]);
        assert_eq!(again, Ok(Some((key.clone(), length))), "what follows is not part of it");
        assert_eq!(handshake::read_request(&bytes[..length - 1]), Ok(None), "not before");
        assert_eq!(handshake::accept(&key).len(), 28);
    }
    if let Ok(Some(handshake::Answer::Upgraded(length))) = handshake::read_answer(bytes, KEY) {
        assert!(length <= bytes.len());
        let again = handshake::read_answer(&bytes[..length], KEY);
        assert_eq!(again, Ok(Some(handshake::Answer::Upgraded(length))));
        assert_eq!(handshake::read_answer(&bytes[..length - 1], KEY), Ok(None));
    }
}
