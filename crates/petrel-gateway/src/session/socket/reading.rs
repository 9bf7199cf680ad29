//! What the peer says: bytes become messages.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use petrel_websocket::{Message, Opcode, encode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Socket;
use super::ending::{End, violation};
use super::writing::outgoing;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What the peer said.
#[derive(Debug)]
pub(in crate::session) enum Inbound {
    /// A text message.
    Text(String),
    /// A binary message, which is not spoken here.
    Binary,
    /// A ping, whose pong goes out with the next flush, or a pong.
    SignOfLife,
}

thread_local! {
    /// What every socket of this thread is read into.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Waits for what the peer says next. May be given up at any time; nothing is lost.
    pub(in crate::session) async fn next(&mut self) -> Result<Inbound, End> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// What the peer says next, if it has arrived.
    pub(in crate::session) fn try_next(&mut self) -> Option<Result<Inbound, End>> {
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Inbound, End>> {
        loop {
            if self.is_over {
                return Poll::Ready(Err(End::Gone));
            }
            let next = if self.decoder.has_bytes() {
                self.decode(&mut [])
            } else {
                ready!(self.poll_read(context))
            };
            if let Some(next) = next.transpose() {
                return Poll::Ready(next);
            }
        }
    }

    /// One read, and the first message that is complete with it.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Inbound>, End>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    Poll::Ready(self.decode(buffer.filled_mut()))
                }
                // The end of the stream.
                _ => {
                    self.is_over = true;
                    Poll::Ready(Err(End::Gone))
                }
            }
        })
    }

    /// The next message in what was read, if it is complete. Further ones are kept.
    fn decode(&mut self, bytes: &mut [u8]) -> Result<Option<Inbound>, End> {
        let mut next = Ok(None);
        let decoded = self.decoder.feed(bytes, |message| {
            next = match message {
                Message::Text(text) => Ok(Some(Inbound::Text(text.to_owned()))),
                Message::Binary(_) => Ok(Some(Inbound::Binary)),
                Message::Ping(payload) => {
                    encode(outgoing(&mut self.outgoing), Opcode::Pong, payload, None);
                    Ok(Some(Inbound::SignOfLife))
                }
                Message::Pong(_) => Ok(Some(Inbound::SignOfLife)),
                Message::Close(code, _) => {
                    let echo = code.map(u16::to_be_bytes);
                    let echo = echo.as_ref().map_or(&[][..], |code| code);
                    encode(outgoing(&mut self.outgoing), Opcode::Close, echo, None);
                    self.is_over = true;
                    Err(End::Gone)
                }
            };
            ControlFlow::Break(())
        });
        match decoded {
            Ok(()) => next,
            Err(error) => {
                self.is_over = true;
                Err(violation(error))
            }
        }
    }

    /// Reads the peer's side to its end.
    pub(super) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
    }
}
