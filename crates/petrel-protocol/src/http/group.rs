//! Bodies about groups.

use petrel_types::{ClientMessageId, ConversationId, UserId};
use serde::{Deserialize, Serialize};

use crate::frame::{History, Joining, Role};

/// `POST /api/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewGroup {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is called.
    pub title: String,
    /// Who is in it from the beginning, beside the owner.
    #[serde(default)]
    pub members: Vec<UserId>,
    /// What those may read who join later.
    #[serde(default)]
    pub history: History,
}

/// `POST /api/groups/{groupId}/members` and `…/members/remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembersChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Who joins or goes.
    pub members: Vec<UserId>,
}

/// `PUT /api/groups/{groupId}/members/{userId}/role`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The role from now on.
    pub role: Role,
}

/// `PUT /api/groups/{groupId}/title`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TitleChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is called from now on.
    pub title: String,
}

/// `PATCH /api/groups/{groupId}`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
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
    /// True to have another code.
    #[serde(default)]
    pub renew_code: bool,
}

/// `PATCH /api/groups/{groupId}/members/{userId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the member is called here; empty to have no name of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// For how long the member may not speak, in milliseconds; 0 to end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_ms: Option<u64>,
}

/// `POST /api/groups/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewJoin {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The code of the group. Case, spaces and hyphens don't matter.
    pub code: String,
    /// What to say to those who decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer to joining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The group, if you are a member now; missing while you wait to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<ConversationId>,
}

/// `POST /api/groups/{groupId}/requests/{userId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Whether the user is let in.
    pub accept: bool,
}
