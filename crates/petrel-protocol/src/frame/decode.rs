//! Telling frames apart, and what to say about those that can't be read.

use std::borrow::Cow;

use petrel_types::ClientMessageId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::RequestId;
use crate::ErrorReason;

/// A frame that was read, and the `id` to echo on its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<F> {
    /// The `id` of the request.
    pub id: Option<RequestId>,
    /// The frame.
    pub frame: F,
}

/// A frame that can't be read, with as much as is known to address the answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct DecodeError {
    /// The reason for the `ERROR` frame.
    pub reason: ErrorReason,
    /// What is wrong, for the person who wrote the client.
    pub message: String,
    /// The `id` of the request.
    pub id: Option<RequestId>,
    /// The `clientMsgId` of the request.
    pub client_msg_id: Option<ClientMessageId>,
}

/// The fields that say what the rest is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    id: Option<RequestId>,
    #[serde(borrow)]
    client_msg_id: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, DecodeError> {
        let header: Self = serde_json::from_str(text).map_err(|error| {
            let reason =
                if error.is_data() { ErrorReason::InvalidField } else { ErrorReason::BadJson };
            DecodeError { reason, message: error.to_string(), id: None, client_msg_id: None }
        })?;
        match header.kind {
            Some(_) => Ok(header),
            None => Err(header.error(ErrorReason::MissingType, "the frame has no `type`")),
        }
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }

    pub(super) fn body<T: DeserializeOwned>(
        self,
        text: &str,
    ) -> Result<(Option<RequestId>, T), DecodeError> {
        match serde_json::from_str(text) {
            Ok(body) => Ok((self.id, body)),
            Err(error) => {
                let message = error.to_string();
                Err(self.error(reason_of(&message), message))
            }
        }
    }

    pub(super) fn unknown_type(self) -> DecodeError {
        let shown: String =
            self.kind.as_deref().unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
        self.error(ErrorReason::UnknownType, format!("no request has the type {shown:?}"))
    }

    fn error(self, reason: ErrorReason, message: impl Into<String>) -> DecodeError {
        let client_msg_id = self.client_msg_id.and_then(|id| ClientMessageId::new(&*id).ok());
        DecodeError { reason, message: message.into(), id: self.id, client_msg_id }
    }
}

/// How much of a client's own text an error repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// The reason for a body that did not fit its type. Serde reports a missing field
/// only in the text of its error, whose form is pinned by a test below.
fn reason_of(message: &str) -> ErrorReason {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some("to") => ErrorReason::MissingTo,
        Some("body") => ErrorReason::MissingBody,
        Some("clientMsgId") => ErrorReason::MissingMsgId,
        Some("ackType") => ErrorReason::MissingAckType,
        Some("token") => ErrorReason::MissingToken,
        _ => ErrorReason::InvalidField,
    }
}
