//! Texts of the protocol: frames in both directions, bodies of HTTP requests.

use std::fmt::Debug;

use petrel_protocol::close::CloseReason;
use petrel_protocol::frame::{ClientFrame, ServerFrame};
use petrel_protocol::{http, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What frames and bodies are made of.
pub(crate) const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "9223372036854775807",
    "18446744073709551616",
    "\"1\"",
    "\"type\":",
    "\"id\":",
    "\"clientMsgId\":",
    "\"conversationId\":",
    "\"items\":",
    "\"members\":",
    "\"body\":",
    "\"AUTH\"",
    "\"SYNC\"",
    "\"PULL\"",
    "\"ACK\"",
    "\"ackType\":",
    "\"read\"",
    "\"msgSeq\":",
    "\"SINGLE_CHAT\"",
    "\"GROUP_CREATE\"",
    "\"to\":",
    "\"change\":",
    "\"kind\":",
    "\"events\":",
    "\"username\":",
    "\"password\":",
    "\"limits\":",
];

/// The longest message of a decode error, in characters: a client's own text must not come
/// back at full length.
const MESSAGE_CHARS_MAX: usize = 300;

/// What is read as a frame is read the same when it is written again; what is not is told
/// briefly why.
pub(crate) fn client(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match ClientFrame::decode(text) {
        Ok(decoded) => {
            assert!(text.trim_start().starts_with('{'), "a frame is an object");
            let again = ClientFrame::decode(&decoded.frame.encode(decoded.id.as_ref()));
            assert_eq!(again.as_ref(), Ok(&decoded));
        }
        Err(error) => assert!(error.message.chars().count() <= MESSAGE_CHARS_MAX, "{error}"),
    }
}

/// The same for what servers say, which clients and load generators read.
pub(crate) fn server(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match ServerFrame::decode(text) {
        Ok(decoded) => {
            let written = decoded.frame.encode(decoded.id.as_ref());
            let again = ServerFrame::decode(&written).expect("what was read can be written");
            assert_eq!(again.frame.encode(again.id.as_ref()), written);
        }
        Err(error) => assert!(error.message.chars().count() <= MESSAGE_CHARS_MAX, "{error}"),
    }
    let _ = json::from_str::<CloseReason>(text);
}

/// The text as the body of every request there is.
pub(crate) fn http_body(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    body::<http::Credentials>(text);
    body::<http::RefreshRequest>(text);
    body::<http::NewInvite>(text);
    body::<http::NewMessage>(text);
    body::<http::MessageChange>(text);
    body::<http::NamedChange>(text);
    body::<http::NewGroup>(text);
    body::<http::MembersChange>(text);
    body::<http::RoleChange>(text);
    body::<http::TitleChange>(text);
    body::<http::Receipt>(text);
    body::<http::NewApplication>(text);
    body::<http::RemarkChange>(text);
    body::<http::SettingsChange>(text);
}

fn body<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) {
    if let Ok(read) = json::from_str::<T>(text) {
        assert!(text.trim_start().starts_with('{'), "a body is an object");
        let written = serde_json::to_string(&read).expect("bodies are numbers, words and lists");
        assert_eq!(json::from_str::<T>(&written).ok(), Some(read));
    }
}
