//! What events say: the payload that a store keeps without understanding it.
//!
//! A new kind of event is a variant here and its form on the wire in `view`.
//! Payloads are JSON, so that a data directory can be read with ordinary tools.

use bytes::Bytes;
use petrel_protocol::frame::MessageType;
use serde::{Deserialize, Serialize};

/// What happened, apart from where and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum EventBody {
    /// Somebody said something. Countable.
    #[serde(rename_all = "camelCase")]
    Message {
        /// What the body is.
        msg_type: MessageType,
        /// The text.
        body: String,
    },
}

impl EventBody {
    /// The payload to store.
    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("event bodies hold only strings").into()
    }

    /// Reads a stored payload.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}
