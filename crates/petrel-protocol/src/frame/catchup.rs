//! What the server says to a device that catches up: what changed, what a conversation is,
//! its events, and that there is something to pull.

use petrel_types::{ConversationId, Epoch, MessageNumber, Seq, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use super::message::ConversationSettings;
use super::{GroupInfo, History, Role};

/// `SYNC_STATE`: conversations that changed, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncState {
    /// The epoch in which the positions here are valid.
    pub epoch: Epoch,
    /// The token given was of another epoch: drop positions and cached events, and
    /// take this as a new device's first sync.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resync: bool,
    /// The conversations.
    pub conversations: Vec<SyncConversation>,
    /// For the next `SYNC`. Opaque.
    pub token: String,
    /// There is more: send `SYNC` with `token` at once.
    pub more: bool,
}

/// One conversation in `SYNC_STATE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncConversation {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// The other user of a single chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// The title of a group, unless you have left: it may be another one since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many members a group has, unless you have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_count: Option<u64>,
    /// You are no longer a member; `headSeq` is the last event that you may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// The last event of the timeline.
    pub head_seq: Seq,
    /// The number of the last countable message.
    pub head_msg_no: MessageNumber,
    /// How far you have read, on any device.
    pub read_seq: Seq,
    /// How far any of your devices has received.
    pub delivered_seq: Seq,
    /// How far the peer of a single chat has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_read_seq: Option<Seq>,
    /// How far any device of the peer of a single chat has received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_delivered_seq: Option<Seq>,
    /// Messages after `readSeq`.
    pub unread: u64,
    /// How many of them name you or everybody, counted up to 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread_mentions: u64,
    /// When the last event was numbered.
    pub ts: TimestampMs,
    /// What it is to you, unless it is like every new conversation.
    #[serde(default, skip_serializing_if = "ConversationSettings::are_default")]
    pub settings: ConversationSettings,
}

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Two users.
    Single,
    /// Members who come and go.
    Group,
    /// A user's own timeline.
    Personal,
    /// A kind that is newer than this program: pass over the conversation. It is only
    /// ever read; nothing of that name is on the wire, and so it is not in the schema.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `CONVERSATION_STATE`: what a conversation is at `asOfSeq`. Events after it apply on
/// top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// Everything up to this event is in the answer.
    pub as_of_seq: Seq,
    /// Events before this seq are no longer kept. 1 when nothing was trimmed.
    pub trimmed_before: Seq,
    /// The title of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What those may read who join a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What a group is beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupInfo>,
    /// The messages that are pinned, the last one that was pinned at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Seq>,
    /// How many members there are.
    pub member_count: u64,
    /// A page of the members, by user id.
    pub members: Vec<StateMember>,
    /// There are more members: ask with `membersAfter` set to the last one.
    pub more: bool,
}

/// A member in `CONVERSATION_STATE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateMember {
    /// Who.
    pub user: UserId,
    /// What the user may do.
    pub role: Role,
    /// What the member is called here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Until when the member may not speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until_ts: Option<TimestampMs>,
}

/// `EVENTS`: covers `fromSeq..=toSeq` of the timeline. Nothing is covered when
/// `fromSeq > toSeq`.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The first seq covered.
    pub from_seq: Seq,
    /// The last seq covered.
    pub to_seq: Seq,
    /// The last event of the timeline.
    pub head_seq: Seq,
    /// Events before this seq are no longer kept. 1 when nothing was trimmed.
    pub trimmed_before: Seq,
    /// There is more in the direction asked.
    pub has_more: bool,
    /// The events, in order, each in the form in which it is pushed.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub events: Vec<Box<serde_json::value::RawValue>>,
}

/// `GAP`: events up to `headSeq` were not pushed to this device. Pull them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last event that was not pushed.
    pub head_seq: Seq,
}

/// `HEAD`: there are events up to `headSeq` in a very large group. They are not pushed to
/// this device as long as it does not have the group in focus; it can pull them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last event of the timeline.
    pub head_seq: Seq,
}

/// `FOCUSED`: from here on these conversations' events are pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Focused {
    /// The conversations that were named, with what there is to pull. Empty after
    /// looking away.
    pub heads: Vec<Head>,
}

impl PartialEq for Events {
    fn eq(&self, other: &Self) -> bool {
        let range = |of: &Self| {
            (
                of.conversation_id,
                of.from_seq,
                of.to_seq,
                of.head_seq,
                of.trimmed_before,
                of.has_more,
            )
        };
        range(self) == range(other)
            && self
                .events
                .iter()
                .map(|event| event.get())
                .eq(other.events.iter().map(|event| event.get()))
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
