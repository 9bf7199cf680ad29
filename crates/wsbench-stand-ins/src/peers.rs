//! WebSocket connections: how they are accepted and written to.

use std::collections::BTreeMap;

use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// Frames that may wait for one connection.
const WAITING_MAX: usize = 100_000;

/// Where to write to a connection. Dropping all of them closes it.
pub(crate) type Outbox = Sender<Message>;

/// The request by which a connection was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opening {
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What a connection says, and where to write to it.
pub(crate) struct Peer {
    pub(crate) opening: Opening,
    pub(crate) frames: SplitStream<WebSocketStream<TcpStream>>,
    pub(crate) outbox: Outbox,
}

/// Answers an upgrade. `judge` may refuse it with a status.
pub(crate) async fn accept(
    socket: TcpStream,
    judge: impl FnOnce(&Opening) -> Result<(), u16> + Unpin,
) -> Option<Peer> {
    // Without it, small frames wait for acknowledgements of the network.
    let _ = socket.set_nodelay(true);
    let mut opening = Opening::default();
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let look = |request: &Request, response: Response| {
        let query = request.uri().query().unwrap_or_default();
        opening.query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        opening.headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        match judge(&opening) {
            Ok(()) => Ok(response),
            Err(status) => {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = status.try_into().expect("a status");
                Err(refusal)
            }
        }
    };
    let stream = tokio_tungstenite::accept_hdr_async(socket, look).await.ok()?;
    let (sink, frames) = stream.split();
    let (outbox, waiting) = channel(WAITING_MAX);
    tokio::spawn(write(sink, waiting));
    Some(Peer { opening, frames, outbox })
}

async fn write(
    mut sink: futures_util::stream::SplitSink<WebSocketStream<TcpStream>, Message>,
    mut waiting: Receiver<Message>,
) {
    while let Some(message) = waiting.recv().await {
        let is_last = matches!(message, Message::Close(_));
        if sink.send(message).await.is_err() || is_last {
            break;
        }
    }
    // The other side may be gone already.
    let _ = sink.close().await;
}
