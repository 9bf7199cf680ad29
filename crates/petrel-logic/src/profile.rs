//! What a store keeps about conversations and members without understanding it.
//!
//! Both are JSON objects, and an empty value is the default, so that what is said here
//! can grow without touching any store.

use bytes::Bytes;
use petrel_protocol::frame::{History, Role};
use petrel_store::{StoreError, StoreErrorKind};
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
}

/// What is known of a user as a member. In single chats there is nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attributes {
    /// What the user may do.
    pub(crate) role: Role,
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
    pub(crate) fn encode(self) -> Bytes {
        encode(&self)
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
