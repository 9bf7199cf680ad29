//! Frames of a connection: what those that come mean, and how those that go are written.

use petrel_websocket::{Opcode, encode};

use super::MessageName;
use crate::ledger::How;

/// What a frame means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Incoming<'a> {
    /// The login stands.
    Ready,
    /// The login was refused; why.
    LoginRefused(&'a str),
    /// The server has taken a message, at this place of its conversation if it says so.
    Ack {
        /// Which; none if the name is not one of ours.
        name: Option<MessageName>,
        /// It was known already.
        duplicate: bool,
    },
    /// The server has not taken a message, or says that it does not know.
    Refused {
        /// Which, if it says so.
        name: Option<MessageName>,
        /// Why.
        reason: &'a str,
        /// It should be sent again, after so many milliseconds.
        again_after_ms: Option<u64>,
    },
    /// What was last asked for this connection's group has been done.
    GroupStep,
    /// It was refused.
    GroupRefused {
        /// Why.
        reason: &'a str,
        /// It should be asked for again, after so many milliseconds.
        again_after_ms: Option<u64>,
    },
    /// A message for this connection.
    Delivery {
        /// Where its stamp is to be found.
        payload: &'a [u8],
        /// Its number in the conversation, if the server numbers.
        place: Option<u64>,
        /// How it came.
        how: How,
    },
    /// A recipient has acknowledged a message of this connection.
    Receipt,
    /// The connection owes the server an answer, which goes out with its receipts.
    Owes,
    /// The answer to a ping with this token.
    Pong(u64),
    /// Whether a user is there, whom this connection follows.
    Presence {
        /// Who.
        user: u64,
        /// It is.
        there: bool,
    },
    /// A page of history has been read; whether there is more.
    HistoryPage {
        /// There is more.
        more: bool,
    },
    /// The server says that this connection was not pushed something.
    Gap,
    /// An error that is about no message.
    ServerError(&'a str),
    /// A message whose stamp can't be found, though it must have had one.
    Spoiled,
    /// Something known that needs no attention.
    Other,
    /// Something unknown.
    Unrecognised,
}

/// Takes what frames mean.
pub type Sink<'a> = dyn FnMut(Incoming<'_>) + 'a;

/// A data frame from the server.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Frame<'a> {
    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// Writes frames of one connection.
#[derive(Debug)]
pub struct FrameWriter<'a> {
    /// Where they go.
    pub out: &'a mut Vec<u8>,
    /// Where masks come from.
    pub random: &'a mut fastrand::Rng,
}

impl FrameWriter<'_> {
    /// A text frame.
    pub fn text(&mut self, text: &[u8]) {
        self.frame(Opcode::Text, text);
    }

    /// Any frame.
    pub fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        encode(self.out, opcode, payload, Some(self.random.u32(..).to_ne_bytes()));
    }
}
