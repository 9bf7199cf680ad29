//! Reading out the body of a request that was refused before it had all come.
//!
//! A server that answers and closes while its peer still sends resets the connection,
//! and the answer may be lost with it: the peer would not learn why it was refused, and
//! would try again. So what still comes is read and dropped before the answer is given,
//! within bounds (RFC 9112 §9.6 on closing in stages; the bounds are like those of nginx's
//! `lingering_close`).

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::stream::poll_fn;
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

/// So much is read for nothing: what a well-meaning client sends in one request.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long the next bytes may take.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long it may take as a whole.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Layer of routes that take more than a few bytes.
pub(crate) async fn read_out(request: Request, next: Next) -> Response {
    // Who waits to be told to go on has sent nothing yet.
    if request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let rest = Rest(Arc::new(Mutex::new(body.into_data_stream())));
    let body = Body::from_stream(rest.clone().into_stream());
    let response = next.run(Request::from_parts(head, body)).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        // What does not come in time is left to the connection's end.
        let _ = timeout(TIME_MAX, rest.drop_all()).await;
    }
    response
}

/// What has not been read yet. The handler reads it first; nobody else does meanwhile.
#[derive(Clone)]
struct Rest(Arc<Mutex<BodyDataStream>>);

impl Rest {
    fn into_stream(self) -> impl Stream<Item = <BodyDataStream as Stream>::Item> {
        poll_fn(move |context| {
            let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            body.poll_next_unpin(context)
        })
    }

    async fn drop_all(self) {
        let mut rest = pin!(self.into_stream());
        let mut read = 0;
        while let Ok(Some(Ok(bytes))) = timeout(PAUSE_MAX, rest.next()).await
            && read < BYTES_MAX
        {
            read += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Bytes;
    use futures_util::stream::repeat_with;

    use super::*;

    #[tokio::test]
    async fn what_still_comes_is_read_within_bounds() {
        const PIECE: usize = 1024 * 1024;
        for (pieces, read) in [(3, 3), (1_000, BYTES_MAX / PIECE)] {
            let taken = Arc::new(AtomicUsize::new(0));
            let pieces_taken = Arc::clone(&taken);
            let body = repeat_with(move || {
                pieces_taken.fetch_add(1, Ordering::Relaxed);
                Ok::<_, std::io::Error>(Bytes::from_static(&[0; PIECE]))
            });
            let body = Body::from_stream(body.take(pieces)).into_data_stream();
            Rest(Arc::new(Mutex::new(body))).drop_all().await;
            let taken = taken.load(Ordering::Relaxed);
            // One more may have been looked at.
            assert!((read..=read + 1).contains(&taken), "{taken} of {pieces}");
        }
    }
}
