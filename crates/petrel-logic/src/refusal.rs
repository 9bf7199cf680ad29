//! Saying no: a reason for the program, a sentence for the person.

use std::fmt;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Error as ErrorFrame, Outcome};
use petrel_store::{StoreError, StoreErrorKind};

/// How long a client should wait before it repeats a request that met a store out
/// of reach, in milliseconds.
pub const RETRY_AFTER_MS: u64 = 500;

/// A request that is not carried out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub reason: ErrorReason,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// When to try again, in milliseconds from now, if that is known.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after_ms: None }
    }

    /// The same, with a time to try again.
    #[must_use]
    pub fn retry_after_ms(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..self }
    }

    /// What a client is told of a store that failed to answer. The story behind it
    /// goes to the log: this is where such an error is handled.
    pub fn of_store(error: &StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Full => {
                Self::new(ErrorReason::StorageFull, "the server's disk is full; nothing was stored")
            }
            StoreErrorKind::Unavailable => Self::new(
                ErrorReason::ServerBusy,
                "the store can't be reached; try again in a moment",
            ),
            _ => {
                tracing::error!(%error, "the store failed to answer a request");
                Self::new(ErrorReason::InternalError, "the server failed; its log says why")
            }
        }
    }

    /// The `ERROR` frame that says so, without a `clientMsgId`.
    pub fn into_frame(self) -> ErrorFrame {
        let mut frame = ErrorFrame::new(self.reason, self.message);
        frame.retry_after_ms = self.retry_after_ms;
        match self.reason {
            ErrorReason::ServerBusy | ErrorReason::AfterRefused | ErrorReason::StorageFull => {
                frame.retry_after_ms = self.retry_after_ms.or(Some(RETRY_AFTER_MS));
            }
            ErrorReason::Timeout => frame.outcome = Some(Outcome::Unknown),
            _ => {}
        }
        frame
    }
}

/// The one answer for a conversation that does not exist and one that is somebody
/// else's, so that ids can't be probed.
pub(crate) fn not_a_member() -> Refusal {
    Refusal::new(
        ErrorReason::ConversationNotFound,
        "there is no such conversation, or you are not a member of it",
    )
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}
