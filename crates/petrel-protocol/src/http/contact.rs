//! Bodies about contacts.

use petrel_types::ClientMessageId;
use serde::{Deserialize, Serialize};

/// `POST /api/contacts/{userId}/apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewApplication {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What to say to the other: at most 256 UTF-16 code units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `PUT /api/contacts/{userId}/remark`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemarkChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What to call the friend, at most 64 UTF-16 code units; missing to have no remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}
