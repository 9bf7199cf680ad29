//! Against an independent implementation, so that equal mistakes on both ends can't
//! cancel out.

use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;

use petrel_websocket::{Decoder, Message, Opcode, ProtocolError, Role, encode, handshake};
use proptest::prelude::*;
use tungstenite::protocol::{Role as PeerRole, WebSocket, WebSocketConfig};

/// What the independent implementation reads from and writes to.
#[derive(Default)]
struct Wire {
    to_peer: Cursor<Vec<u8>>,
    from_peer: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.to_peer.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.from_peer.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

fn owned(message: Message<'_>) -> Said {
    match message {
        Message::Text(text) => Said::Text(text.to_owned()),
        Message::Binary(bytes) => Said::Binary(bytes.to_vec()),
        Message::Ping(bytes) => Said::Ping(bytes.to_vec()),
        Message::Pong(bytes) => Said::Pong(bytes.to_vec()),
        Message::Close(code, reason) => Said::Close(code, reason.to_owned()),
    }
}

/// Decodes bytes that arrive in pieces.
fn decode(role: Role, bytes: &[u8], piece: usize) -> Result<Vec<Said>, ProtocolError> {
    let mut decoder = Decoder::new(role, 1 << 20);
    let mut said = Vec::new();
    for chunk in bytes.chunks(piece.max(1)) {
        decoder.feed(&mut chunk.to_vec(), |message| {
            said.push(owned(message));
            ControlFlow::Continue(())
        })?;
    }
    Ok(said)
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        (65_500usize..65_600, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        any::<String>().prop_map(Said::Text),
        payload().prop_map(Said::Binary),
        proptest::collection::vec(any::<u8>(), 0..126).prop_map(Said::Ping),
        proptest::collection::vec(any::<u8>(), 0..126).prop_map(Said::Pong),
    ]
}

proptest! {
    #[test]
    fn what_the_peer_writes_is_read(
        said in proptest::collection::vec(said(), 1..12),
        piece in 1usize..5000,
    ) {
        let mut peer = WebSocket::from_raw_socket(Wire::default(), PeerRole::Server, None);
        for message in &said {
            let message = match message.clone() {
                Said::Text(text) => tungstenite::Message::text(text),
                Said::Binary(bytes) => tungstenite::Message::binary(bytes),
                Said::Ping(bytes) => tungstenite::Message::Ping(bytes.into()),
                Said::Pong(bytes) => tungstenite::Message::Pong(bytes.into()),
                Said::Close(..) => unreachable!(),
            };
            peer.send(message).unwrap();
        }
        prop_assert_eq!(decode(Role::Client, &peer.get_ref().from_peer, piece).unwrap(), said);
    }

    #[test]
    fn the_peer_reads_what_is_written(
        said in proptest::collection::vec(said(), 1..12),
        key: [u8; 4],
    ) {
        let mut bytes = Vec::new();
        for message in &said {
            match message {
                Said::Text(text) => encode(&mut bytes, Opcode::Text, text.as_bytes(), Some(key)),
                Said::Binary(data) => encode(&mut bytes, Opcode::Binary, data, Some(key)),
                Said::Ping(data) => encode(&mut bytes, Opcode::Ping, data, Some(key)),
                Said::Pong(data) => encode(&mut bytes, Opcode::Pong, data, Some(key)),
                Said::Close(..) => unreachable!(),
            }
        }
        // And our own server side reads the same.
        prop_assert_eq!(&decode(Role::Server, &bytes, 777).unwrap(), &said);
        let wire = Wire { to_peer: Cursor::new(bytes), from_peer: Vec::new() };
        let mut peer = WebSocket::from_raw_socket(wire, PeerRole::Server, Some(WebSocketConfig::default()));
        for message in said {
            let read = match peer.read().unwrap() {
                tungstenite::Message::Text(text) => Said::Text(text.to_string()),
                tungstenite::Message::Binary(bytes) => Said::Binary(bytes.to_vec()),
                tungstenite::Message::Ping(bytes) => Said::Ping(bytes.to_vec()),
                tungstenite::Message::Pong(bytes) => Said::Pong(bytes.to_vec()),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(read, message);
        }
    }

    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        let _ = decode(Role::Client, &bytes, piece);
        let _ = decode(Role::Server, &bytes, piece);
    }
}

#[test]
#[expect(clippy::result_large_err, reason = "the signature of the independent implementation")]
fn the_handshake_is_understood_by_the_peer_and_the_other_way_round() {
    let key = handshake::key([7; 16]);
    let mut request = Vec::new();
    handshake::write_request(&mut request, "example.com:81", "/ws?a=b", &key, [("X-Test", "yes")]);
    let wire = Wire { to_peer: Cursor::new(request.clone()), from_peer: Vec::new() };
    let mut seen = None;
    let peer = tungstenite::accept_hdr(
        wire,
        |request: &tungstenite::handshake::server::Request, response| {
            seen = Some((
                request.uri().to_string(),
                request.headers()["x-test"].clone(),
                request.headers()["host"].clone(),
            ));
            Ok(response)
        },
    )
    .unwrap();
    let (uri, header, host) = seen.unwrap();
    assert_eq!(
        (uri.as_str(), header.to_str().unwrap(), host.to_str().unwrap()),
        ("/ws?a=b", "yes", "example.com:81")
    );
    let answer = peer.get_ref().from_peer.clone();
    for end in 0..answer.len() {
        assert_eq!(handshake::read_answer(&answer[..end], &key).unwrap(), None);
    }
    assert_eq!(
        handshake::read_answer(&answer, &key).unwrap(),
        Some(handshake::Answer::Upgraded(answer.len()))
    );
    let other = handshake::key([8; 16]);
    assert_eq!(handshake::read_answer(&answer, &other), Err(handshake::HandshakeError::Malformed));

    let (asked, length) = handshake::read_request(&request).unwrap().unwrap();
    assert_eq!((asked, length), (key.clone(), request.len()));
    let mut consent = Vec::new();
    handshake::write_consent(&mut consent, &key);
    assert_eq!(
        handshake::read_answer(&consent, &key).unwrap(),
        Some(handshake::Answer::Upgraded(consent.len()))
    );
}

#[test]
fn a_refusal_says_its_status() {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(
        handshake::read_answer(answer, "k").unwrap(),
        Some(handshake::Answer::Refused { status: 503, retry_after: Some(7) })
    );
    assert_eq!(
        handshake::read_answer(b"SSH-2.0-x\r\n\r\n", "k"),
        Err(handshake::HandshakeError::NotHttp)
    );
}

/// Cases of RFC 6455 that a peer must not get away with, in the order of its sections.
#[test]
fn breaches_of_the_protocol_are_errors() {
    let big = [&[0x82, 127][..], &(2u64 << 20).to_be_bytes()].concat();
    let cases: [(&[u8], ProtocolError); 16] = [
        (&[0xc1, 0], ProtocolError::ReservedBits),
        (&[0xa1, 0], ProtocolError::ReservedBits),
        (&[0x83, 0], ProtocolError::ReservedOpcode),
        (&[0x8b, 0], ProtocolError::ReservedOpcode),
        (&[0x81, 126, 0, 5], ProtocolError::LengthForm),
        (&[0x81, 127, 0, 0, 0, 0, 0, 0, 0, 5], ProtocolError::LengthForm),
        (&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0], ProtocolError::LengthForm),
        (&[0x89, 126, 0, 126], ProtocolError::ControlFrame),
        (&[0x09, 0], ProtocolError::ControlFrame),
        (&[0x81, 0x80, 1, 2, 3, 4], ProtocolError::Mask),
        (&[0x80, 0], ProtocolError::Fragments),
        (&[0x01, 1, b'a', 0x81, 1, b'b'], ProtocolError::Fragments),
        (&[0x81, 2, 0xc3, 0x28], ProtocolError::Utf8),
        (&[0x88, 1, 3], ProtocolError::Close),
        (&[0x88, 2, 0x03, 0xed], ProtocolError::Close), // 1005
        (&big, ProtocolError::TooLarge),
    ];
    for (bytes, error) in cases {
        for piece in [1, bytes.len()] {
            assert_eq!(decode(Role::Client, bytes, piece), Err(error), "{bytes:x?}");
        }
    }
    assert_eq!(decode(Role::Server, &[0x81, 0], 2), Err(ProtocolError::Mask));
}

