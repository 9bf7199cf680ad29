//! What no input whatever may bring about.

use std::ops::ControlFlow;

use petrel_websocket::{Decoder, Message, Opcode, ProtocolError, Role, encode, handshake};
use proptest::prelude::*;

const LIMIT: u32 = 1000;

/// The longest incomplete header, or control frame without its last byte.
const BEGINNING_BYTES_MAX: usize = 14 + 125;

type Outcome = (Vec<String>, Option<ProtocolError>);

/// Feeds bytes in pieces of these sizes, again and again, and says what came of it. After
/// every piece what is held must be within bounds.
fn decode(bytes: &[u8], sizes: &[usize], one_at_a_time: bool) -> Outcome {
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let mut said = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        let (piece, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
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
        if rest.is_empty() {
            return (said, None);
        }
    }
    unreachable!("there is a size")
}

/// Frames that are mostly right, so that what is wrong is met in every state.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..130),
        "\\PC{0,40}".prop_map(String::into_bytes),
        (0..1100usize).prop_map(|length| vec![b'x'; length]),
    ];
    let frame = (first, payload, any::<[u8; 4]>()).prop_map(|(first, payload, key)| {
        let mut bytes = Vec::new();
        encode(&mut bytes, Opcode::Text, &payload, Some(key));
        bytes[0] = first;
        bytes
    });
    let noise = prop::collection::vec(any::<u8>(), 0..20);
    prop::collection::vec(prop_oneof![9 => frame, 1 => noise], 1..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn however_the_bytes_arrive_the_outcome_is_the_same(
        bytes in frames(),
        sizes in prop::collection::vec(1usize..200, 1..8),
    ) {
        let whole = decode(&bytes, &[bytes.len().max(1)], false);
        prop_assert_eq!(&decode(&bytes, &sizes, false), &whole);
        prop_assert_eq!(&decode(&bytes, &sizes, true), &whole);
        prop_assert_eq!(&decode(&bytes, &[1], false), &whole);
        prop_assert_eq!(&decode(&bytes, &[bytes.len().max(1)], true), &whole);
    }

    #[test]
    fn what_is_encoded_is_decoded(text in "\\PC{0,200}", key: [u8; 4], size in 1usize..50) {
        let mut bytes = Vec::new();
        encode(&mut bytes, Opcode::Text, text.as_bytes(), Some(key));
        let expected = format!("{:?}", Message::Text(&text));
        prop_assert_eq!(decode(&bytes, &[size], false), (vec![expected], None));
    }

    #[test]
    fn a_handshake_of_any_bytes_is_an_answer_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cut in 0usize..400,
    ) {
        let _ = handshake::read_request(&bytes);
        let _ = handshake::read_answer(&bytes, "key");
        // A good one, spoilt somewhere.
        let mut request = Vec::new();
        handshake::write_request(&mut request, "h", "/", &handshake::key([1; 16]), [("A", "b")]);
        let place = cut % request.len();
        request[place] = bytes.first().copied().unwrap_or_default();
        let _ = handshake::read_request(&request);
    }
}

#[test]
fn a_header_that_promises_much_costs_nothing() {
    let mut decoder = Decoder::new(Role::Server, u32::MAX);
    let mut header = [0x82, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    decoder.feed(&mut header, |_| ControlFlow::Continue(())).unwrap();
    decoder.feed(&mut [7; 10], |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(decoder.bytes_held(), 10);
}
