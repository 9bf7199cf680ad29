//! What a client says about groups.

use petrel_types::{ClientMessageId, ConversationId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::client::Word;
use super::content::{
    AttachmentRef, Custom, Forward, Location, MessageType, SendableMessageType, of_a_client,
};
use super::decode::null_as_default;

/// `GROUP_CHAT`, as sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupChat {
    /// The sender's own name for the message. The same name again in the same
    /// conversation is the same message.
    pub client_msg_id: ClientMessageId,
    /// The group, which is the id of its conversation.
    pub group_id: ConversationId,
    /// What the message is. Text, if missing.
    #[serde(default, deserialize_with = "of_a_client")]
    #[schemars(with = "SendableMessageType")]
    pub msg_type: MessageType,
    /// The text, not blank, within the limits of `AUTH_OK`. For other kinds than `TEXT` a
    /// caption, which may be empty.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
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
    /// Members whom it names, at most 50.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// It names everybody. For the owner and admins.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub mention_all: bool,
    /// True when this has been sent before and its outcome is unknown.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub retry: bool,
    /// On a retry: when it was first sent, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_ts: Option<TimestampMs>,
}

/// `GROUP_CREATE`. Who sends it becomes the owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupCreate {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is called.
    pub title: String,
    /// Who is in it from the beginning, beside the owner.
    #[serde(default, deserialize_with = "null_as_default")]
    pub members: Vec<UserId>,
    /// What those may read who join later.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: History,
}

/// What members may read of the time before they joined. Read ignoring ASCII case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// Nothing.
    #[default]
    Joined,
    /// Everything.
    All,
}

/// `GROUP_ADD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupAdd {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Who joins. Those who are members already are passed over.
    pub members: Vec<UserId>,
}

/// `GROUP_REMOVE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRemove {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Who goes. Those who are no members are passed over.
    pub members: Vec<UserId>,
}

/// `GROUP_LEAVE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupLeave {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
}

/// `GROUP_ROLE`. Making somebody else the owner makes the former owner an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRole {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Whose role changes.
    pub user: UserId,
    /// The role from now on.
    pub role: Role,
}

/// What a member of a group may do. Read ignoring ASCII case.
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
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read and write.
    #[default]
    Member,
    /// Also add members, remove those who have no more than the least role, recall
    /// messages of others, and change the title.
    Admin,
    /// Also remove admins, give roles and dissolve the group. There is one.
    Owner,
}

/// `GROUP_TITLE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupTitle {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// What the group is called from now on.
    pub title: String,
}

/// `GROUP_DISSOLVE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDissolve {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
}

/// `GROUP_SETTINGS`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSettings {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// What the group is for; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its picture: the id of one that you have uploaded, or an address; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What everybody should know; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
    /// Who may join by the group's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joining: Option<Joining>,
    /// The most members it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_limit: Option<u64>,
    /// True to let only the owner and admins speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// True to let every member pin messages, and not only the owner and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_pin: Option<bool>,
    /// True to have another code; the old one leads nowhere then.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub renew_code: bool,
}

/// Who may join a group by its code. Read ignoring ASCII case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Joining {
    /// Nobody.
    #[default]
    Closed,
    /// Those whom the owner or an admin lets in.
    Approval,
    /// Everybody.
    Open,
}

/// What a group is, beside its title and its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupInfo {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its picture: the id of a file that members may have a thumbnail of, or an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What everybody should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
    /// Who may join by the code.
    pub joining: Joining,
    /// The code; none while nobody may join by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The most members it may have, if there are to be fewer than in any group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_limit: Option<u64>,
    /// Only the owner and admins may speak.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Every member may pin messages, and not only the owner and admins.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub members_pin: bool,
}

/// `GROUP_MEMBER`: what a member is called, or how long a member may not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Which member.
    pub user: UserId,
    /// What the member is called here; empty to have no name of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// For how long the member may not speak from now on, in milliseconds; 0 to let the
    /// member speak again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_ms: Option<u64>,
}

/// `GROUP_JOIN`: joins a group by its code, or asks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupJoin {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The code of the group.
    pub code: String,
    /// What to say to those who decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `GROUP_ANSWER`: lets somebody in who has asked to join, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupAnswer {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Who has asked.
    pub user: UserId,
    /// Whether the user is let in.
    pub accept: bool,
}

/// `GROUP_REQUESTS`: who waits to be let into a group. For the owner and admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRequests {
    /// The group.
    pub group_id: ConversationId,
    /// Wanted are users with ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_after: Option<UserId>,
    /// The most requests wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `GROUP_REQUEST_STATE`: a page of those who wait, at `asOfSeq` of the group's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRequestState {
    /// The group.
    pub group_id: ConversationId,
    /// Everything up to this event is in the answer.
    pub as_of_seq: Seq,
    /// Who waits, by user id.
    pub requests: Vec<JoinRequest>,
    /// There are more: ask with `usersAfter` set to the last one.
    pub more: bool,
}

/// Somebody who waits to be let into a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// Who.
    pub user: UserId,
    /// What the user says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when.
    pub ts: TimestampMs,
}

impl GroupChat {
    /// A plain text.
    pub fn text(client_msg_id: ClientMessageId, group_id: ConversationId, body: String) -> Self {
        Self {
            client_msg_id,
            group_id,
            msg_type: MessageType::Text,
            body,
            attachment: None,
            location: None,
            custom: None,
            reply_to: None,
            forward: None,
            mentions: Vec::new(),
            mention_all: false,
            retry: false,
            first_sent_ts: None,
        }
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[("joined", Self::Joined), ("all", Self::All)]))
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("member", Self::Member),
            ("admin", Self::Admin),
            ("owner", Self::Owner),
        ]))
    }
}

impl<'de> Deserialize<'de> for Joining {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("closed", Self::Closed),
            ("approval", Self::Approval),
            ("open", Self::Open),
        ]))
    }
}
