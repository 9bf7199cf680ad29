//! The contract between Petrel and its clients, without I/O: WebSocket frames,
//! HTTP bodies, access tokens, error reasons and close codes.
//!
//! The prose is in `docs/protocol.md`; the JSON Schema beside it is generated from
//! the types here. A load generator or a client in Rust needs nothing but this
//! crate and `petrel-types`.
//!
//! What is *not* here: who may do what (`petrel-logic`), and sockets
//! (`petrel-gateway`).

pub mod close;
mod file_kind;
pub mod frame;
pub mod http;
pub mod json;
mod reason;
pub mod token;

pub use reason::ErrorReason;

/// The version of the client protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;
