//! What a client says about messages that exist, and about a conversation as it is to the
//! client's user alone.

use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, UserId};
use serde::{Deserialize, Serialize};

use super::decode::null_as_default;

/// `REACTION`. The message is named by conversation and seq, or by `serverMsgId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageReact {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation, together with `msgSeq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<Seq>,
    /// Instead of conversation and seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<RowId>,
    /// With what.
    pub emoji: String,
    /// True to take one's own reaction back.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub remove: bool,
}

/// `MESSAGE_PIN`. The message is named by conversation and seq, or by `serverMsgId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePin {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation, together with `msgSeq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<Seq>,
    /// Instead of conversation and seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<RowId>,
    /// True to take it down.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub remove: bool,
}

/// `MESSAGE_HIDE`: deletes messages for the client's user alone, on all devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageHide {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// These messages.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub msg_seqs: Vec<Seq>,
    /// Everything up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_seq: Option<Seq>,
}

/// `CONVERSATION_SETTINGS`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationSettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
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

/// What a conversation is to one user, on all devices. The server keeps it and does nothing
/// about it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase", default)]
pub struct ConversationSettings {
    /// News of it make no sound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// It stands above the others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// It is out of the way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// `READERS`: who has read a message that one has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readers {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place.
    pub msg_seq: Seq,
    /// Wanted are members with user ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_after: Option<UserId>,
    /// The most members looked at for the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `READER_STATE`: a page of those who may read a message, and who of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReaderState {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place.
    pub msg_seq: Seq,
    /// The present members who may read it, but for its sender, by user id.
    pub readers: Vec<Reader>,
    /// There are more: ask with `usersAfter` set to `lastUser`.
    pub more: bool,
    /// The last member that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_user: Option<UserId>,
}

/// Somebody who may read a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reader {
    /// Who.
    pub user: UserId,
    /// A device of the user has received it.
    pub delivered: bool,
    /// The user has read it.
    pub read: bool,
}

impl ConversationSettings {
    /// Whether they are those of every new conversation.
    pub fn are_default(&self) -> bool {
        *self == Self::default()
    }
}
