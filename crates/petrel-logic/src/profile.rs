//! What a store keeps about conversations and members without understanding it.
//!
//! Both are JSON objects, and an empty value is the default, so that what is said here
//! can grow without touching any store.

use bytes::Bytes;
use petrel_protocol::frame::{GroupInfo, History, Role};
use petrel_store::{StoreError, StoreErrorKind};
use petrel_types::TimestampMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What is known of a conversation as a whole. Single chats have nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Profile {
    /// What a group is called.
    pub(crate) title: String,
    /// What those may read who join.
    pub(crate) history: History,
    /// What it is beside that, as members see it.
    pub(crate) info: GroupInfo,
    /// How many wait to be let in.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) waiting: u64,
}

/// What is known of a user as a member. In single chats there is nothing of it.
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
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        decode(stored)
    }
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
