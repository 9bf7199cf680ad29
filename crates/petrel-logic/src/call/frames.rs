//! Calls in frames: what is told, and what is refused.

use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{CallAnswer, CallIce, CallPhase, CallRing, CallState, ServerFrame};
use petrel_types::ClientMessageId;

use super::{Refused, What};
use crate::Refusal;

pub(super) fn frame_of(call_id: ClientMessageId, what: What) -> ServerFrame {
    match what {
        What::Ring { caller, media, description, remaining, resumes } => {
            ServerFrame::CallOffer(CallRing {
                call_id,
                from: caller,
                media,
                sdp: description.to_string(),
                rings_for_ms: milliseconds(remaining),
                resumes,
            })
        }
        What::Answer { description } => {
            ServerFrame::CallAnswer(CallAnswer { call_id, sdp: description.to_string() })
        }
        What::Candidate { candidate } => {
            ServerFrame::CallIce(CallIce { call_id, candidate: candidate.to_string() })
        }
        What::Over(reason) => {
            let (state, reason) = (CallPhase::Ended, Some(reason));
            ServerFrame::CallState(CallState { call_id, state, reason })
        }
    }
}

/// Refuses a session description that no browser makes. Its bound on bytes is the
/// switchboard's; without control characters it grows by no more than twice in JSON, and fits
/// into a frame.
pub(super) fn check_description(sdp: &str) -> Result<(), Refusal> {
    if sdp.trim().is_empty() {
        return Err(Refusal::new(ErrorReason::InvalidField, "`sdp` is blank"));
    }
    check_text("sdp", sdp)
}

pub(super) fn check_text(name: &str, text: &str) -> Result<(), Refusal> {
    let is_odd = |char: char| char.is_ascii_control() && !matches!(char, '\r' | '\n' | '\t');
    if text.contains(is_odd) {
        let message = format!("`{name}` has control characters");
        return Err(Refusal::new(ErrorReason::InvalidField, message));
    }
    Ok(())
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let reason = match &refused {
            Refused::Oneself => ErrorReason::CannotSendToSelf,
            Refused::Unknown => ErrorReason::CallNotFound,
            Refused::NameTaken => ErrorReason::CallIdTaken,
            Refused::InCall => ErrorReason::InCall,
            Refused::Busy(_) => ErrorReason::Busy,
            Refused::Glare(_) => ErrorReason::Glare,
            Refused::ElsewhereTaken => ErrorReason::CallElsewhere,
            Refused::OutOfTurn(_) => ErrorReason::CallState,
            Refused::TooLong(_) => ErrorReason::InvalidField,
        };
        Self::new(reason, refused.to_string())
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether it may be otherwise in a moment.
pub(super) fn is_passing(reason: ErrorReason) -> bool {
    matches!(
        reason,
        ErrorReason::ServerBusy
            | ErrorReason::Timeout
            | ErrorReason::StorageFull
            | ErrorReason::InternalError
            | ErrorReason::AfterRefused
    )
}
