//! Petrel's frames, as far as they matter here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How the `clientMsgId` of a request begins that brings a group into being.
pub(super) const GROUP_MARK: &str = "wsbench-group-";

/// The fields that matter of the frames that matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) ack_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) client_msg_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) conversation_id: Option<Cow<'a, str>>,
    pub(super) msg_seq: Option<u64>,
    #[serde(borrow)]
    pub(super) body: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) redelivered: bool,
    #[serde(default)]
    pub(super) duplicate: bool,
    #[serde(borrow)]
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) id: Option<&'a RawValue>,
    pub(super) to_seq: Option<u64>,
    #[serde(default)]
    pub(super) has_more: bool,
    #[serde(default, borrow)]
    pub(super) events: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) items: Vec<Item<'a>>,
}

/// Whether a user is there.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) user: Cow<'a, str>,
    pub(super) online: bool,
}

/// Whether this is the name of a request that brings a group into being.
pub(super) fn founds_group(name: Option<&[u8]>) -> bool {
    name.is_some_and(|name| name.starts_with(GROUP_MARK.as_bytes()))
}
