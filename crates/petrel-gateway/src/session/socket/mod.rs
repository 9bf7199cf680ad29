//! The socket of a session: what the peer says, and writing in time.
//!
//! The rest of the gateway knows no WebSocket codec, only this; nothing here knows what
//! a text means. It is made for very many connections that are idle most of the time: a
//! socket that waits owns no buffer. All sockets of a thread are read into one buffer of
//! the thread, and what is to be written is put together in another (decision 0006).

mod ending;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use petrel_types::limits::FRAME_BYTES_MAX;
use petrel_websocket::{Decoder, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub(super) use ending::{End, IDLE, drain_end};
pub(super) use reading::Inbound;

/// A text that is encoded once and shared by all who receive it.
pub(crate) type Text = Arc<str>;

/// A WebSocket, after its opening handshake. Over any byte stream: TCP, or TLS.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: S,
    decoder: Decoder,
    /// Nothing more is to be heard: the peer closed, or broke the protocol.
    is_over: bool,
    /// Frames to write. Bounded by `WRITE_BYTES` and one text, or as many pongs as one
    /// turn of reading causes.
    outgoing: Vec<u8>,
    /// How much of `outgoing` is written.
    written: usize,
    /// Something was written that the stream may still hold, as TLS does.
    is_unflushed: bool,
    /// Tells that the node drains. None once the socket says goodbye.
    draining: Option<CancellationToken>,
    /// How long a write may make no progress before the peer counts as too slow.
    write_timeout: Duration,
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// The server's side of an upgraded connection. `early` is what the peer sent
    /// without waiting for the answer to its upgrade. A write that makes no
    /// progress for `write_timeout` is given up, and soon, once `draining` is cancelled.
    pub(crate) fn new(
        stream: S,
        early: &[u8],
        draining: CancellationToken,
        write_timeout: Duration,
    ) -> Self {
        let mut decoder = Decoder::new(Role::Server, FRAME_BYTES_MAX as u32);
        decoder.keep(early);
        Self {
            stream,
            decoder,
            is_over: false,
            outgoing: Vec::new(),
            written: 0,
            is_unflushed: false,
            draining: Some(draining),
            write_timeout,
        }
    }
}
