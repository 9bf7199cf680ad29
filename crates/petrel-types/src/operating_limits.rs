//! Bounds that an operator may change.
//!
//! The defaults protect the machine and the other users, not the tone of a chat room: one
//! client may use a good part of a small server, and none may take it from the others.
//! Other servers begin far lower, because a person types a few messages a minute (Matrix's
//! Synapse: 0.2 messages a second after a burst of 10; Discord: 120 frames a minute; ejabberd:
//! a few KB a second), and a server that is open to the world should do the same. Ours are so
//! that a load test meets the same limits as everybody and is still about the server.

use serde::{Deserialize, Serialize};

/// The bounds, each with its default. A rate of 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperatingLimits {
    /// How many frames a second one session may send on average. A position of an `ACK` with
    /// many counts as a frame. Beyond, the server reads that socket no faster.
    pub session_frames_per_second: u32,
    /// How many frames a session that was quiet may send at once.
    pub session_frames_burst: u32,
    /// How many messages and changes a second one session may send on average.
    pub session_sends_per_second: u32,
    /// How many messages and changes a session that was quiet may send at once.
    pub session_sends_burst: u32,
    /// How many reads a second (SYNC, PULL, CONVERSATION, FOCUS, and names of messages that have
    /// to be looked up) one session may ask for on average.
    pub session_reads_per_second: u32,
    /// How many reads a session that was quiet may ask for at once.
    pub session_reads_burst: u32,
    /// All sessions of one user together may use as much as this many sessions.
    pub user_sessions_worth: u32,
    /// How many people a minute one user may invite into groups on average: those who want to
    /// be asked before they are taken in.
    pub user_invitations_per_minute: u32,
    /// How many people a user who invited nobody of late may invite at once.
    pub user_invitations_burst: u32,
    /// How many frames that can't be read a session may send at once before it is closed with
    /// 4429. Each gets an answer.
    pub malformed_frames_burst: u32,
    /// How many frames that can't be read are forgiven each minute.
    pub malformed_frames_per_minute: u32,
    /// A session that is told to slow down and goes on above its rate for this long, in
    /// milliseconds, is closed with 4429. 0 is never.
    pub flood_patience_ms: u32,
    /// How many HTTP requests a second one user may make on average.
    pub http_user_requests_per_second: u32,
    /// How many HTTP requests a user who was quiet may make at once.
    pub http_user_requests_burst: u32,
    /// How many HTTP requests a second, WebSocket upgrades among them, may come from one
    /// address on average. Not counted from loopback.
    pub http_address_requests_per_second: u32,
    /// How many HTTP requests may come at once from an address that was quiet.
    pub http_address_requests_burst: u32,
    /// How many requests a second one admin of the system may make below /api/admin on average.
    pub http_admin_requests_per_second: u32,
    /// How many such requests an admin who was quiet may make at once.
    pub http_admin_requests_burst: u32,
    /// How many connections may be upgraded and authenticated at the same moment. Others wait
    /// for their turn.
    pub handshakes_at_once: u32,
    /// How many SYNC, PULL and other reads may be under way at the same moment. Others wait
    /// for their turn.
    pub reads_at_once: u32,
    /// How many handshakes, and how many reads, may wait for their turn. Beyond, they are
    /// refused with `server_busy`.
    pub admission_queue: u32,
    /// How long a handshake or read waits for its turn, in milliseconds, before it is refused
    /// with `server_busy`.
    pub admission_wait_ms: u32,
    /// How many commands (sends, changes and receipts) may wait for their turn to be decided and
    /// stored. Beyond, they are refused with `server_busy`. At 100,000 a second the default is a
    /// third of a second of work.
    pub commands_queued: u32,
    /// A group with as many members is very large: devices that can (capability `head`) are
    /// told of its new head instead of each message, unless they have it in focus. 0 is never.
    pub head_members: u32,
    /// At most one such word per group and device in this time, in milliseconds.
    pub head_interval_ms: u32,
    /// In groups with more members nobody is told who types.
    pub typing_members: u32,
}

impl Default for OperatingLimits {
    fn default() -> Self {
        Self {
            session_frames_per_second: 40_000,
            session_frames_burst: 80_000,
            session_sends_per_second: 20_000,
            session_sends_burst: 40_000,
            session_reads_per_second: 500,
            session_reads_burst: 2_000,
            user_sessions_worth: 2,
            user_invitations_per_minute: 60,
            user_invitations_burst: 500,
            malformed_frames_burst: 100,
            malformed_frames_per_minute: 60,
            flood_patience_ms: 300_000,
            http_user_requests_per_second: 500,
            http_user_requests_burst: 1_000,
            http_address_requests_per_second: 2_000,
            http_address_requests_burst: 20_000,
            http_admin_requests_per_second: 50,
            http_admin_requests_burst: 500,
            handshakes_at_once: 128,
            reads_at_once: 64,
            admission_queue: 32_768,
            admission_wait_ms: 5_000,
            commands_queued: 32_768,
            head_members: 2_000,
            head_interval_ms: 1_000,
            typing_members: 256,
        }
    }
}
