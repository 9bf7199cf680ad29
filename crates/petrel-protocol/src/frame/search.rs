//! Searching one's own messages.

use petrel_types::{ConversationId, RowId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use super::MessageType;

/// `SEARCH`. At least one of `q`, `from` and `msgType` is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// What to look for: words and signs, all of which must be there; between double
    /// quotes, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only in this conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Only messages of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UserId>,
    /// Only messages of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_type: Option<MessageType>,
    /// Only messages that were numbered at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ts: Option<TimestampMs>,
    /// Only messages that were numbered before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_ts: Option<TimestampMs>,
    /// The `cursor` of the answer that this one is to continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The most messages wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<u32>,
}

/// `FOUND`: messages, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The messages.
    pub hits: Vec<Hit>,
    /// There may be more: the same search with this `cursor` continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Messages with a `serverMsgId` above this one are not searched yet, and changes of
    /// others neither.
    pub indexed_up_to: RowId,
    /// How many changes of the whole system are still to be looked at; 0 if everything is
    /// searched.
    pub behind: u64,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// The system's name for the message.
    pub server_msg_id: RowId,
    /// The sender.
    pub from: UserId,
    /// What kind of message it is.
    pub msg_type: MessageType,
    /// When the server numbered the message.
    pub ts: TimestampMs,
    /// The part of the text around what was found.
    pub excerpt: Excerpt,
}

/// A part of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Excerpt {
    /// The part.
    pub text: String,
    /// Where in it is what was found, in order. None if no text was searched for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// It does not begin where the text begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_start: bool,
    /// It does not end where the text ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_end: bool,
}

/// A stretch of an excerpt, in UTF-16 code units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Where it begins.
    pub start: u64,
    /// How long it is.
    pub length: u64,
}
