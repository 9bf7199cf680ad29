//! TLS on both listeners, spoken by clients of another make.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use petrel_testkit::in_time;
use petrel_testkit::server::{Launcher, Server, Signal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{ALICE, BOB, launcher};

/// A client that trusts exactly one certificate, for `localhost`.
async fn connect(address: SocketAddr, trusted: &Path) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    Ok(in_time("a TLS handshake", handshake).await??)
}

async fn websocket(
    server: &Server,
    address: SocketAddr,
    trusted: &Path,
    token: &str,
) -> Result<WebSocketStream<TlsStream<TcpStream>>> {
    let stream = connect(address, trusted).await?;
    let url = format!("wss://localhost:{}/ws?v=1&token={token}", address.port());
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    let first = next(&mut socket).await?;
    assert_eq!(first["type"], "AUTH_OK", "{first} of {}", server.pid());
    Ok(socket)
}

async fn next(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> Result<serde_json::Value> {
    loop {
        let message = in_time("a frame", socket.next()).await?.context("the socket ended")??;
        if let Message::Text(text) = message {
            return Ok(serde_json::from_str(&text)?);
        }
    }
}

fn self_signed(data: &Path) -> PathBuf {
    data.join("secrets").join("self-signed.pem")
}

/// A certificate of another server's making.
async fn another_certificate() -> Result<(TempDir, PathBuf)> {
    let directory = TempDir::new()?;
    let launcher = launcher()?.argument("--tls").argument("self-signed");
    launcher.start().await?.stop(Signal::Interrupt).await?;
    let path = directory.path().join("pair.pem");
    fs::copy(self_signed(launcher.data()), &path)?;
    Ok((directory, path))
}

fn with_files(certificate: &Path, key: &Path) -> Result<Launcher> {
    let launcher = launcher()?.bench_issuer();
    let launcher = launcher.argument("--tls-certificate").argument(certificate);
    Ok(launcher.argument("--tls-key").argument(key))
}

#[tokio::test]
async fn two_users_talk_over_tls_with_a_self_signed_certificate() -> Result<()> {
    let launcher = launcher()?.bench_issuer().argument("--tls").argument("self-signed");
    let server = launcher.start().await?;
    let trusted = self_signed(server.data());
    assert_eq!(fs::metadata(&trusted)?.permissions().mode() & 0o777, 0o600);

    let mint = server.mint()?;
    // One on each listener.
    let (http, gateway) = (server.http_address(), server.gateway_address());
    let mut alice = websocket(&server, gateway, &trusted, &mint.token(ALICE)).await?;
    let mut bob = websocket(&server, http, &trusted, &mint.token(BOB)).await?;
    let send = format!(r#"{{"type":"SINGLE_CHAT","clientMsgId":"m","to":"{BOB}","body":"hello"}}"#);
    alice.send(Message::text(send)).await?;
    assert_eq!(next(&mut alice).await?["ackType"], "saved");
    assert_eq!(next(&mut bob).await?["body"], "hello");

    let mut stream = connect(http, &trusted).await?;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    in_time("an answer", stream.read_to_string(&mut answer)).await??;
    assert!(answer.ends_with(r#"{"status":"ok"}"#), "{answer}");

    // A restart shows the same certificate, and the fingerprint is told.
    let before = fs::read(&trusted)?;
    server.stop(Signal::Terminate).await?;
    let server = launcher.start().await?;
    assert_eq!(fs::read(&trusted)?, before);
    connect(server.gateway_address(), &trusted).await?;
    Ok(())
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_what_to_do() -> Result<()> {
    let server = launcher()?.argument("--tls").argument("self-signed").start().await?;
    let answer = server.http().get("/healthz").await?;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https://"), "{}", answer.body);
    Ok(())
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_dropping_anybody() -> Result<()> {
    let (directory, pair) = another_certificate().await?;
    let (_other_directory, other) = another_certificate().await?;
    let server = with_files(&pair, &pair)?.start().await?;
    let old = directory.path().join("old.pem");
    fs::copy(&pair, &old)?;
    let token = server.mint()?.token(ALICE);
    let mut alice = websocket(&server, server.gateway_address(), &old, &token).await?;

    // Half a file must not take the good certificate away.
    fs::write(&pair, "-----BEGIN CERTIFICATE-----\n")?;
    server.signal(Signal::Reload).await?;
    connect(server.gateway_address(), &old).await?;

    fs::copy(&other, &pair)?;
    server.signal(Signal::Reload).await?;
    let shown = async {
        while connect(server.gateway_address(), &other).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    in_time("the new certificate", shown).await?;
    assert!(connect(server.gateway_address(), &old).await.is_err(), "the old one is still shown");
    alice.send(Message::text(r#"{"type":"PING"}"#)).await?;
    assert_eq!(next(&mut alice).await?["type"], "PONG");

    // Without a signal, too.
    fs::copy(&old, &pair)?;
    let shown = async {
        while connect(server.gateway_address(), &old).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    in_time("the changed file to be noticed", shown).await?;
    Ok(())
}

#[tokio::test]
async fn certificates_that_are_of_no_use_keep_a_server_from_starting() -> Result<()> {
    let (directory, pair) = another_certificate().await?;
    let (_other_directory, other) = another_certificate().await?;
    let none = directory.path().join("none.pem");
    let empty = directory.path().join("empty.pem");
    fs::write(&empty, "")?;
    for (certificate, key, words) in [
        (&none, &pair, "none.pem"),
        (&empty, &pair, "holds no certificate"),
        (&pair, &empty, "holds no private key"),
        (&pair, &other, "don't fit together"),
    ] {
        let exit = with_files(certificate, key)?.start_and_fail().await?;
        assert_eq!(exit.code, Some(3), "{exit:?}");
        assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
        assert!(exit.stderr.contains(words), "{}", exit.stderr);
    }
    Ok(())
}
