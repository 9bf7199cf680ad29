//! What an admin of the system says to everybody who is connected.

use petrel_types::{NoticeId, TimestampMs};
use serde::{Deserialize, Serialize};

/// `NOTICE`: something that everybody is to know, from an admin of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Its name. The same notice may come more than once, and is shown once.
    pub notice_id: NoticeId,
    /// What it says: plain text.
    pub text: String,
    /// When it was said.
    pub ts: TimestampMs,
    /// From when on it holds no longer, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ts: Option<TimestampMs>,
}

/// `NOTICE_WITHDRAWN`: a notice holds no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeWithdrawn {
    /// Which.
    pub notice_id: NoticeId,
}
