//! Everything but UTF-8 (group 6).

use super::raw::{frame, unmasked};
use super::{Case, Seen};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const FIN: u8 = 0x80;

const BROKEN: Seen = Seen::Closed(Some(1002));
const PING_FRAME: &[u8] = br#"{"type":"PING"}"#;

pub(super) fn all() -> Vec<Case> {
    [framing(), pings(), reserved_bits(), opcodes(), fragments(), closing(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

fn case(name: impl Into<String>, pieces: Vec<Vec<u8>>, seen: Vec<Seen>) -> Case {
    Case { name: name.into(), pieces, seen, fails_fast: false }
}

/// All in one write.
fn joined(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    vec![pieces.concat()]
}

/// Byte by byte.
fn octets(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    pieces.concat().into_iter().map(|byte| vec![byte]).collect()
}

fn chops(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

/// A PING frame of so many bytes; one that means nothing if it would be too short.
fn sized(length: usize) -> (Vec<u8>, Seen) {
    let empty = r#"{"type":"PING","padding":""}"#;
    match length.checked_sub(empty.len()) {
        Some(padding) => {
            (empty.replace("\"\"", &format!("\"{}\"", "x".repeat(padding))).into(), Seen::Answer)
        }
        None => (vec![b'x'; length], Seen::Refusal),
    }
}

fn text() -> Vec<u8> {
    frame(FIN | TEXT, PING_FRAME)
}

/// A message in two fragments.
fn halves() -> [Vec<u8>; 2] {
    let (first, rest) = PING_FRAME.split_at(5);
    [frame(TEXT, first), frame(FIN, rest)]
}

fn framing() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, length) in (1..).zip([0, 125, 126, 127, 128, 65_535, 65_536]) {
        let (payload, answer) = sized(length);
        let bytes = frame(FIN | TEXT, &payload);
        cases.push(case(format!("1.1.{number}"), vec![bytes.clone()], vec![answer.clone()]));
        if length == 65_536 {
            cases.push(case("1.1.8", chops(&bytes, 997), vec![answer]));
        }
        let bytes = frame(FIN | BINARY, &vec![0xfe; length]);
        cases.push(case(format!("1.2.{number}"), vec![bytes.clone()], vec![Seen::Refusal]));
        if length == 65_536 {
            cases.push(case("1.2.8", chops(&bytes, 997), vec![Seen::Refusal]));
        }
    }
    // Not in the suite: RFC 6455 §5.1 and §5.2.
    let long_form = |form: &[u8]| [&[0x81][..], form, &[0; 4]].concat();
    cases.extend([
        case("without a mask", vec![unmasked(FIN | TEXT, PING_FRAME)], vec![BROKEN]),
        case("a ping without a mask", vec![unmasked(FIN | PING, b"")], vec![BROKEN]),
        case("5 in 16 bits", vec![long_form(&[0xfe, 0, 5])], vec![BROKEN]),
        case("5 in 64 bits", vec![long_form(&[0xff, 0, 0, 0, 0, 0, 0, 0, 5])], vec![BROKEN]),
        case("2^63", vec![long_form(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0])], vec![BROKEN]),
    ]);
    cases
}

fn pings() -> Vec<Case> {
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    let pong = |payload: &[u8]| Seen::Pong(payload.to_vec());
    let binary = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    let numbered = |number: u8| format!("payload-{number}").into_bytes();
    let ten: Vec<_> = (0..10).map(|number| ping(&numbered(number))).collect();
    let ten_pongs: Vec<_> = (0..10).map(|number| Seen::Pong(numbered(number))).collect();
    vec![
        case("2.1", vec![ping(b"")], vec![pong(b"")]),
        case("2.2", vec![ping(b"Hello, world!")], vec![pong(b"Hello, world!")]),
        case("2.3", vec![ping(&binary)], vec![pong(&binary)]),
        case("2.4", vec![ping(&[0xfe; 125])], vec![pong(&[0xfe; 125])]),
        case("2.5", vec![ping(&[0xfe; 126])], vec![BROKEN]),
        case("2.6", octets(vec![ping(&[0xfe; 125])]), vec![pong(&[0xfe; 125])]),
        case("2.7", vec![frame(FIN | PONG, b"")], vec![]),
        case("2.8", vec![frame(FIN | PONG, b"unsolicited pong payload")], vec![]),
        case("2.9", vec![frame(FIN | PONG, b"unsolicited"), ping(b"ping")], vec![pong(b"ping")]),
        case("2.10", joined(ten.clone()), ten_pongs.clone()),
        case("2.11", octets(ten), ten_pongs),
    ]
}

fn reserved_bits() -> Vec<Case> {
    let reserved = |bits: u8, opcode: u8| frame(FIN | bits << 4 | opcode, b"");
    let after_text = |bits| vec![text(), reserved(bits, TEXT), frame(FIN | PING, b"")];
    let broken = || vec![Seen::Answer, BROKEN];
    vec![
        case("3.1", vec![reserved(1, TEXT)], vec![BROKEN]),
        case("3.2", joined(after_text(2)), broken()),
        case("3.3", after_text(3), broken()),
        case("3.4", octets(after_text(4)), broken()),
        case("3.5", vec![reserved(5, BINARY)], vec![BROKEN]),
        case("3.6", vec![reserved(6, PING)], vec![BROKEN]),
        case("3.7", vec![reserved(7, CLOSE)], vec![BROKEN]),
    ]
}

fn opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, first) in [(1, 3), (2, 11)] {
        for number in 1..=5 {
            let opcode = FIN | (first + number - 1);
            let name = format!("4.{group}.{number}");
            let payload: &[u8] = if number % 2 == 0 { b"reserved opcode payload" } else { b"" };
            if number < 3 {
                cases.push(case(name, vec![frame(opcode, payload)], vec![BROKEN]));
                continue;
            }
            let pieces = vec![text(), frame(opcode, payload), frame(FIN | PING, b"")];
            let pieces = if number == 5 { octets(pieces) } else { pieces };
            cases.push(case(name, pieces, vec![Seen::Answer, BROKEN]));
        }
    }
    cases
}

