//! The page that Prometheus reads while a run goes on: `GET /metrics`.
//!
//! One thread answers one request after the other, each within its time. A run must not
//! depend on who reads it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a reader has to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 8192;

/// The page and who serves it.
pub(super) struct Endpoint {
    address: SocketAddr,
    page: Arc<Mutex<String>>,
    is_over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens. Port 0 is any that is free.
    pub(super) fn start(address: SocketAddr) -> Result<Self, String> {
        let wrong = |error| format!("can't listen on {address} for --prometheus: {error}");
        let listener = TcpListener::bind(address).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let (page, is_over) =
            (Arc::new(Mutex::new(String::new())), Arc::new(AtomicBool::new(false)));
        let (shared, over) = (page.clone(), is_over.clone());
        let server = thread::Builder::new().name("prometheus".to_owned()).spawn(move || {
            for socket in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // A reader that fails tries again by itself.
                let _ = socket.and_then(|socket| answer(socket, &shared));
            }
        });
        Ok(Self { address, page, is_over, server: Some(server.map_err(wrong)?) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the page.
    pub(super) fn publish(&self, page: String) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread; if it is gone already there is nobody to wake.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn answer(mut socket: TcpStream, page: &Mutex<String>) -> std::io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match socket.read(&mut part)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&part[..count]),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            ("200 OK", page.lock().unwrap_or_else(PoisonError::into_inner).clone())
        }
        ("GET" | "HEAD", _) => ("404 Not Found", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes())?;
    if method != "HEAD" {
        socket.write_all(body.as_bytes())?;
    }
    socket.flush()
}
