//! Bounds that are part of the contract with clients.
//!
//! A bound that an operator may change lives in the configuration instead.

/// The largest WebSocket frame or message, in bytes, in either direction.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The longest message text, in UTF-16 code units (what JavaScript's `length` and
/// Java's `length()` count).
pub const BODY_UTF16_UNITS_MAX: usize = 4096;

/// The longest message body, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The longest `clientMsgId`, in bytes.
pub const CLIENT_MESSAGE_ID_BYTES_MAX: usize = 64;

/// The longest `deviceId`, `platform` or `client`, in bytes.
pub const DEVICE_TEXT_BYTES_MAX: usize = 64;

/// The longest request `id`, in bytes, when it is a string.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// How many sends of one session may wait for their ack. Beyond, the server stops
/// reading that socket until acks have gone out.
pub const SENDS_IN_FLIGHT_MAX: usize = 256;

/// The most events one `EVENTS` frame carries.
pub const PULL_EVENTS_MAX: u32 = 200;

/// The most conversations one `SYNC_STATE` frame carries.
pub const SYNC_CONVERSATIONS_MAX: u32 = 200;

/// The most positions one `ACK` frame carries.
pub const ACK_ITEMS_MAX: usize = 256;

/// Time to authenticate after the upgrade, in milliseconds.
pub const AUTH_TIMEOUT_MS: u64 = 3_000;

/// Idle time after which the server sends a WebSocket ping, in milliseconds.
pub const PING_INTERVAL_MS: u64 = 30_000;

/// Silence after which the server drops a connection, in milliseconds.
pub const IDLE_TIMEOUT_MS: u64 = 90_000;