fn fragments() -> Vec<Case> {
    let two = |opcode| vec![frame(opcode, b"frag"), frame(FIN, b"ment")];
    let ping = || frame(FIN | PING, b"ping");
    let pong = || Seen::Pong(b"ping".to_vec());
    let around = || {
        let [first, last] = halves();
        vec![first, ping(), last]
    };
    let lonely = |first, opcode| vec![frame(first, b"lonely"), frame(FIN | opcode, PING_FRAME)];
    let [first, last] = halves();
    let again = || frame(0, b"fragment");
    let five = || {
        let mut pieces = vec![frame(TEXT, &PING_FRAME[..3]), frame(0, &PING_FRAME[3..6]), ping()];
        pieces.extend([frame(0, &PING_FRAME[6..9]), frame(0, &PING_FRAME[9..12]), ping()]);
        pieces.push(frame(FIN, &PING_FRAME[12..]));
        pieces
    };
    let five_seen = || vec![pong(), pong(), Seen::Answer];
    vec![
        case("5.1", two(PING), vec![BROKEN]),
        case("5.2", two(PONG), vec![BROKEN]),
        case("5.3", joined(halves().to_vec()), vec![Seen::Answer]),
        case("5.4", halves().to_vec(), vec![Seen::Answer]),
        case("5.5", octets(halves().to_vec()), vec![Seen::Answer]),
        case("5.6", joined(around()), vec![pong(), Seen::Answer]),
        case("5.7", around(), vec![pong(), Seen::Answer]),
        case("5.8", octets(around()), vec![pong(), Seen::Answer]),
        case("5.9", joined(lonely(FIN, TEXT)), vec![BROKEN]),
        case("5.10", lonely(FIN, TEXT), vec![BROKEN]),
        case("5.11", octets(lonely(FIN, TEXT)), vec![BROKEN]),
        case("5.12", joined(lonely(0, TEXT)), vec![BROKEN]),
        case("5.13", lonely(0, TEXT), vec![BROKEN]),
        case("5.14", octets(lonely(0, TEXT)), vec![BROKEN]),
        case(
            "5.15",
            vec![first.clone(), last.clone(), again(), text()],
            vec![Seen::Answer, BROKEN],
        ),
        case("5.16", vec![again(), text(), again(), text()], vec![BROKEN]),
        case("5.17", vec![frame(FIN, b"lonely"), text(), frame(FIN, b"lonely")], vec![BROKEN]),
        case("5.18", vec![first, frame(FIN | TEXT, b"fragment2")], vec![BROKEN]),
        case("5.19", five(), five_seen()),
        case("5.20", joined(five()), five_seen()),
    ]
}

