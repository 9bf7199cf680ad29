//! A very small HTTP/1.1 server: one request after the other on each connection, JSON in
//! and out.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) bearer: Option<String>,
    pub(crate) body: Value,
}

/// Answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    fn answer(&self, request: &Request) -> (u16, Value);
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, site: Arc<impl Site>) -> std::io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let site = site.clone();
        tokio::spawn(async move {
            // Who hangs up in the middle gets no answer.
            let _ = connection(socket, &*site).await;
        });
    }
}

async fn connection(mut socket: TcpStream, site: &impl Site) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let (mut received, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        while let Some((request, length)) = read(&received) {
            received.drain(..length);
            let (status, body) = site.answer(&request);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        }
        let read = socket.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        received.extend_from_slice(&buffer[..read]);
    }
}

fn read(bytes: &[u8]) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes).ok()? else { return None };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let body = bytes.get(start..start + length)?;
    let bearer = header("authorization").and_then(|text| text.strip_prefix("Bearer "));
    let request = Request {
        method: head.method?.to_owned(),
        path: head.path?.to_owned(),
        bearer: bearer.map(str::to_owned),
        body: serde_json::from_slice(body).unwrap_or_default(),
    };
    Some((request, start + length))
}
