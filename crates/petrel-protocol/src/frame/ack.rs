//! `ACK` as the server says it: what is on disk, and how far others have come.

use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

/// `ACK`, from the server, told apart by `ackType`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ServerAck {
    /// Your message is on disk.
    Saved(SavedAck),
    /// What you asked for is done and on disk.
    Done(DoneAck),
    /// A member has received or read up to a message.
    Receipt(ReceiptAck),
}

/// `ACK saved`: the message is on disk, at this place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedAck {
    /// Always `saved`.
    pub ack_type: SavedTag,
    /// The sender's own name for the message.
    pub client_msg_id: ClientMessageId,
    /// The system's name for the message.
    pub server_msg_id: RowId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// What it would take to lose it.
    pub durability: Durability,
    /// When the server numbered it.
    pub ts: TimestampMs,
    /// The message had been stored before; nothing was stored now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The earlier message under this `clientMsgId` has another body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_differs: bool,
    /// Words in it were replaced: what is stored, and told to others, is not what was sent.
    /// Fetch it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub words_replaced: bool,
}

/// `ACK done`: the change is on disk. What follows from it comes as events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoneAck {
    /// Always `done`.
    pub ack_type: DoneTag,
    /// The sender's own name for the change.
    pub client_msg_id: ClientMessageId,
    /// When the server decided it.
    pub ts: TimestampMs,
    /// The change had been stored before; nothing was stored now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `ACK delivered` or `ACK read`: how far another member, or another device of
/// one's own, has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptAck {
    /// Received or read.
    pub ack_type: ReceiptKind,
    /// Whose cursor moved.
    pub from: UserId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Everything up to and including this.
    pub msg_seq: Seq,
    /// When.
    pub ts: TimestampMs,
}

/// The one value of `ackType` in a [`SavedAck`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SavedTag {
    /// On disk.
    #[default]
    Saved,
}

/// The one value of `ackType` in a [`DoneAck`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DoneTag {
    /// On disk.
    #[default]
    Done,
}

/// What an ack promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The transaction that holds it is on disk: `fsync` has returned.
    Fsync,
}

/// Which cursor moved.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptKind {
    /// At least one device holds everything up to here.
    Delivered,
    /// The user has seen everything up to here.
    Read,
}

impl<'de> Deserialize<'de> for ServerAck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let ack = match value.get("ackType").and_then(serde_json::Value::as_str) {
            Some("saved") => SavedAck::deserialize(value).map(Self::Saved),
            Some("done") => DoneAck::deserialize(value).map(Self::Done),
            _ => ReceiptAck::deserialize(value).map(Self::Receipt),
        };
        ack.map_err(serde::de::Error::custom)
    }
}
