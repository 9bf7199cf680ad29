//! Bodies about what users are called, and what they decide about themselves.

use petrel_types::{ClientMessageId, FileId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use crate::frame::GroupAdds;

/// `GET /api/users/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The user.
    pub user_id: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What the user is called by others, if the user has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The user's picture, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
    /// Whether the user is an admin of the system; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
}

/// Somebody's picture, small enough to be shown beside the name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Avatar {
    /// Which file it is. Another one is another picture.
    pub file_id: FileId,
    /// Where a thumbnail of it is: a path on this server, or a URL elsewhere. Who has it may
    /// have the thumbnail, and nothing else of the file.
    pub url: String,
    /// Until when that is good.
    pub expires_ts: TimestampMs,
}

/// `PATCH /api/users/me`. What is missing stays as it is, and what is `null` goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What others call you: at most 64 UTF-16 code units, not blank, without control
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub display_name: Option<Option<String>>,
    /// A picture that you have uploaded, which the server could make a thumbnail of: at most
    /// 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub avatar: Option<Option<FileId>>,
}

/// `GET /api/users/search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundUser {
    /// The user.
    pub user_id: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What the user is called by others, if the user has said so. It need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The user's picture, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
}

/// How many names `GET /api/users` tells at once.
pub const NAMES_MAX: usize = 100;

/// `GET /api/users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Names {
    /// Those of the users asked for whom you know.
    pub users: Vec<FoundUser>,
}

/// `PATCH /api/users/me/settings`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Whether others find you by your user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findable: Option<bool>,
    /// Whether you look offline to everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_hidden: Option<bool>,
    /// Who takes you into groups at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_adds: Option<GroupAdds>,
}

impl std::fmt::Debug for Avatar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Avatar").field("file_id", &self.file_id).finish_non_exhaustive()
    }
}

/// Reads what is there, be it `null`, and so tells it from what is missing.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
