//! What a client says about groups.

use petrel_types::{ClientMessageId, ConversationId, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::MessageType;
use super::client::Word;
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
    /// What the body is. Text, if missing.
    #[serde(default, deserialize_with = "null_as_default")]
    pub msg_type: MessageType,
    /// The text, not blank, within the limits of `AUTH_OK`.
    pub body: String,
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
