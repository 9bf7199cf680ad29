//! Calls between two users: who rings, who talks, and how it ends.
//!
//! This is signalling only: it passes on what two browsers need to find each other
//! (WebRTC's offer, answer and candidates), and media never come here. A call lives in the
//! memory of one [`Switchboard`] and dies with it; what stays is the [`Record`] that it
//! returns once for every call, which becomes a message of the two users' conversation.
//!
//! The life of a call:
//!
//! ```text
//! offer ──▶ ringing ──answer──▶ talking ──hang up, or a device is gone──▶ over: ended
//!              │
//!              ├── caller hangs up, or its device is gone ──▶ over: cancelled
//!              ├── callee rejects on any device ───────────▶ over: rejected
//!              └── nobody answers in time ─────────────────▶ over: missed
//! ```
//!
//! A session is the party of a call. A call whose device is gone is over to the devices, but
//! the two may go on for [`RESUME_TIME`] by another call that says which one it resumes; what
//! is written down then is one call, from its beginning to its end.
//!
//! It rings on every device of the callee, those that come while it rings included; the
//! first answer wins, and the other devices are told. A user has one call at a time, on
//! whatever device: to everybody else the user is busy. If two users call each other at the
//! same moment, the later offer is told which call is there to be answered ([`Refused::Glare`]).
//!
//! The switchboard does not ask whether two users may call each other (blocks, friendship),
//! and knows no frames; its time is an argument. The [`Exchange`] around it does that, and
//! nobody here knows sockets.

mod exchange;
mod frames;
mod held;
mod metrics;
mod pace;
mod records;
mod switchboard;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use petrel_types::{ClientMessageId, SessionId, UserId};

pub use self::exchange::{Exchange, Ringing};
pub use self::metrics::Metrics;
pub use self::switchboard::Switchboard;
pub use self::turn::TurnServers;
use petrel_protocol::frame::CallOutcome;
pub use petrel_protocol::frame::{CallEnd as Reason, CallMedia as Media};

/// How long it rings before nobody is there, after which the reference systems give up, too.
pub const RING_TIME: Duration = Duration::from_secs(30);

/// How long a call that was cut off may go on by another: as long as Petrel's own client looks
/// for the other side.
pub const RESUME_TIME: Duration = Duration::from_secs(30);

/// The most bytes of an offer or an answer. A session description of a video call with
/// every codec of today's browsers has 6 to 10 KiB. Written as JSON it is at most twice as
/// long, and fits into a frame.
pub const DESCRIPTION_BYTES_MAX: usize = 30 * 1024;

/// The most bytes of a candidate. Browsers send some 200.
pub const CANDIDATE_BYTES_MAX: usize = 2 * 1024;

/// How many candidates of a caller are kept for devices that have not answered yet. A
/// browser with several networks and two TURN servers finds some 20.
pub const CANDIDATES_KEPT_MAX: usize = 64;

/// How many calls that are over are remembered, so that what comes late starts none anew.
const OVER_REMEMBERED_MAX: usize = 16 * 1024;

/// A user on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// The user.
    pub user: UserId,
    /// The device's session.
    pub session: SessionId,
}

/// Who begins a call, with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The call's name, chosen by the caller.
    pub call: ClientMessageId,
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub callee: UserId,
    /// What is to be sent.
    pub media: Media,
    /// The caller's session description, as it is; at most [`DESCRIPTION_BYTES_MAX`].
    pub description: Arc<str>,
    /// The name of the call from which the two were cut off, and which goes on with this one.
    pub resumes: Option<ClientMessageId>,
}

/// Something to tell some sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The call.
    pub call: ClientMessageId,
    /// Who is told.
    pub to: Audience,
    /// What.
    pub what: What,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every session of a user.
    Everywhere(UserId),
    /// Every session of a user but one.
    Elsewhere(Party),
    /// One session.
    Here(Party),
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody calls.
    Ring {
        /// Who.
        caller: UserId,
        /// What is to be sent.
        media: Media,
        /// The caller's session description.
        description: Arc<str>,
        /// How much longer it rings.
        remaining: Duration,
        /// The call that goes on with this one, as the caller says.
        resumes: Option<ClientMessageId>,
    },
    /// The callee answered on the device that is told about next by its candidates.
    Answer {
        /// The callee's session description.
        description: Arc<str>,
    },
    /// A way to reach the other side.
    Candidate {
        /// As it is.
        candidate: Arc<str>,
    },
    /// The call is over, or has nothing more to do with this device.
    Over(Reason),
}

/// What stays of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub call: ClientMessageId,
    /// Who called; the message's sender.
    pub caller: UserId,
    /// Who was called.
    pub callee: UserId,
    /// What was sent.
    pub media: Media,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// They talked for so long.
    Talked(Duration),
    /// The callee did not want to.
    Rejected,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// Nobody answered in time.
    Missed,
    /// The callee was in another call.
    Busy,
}

impl Outcome {
    /// As it is told.
    pub(crate) fn on_the_wire(self) -> CallOutcome {
        match self {
            Self::Talked(_) => CallOutcome::Answered,
            Self::Rejected => CallOutcome::Rejected,
            Self::Cancelled => CallOutcome::Cancelled,
            Self::Missed => CallOutcome::Missed,
            Self::Busy => CallOutcome::Busy,
        }
    }
}

/// What follows from something that happened: signals in this order, and a record for each
/// call that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Whom to tell what.
    pub signals: Vec<Signal>,
    /// What to write down.
    pub records: Vec<Record>,
}

/// Why something does not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody calls themselves.
    #[error("a call needs another user")]
    Oneself,
    /// There is no such call, or it is over, or it is other people's.
    #[error("there is no such call, or it is over")]
    Unknown,
    /// The name was used before, perhaps for a call that is over.
    #[error("this name was used before; choose a new one")]
    NameTaken,
    /// The caller is in a call already, perhaps on another device.
    #[error("you are in a call already; hang up first")]
    InCall,
    /// The callee is in a call. The call is over, and its record is here.
    #[error("the other user is in a call")]
    Busy(Record),
    /// The other user is calling right now: answer that call instead.
    #[error("the other user is calling you: answer that call")]
    Glare(ClientMessageId),
    /// Only the device that is in the call may do this; or it was answered by another.
    #[error("the call is on another device")]
    ElsewhereTaken,
    /// Only the other side may do this, or not yet.
    #[error("not now: {0}")]
    OutOfTurn(&'static str),
    /// A description or a candidate is too long.
    #[error("at most {0} bytes")]
    TooLong(usize),
}
