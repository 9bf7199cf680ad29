//! The socket of a session: what the peer says, and writing in time.
//!
//! The rest of the gateway knows no WebSocket codec, only this; nothing here knows what
//! a text means. It is made for very many connections that are idle most of the time: a
//! socket that waits owns no buffer. All sockets of a thread are read into one buffer of
//! the thread, and what is to be written is put together in another (decision 0006).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use petrel_logic::admission::RETURN_SPREAD_MS;
use petrel_logic::refusal::RETRY_AFTER_MS;
use petrel_protocol::close::CloseCode;
use petrel_types::limits::FRAME_BYTES_MAX;
use petrel_websocket::{
    Decoder, Message, Opcode, ProtocolError, Role, close_payload, encode, encode_header,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// How long a write may make no progress once the node drains.
const DRAIN_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long the peer may take to return our close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The same for one that reads slowly: our close frame is behind all that it has not read.
const SLOW_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// When this much is queued it is written without waiting for the flush.
const WRITE_BYTES: usize = 16 * 1024;

/// A text of this size is written from where it is: its copy would cost more than
/// another slice in the system call.
const LARGE_TEXT_BYTES: usize = 4 * 1024;

/// A text that is encoded once and shared by all who receive it.
pub(crate) type Text = Arc<str>;

/// What the peer said.
#[derive(Debug)]
pub(super) enum Inbound {
    /// A text message.
    Text(String),
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

thread_local! {
    /// What every socket of this thread is read into.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
    /// An empty buffer for the next socket of this thread that has something to write.
    static SPARE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// The server's side of an upgraded connection. `early` is what the peer sent
    /// without waiting for the answer to its upgrade. A write that makes no progress for
    /// `write_timeout` is given up, and soon, once `draining` is cancelled.
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

    /// Waits for what the peer says next. May be given up at any time; nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Inbound, End> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// What the peer says next, if it has arrived.
    pub(super) fn try_next(&mut self) -> Option<Result<Inbound, End>> {
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

    /// Queues a text for the next flush; writes if much is queued already.
    pub(super) async fn feed(&mut self, text: &str) -> Result<(), End> {
        if text.len() < LARGE_TEXT_BYTES {
            encode(outgoing(&mut self.outgoing), Opcode::Text, text.as_bytes(), None);
            if self.outgoing.len() < WRITE_BYTES {
                return Ok(());
            }
            return self.write_queued(&[]).await;
        }
        encode_header(outgoing(&mut self.outgoing), Opcode::Text, text.len(), None);
        self.write_queued(text.as_bytes()).await
    }

    /// Queues a ping for the next flush.
    pub(super) fn ping(&mut self) {
        encode(outgoing(&mut self.outgoing), Opcode::Ping, &[], None);
    }

    /// Writes everything that is queued.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.write_queued(&[]).await?;
        if !self.is_unflushed {
            return Ok(());
        }
        in_time(self.draining.as_ref(), self.write_timeout, self.stream.flush())
            .await?
            .map_err(|_| End::Gone)?;
        self.is_unflushed = false;
        Ok(())
    }

    /// Writes what is queued and then `more`, in as few system calls as it takes. What
    /// is left of `more` when that fails is queued, so that no frame is cut.
    async fn write_queued(&mut self, mut more: &[u8]) -> Result<(), End> {
        if self.outgoing.is_empty() && more.is_empty() {
            return Ok(());
        }
        while self.written < self.outgoing.len() || !more.is_empty() {
            let (stream, queued) = (&mut self.stream, &self.outgoing[self.written..]);
            let write = poll_fn(|context| poll_write(stream, queued, more, context));
            let count = match in_time(self.draining.as_ref(), self.write_timeout, write).await {
                Ok(Ok(count @ 1..)) => count,
                Ok(_) => return Err(End::Gone),
                Err(too_slow) => {
                    self.outgoing.extend_from_slice(more);
                    return Err(too_slow);
                }
            };
            let queued = count.min(self.outgoing.len() - self.written);
            self.written += queued;
            self.is_unflushed = true;
            more = &more[count - queued..];
        }
        self.written = 0;
        self.outgoing.clear();
        // If another socket of this thread has left one, one of them is enough.
        SPARE_BUFFER.set(std::mem::take(&mut self.outgoing));
        Ok(())
    }

    /// Says goodbye, if there is somebody to say it to, and waits briefly for the peer's.
    pub(super) async fn close(&mut self, end: End) {
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

    /// Reads the peer's side to its end.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
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

const TOO_SLOW: End = End::Close(CloseCode::Slow, Some(RETRY_AFTER_MS));

/// The end of a session of which nothing is heard.
pub(super) const IDLE: End = End::Close(CloseCode::Idle, Some(RETRY_AFTER_MS));

fn poll_write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    queued: &[u8],
    more: &[u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    if more.is_empty() {
        stream.poll_write(context, queued)
    } else {
        let slices = [IoSlice::new(queued), IoSlice::new(more)];
        stream.poll_write_vectored(context, if queued.is_empty() { &slices[1..] } else { &slices })
    }
}

/// Waits until a write makes progress, for as long as a peer may take.
async fn in_time<T>(
    draining: Option<&CancellationToken>,
    write_timeout: Duration,
    write: impl Future<Output = T>,
) -> Result<T, End> {
    let mut write = pin!(write);
    // Nearly always there is room; what it takes to wait is not part of every session.
    match poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await {
        Poll::Ready(written) => Ok(written),
        Poll::Pending => Box::pin(patiently(draining, write_timeout, write)).await,
    }
}

async fn patiently<T>(
    draining: Option<&CancellationToken>,
    write_timeout: Duration,
    write: Pin<&mut impl Future<Output = T>>,
) -> Result<T, End> {
    let drained = async {
        match draining {
            Some(draining) => draining.cancelled().await,
            None => std::future::pending().await,
        }
        sleep(DRAIN_WRITE_TIMEOUT).await;
    };
    tokio::select! {
        biased;
        written = write => Ok(written),
        () = sleep(write_timeout) => Err(TOO_SLOW),
        () = drained => Err(TOO_SLOW),
    }
}

/// The queue of a socket, with the thread's spare buffer if it has none of its own.
fn outgoing(outgoing: &mut Vec<u8>) -> &mut Vec<u8> {
    if outgoing.capacity() == 0 {
        *outgoing = SPARE_BUFFER.take();
    }
    outgoing
}

fn violation(error: ProtocolError) -> End {
    let reason = match error {
        ProtocolError::TooLarge => "frame too large",
        ProtocolError::Utf8 => "text that is not UTF-8",
        _ => "protocol error",
    };
    End::Violation(error.close_code(), reason)
}

/// The end of a session by drain, with a time to come back that differs from session
/// to session.
pub(super) fn drain_end(session: u64) -> End {
    End::Close(CloseCode::Drain, Some(RETRY_AFTER_MS + session % RETURN_SPREAD_MS))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

    /// A masked frame, its header written by hand.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        assert!(payload.len() < 126);
        let key = [7, 0, 255, 1];
        let masked = payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        [first, 0x80 | payload.len() as u8].into_iter().chain(key).chain(masked).collect()
    }

    fn pair(room: usize) -> (Socket<DuplexStream>, DuplexStream) {
        let (ours, peers) = duplex(room);
        (Socket::new(ours, &[], CancellationToken::new(), WRITE_TIMEOUT), peers)
    }

    fn text(next: Result<Inbound, End>) -> String {
        match next {
            Ok(Inbound::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_came_with_the_upgrade_is_read_first() {
        let (ours, mut peer) = duplex(1024);
        let first = frame(0x81, b"first");
        let (early, late) = first.split_at(4);
        let mut socket = Socket::new(ours, early, CancellationToken::new(), WRITE_TIMEOUT);
        assert!(socket.try_next().is_none());
        peer.write_all(&[late, &frame(0x81, b"second")].concat()).await.unwrap();
        assert_eq!(text(socket.next().await), "first");
        assert_eq!(text(socket.try_next().unwrap()), "second");
        assert!(socket.try_next().is_none());

        let (ours, _peer) = duplex(1024);
        let mut socket = Socket::new(ours, &first, CancellationToken::new(), WRITE_TIMEOUT);
        assert_eq!(text(socket.next().await), "first");
    }

    #[tokio::test]
    async fn a_waiting_socket_owns_no_buffer() {
        let (mut socket, mut peer) = pair(1 << 20);
        for round in 0..3 {
            let burst: Vec<u8> = (0..1000).flat_map(|_| frame(0x81, b"hello")).collect();
            peer.write_all(&burst).await.unwrap();
            for _ in 0..1000 {
                let text = text(socket.next().await);
                socket.feed(&text).await.unwrap();
            }
            socket.flush().await.unwrap();
            assert!(socket.try_next().is_none());
            assert_eq!((socket.outgoing.capacity(), socket.decoder.bytes_held()), (0, 0));
            let mut echoes = vec![0; 1000 * 7];
            peer.read_exact(&mut echoes).await.unwrap();
            assert!(echoes.chunks(7).all(|echo| echo == b"\x81\x05hello"), "round {round}");
        }
    }

    #[tokio::test]
    async fn large_texts_and_small_ones_keep_their_order_through_a_narrow_pipe() {
        let (mut socket, mut peer) = pair(1000);
        let lengths = [10, LARGE_TEXT_BYTES, 20, 60_000, 70_000, 1, LARGE_TEXT_BYTES - 1];
        let writing = tokio::spawn(async move {
            for (number, length) in lengths.into_iter().enumerate() {
                socket.feed(&number.to_string().repeat(length)).await.unwrap();
            }
            socket.flush().await.unwrap();
        });
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        writing.await.unwrap();
        let mut decoder = Decoder::new(Role::Client, 1 << 20);
        let mut texts = Vec::new();
        let on = |message: Message<'_>| {
            match message {
                Message::Text(text) => texts.push(text.to_owned()),
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        };
        decoder.feed(&mut all, on).unwrap();
        let expected: Vec<_> = (0..).zip(lengths).map(|(n, l)| n.to_string().repeat(l)).collect();
        assert!(texts == expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_too_slow_and_one_that_reads_little_is_not() {
        let (mut socket, mut peer) = pair(100);
        let large = "x".repeat(10 * LARGE_TEXT_BYTES);
        let (fed, ()) = tokio::join!(socket.feed(&large), async {
            let mut some = [0; 50];
            for _ in 0..10 {
                tokio::time::sleep(WRITE_TIMEOUT - Duration::from_millis(1)).await;
                peer.read_exact(&mut some).await.unwrap();
            }
        });
        assert!(matches!(fed, Err(End::Close(CloseCode::Slow, _))));

        // The frame that was cut is finished before anything else is said.
        let end = fed.unwrap_err();
        let (_, rest) = tokio::join!(
            async {
                socket.close(end).await;
                drop(socket);
            },
            async {
                let mut rest = Vec::new();
                peer.read_to_end(&mut rest).await.unwrap();
                rest
            }
        );
        let close = rest.len() + 500 - (large.len() + 4);
        let goodbye = &rest[rest.len() - close..];
        assert_eq!(goodbye[..2], [0x88, close as u8 - 2]);
        assert_eq!(u16::from_be_bytes([goodbye[2], goodbye[3]]), CloseCode::Slow.get());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_is_noticed_while_a_write_is_blocked() {
        let (ours, mut peer) = duplex(100);
        let draining = CancellationToken::new();
        let mut socket = Socket::new(ours, &[], draining.clone(), WRITE_TIMEOUT);
        let large = "x".repeat(10 * LARGE_TEXT_BYTES);
        let begin = tokio::time::Instant::now();
        let (fed, ()) = tokio::join!(socket.feed(&large), async {
            sleep(Duration::from_secs(1)).await;
            draining.cancel();
        });
        assert!(matches!(fed, Err(End::Close(CloseCode::Slow, _))));
        assert_eq!(begin.elapsed(), Duration::from_secs(1) + DRAIN_WRITE_TIMEOUT);

        // A peer that reads after all is told why, behind what was under way.
        let (_, said) = tokio::join!(
            async {
                socket.close(drain_end(7)).await;
                drop(socket);
            },
            async {
                sleep(2 * DRAIN_WRITE_TIMEOUT).await;
                let mut said = Vec::new();
                peer.read_to_end(&mut said).await.unwrap();
                said
            }
        );
        let goodbye = &said[4 + large.len()..];
        assert_eq!(goodbye[0], 0x88);
        assert_eq!(u16::from_be_bytes([goodbye[2], goodbye[3]]), CloseCode::Drain.get());
    }

    #[tokio::test]
    async fn a_stream_that_holds_back_is_flushed_whatever_was_written() {
        for text in ["small".to_owned(), "x".repeat(LARGE_TEXT_BYTES)] {
            let (ours, mut peer) = duplex(1 << 20);
            let buffered = tokio::io::BufWriter::with_capacity(1 << 20, ours);
            let mut socket = Socket::new(buffered, &[], CancellationToken::new(), WRITE_TIMEOUT);
            socket.feed(&text).await.unwrap();
            socket.flush().await.unwrap();
            let mut first = [0];
            peer.read_exact(&mut first).await.unwrap();
            assert_eq!(first, [0x81]);
        }
    }

    #[tokio::test]
    async fn a_goodbye_is_returned_and_nothing_after_it_is_heard() {
        let (mut socket, mut peer) = pair(1024);
        let said = [frame(0x89, b"p"), frame(0x88, &[3, 232, b'x']), frame(0x81, b"late")].concat();
        peer.write_all(&said).await.unwrap();
        assert!(matches!(socket.next().await, Ok(Inbound::SignOfLife)));
        for _ in 0..2 {
            assert!(matches!(socket.next().await, Err(End::Gone)));
        }
        let closing = tokio::spawn(async move { socket.close(End::Gone).await });
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [0x8a, 1, b'p', 0x88, 2, 3, 232]);
        drop(peer);
        closing.await.unwrap();
    }

    #[tokio::test]
    async fn a_violation_is_told_with_its_code() {
        let cases: [(&[u8], u16); 3] = [
            (&frame(0xc1, b""), 1002),
            (&frame(0x81, &[0xff]), 1007),
            (&[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 1009),
        ];
        for (bytes, code) in cases {
            let (mut socket, mut peer) = pair(1024);
            peer.write_all(bytes).await.unwrap();
            // 65,535 bytes are allowed, but not on top of a fragment.
            if code == 1009 {
                socket.decoder = Decoder::new(Role::Server, 1000);
            }
            let end = socket.next().await.unwrap_err();
            let closing = tokio::spawn(async move { socket.close(end).await });
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
            assert_eq!((answer[0], u16::from_be_bytes([answer[2], answer[3]])), (0x88, code));
            drop(peer);
            closing.await.unwrap();
        }
    }
}
