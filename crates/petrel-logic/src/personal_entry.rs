//! What follows for a user from a change elsewhere: an entry in the personal timeline.
//!
//! It is committed with the change as a derivation, and carried out by the sequencer of
//! the user's own timeline, once, however often it is asked to.

use bytes::Bytes;
use petrel_protocol::frame::Change;
use petrel_types::UserId;
use serde::{Deserialize, Serialize};

/// An entry to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonalEntry {
    /// Whom it concerns.
    pub(crate) user: UserId,
    /// Who caused it.
    pub(crate) actor: UserId,
    /// What to write.
    pub(crate) change: Change,
}

impl PersonalEntry {
    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("entries hold only strings and numbers").into()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(stored)
    }
}
