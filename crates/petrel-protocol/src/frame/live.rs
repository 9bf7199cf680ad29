//! What is said of the moment and kept nowhere: who is online, and who is typing.

use petrel_types::{ConversationId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use super::decode::null_as_default;

/// `PRESENCE_SUBSCRIBE`: whose comings and goings this session is told from now on, in the
/// place of those it named before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceSubscribe {
    /// The users, at most 256; nobody, if empty.
    pub users: Vec<UserId>,
}

/// `PRESENCE_QUERY`: who of some users is online?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceQuery {
    /// The users, at most 256.
    pub users: Vec<UserId>,
}

/// `PRESENCE_STATE`: who is online, of those that were named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceState {
    /// Each user that was named, by user id.
    pub items: Vec<UserPresence>,
}

/// `PRESENCE`: what has changed of those to whom this session has subscribed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceChange {
    /// Each user of whom something has changed, as it is now, by user id.
    pub items: Vec<UserPresence>,
}

/// Whether a user is online, as far as you may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPresence {
    /// The user.
    pub user: UserId,
    /// Whether some device of the user is connected.
    pub online: bool,
    /// When one was last, if none is and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_ts: Option<TimestampMs>,
}

/// `TYPING`, as sent. The conversation is named by `conversationId`, or by `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// The conversation in which you type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Instead: the other user of a single chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UserId>,
    /// You have stopped without sending anything.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub stopped: bool,
}

/// `TYPING`, as delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypingPush {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who types.
    pub from: UserId,
    /// No longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// For how long it holds if nothing more comes, in milliseconds; 0 when stopped.
    pub expires_in_ms: u64,
}
