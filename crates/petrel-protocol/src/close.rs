//! WebSocket close codes.
//!
//! 44xx: do not come back by yourself. 45xx: come back with back-off, not before
//! `retryAfterMs` of the reason.

use serde::{Deserialize, Serialize};

/// Why the server closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// Authentication failed or took too long, or the token expired.
    Auth,
    /// The log-in was ended: by a log-out, from another device, or because it was stolen.
    Revoked,
    /// Another session took the place of this one.
    Replaced,
    /// Far too much was sent for far too long, or too much that can't be read.
    Banned,
    /// The server failed.
    Internal,
    /// The server is going down; others, or its successor, will take you.
    Drain,
    /// Nothing was heard of the client for too long.
    Idle,
    /// The client did not read fast enough.
    Slow,
    /// The server takes no more connections for now.
    Busy,
}

/// The JSON text in a close frame. At most 123 bytes, as RFC 6455 demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloseReason {
    /// A word for programs.
    pub reason: String,
    /// The least time to wait before connecting again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl CloseCode {
    /// Every code, by number.
    pub const ALL: &[Self] = &[
        Self::Auth,
        Self::Revoked,
        Self::Replaced,
        Self::Banned,
        Self::Internal,
        Self::Drain,
        Self::Idle,
        Self::Slow,
        Self::Busy,
    ];

    /// The number on the wire.
    pub const fn get(self) -> u16 {
        match self {
            Self::Auth => 4401,
            Self::Revoked => 4403,
            Self::Replaced => 4409,
            Self::Banned => 4429,
            Self::Internal => 4500,
            Self::Drain => 4503,
            Self::Idle => 4504,
            Self::Slow => 4508,
            Self::Busy => 4513,
        }
    }

    /// The word in [`CloseReason::reason`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Banned => "banned",
            Self::Internal => "internal",
            Self::Drain => "drain",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Busy => "busy",
        }
    }

    /// What it means, as a sentence for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Auth => "Authentication failed or took too long, or the token expired.",
            Self::Revoked => "The log-in of this session was ended.",
            Self::Replaced => "Another session took the place of this one.",
            Self::Banned => {
                "Far too much was sent for far too long, or too much that can't be read."
            }
            Self::Internal => "The server failed.",
            Self::Drain => "The server is going down; others, or its successor, will take you.",
            Self::Idle => "Nothing was heard of the client for too long, not even a pong.",
            Self::Slow => "The client did not read fast enough.",
            Self::Busy => "The server takes no more connections for now.",
        }
    }

    /// Whether a client may connect again by itself.
    pub const fn may_return(self) -> bool {
        self.get() >= 4500
    }

    /// The text of the close frame.
    pub fn reason(self, retry_after_ms: Option<u64>) -> CloseReason {
        CloseReason { reason: self.as_str().to_owned(), retry_after_ms }
    }
}
