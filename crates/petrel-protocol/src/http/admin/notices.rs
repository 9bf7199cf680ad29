//! Bodies of `/api/admin/notices`.

use petrel_types::{NoticeId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

/// `GET /api/admin/notices`: those in force, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminNotices {
    /// Those found.
    pub notices: Vec<AdminNotice>,
    /// Where to go on, as `before`; missing if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NoticeId>,
}

/// A notice as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminNotice {
    /// Its name.
    pub notice_id: NoticeId,
    /// What it says.
    pub text: String,
    /// When it was said.
    pub ts: TimestampMs,
    /// From when on it holds no longer; missing if it holds until it is withdrawn, or was said
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ts: Option<TimestampMs>,
    /// Who said it; missing if it was somebody at the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
}

/// `POST /api/admin/notices`. With neither `untilTs` nor `untilWithdrawn` it is said once, to
/// those who are connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewNotice {
    /// What to say: plain text of at most 1000 UTF-16 code units.
    #[schemars(length(min = 1, max = 1000))]
    pub text: String,
    /// Those who connect before this time are told, too: at most a year from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ts: Option<TimestampMs>,
    /// Those who connect before it is withdrawn are told, too. Not together with `untilTs`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_withdrawn: bool,
}

/// The answer to `POST /api/admin/notices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeSent {
    /// What is said.
    pub notice: AdminNotice,
    /// To how many sessions it is on its way; none if the server does not run.
    pub sessions: u64,
}
