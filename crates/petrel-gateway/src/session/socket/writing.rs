//! Writing in time: frames are queued, written together, and given up when they make no
//! progress.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use petrel_websocket::{Opcode, encode, encode_header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Socket;
use super::ending::{End, TOO_SLOW};

/// How long a write may make no progress once the node drains.
pub(super) const DRAIN_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// When this much is queued it is written without waiting for the flush.
const WRITE_BYTES: usize = 16 * 1024;

/// A text of this size is written from where it is: its copy would cost more than
/// another slice in the system call.
pub(super) const LARGE_TEXT_BYTES: usize = 4 * 1024;

thread_local! {
    /// An empty buffer for the next socket of this thread that has something to write.
    static SPARE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<S> Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Queues a text for the next flush; writes if much is queued already.
    pub(in crate::session) async fn feed(&mut self, text: &str) -> Result<(), End> {
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
    pub(in crate::session) fn ping(&mut self) {
        encode(outgoing(&mut self.outgoing), Opcode::Ping, &[], None);
    }

    /// Writes everything that is queued.
    pub(in crate::session) async fn flush(&mut self) -> Result<(), End> {
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
}

/// The queue of a socket, with the thread's spare buffer if it has none of its own.
pub(super) fn outgoing(outgoing: &mut Vec<u8>) -> &mut Vec<u8> {
    if outgoing.capacity() == 0 {
        *outgoing = SPARE_BUFFER.take();
    }
    outgoing
}

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
