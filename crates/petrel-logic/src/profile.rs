//! What a store keeps about conversations and members without understanding it.
//!
//! Both are JSON objects, and an empty value is the default, so that what is said here
//! can grow without touching any store.

use bytes::Bytes;
use petrel_protocol::frame::{ConversationSettings, GroupInfo, History, Role};
use petrel_store::{StoreError, StoreErrorKind};
use petrel_types::{FileId, Seq, TimestampMs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hidden::Hidden;

/// What is known of a conversation as a whole. Single chats have nothing of it but pins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Profile {
    /// What a group is called.
    pub(crate) title: String,
    /// What those may read who join.
    pub(crate) history: History,
    /// What it is beside that, as members see it.
    pub(crate) info: GroupInfo,
    /// The messages that are pinned, the last one that was pinned at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pins: Vec<Seq>,
    /// How many wait to be let in.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) waiting: u64,
}

/// What is known of a user as a member. In single chats there is nothing of it but what is
/// the user's own business.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attributes {
    /// What the user may do.
    pub(crate) role: Role,
    /// What the member is called in the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nickname: Option<String>,
    /// Until when the member may not speak, or, having left, not come back by the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) muted_until: Option<TimestampMs>,
    /// What the conversation is to the user.
    #[serde(skip_serializing_if = "ConversationSettings::are_default")]
    pub(crate) settings: ConversationSettings,
    /// What the user has deleted for himself or herself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden: Option<Box<Hidden>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Profile {
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        decode(stored)
    }
}

impl Attributes {
    /// What stays of somebody who comes back: what is nobody else's business.
    pub(crate) fn of_returning(self, role: Role) -> Self {
        let Self { settings, hidden, .. } = self;
        Self { role, settings, hidden, ..Self::default() }
    }

    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        decode(stored)
    }
}

/// The file that a text names, if it is the id of one.
pub(crate) fn file_id(text: &str) -> Option<FileId> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(FileId::new)
}

/// The file that is the picture of a group, if it is one and no address.
pub(crate) fn avatar_of(info: &GroupInfo) -> Option<FileId> {
    file_id(info.avatar.as_deref()?)
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("profiles hold only strings and numbers").into()
}

pub(crate) fn decode<T: Default + DeserializeOwned>(stored: &[u8]) -> Result<T, StoreError> {
    if stored.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(stored).map_err(|error| {
        StoreError::new(StoreErrorKind::Corrupt, "a stored profile can't be read")
            .with_source(error)
    })
}
