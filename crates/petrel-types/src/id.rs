//! Identifiers and sequence numbers.
//!
//! Each is a newtype so that a sequence number can't be passed for a user. The
//! 64-bit ones serialise as JSON strings and deserialise from a string or a
//! number.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::CLIENT_MESSAGE_ID_BYTES_MAX;
use crate::slot::Slot;

/// Defines a `u64` newtype with the wire rule for identifiers.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a raw value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The raw value.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor).map(Self)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": "A 63-bit identifier: sent as a decimal string, accepted as a string or a number.",
                    "type": ["string", "integer"],
                    "pattern": "^[0-9]{1,19}$",
                    "minimum": 0,
                    "maximum": ID_MAX
                })
            }
        }
    };
}

id! {
    /// A user. Locally registered users start at [`UserId::LOCAL_FIRST`]; smaller
    /// ids belong to trusted external issuers, so the two can never collide.
    UserId
}

id! {
    /// A conversation. The low 12 bits are its [`Slot`], so that the partition of
    /// a conversation can be told from its id alone.
    ConversationId
}

id! {
    /// The row of an event in the append-only event table; `serverMsgId` on the
    /// wire. Assigned by the store in commit order and never reused.
    RowId
}

id! {
    /// One connection of one device. A new connection is a new session.
    SessionId
}

id! {
    /// A log-in: what began with a password and lives until it expires, is logged out
    /// or is revoked. Its refresh tokens replace each other; its access tokens name it.
    /// Rising, and never given twice.
    LoginId
}

id! {
    /// A file that a user uploads or has uploaded. Rising, and never given twice.
    FileId
}

id! {
    /// A notice, which an admin of the system says to everybody. Rising.
    NoticeId
}

id! {
    /// A random number minted with a store and again by every restore that may
    /// have lost a suffix. Sequence numbers compare only within one epoch.
    Epoch
}

id! {
    /// A process of the system.
    NodeId
}

id! {
    /// Raised each time a partition gets a new owner; a commit with an older one
    /// is refused.
    OwnerEpoch
}

id! {
    /// A place in one partition of the command log. The first command is at 0.
    LogPosition
}

impl UserId {
    /// In the place of a user where the system itself acts.
    pub const SYSTEM: Self = Self::new(0);

    /// The first id given to a locally registered user. Everything below is left
    /// to external issuers whose user ids are trusted as they are.
    pub const LOCAL_FIRST: Self = Self(10_000_000_001);

    /// Whether this id belongs to the range of locally registered users.
    pub const fn is_local(self) -> bool {
        self.0 >= Self::LOCAL_FIRST.0
    }
}

impl ConversationId {
    /// Composes an id from its slot and its number within the partition.
    pub const fn compose(slot: Slot, number: u64) -> Self {
        Self((number << Slot::BITS) | slot.get() as u64)
    }

    /// The slot that owns this conversation.
    pub const fn slot(self) -> Slot {
        Slot::from_low_bits(self.0)
    }
}

impl LogPosition {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Defines a counter that is a plain JSON number on the wire: it counts within
/// one conversation and stays far below 2^53.
macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = u64::deserialize(deserializer)?;
                if value > COUNTER_MAX {
                    let found = de::Unexpected::Unsigned(value);
                    return Err(de::Error::invalid_value(found, &"a number below 2^53"));
                }
                Ok(Self(value))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "integer", "minimum": 0, "maximum": COUNTER_MAX })
            }
        }

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// Wraps a raw value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The raw value.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The next value.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The place of an event in its timeline. Contiguous, starting at 1.
    Seq
}

counter! {
    /// How many countable messages a timeline holds up to and including an event.
    /// Unread is the difference of two of these.
    MessageNumber
}

/// The sender's own name for a message, unique per (conversation, sender).
///
/// Between 1 and [`CLIENT_MESSAGE_ID_BYTES_MAX`] bytes, without control
/// characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientMessageId(Arc<str>);