#[test]
fn fragments_are_put_together_around_control_frames() {
    let bytes = [
        0x01, 1, b'a', 0x89, 1, b'p', 0x00, 0, 0x80, 1, b'b', 0x88, 5, 0x03, 0xe8, b'b', b'y', b'e',
    ];
    for piece in 1..bytes.len() {
        assert_eq!(
            decode(Role::Client, &bytes, piece).unwrap(),
            [
                Said::Ping(b"p".to_vec()),
                Said::Text("ab".to_owned()),
                Said::Close(Some(1000), "bye".to_owned()),
            ]
        );
    }
}

#[test]
fn a_broken_off_feed_goes_on_where_it_stopped() {
    let mut decoder = Decoder::new(Role::Client, 100);
    let mut bytes = [0x81, 1, b'a', 0x81, 1, b'b', 0x81, 1];
    let mut said = Vec::new();
    let mut one = |decoder: &mut Decoder, bytes: &mut [u8]| {
        decoder
            .feed(bytes, |message| {
                said.push(owned(message));
                ControlFlow::Break(())
            })
            .unwrap();
        said.len()
    };
    assert_eq!(one(&mut decoder, &mut bytes), 1);
    assert_eq!(one(&mut decoder, &mut []), 2);
    assert!(decoder.has_bytes());
    assert_eq!(one(&mut decoder, &mut []), 2);
    assert_eq!(one(&mut decoder, &mut [b'c']), 3);
    assert!(!decoder.has_bytes());
}
