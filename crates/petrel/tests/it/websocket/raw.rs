//! A client that writes and reads bytes, and shares no code with any codec.

use anyhow::{Context, Result, ensure};
use petrel_testkit::PATIENCE;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// A connection after its upgrade.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A masked frame of any first byte (FIN, RSV bits and opcode), its length in the
/// shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = header(first, 0x80, payload.len());
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The same without a mask, which only servers may send.
pub(crate) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0, payload.len());
    bytes.extend(payload);
    bytes
}

fn header(first: u8, mask: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    if length < 126 {
        bytes.push(mask | length as u8);
    } else if length < 65_536 {
        bytes.push(mask | 126);
        bytes.extend((length as u16).to_be_bytes());
    } else {
        bytes.push(mask | 127);
        bytes.extend((length as u64).to_be_bytes());
    }
    bytes
}

impl Raw {
    /// Connects as a load-test user and reads AUTH_OK.
    pub(crate) async fn open(server: &Server, user: UserId) -> Result<Self> {
        let token = server.mint()?.token(user);
        let request = upgrade_request(&format!("/ws?v=1&token={token}"));
        let mut raw = Self::send_request(server, request.as_bytes()).await?;
        let head = raw.head().await?.context("no answer to the upgrade")?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "no upgrade: {head}");
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        ensure!(head.to_ascii_lowercase().contains(&accept.to_ascii_lowercase()), "{head}");
        ensure!(!head.to_ascii_lowercase().contains("sec-websocket-extensions"), "{head}");
        let first = raw.frame().await?.context("no AUTH_OK")?;
        ensure!(String::from_utf8_lossy(&first.payload).contains("AUTH_OK"), "{first:?}");
        Ok(raw)
    }

    /// Connects to the gateway port and says this, whatever it is.
    pub(crate) async fn send_request(server: &Server, request: &[u8]) -> Result<Self> {
        let stream = TcpStream::connect(server.gateway_address()).await?;
        stream.set_nodelay(true)?;
        let mut raw = Self { stream, unread: Vec::new() };
        raw.write(request).await?;
        Ok(raw)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.context("a write")??;
        Ok(())
    }

    /// The head of an HTTP answer; none if the server closed instead.
    pub(crate) async fn head(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return Ok(Some(String::from_utf8(head)?));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// The same, by a server that may take its time.
    pub(crate) async fn head_at_last(&mut self) -> Result<Option<String>> {
        self.stream.readable().await?;
        self.head().await
    }

    /// The next frame; none if the server closed the connection.
    pub(crate) async fn frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some((frame, length)) = parse(&self.unread) {
                self.unread.drain(..length);
                return Ok(Some(frame));
            }
            if !self.read().await? {
                ensure!(self.unread.is_empty(), "the connection ended inside a frame");
                return Ok(None);
            }
        }
    }

    /// Reads more; false at the end of the stream. A reset is an error.
    async fn read(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer));
        let count = read.await.context("waited for the server to say something")??;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

/// The request of RFC 6455 §1.3, whose accept key is known.
pub(crate) fn upgrade_request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    )
}

/// A server's frame at the beginning of these bytes, and its length.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, start) = match short {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 10),
        // A masked frame from a server shows as a length that never comes.
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    Some((Frame { first, payload }, start + length))
}