/// Why a text is no [`ClientMessageId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMessageIdError {
    /// It is empty.
    Empty,
    /// It is longer than [`CLIENT_MESSAGE_ID_BYTES_MAX`] bytes.
    TooLong,
    /// It contains a control character.
    ControlCharacter,
}

impl ClientMessageId {
    /// Checks and wraps a text.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, ClientMessageIdError> {
        let text = text.into();
        if text.is_empty() {
            Err(ClientMessageIdError::Empty)
        } else if text.len() > CLIENT_MESSAGE_ID_BYTES_MAX {
            Err(ClientMessageIdError::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(ClientMessageIdError::ControlCharacter)
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientMessageIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("clientMsgId is empty"),
            Self::TooLong => {
                write!(f, "clientMsgId is longer than {CLIENT_MESSAGE_ID_BYTES_MAX} bytes")
            }
            Self::ControlCharacter => f.write_str("clientMsgId contains a control character"),
        }
    }
}

impl std::error::Error for ClientMessageIdError {}

impl fmt::Display for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ClientMessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClientMessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Arc::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for ClientMessageId {
    fn schema_name() -> Cow<'static, str> {
        "ClientMessageId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The sender's own name for a message.",
            "type": "string",
            "minLength": 1,
            "maxLength": CLIENT_MESSAGE_ID_BYTES_MAX,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
        })
    }
}

/// Ids have 63 bits, so that every database can hold them as they are.
const ID_MAX: u64 = i64::MAX as u64;

/// Counters end where JavaScript's exact integers do.
const COUNTER_MAX: u64 = (1 << 53) - 1;

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, as a decimal string or a number")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
        if value > ID_MAX {
            return Err(E::invalid_value(de::Unexpected::Unsigned(value), &self));
        }
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<u64, E> {
        // The standard parser would take a sign.
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        value
            .parse()
            .ok()
            .filter(|id| digits && *id <= ID_MAX)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_out_as_strings_and_come_in_as_either() {
        let id = UserId::new(10_000_000_002);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"10000000002\"");
        assert_eq!(serde_json::from_str::<UserId>("\"10000000002\"").unwrap(), id);
        assert_eq!(serde_json::from_str::<UserId>("10000000002").unwrap(), id);
        for bad in ["-1", "1.5", "\"\"", "\"x\"", "\"+5\"", "\"-5\"", "null", "true"] {
            assert!(serde_json::from_str::<UserId>(bad).is_err(), "{bad} was accepted");
        }
        for bad in [ID_MAX + 1, u64::MAX].map(|id| format!("{id}")) {
            assert!(serde_json::from_str::<UserId>(&bad).is_err(), "{bad} was accepted");
            assert!(serde_json::from_str::<UserId>(&format!("\"{bad}\"")).is_err());
        }
    }

    #[test]
    fn counters_end_where_exact_integers_do() {
        assert!(serde_json::from_str::<Seq>("9007199254740991").is_ok());
        assert!(serde_json::from_str::<Seq>("9007199254740992").is_err());
        assert!(serde_json::from_str::<Seq>("\"1\"").is_err());
    }

    #[test]
    fn a_conversation_id_carries_its_slot() {
        let slot = Slot::from_low_bits(0xabc);
        let id = ConversationId::compose(slot, 77);
        assert_eq!(id.slot(), slot);
        assert_eq!(id.get() >> Slot::BITS, 77);
    }

    #[test]
    fn a_client_message_id_is_bounded_text() {
        assert!(ClientMessageId::new("m-1").is_ok());
        assert_eq!(ClientMessageId::new(""), Err(ClientMessageIdError::Empty));
        let long = "x".repeat(CLIENT_MESSAGE_ID_BYTES_MAX + 1);
        assert_eq!(ClientMessageId::new(long), Err(ClientMessageIdError::TooLong));
        assert_eq!(ClientMessageId::new("a\nb"), Err(ClientMessageIdError::ControlCharacter));
    }
}
