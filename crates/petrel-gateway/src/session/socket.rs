//! The socket of a session: what the peer says, and writing in time.
//!
//! The rest of the gateway knows no WebSocket library, only this. Nothing here knows
//! what a text means.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use petrel_logic::refusal::RETRY_AFTER_MS;
use petrel_protocol::close::CloseCode;
use petrel_types::limits::FRAME_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WireCloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message, Utf8Bytes};

/// How long a write may make no progress before the peer counts as too slow.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the peer may take to return our close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Clients sent away by a drain come back spread over this many milliseconds.
const RETURN_SPREAD_MS: u64 = 5_000;

/// Per connection, allocated for its whole life: small, because most connections are
/// idle most of the time. (The library's default of 128 KiB costs 137 KB a
/// connection.)
const READ_BUFFER_BYTES: usize = 1024;

/// Frames are collected up to this many bytes before a write is tried.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// The most that may wait in the write buffer of a socket that can't be written.
const WRITE_BUFFER_BYTES_MAX: usize = 512 * 1024;

/// A text that is encoded once and shared by all who receive it.
pub(crate) type Text = Utf8Bytes;

/// What the peer said.
#[derive(Debug)]
pub(super) enum Inbound {
    /// A text message.
    Text(Text),
    /// A binary message, which is not spoken here.
    Binary,
    /// A ping, whose pong goes out with the next flush, or a pong.
    SignOfLife,
}

/// Why a session is over.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed or vanished; there is nobody to say goodbye to.
    Gone,
    /// The server ends it.
    Close(CloseCode, Option<u64>),
    /// The peer broke the WebSocket protocol.
    Violation(u16, &'static str),
}

/// A WebSocket, after its opening handshake.
pub(crate) struct Socket<S> {
    stream: WebSocketStream<S>,
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// The server's side of an upgraded connection.
    pub(crate) async fn new(stream: S) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        Self { stream: WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await }
    }

    /// Waits for what the peer says next. May be given up at any time; nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Inbound, End> {
        inbound(self.stream.next().await)
    }

    /// What the peer says next, if it has arrived.
    pub(super) fn try_next(&mut self) -> Option<Result<Inbound, End>> {
        self.stream.next().now_or_never().map(inbound)
    }

    /// Queues a text for the next flush; writes if much is queued already.
    pub(super) async fn feed(&mut self, text: Text) -> Result<(), End> {
        in_time(self.stream.feed(Message::Text(text))).await
    }

    /// Queues a ping for the next flush.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        in_time(self.stream.feed(Message::Ping(Bytes::new()))).await
    }

    /// Writes everything that is queued.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        in_time(self.stream.flush()).await
    }

    /// Says goodbye, if there is somebody to say it to, and waits briefly for the echo.
    pub(super) async fn close(&mut self, end: End) {
        let is_violation = matches!(end, End::Violation(..));
        let (code, reason) = match end {
            End::Gone => {
                // Completes the peer's close handshake, if it began one.
                let _ = timeout(CLOSE_TIMEOUT, self.stream.flush()).await;
                return;
            }
            End::Close(code, retry_after_ms) => {
                if code == CloseCode::Slow {
                    tracing::info!("closed a session that does not read");
                }
                let reason = serde_json::to_string(&code.reason(retry_after_ms))
                    .expect("a word and a number always serialise");
                (code.get(), reason)
            }
            End::Violation(code, reason) => (code, reason.to_owned()),
        };
        let frame = CloseFrame { code: WireCloseCode::from(code), reason: reason.into() };
        let goodbye = async {
            if self.stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
            if is_violation {
                // Boxed, so that its buffer doesn't stay with the task for the session's
                // life.
                Box::pin(discard(self.stream.get_mut())).await;
            }
        };
        // Whoever doesn't answer is dropped.
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

fn inbound(message: Option<Result<Message, SocketError>>) -> Result<Inbound, End> {
    match message {
        None | Some(Ok(Message::Close(_))) => Err(End::Gone),
        Some(Err(error)) => Err(end_of(&error)),
        Some(Ok(Message::Text(text))) => Ok(Inbound::Text(text)),
        Some(Ok(Message::Binary(_))) => Ok(Inbound::Binary),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
            Ok(Inbound::SignOfLife)
        }
    }
}

/// Waits for a write, but not for a peer that does not read.
async fn in_time(write: impl Future<Output = Result<(), SocketError>>) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(end_of(&error)),
        Err(_) => Err(End::Close(CloseCode::Slow, Some(RETRY_AFTER_MS))),
    }
}

fn end_of(error: &SocketError) -> End {
    match error {
        SocketError::Capacity(_) => End::Violation(1009, "frame too large"),
        SocketError::Utf8(_) => End::Violation(1007, "text that is not UTF-8"),
        SocketError::Protocol(_) => End::Violation(1002, "protocol error"),
        _ => End::Gone,
    }
}

/// The end of a session by drain, with a time to come back that differs from session
/// to session.
pub(super) fn drain_end(session: u64) -> End {
    End::Close(CloseCode::Drain, Some(RETRY_AFTER_MS + session % RETURN_SPREAD_MS))
}

/// Ends our side and reads the peer's to its end. After a violation the library reads no
/// more; were the socket closed with something unread, the peer would be told of a reset
/// and perhaps never see our close frame.
async fn discard<S>(stream: &mut S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut discarded = [0; 4096];
    if stream.shutdown().await.is_ok() {
        while let Ok(1..) = stream.read(&mut discarded).await {}
    }
}
