//! A WebSocket server that only sends back what it gets: what the generator measures
//! itself against. It runs in a thread of its own and costs as little as a server can.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use petrel_websocket::{Decoder, Message, Opcode, Role, encode, handshake};

const LISTENER: Token = Token(usize::MAX);
const MESSAGE_BYTES_MAX: u32 = 1 << 20;

/// A running sink; it ends when it is dropped.
#[derive(Debug)]
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

struct Peer {
    socket: TcpStream,
    decoder: Decoder,
    head: Option<Vec<u8>>,
    out: Vec<u8>,
    is_over: bool,
}

impl Sink {
    /// Starts a sink on a free port of 127.0.0.1.
    pub fn start() -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a sink on `address`; with port 0, on a free port.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn({
            let stop = stop.clone();
            move || serve(poll, listener, &stop)
        })?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Whether it has ended by itself, which is a failure.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, and says how many connections it has had.
    pub fn finish(mut self) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        let served = thread.map(|thread| thread.join().expect("the sink does not panic"));
        served.unwrap_or(Ok(0))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its figures are taken from the other side.
            let _ = thread.join();
        }
    }
}

fn serve(mut poll: Poll, listener: TcpListener, stop: &AtomicBool) -> io::Result<u64> {
    let mut events = Events::with_capacity(1024);
    let mut peers: HashMap<usize, Peer> = HashMap::new();
    let mut next = 0;
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(50))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(next), interest)?;
                    let decoder = Decoder::new(Role::Server, MESSAGE_BYTES_MAX);
                    let peer = Peer {
                        socket,
                        decoder,
                        head: Some(Vec::new()),
                        out: Vec::new(),
                        is_over: false,
                    };
                    peers.insert(next, peer);
                    next += 1;
                }
                continue;
            }
            let Some(peer) = peers.get_mut(&event.token().0) else { continue };
            if peer.turn(&mut buffer).is_err() || peer.is_over {
                peers.remove(&event.token().0);
            }
        }
    }
    Ok(next as u64)
}

impl Peer {
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => {
                    self.take(&mut buffer[..bytes])?;
                    if bytes < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }

    fn take(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let Some(head) = &mut self.head else {
            return self.echo(bytes);
        };
        head.extend_from_slice(bytes);
        if let Some((key, length)) = handshake::read_request(head).map_err(io::Error::other)? {
            let mut rest = head.split_off(length);
            handshake::write_consent(&mut self.out, &key);
            self.head = None;
            return self.echo(&mut rest);
        }
        Ok(())
    }

    fn echo(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let (out, is_over) = (&mut self.out, &mut self.is_over);
        self.decoder
            .feed(bytes, |message| {
                match message {
                    Message::Text(text) => encode(out, Opcode::Text, text.as_bytes(), None),
                    Message::Binary(bytes) => encode(out, Opcode::Binary, bytes, None),
                    Message::Ping(bytes) => encode(out, Opcode::Pong, bytes, None),
                    Message::Pong(_) => {}
                    Message::Close(..) => *is_over = true,
                }
                ControlFlow::Continue(())
            })
            .map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.socket.write(&self.out[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if written == self.out.len() {
            self.out = Vec::new();
        } else {
            self.out.drain(..written);
        }
        Ok(())
    }
}
