//! The vocabulary every other crate shares: identifiers, sequence numbers, the
//! clock and the limits.
//!
//! This crate does no I/O and knows neither a wire format nor a database. The
//! only serialisation here is the rule that 64-bit identifiers travel as JSON
//! strings and are accepted as strings or numbers, because JavaScript's numbers
//! end at 2^53.

mod clock;
mod id;
pub mod limits;
mod operating_limits;
mod slot;

pub use clock::{Clock, ManualClock, SystemClock, TimestampMs};
pub use id::{
    ClientMessageId, ClientMessageIdError, ConversationId, Epoch, FileId, LogPosition, LoginId,
    MessageNumber, NodeId, NoticeId, OwnerEpoch, RowId, Seq, SessionId, UserId,
};
pub use operating_limits::OperatingLimits;
pub use slot::{Partition, Slot};