fn closing() -> Vec<Case> {
    let close =
        |code: u16, reason: &[u8]| frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat());
    let normal = || close(1000, b"");
    let closed = || Seen::Closed(Some(1000));
    let [first, last] = halves();
    let mut cases = vec![
        case("7.1.1", vec![text(), normal()], vec![Seen::Answer, closed()]),
        case("7.1.2", joined(vec![normal(), normal()]), vec![closed()]),
        case("7.1.3", joined(vec![normal(), frame(FIN | PING, b"late")]), vec![closed()]),
        case("7.1.4", joined(vec![normal(), text()]), vec![closed()]),
        case("7.1.5", joined(vec![first, normal(), last]), vec![closed()]),
        case("7.3.1", vec![frame(FIN | CLOSE, b"")], vec![Seen::Closed(None)]),
        case("7.3.2", vec![frame(FIN | CLOSE, b"a")], vec![BROKEN]),
        case("7.3.3", vec![normal()], vec![closed()]),
        case("7.3.4", vec![close(1000, b"Hello World!")], vec![closed()]),
        case("7.3.5", vec![close(1000, &[b'*'; 123])], vec![closed()]),
        case("7.3.6", vec![close(1000, &[b'*'; 124])], vec![BROKEN]),
        case("7.5.1", vec![close(1000, b"\xce\xba\xed\xa0\x80")], vec![Seen::Closed(Some(1007))]),
        case("a close frame in two fragments", vec![frame(CLOSE, &[3, 232])], vec![BROKEN]),
    ];
    let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for (number, code) in (1..).zip(valid) {
        let seen = vec![Seen::Closed(Some(code))];
        cases.push(case(format!("7.7.{number}"), vec![close(code, b"")], seen));
    }
    for (number, code) in (1..).zip([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]) {
        cases.push(case(format!("7.9.{number}"), vec![close(code, b"")], vec![BROKEN]));
    }
    for (number, code) in (1..).zip([5000, 65_535]) {
        cases.push(case(format!("7.13.{number}"), vec![close(code, b"")], vec![BROKEN]));
    }
    cases
}

fn limits() -> Vec<Case> {
    const CAP: usize = 65_536;
    let (largest, _) = sized(CAP);
    let too_large = Seen::Closed(Some(1009));
    let fragmented = |payload: &[u8], size: usize| {
        let count = payload.len().div_ceil(size);
        let one = |(number, part): (usize, &[u8])| {
            let opcode = if number == 0 { TEXT } else { 0 };
            frame(if number + 1 == count { FIN } else { 0 } | opcode, part)
        };
        payload.chunks(size).enumerate().map(one).collect::<Vec<_>>()
    };
    let mut cases = Vec::new();
    for (number, size) in (1..).zip([64, 256, 1024, 4096, 16_384]) {
        let pieces = joined(fragmented(&largest, size));
        cases.push(case(format!("9.3.{number}"), pieces, vec![Seen::Answer]));
    }
    for (number, size) in (1..).zip([64, 128, 256, 512, 1024, 2048]) {
        let pieces = chops(&frame(FIN | TEXT, &largest), size);
        cases.push(case(format!("9.5.{number}"), pieces, vec![Seen::Answer]));
    }
    let thousand: Vec<_> = (0..1000).map(|_| text()).collect();
    cases.push(case("9.7.1", joined(thousand), vec![Seen::Answer; 1000]));
    cases.push(case("10.1.1", joined(fragmented(&largest, 1300)), vec![Seen::Answer]));
    // Refused as soon as the header is there.
    let huge = [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4].to_vec();
    cases.push(case("a header of 4 GiB", vec![huge], vec![too_large.clone()]));
    let over = sized(CAP + 1).0;
    cases.push(case("9.1.1", vec![frame(FIN | TEXT, &over)], vec![too_large.clone()]));
    cases.push(case("9.2.1", vec![frame(FIN | BINARY, &over)], vec![too_large.clone()]));
    cases.push(case("9.4.1", joined(fragmented(&over, 1024)), vec![too_large]));
    cases
}
