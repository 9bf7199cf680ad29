//! Bodies of what admins see and clear of what users and groups are called and look like.

use petrel_types::{FileId, TimestampMs};
use serde::{Deserialize, Serialize};

/// A picture as an admin sees it, whoever else may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminAvatar {
    /// The file.
    pub file_id: FileId,
    /// Where a small picture of at most 320 × 320 is, for whoever has the address: a path of
    /// this server, or an address elsewhere. Missing if the server does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Until when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ts: Option<TimestampMs>,
}

/// What of a user's profile is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProfilePart {
    /// What others call the user; the user name is left.
    DisplayName,
    /// The picture.
    Avatar,
}

/// `POST /api/admin/users/{userId}/clear`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClearProfile {
    /// What.
    pub part: ProfilePart,
}

/// What of a group is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GroupPart {
    /// What the group is called. A group is always called something: it is its id then.
    Title,
    /// What it is for.
    Description,
    /// What everybody should know.
    Announcement,
    /// The picture.
    Avatar,
}

/// `POST /api/admin/groups/{groupId}/clear`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClearGroup {
    /// What.
    pub part: GroupPart,
}

impl ProfilePart {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::Avatar => "avatar",
        }
    }
}

impl GroupPart {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::Announcement => "announcement",
            Self::Avatar => "avatar",
        }
    }
}
