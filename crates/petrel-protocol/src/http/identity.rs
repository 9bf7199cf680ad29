//! Bodies about who comes in: registering, log-ins, devices, invites.

use petrel_types::{LoginId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

/// `POST /api/auth/register` and `POST /api/auth/login`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The name to log in with: 3 to 32 letters, digits, `_`, `-` or `.`.
    pub username: String,
    /// 8 to 128 characters.
    pub password: String,
    /// For registering where that takes an invite: its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// The client's own stable name for this device, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What kind of device it is, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name and version of the client program, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// True to get the refresh token as a cookie that scripts can't read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cookie: bool,
}

/// The answer to registering, logging in and refreshing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// Who you are.
    pub user_id: UserId,
    /// The name you log in with.
    pub username: String,
    /// The log-in, as it is called among your devices.
    pub login_id: LoginId,
    /// For `Authorization: Bearer` and for `AUTH`.
    pub access_token: String,
    /// How long it lasts, in seconds.
    pub expires_in: u64,
    /// For the next access token; absent if it went out as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How long the log-in lasts if it is not refreshed, in seconds.
    pub refresh_expires_in: u64,
}

/// `POST /api/auth/refresh` and `POST /api/auth/logout`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// The refresh token, unless it comes as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// `POST /api/invites`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewInvite {
    /// How many people may register with it. One, if missing.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub uses: u32,
    /// How long it lasts, in days. A week, if missing.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 366))]
    pub days: u32,
}

/// The answer to making an invite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// What those who register give as `invite`. It is stored nowhere.
    pub code: String,
    /// When it ends.
    pub expires_ts: TimestampMs,
}

/// One log-in of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The log-in.
    pub login_id: LoginId,
    /// The client's own name for the device, as it was given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What kind of device it is, as it was given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name and version of the client program, as given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// When it logged in.
    pub created_ts: TimestampMs,
    /// When it last got an access token.
    pub seen_ts: TimestampMs,
    /// When the log-in ends if it is not refreshed.
    pub expires_ts: TimestampMs,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `GET /api/devices`: newest log-ins first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Devices {
    /// The log-ins.
    pub devices: Vec<Device>,
    /// Whether there are older ones; the last `loginId`, given as `before`, continues.
    pub more: bool,
}

/// The answer to revoking several log-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// How many were ended.
    pub revoked: u64,
}

impl std::fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedIn")
            .field("user_id", &self.user_id)
            .field("login_id", &self.login_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshRequest(…)")
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

fn one() -> u32 {
    1
}

fn week() -> u32 {
    7
}
