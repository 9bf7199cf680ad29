//! Telling frames apart, and what to say about those that can't be read.

use std::borrow::Cow;

use petrel_types::ClientMessageId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::RequestId;
use crate::{ErrorReason, json};

/// A frame that was read, and the `id` to echo on its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<F> {
    /// The `id` of the request.
    pub id: Option<RequestId>,
    /// The frame.
    pub frame: F,
}

/// A frame that can't be read, with as much as is known to address the answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct DecodeError {
    /// The reason for the `ERROR` frame.
    pub reason: ErrorReason,
    /// What is wrong, for the person who wrote the client. Never longer than a few
    /// lines, whatever the frame holds.
    pub message: String,
    /// The `id` of the request.
    pub id: Option<RequestId>,
    /// The `clientMsgId` of the request.
    pub client_msg_id: Option<ClientMessageId>,
}

/// The fields that say what the rest is.
pub(super) struct Header<'a> {
    kind: Cow<'a, str>,
    id: Option<RequestId>,
    client_msg_id: Option<&'a RawValue>,
}

/// The same, not yet looked at: one that is wrong must not hide the others.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHeader<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    client_msg_id: Option<&'a RawValue>,
}

/// A string that is borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Header<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, DecodeError> {
        // Serde would take an array for an object whose fields come in order.
        if !text.trim_ascii_start().starts_with('{') {
            let message = "a frame is a JSON object".to_owned();
            return Err(RawHeader::default().error(ErrorReason::BadJson, message, None));
        }
        let raw: RawHeader<'a> = serde_json::from_str(text).map_err(|error| {
            RawHeader::default().error(reason_of_category(&error), error.to_string(), None)
        })?;
        let id = match raw.id.map(|id| serde_json::from_str(id.get())).transpose() {
            Ok(id) => id,
            Err(error) => {
                let message = format!("`id`: {error}");
                return Err(raw.error(ErrorReason::InvalidField, message, None));
            }
        };
        let Some(kind) = raw.kind else {
            let message = "the frame has no `type`".to_owned();
            return Err(raw.error(ErrorReason::MissingType, message, id));
        };
        match serde_json::from_str::<Text<'a>>(kind.get()) {
            Ok(kind) => Ok(Self { kind: kind.0, id, client_msg_id: raw.client_msg_id }),
            Err(error) => {
                let message = format!("`type`: {error}");
                Err(raw.error(ErrorReason::InvalidField, message, id))
            }
        }
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    pub(super) fn body<T: DeserializeOwned>(
        self,
        text: &str,
    ) -> Result<(Option<RequestId>, T), DecodeError> {
        match json::from_str(text) {
            Ok(body) => Ok((self.id, body)),
            Err(error) => {
                let (reason, message) = explain::<T>(text, &error);
                Err(self.error(reason, message))
            }
        }
    }

    pub(super) fn unknown_type(self) -> DecodeError {
        let message = format!("no request has the type {:?}", shortened(&self.kind));
        self.error(ErrorReason::UnknownType, message)
    }

    fn error(self, reason: ErrorReason, message: String) -> DecodeError {
        let raw = RawHeader { client_msg_id: self.client_msg_id, ..RawHeader::default() };
        raw.error(reason, message, self.id)
    }
}

impl RawHeader<'_> {
    fn error(&self, reason: ErrorReason, message: String, id: Option<RequestId>) -> DecodeError {
        let client_msg_id = self.client_msg_id.and_then(|raw| serde_json::from_str(raw.get()).ok());
        DecodeError { reason, message: shortened(&message), id, client_msg_id }
    }
}

/// Reads a field that has a default; `null` is as good as nothing.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The longest message, in characters: serde repeats what it could not read, and a
/// client's own text must not come back at full length.
const MESSAGE_CHARS_MAX: usize = 200;

/// How many fields of a wrong frame are looked at one by one. No frame has as many.
const FIELDS_EXPLAINED_MAX: usize = 32;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn reason_of_category(error: &serde_json::Error) -> ErrorReason {
    if error.is_data() { ErrorReason::InvalidField } else { ErrorReason::BadJson }
}

/// Why a frame's fields did not fit its type. Serde says which field is missing, but
/// not which one is wrong; to learn that, each field is tried alone.
fn explain<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> (ErrorReason, String) {
    let message = error.to_string();
    let missing = missing_field(&message).and_then(reason_of_missing);
    if let Some(reason) = missing {
        return (reason, message);
    }
    let fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    for (name, value) in fields.into_iter().take(FIELDS_EXPLAINED_MAX) {
        let empty = value.is_null() || value == "";
        let alone = Map::from_iter([(name.clone(), value)]);
        let Err(error) = json::from_value::<T>(Value::Object(alone)) else {
            continue;
        };
        let message = error.to_string();
        if missing_field(&message).is_some() {
            continue;
        }
        return match reason_of_missing(&name) {
            Some(reason) if empty => (reason, format!("`{name}` is empty")),
            _ => (ErrorReason::InvalidField, format!("`{name}`: {message}")),
        };
    }
    (reason_of_category(error), message)
}

