//! Group 6: what is UTF-8 and what is not.
//!
//! The sequences follow Markus Kuhn's stress test, which the suite follows, too.

use super::raw::frame;
use super::{Case, Seen};

const NOT_UTF8: Seen = Seen::Closed(Some(1007));
const GREEK: &[u8] = "κόσμε".as_bytes();

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![
        whole("6.1.1", b"", true),
        fragments("6.1.2", &[b"", b"", b""], true),
        fragments("6.1.3", &[b"", b"middle frame payload", b""], true),
        whole("6.2.1", "Hello-µ@ßöäüàá-UTF-8!!".as_bytes(), true),
        fragments("6.2.2", &["Hello-µ@ß".as_bytes(), "öäüàá-UTF-8!!".as_bytes()], true),
        octets("6.2.3", "Hello-µ@ßöäüàá-UTF-8!!".as_bytes(), true),
        octets("6.2.4", GREEK, true),
        whole("6.3.1", &surrogate(), false),
        octets("6.3.2", &surrogate(), false),
    ];
    cases.extend(fail_fast());
    for (number, sequence, is_valid) in sequences() {
        cases.push(whole(number, &sequence, is_valid));
        cases.push(octets(&format!("{number} in fragments"), &sequence, is_valid));
    }
    cases
}

/// Text with a surrogate, which UTF-8 must not contain.
fn surrogate() -> Vec<u8> {
    [GREEK, b"\xed\xa0\x80edited"].concat()
}

/// The server must not wait for the end of a message that is lost already.
fn fail_fast() -> Vec<Case> {
    let header = |length: u8| vec![0x81, 0x80 | length, 0, 0, 0, 0];
    let case = |name: &str, pieces| Case {
        name: name.to_owned(),
        pieces,
        seen: vec![NOT_UTF8],
        fails_fast: true,
    };
    vec![
        case("6.4.1", vec![frame(0x01, GREEK), frame(0x00, b"\xf4\x90\x80\x80")]),
        case("6.4.2", vec![frame(0x01, GREEK), frame(0x00, b"\xf4\x90")]),
        case("6.4.3", vec![header(21), GREEK.to_vec(), b"\xf4\x90\x80\x80".to_vec()]),
        case("6.4.4", vec![header(21), GREEK.to_vec(), b"\xf4".to_vec(), b"\x90".to_vec()]),
    ]
}

fn case(name: &str, pieces: Vec<Vec<u8>>, is_valid: bool) -> Case {
    // Valid text means nothing all the same.
    let seen = vec![if is_valid { Seen::Refusal } else { NOT_UTF8 }];
    Case { name: name.to_owned(), pieces, seen, fails_fast: false }
}

fn whole(name: &str, text: &[u8], is_valid: bool) -> Case {
    case(name, vec![frame(0x81, text)], is_valid)
}

fn fragments(name: &str, parts: &[&[u8]], is_valid: bool) -> Case {
    let last = parts.len() - 1;
    let one = |(number, part): (usize, &&[u8])| {
        let opcode = u8::from(number == 0);
        frame(if number == last { 0x80 } else { 0 } | opcode, part)
    };
    case(name, vec![parts.iter().enumerate().flat_map(one).collect()], is_valid)
}

fn octets(name: &str, text: &[u8], is_valid: bool) -> Case {
    let parts: Vec<&[u8]> = text.chunks(1).collect();
    fragments(name, &parts, is_valid)
}

/// The number of each case, its bytes, and whether they are UTF-8.
fn sequences() -> Vec<(&'static str, Vec<u8>, bool)> {
    let mut all: Vec<(&str, Vec<u8>, bool)> = Vec::new();
    let mut add = |number, sequences: &[&[u8]], is_valid| {
        all.extend(sequences.iter().map(|bytes| (number, bytes.to_vec(), is_valid)));
    };
    add("6.5", &[b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld"], true);
    add("6.5", &[b"hello\xf0\xa4\xad\xa2world", GREEK], true);
    // A text that ends inside a character.
    add(
        "6.6",
        &[b"\xce", b"\xce\xba\xe1", b"\xce\xba\xe1\xbd", b"\xce\xba\xe1\xbd\xb9\xcf"],
        false,
    );
    add("6.6", &[b"\xce\xba", b"\xce\xba\xe1\xbd\xb9"], true);
    add("6.7", &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"], true);
    add("6.8", &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"], false);
    add("6.9", &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"], true);
    add("6.10", &[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf"], false);
    add("6.10", &[b"\xfd\xbf\xbf\xbf\xbf\xbf"], false);
    add("6.11", &[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"], true);
    add("6.11", &[b"\xf4\x90\x80\x80"], false);
    add("6.12", &[b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf"], false);
    let continuations: Vec<u8> = (0x80..=0xbf).collect();
    add("6.12", &[&continuations], false);
    add("6.13", &[b"\xc0 \xc1 ", b"\xe0 \xe1 ", b"\xf0 \xf1 ", b"\xf8 \xf9 ", b"\xfc "], false);
    add("6.14", &[b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80"], false);
    add("6.14", &[b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"], false);
    add(
        "6.15",
        &[b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf"],
        false,
    );
    add("6.16", &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"], false);
    // Longer than they need be.
    add(
        "6.17",
        &[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf"],
        false,
    );
    add(
        "6.18",
        &[b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf"],
        false,
    );
    add("6.19", &[b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"], false);
    // Surrogates, alone and in pairs.
    add("6.20", &[b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"], false);
    add("6.20", &[b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf"], false);
    add("6.21", &[b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xad\xbf\xed\xbf\xbf"], false);
    // Noncharacters are characters.
    add(
        "6.22",
        &[b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xf0\x9f\xbf\xbe", b"\xf4\x8f\xbf\xbe"],
        true,
    );
    add("6.23", &[b"\xef\xbf\xb9", b"\xef\xbf\xba", b"\xef\xbf\xbc", b"\xef\xbf\xbd"], true);
    all
}
