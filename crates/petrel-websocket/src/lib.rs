//! The WebSocket protocol (RFC 6455) without I/O.
//!
//! Bytes go in, messages come out, and the other way round; sockets, timers and TLS are
//! the caller's. It exists for programs that hold very many connections: an idle
//! [`Decoder`] owns no buffer at all, and a caller that reads every socket into one
//! shared buffer gets its messages as borrows of that buffer.
//!
//! Not here: extensions (`permessage-deflate` is never offered, and compressed frames
//! are refused), subprotocol negotiation beyond passing the header on, and HTTP beyond
//! the one request and the one response of the opening handshake.

mod decoder;
mod encode;
pub mod handshake;
mod header;
mod mask;

pub use decoder::{Decoder, Message, ProtocolError, Role};
pub use encode::{close_payload, encode, encode_header};
pub use header::Opcode;