/// The field that serde says is missing. It does so only in the text of its error,
/// whose form is pinned by a test below.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// The reason for a required field that is not there, if it has one of its own.
fn reason_of_missing(field: &str) -> Option<ErrorReason> {
    match field {
        "to" => Some(ErrorReason::MissingTo),
        "body" => Some(ErrorReason::MissingBody),
        "groupId" => Some(ErrorReason::MissingGroupId),
        "clientMsgId" => Some(ErrorReason::MissingMsgId),
        "ackType" => Some(ErrorReason::MissingAckType),
        "token" => Some(ErrorReason::MissingToken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{ClientFrame, ServerFrame};

    fn refused(text: &str) -> DecodeError {
        ClientFrame::decode(text).unwrap_err()
    }

    #[test]
    fn a_missing_field_has_its_own_reason() {
        for (text, reason) in [
            (r#"{"type":"SINGLE_CHAT","clientMsgId":"m","body":"b"}"#, ErrorReason::MissingTo),
            (r#"{"type":"SINGLE_CHAT","to":"2","body":"b"}"#, ErrorReason::MissingMsgId),
            (r#"{"type":"GROUP_CHAT","clientMsgId":"m","body":"b"}"#, ErrorReason::MissingGroupId),
            (r#"{"type":"GROUP_LEAVE","clientMsgId":"m"}"#, ErrorReason::MissingGroupId),
            (r#"{"type":"GROUP_LEAVE","groupId":"4"}"#, ErrorReason::MissingMsgId),
            (r#"{"type":"MESSAGE_REVOKE","serverMsgId":"9"}"#, ErrorReason::MissingMsgId),
            (
                r#"{"type":"MESSAGE_EDIT","clientMsgId":"m","serverMsgId":"9"}"#,
                ErrorReason::MissingBody,
            ),
            (r#"{"type":"ACK","conversationId":"2","msgSeq":1}"#, ErrorReason::MissingAckType),
            (r#"{"type":"AUTH","v":1}"#, ErrorReason::MissingToken),
            (r#"{"type":"PULL","afterSeq":1}"#, ErrorReason::InvalidField),
            (
                r#"{"type":"ACK","ackType":"read","items":[{"msgSeq":1}]}"#,
                ErrorReason::InvalidField,
            ),
        ] {
            assert_eq!(refused(text).reason, reason, "{text}");
        }
    }

    /// [`missing_field`] reads serde's prose; this fails when the prose changes.
    #[test]
    fn serde_names_the_missing_field_as_expected() {
        #[derive(Debug, Deserialize)]
        struct One {
            #[serde(rename = "ackType")]
            _ack_type: u8,
        }
        for error in [
            serde_json::from_str::<One>("{}").unwrap_err(),
            serde_json::from_value::<One>(serde_json::json!({})).unwrap_err(),
        ] {
            assert_eq!(missing_field(&error.to_string()), Some("ackType"), "{error}");
        }
    }

    #[test]
    fn a_missing_ack_type_is_recognised_from_the_server_too() {
        let error = ServerFrame::decode(r#"{"type":"ACK","from":"1"}"#).unwrap_err();
        assert_eq!(error.reason, ErrorReason::MissingAckType);
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (text, start) in [
            (r#"{"type":"SINGLE_CHAT","clientMsgId":"m","to":"x","body":"b"}"#, "`to`: "),
            (r#"{"type":"SINGLE_CHAT","clientMsgId":"m","to":"2","body":7}"#, "`body`: "),
            (r#"{"type":"PULL","conversationId":"1","afterSeq":"x"}"#, "`afterSeq`: "),
            (r#"{"type":"PULL","afterSeq":1}"#, "missing field `conversationId`"),
            // An array is no object, wherever it stands.
            (r#"{"type":"ACK","ackType":"read","items":[["2",1]]}"#, "`items`: "),
            (r#"{"type":"GROUP_ADD","clientMsgId":"m","groupId":"x","members":[]}"#, "`groupId`: "),
            (
                r#"{"type":"GROUP_ADD","clientMsgId":"m","groupId":"4","members":["x"]}"#,
                "`members`: ",
            ),
            (r#"{"type":"GROUP_ADD","clientMsgId":"m","groupId":"4"}"#, "missing field `members`"),
            (
                r#"{"type":"GROUP_ROLE","clientMsgId":"m","groupId":"4","user":"2","role":"king"}"#,
                "`role`: ",
            ),
            (
                r#"{"type":"GROUP_CREATE","clientMsgId":"m","title":"t","history":"some"}"#,
                "`history`: ",
            ),
            (r#"{"type":"GROUP_CREATE","clientMsgId":"m"}"#, "missing field `title`"),
            (r#"{"type":"MESSAGE_REVOKE","clientMsgId":"m","msgSeq":"9"}"#, "`msgSeq`: "),
            (r#"{"type":"PING","id":-1}"#, "`id`: "),
            (r#"{"type":1}"#, "`type`: "),
        ] {
            let error = refused(text);
            assert_eq!(error.reason, ErrorReason::InvalidField, "{text}");
            assert!(error.message.starts_with(start), "{text}: {}", error.message);
        }
    }

    #[test]
    fn a_word_that_is_none_of_a_few_is_told_which_there_are() {
        let text =
            r#"{"type":"GROUP_ROLE","clientMsgId":"m","groupId":"4","user":"2","role":"king"}"#;
        let message = refused(text).message;
        for word in ["member", "admin", "owner"] {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_message_stays_short_whatever_the_frame_holds() {
        let long = "é".repeat(30_000);
        for text in [
            format!(r#"{{"type":"{long}"}}"#),
            format!(r#"{{"type":"SINGLE_CHAT","clientMsgId":"m","to":"{long}","body":"b"}}"#),
            format!(r#"{{"type":"ACK","ackType":"{long}"}}"#),
        ] {
            let message = refused(&text).message;
            assert!(message.chars().count() <= MESSAGE_CHARS_MAX + 60, "{message}");
        }
    }
}
