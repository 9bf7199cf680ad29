//! Accepting connections and serving HTTP/1.1 on them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many connections may wait to be accepted. The kernel caps it at
/// `net.core.somaxconn`, 4096 on current systems.
const BACKLOG: u32 = 4096;

/// How long a peer may take to send a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a record of type handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// What a peer is told that speaks plain HTTP where TLS is spoken.
const NEEDS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    content-length: 58\r\nconnection: close\r\n\r\n\
    TLS is spoken here: connect with https:// or with wss://.\n";

/// How long to wait before accepting again when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds a listener.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart must not wait for the last run's connections to leave TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until told to stop. Connections under way are finished by their own tasks,
/// which `connections` tracks.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Router,
    stopping: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small frames must not wait for each other's acknowledgement.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection went away at once");
                    continue;
                }
                let (routes, stopping) = (routes.clone(), stopping.clone());
                match tls.clone() {
                    None => connections.spawn(serve_connection(stream, peer, routes, stopping)),
                    Some(tls) => {
                        connections.spawn(serve_encrypted(stream, peer, tls, routes, stopping))
                    }
                };
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept connections; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_encrypted(
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
    routes: Router,
    stopping: CancellationToken,
) {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1
            && first[0].is_ascii_uppercase()
            && first[0] != HANDSHAKE
        {
            stream.write_all(NEEDS_TLS).await?;
            return Err(io::Error::other("plain HTTP where TLS is spoken"));
        }
        tls.accept(stream).await
    };
    // Boxed, as it is large and soon over.
    match timeout(HANDSHAKE_TIMEOUT, Box::pin(handshake)).await {
        Ok(Ok(stream)) => serve_connection(stream, peer, routes, stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Serves one connection. Handlers find `peer` as [`ConnectInfo`].
pub(crate) async fn serve_connection<S, P>(
    stream: S,
    peer: P,
    routes: Router,
    stopping: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send + Sync + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let routes = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), routes)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Errors that concern only the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
