//! Why a session is over, and saying goodbye.

use std::future::poll_fn;
use std::time::Duration;

use petrel_logic::admission::RETURN_SPREAD_MS;
use petrel_logic::refusal::RETRY_AFTER_MS;
use petrel_protocol::close::CloseCode;
use petrel_websocket::{Opcode, ProtocolError, close_payload, encode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Socket;
use super::writing::outgoing;
use crate::metrics;

/// How long the peer may take to return our close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The same for one that reads slowly: our close frame is behind all that it has not read.
const SLOW_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a session is over.
#[derive(Debug)]
pub(in crate::session) enum End {
    /// The peer closed or vanished; there is nobody to say goodbye to.
    Gone,
    /// The server ends it.
    Close(CloseCode, Option<u64>),
    /// The peer broke the WebSocket protocol.
    Violation(u16, &'static str),
}

impl End {
    /// The word by which it is counted.
    pub(in crate::session) fn name(&self) -> &'static str {
        match self {
            Self::Gone => metrics::GONE,
            Self::Close(code, _) => code.as_str(),
            Self::Violation(..) => metrics::VIOLATION,
        }
    }
}

/// The end of a session whose peer reads too slowly.
pub(super) const TOO_SLOW: End = End::Close(CloseCode::Slow, Some(RETRY_AFTER_MS));

/// The end of a session of which nothing is heard.
pub(in crate::session) const IDLE: End = End::Close(CloseCode::Idle, Some(RETRY_AFTER_MS));

/// The end of a session by drain, with a time to come back that differs from session
/// to session.
pub(in crate::session) fn drain_end(session: u64) -> End {
    End::Close(CloseCode::Drain, Some(RETRY_AFTER_MS + session % RETURN_SPREAD_MS))
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Says goodbye, if there is somebody to say it to, and waits briefly for the peer's.
    pub(in crate::session) async fn close(&mut self, end: End) {
        let awaits_echo = matches!(end, End::Close(..));
        let patience = match end {
            End::Close(CloseCode::Slow, _) => SLOW_CLOSE_TIMEOUT,
            _ => CLOSE_TIMEOUT,
        };
        // The goodbye of a drain has as much time as any other.
        self.draining = None;
        match end {
            // What is queued completes the peer's closing handshake, if it began one.
            End::Gone => {}
            End::Close(code, retry_after_ms) => {
                if code == CloseCode::Slow {
                    tracing::info!("closed a session that does not read");
                }
                let reason = serde_json::to_string(&code.reason(retry_after_ms))
                    .expect("a word and a number always serialise");
                self.queue_close(code.get(), &reason);
            }
            End::Violation(code, reason) => self.queue_close(code, reason),
        }
        let goodbye = async {
            if self.flush().await.is_err() {
                return;
            }
            while awaits_echo && self.next().await.is_ok() {}
            let _ = self.flush().await;
            // Were the socket closed with something unread, the peer would be told of a
            // reset and perhaps never see our close frame.
            if self.stream.shutdown().await.is_ok() {
                poll_fn(|context| self.poll_discard(context)).await;
            }
        };
        // Whoever doesn't answer is dropped.
        let _ = timeout(patience, goodbye).await;
    }

    fn queue_close(&mut self, code: u16, reason: &str) {
        encode(outgoing(&mut self.outgoing), Opcode::Close, &close_payload(code, reason), None);
    }
}

pub(super) fn violation(error: ProtocolError) -> End {
    let reason = match error {
        ProtocolError::TooLarge => "frame too large",
        ProtocolError::Utf8 => "text that is not UTF-8",
        _ => "protocol error",
    };
    End::Violation(error.close_code(), reason)
}
