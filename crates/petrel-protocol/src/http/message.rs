//! Bodies about messages, and about what a conversation is to oneself.

use petrel_types::{ClientMessageId, ConversationId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use crate::frame::{
    AttachmentRef, ClientAckType, Custom, Forward, Location, MessageType, SendableMessageType,
};

/// `POST /api/messages`. Give either `to` or `groupId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// The sender's own name for the message. The same name again in the same
    /// conversation is the same message.
    pub client_msg_id: ClientMessageId,
    /// The other user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UserId>,
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<ConversationId>,
    /// What the message is. Text, if missing.
    #[serde(default)]
    #[schemars(with = "SendableMessageType")]
    pub msg_type: MessageType,
    /// The text: not blank, at most 4,096 UTF-16 code units and 16,384 bytes. For other kinds
    /// than `TEXT` a caption, which may be empty.
    #[serde(default)]
    pub body: String,
    /// With `IMAGE`, `FILE`, `AUDIO` and `VIDEO`: which file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Box<AttachmentRef>>,
    /// With `LOCATION`: where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Box<Location>>,
    /// With `CUSTOM`: what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// The place of the message to which this one replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// In the place of all that: a message to be sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,
    /// In a group: members whom it names, at most 50.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// In a group: it names everybody. For the owner and admins.
    #[serde(default)]
    pub mention_all: bool,
    /// True when this has been sent before and its outcome is unknown.
    #[serde(default)]
    pub retry: bool,
    /// On a retry: when it was first sent, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_ts: Option<TimestampMs>,
}

/// `PATCH /api/messages/{serverMsgId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The text from now on.
    pub body: String,
}

/// `POST /api/messages/{serverMsgId}/reactions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// With what: 1 to 32 bytes without white space.
    pub emoji: String,
    /// True to take one's own reaction back.
    #[serde(default)]
    pub remove: bool,
}

/// `POST /api/messages/{serverMsgId}/pin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// True to take it down.
    #[serde(default)]
    pub remove: bool,
}

/// `POST /api/conversations/{conversationId}/hide`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewHiding {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// These messages: at most 100.
    #[serde(default)]
    pub msg_seqs: Vec<Seq>,
    /// Everything up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_seq: Option<Seq>,
}

/// `PATCH /api/conversations/{conversationId}/settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnSettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// True to be told of it without a sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// True to have it above the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// True to have it out of the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}

/// `POST /api/conversations/{conversationId}/receipts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Received or read.
    pub ack_type: ClientAckType,
    /// Everything up to and including this.
    pub msg_seq: Seq,
}
