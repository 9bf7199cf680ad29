//! The socket of a session: writing in time, and saying goodbye.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use petrel_logic::refusal::RETRY_AFTER_MS;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{RequestId, ServerFrame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WireCloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use crate::metrics;

/// How long a write may make no progress before the peer counts as too slow.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the peer may take to return our close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Clients sent away by a drain come back spread over this many milliseconds.
const RETURN_SPREAD_MS: u64 = 5_000;

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

impl End {
    /// The word by which it is counted.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Gone => metrics::GONE,
            Self::Close(code, _) => code.as_str(),
            Self::Violation(..) => metrics::VIOLATION,
        }
    }
}

/// The next text frame, passing over pings and pongs.
pub(super) async fn next_text<S>(socket: &mut WebSocketStream<S>) -> Result<Utf8Bytes, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => return Err(end_of(&error)),
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Binary(_))) => {
                return Err(End::Violation(1003, "text frames only"));
            }
            Some(Ok(_)) => {}
        }
    }
}

pub(super) async fn send<S>(
    socket: &mut WebSocketStream<S>,
    frame: &ServerFrame,
    id: Option<&RequestId>,
) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    feed(socket, frame.encode(id).into()).await?;
    in_time(socket.flush()).await
}

pub(super) async fn feed<S>(socket: &mut WebSocketStream<S>, text: Utf8Bytes) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    in_time(socket.feed(Message::Text(text))).await
}

/// Waits for a write, but not for a peer that does not read.
pub(super) async fn in_time(
    write: impl Future<Output = Result<(), SocketError>>,
) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(end_of(&error)),
        Err(_) => Err(End::Close(CloseCode::Slow, Some(RETRY_AFTER_MS))),
    }
}

pub(super) fn end_of(error: &SocketError) -> End {
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

/// Says goodbye, if there is somebody to say it to, and waits briefly for the echo.
pub(super) async fn close<S>(socket: &mut WebSocketStream<S>, end: End)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let is_violation = matches!(end, End::Violation(..));
    let (code, reason) = match end {
        End::Gone => {
            // Completes the peer's close handshake, if it began one.
            let _ = timeout(CLOSE_TIMEOUT, socket.flush()).await;
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
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
        if is_violation {
            // Boxed, so that its buffer doesn't stay with the task for the session's life.
            Box::pin(discard(socket.get_mut())).await;
        }
    };
    // Whoever doesn't answer is dropped.
    let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
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
