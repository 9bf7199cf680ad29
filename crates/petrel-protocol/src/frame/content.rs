//! What a message says beside its text, as it is sent and as it is delivered.
//!
//! A new sort of content is a field of its own in the frames of messages, one of those
//! that a [`MessageType`] takes. What a sender only names (a file, another message) is
//! delivered as the server knows it.

use std::borrow::Cow;

use petrel_types::{ConversationId, Seq, UserId};
use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::client::Word;

/// What a message is. Read ignoring ASCII case.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageType {
    /// A text.
    #[default]
    Text,
    /// A picture.
    Image,
    /// Any file.
    File,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A place on earth.
    Location,
    /// Something that only the clients understand.
    Custom,
    /// What stays of a call. Written by the server only.
    Call,
}

/// What a client may send as `msgType`, for the schema: every [`MessageType`] but the record of
/// a call, which the server alone writes.
#[derive(Debug)]
pub struct SendableMessageType;

/// A file that goes with a message, as sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentRef {
    /// Which file: the id that the server gave it.
    pub file_id: String,
    /// How long a sound or film lasts, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How wide a film is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// How high a film is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A file that goes with a message, as delivered: what the server knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Which file.
    pub file_id: String,
    /// What it is called.
    pub name: String,
    /// How long it is, in bytes.
    pub size: u64,
    /// What it is, by its first bytes: a media type.
    pub content_type: String,
    /// How wide a picture or film is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// How high a picture or film is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How long a sound or film lasts, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// There is a small picture of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub thumbnail: bool,
}

/// A place on earth (WGS 84).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Degrees north, from -90 to 90.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: Degrees,
    /// Degrees east, from -180 to 180.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: Degrees,
    /// What the place is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// An angle in ten-millionths of a degree, about a centimetre on the ground; on the wire a
/// number of degrees. Whole numbers, so that one that was stored and read again is the same
/// to the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Degrees(i64);

/// What only clients understand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Custom {
    /// What it is, in the words of the clients.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it holds: an object.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// Another message of the same conversation, to which a message replies. Its text is not
/// repeated, so that it is gone when that message is recalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyTo {
    /// Its place.
    pub msg_seq: Seq,
    /// Who sent it.
    pub from: UserId,
}

/// A message to be sent on, in the place of a content of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// The conversation it is in.
    pub conversation_id: ConversationId,
    /// Its place there.
    pub msg_seq: Seq,
}

/// Where a message that was sent on comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForwardedFrom {
    /// Who sent it first.
    pub user: UserId,
}

/// What users think of a message, in a sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// The sign.
    pub emoji: String,
    /// Who, those first who reacted first.
    pub users: Vec<UserId>,
}

impl MessageType {
    /// All of them that a client may send.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Image,
        Self::File,
        Self::Audio,
        Self::Video,
        Self::Location,
        Self::Custom,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Image => "IMAGE",
            Self::File => "FILE",
            Self::Audio => "AUDIO",
            Self::Video => "VIDEO",
            Self::Location => "LOCATION",
            Self::Custom => "CUSTOM",
            Self::Call => "CALL",
        }
    }

    /// Whether a file goes with it.
    pub const fn has_attachment(self) -> bool {
        matches!(self, Self::Image | Self::File | Self::Audio | Self::Video)
    }
}

impl Degrees {
    const PER_DEGREE: f64 = 1e7;

    /// From a number of degrees; `None` if it is not between -180 and 180.
    pub fn new(degrees: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        let of = |degrees: f64| (degrees * Self::PER_DEGREE).round() as i64;
        (-180.0..=180.0).contains(&degrees).then(|| Self(of(degrees)))
    }

    /// As a number of degrees.
    pub fn get(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "it has 31 bits")]
        let parts = self.0 as f64;
        parts / Self::PER_DEGREE
    }
}

impl Serialize for Degrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let degrees = f64::deserialize(deserializer)?;
        Self::new(degrees).ok_or_else(|| {
            de::Error::invalid_value(Unexpected::Float(degrees), &"degrees from -180 to 180")
        })
    }
}

impl schemars::JsonSchema for Degrees {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Degrees".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": -180, "maximum": 180 })
    }
}

/// What a client may send, or nothing. What only the server writes is as unknown as any
/// other word.
pub(super) fn of_a_client<'de, D>(deserializer: D) -> Result<MessageType, D::Error>
where
    D: Deserializer<'de>,
{
    match Option::<MessageType>::deserialize(deserializer)?.unwrap_or_default() {
        MessageType::Call => Err(de::Error::invalid_value(
            Unexpected::Str(MessageType::Call.as_str()),
            &"a kind of message that clients send",
        )),
        kind => Ok(kind),
    }
}

impl schemars::JsonSchema for SendableMessageType {
    fn schema_name() -> Cow<'static, str> {
        "SendableMessageType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What a message is that a client sends. Read ignoring ASCII case.",
            "type": "string",
            "enum": MessageType::ALL.map(MessageType::as_str),
        })
    }
}

impl<'de> Deserialize<'de> for MessageType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("TEXT", Self::Text),
            ("IMAGE", Self::Image),
            ("FILE", Self::File),
            ("AUDIO", Self::Audio),
            ("VIDEO", Self::Video),
            ("LOCATION", Self::Location),
            ("CUSTOM", Self::Custom),
            ("CALL", Self::Call),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_angle_is_the_same_to_the_last_digit_however_often_it_is_written() {
        for text in ["31.2304", "-0.1", "121.4737021", "180.0", "-180.0", "0.0000001", "89.9999999"]
        {
            let degrees: Degrees = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&degrees).unwrap(), text.replace("0.0000001", "1e-7"));
        }
        for wrong in ["180.0001", "-181", "1e300", "\"12\"", "null"] {
            assert!(serde_json::from_str::<Degrees>(wrong).is_err(), "{wrong}");
        }
    }
}
