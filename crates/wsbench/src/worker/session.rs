//! One connection.

use std::collections::VecDeque;
use std::io;

use petrel_websocket::{Decoder, Role};

use super::socket::Socket;
use crate::clock::Nanos;

/// The largest message that is accepted from a server, in bytes.
const MESSAGE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not there, and nothing is planned.
    Off,
    /// Not there, and to be dialled at some time.
    Waiting,
    /// TCP.
    Connecting,
    /// TLS and HTTP.
    Upgrading,
    /// Waiting for the server to confirm the login.
    LoggingIn,
    /// It stands.
    Live,
    /// All attempts failed.
    Failed,
}

/// How a connection reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What there is, at once.
    Fast,
    /// One message at a time, with pauses.
    Slow,
    /// Not at all.
    Deaf,
}

/// What is to be done for a session after its bytes have been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Todo {
    /// The login stands.
    pub(super) ready: bool,
    /// An answer came: there is room for another message.
    pub(super) room: bool,
    /// What was asked for the group has been done.
    pub(super) group_step: bool,
    /// A page of history came; whether another follows.
    pub(super) page: Option<bool>,
    /// The server announced a gap.
    pub(super) gap: bool,
    /// The login was refused.
    pub(super) refused: bool,
}

/// Opening a connection.
#[derive(Debug)]
pub(super) struct Dialing {
    /// The `Sec-WebSocket-Key`.
    pub(super) key: String,
    /// The server's answer so far.
    pub(super) head: Vec<u8>,
    /// When it has taken too long.
    pub(super) deadline: Nanos,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) socket: Option<Socket>,
    pub(super) decoder: Decoder,
    /// What could not be written yet.
    pub(super) out: Vec<u8>,
    pub(super) dialing: Option<Box<Dialing>>,
    /// Messages to be sent again, in order.
    #[expect(
        clippy::box_collection,
        reason = "rarely there, and sessions are many: 8 bytes, not 32"
    )]
    pub(super) again: Option<Box<VecDeque<u32>>>,
    /// When it was meant to be dialled; for one that came back, when it was lost.
    pub(super) since: Nanos,
    /// When dialling began; later, when it was logged in.
    pub(super) began: Nanos,
    pub(super) last_heard: Nanos,
    /// Since when the socket takes nothing of what waits; 0 if it does.
    pub(super) stuck: Nanos,
    /// The last ping: when it was due, and when it was written, in µs since the origin.
    pub(super) ping: (u64, u64),
    /// The last pong's ping.
    pub(super) pong: u64,
    /// The server's number of the last message that was pushed.
    pub(super) place: u64,
    pub(super) attempts: u32,
    pub(super) stage: Stage,
    pub(super) reading: Reading,
    /// It reads slowly, or did until the drain: its deliveries are timed apart.
    pub(super) is_slow: bool,
    pub(super) todo: Todo,
    /// It has stood before.
    pub(super) was_live: bool,
    /// It owes a receipt, and is on the list of those that do.
    pub(super) owes_receipt: bool,
    /// It has something to write, and is on the list of those that do.
    pub(super) dirty: bool,
    /// It reads history.
    pub(super) reads_history: bool,
    /// It is catching up after it came back.
    pub(super) catching_up: bool,
    /// There may be bytes in the socket that have not been read.
    pub(super) readable: bool,
    /// A pause in slow reading is on.
    pub(super) paused: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            socket: None,
            decoder: Decoder::new(Role::Client, MESSAGE_BYTES_MAX),
            out: Vec::new(),
            dialing: None,
            again: None,
            since: 0,
            began: 0,
            last_heard: 0,
            stuck: 0,
            ping: (0, 0),
            pong: 0,
            place: 0,
            attempts: 0,
            stage: Stage::Off,
            reading: Reading::Fast,
            is_slow: false,
            todo: Todo::default(),
            was_live: false,
            owes_receipt: false,
            dirty: false,
            reads_history: false,
            catching_up: false,
            readable: false,
            paused: false,
        }
    }
}

impl Session {
    pub(super) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Forgets everything that belongs to one connection.
    pub(super) fn reset(&mut self, stage: Stage) {
        self.socket = None;
        self.decoder = Decoder::new(Role::Client, MESSAGE_BYTES_MAX);
        self.out = Vec::new();
        self.dialing = None;
        self.stuck = 0;
        self.ping = (0, 0);
        self.pong = 0;
        self.todo = Todo::default();
        self.reads_history = false;
        self.catching_up = false;
        self.readable = false;
        self.paused = false;
        self.stage = stage;
    }

    /// Whether a socket that can be written to again is of use.
    pub(super) fn has_more_to_write(&self) -> bool {
        let tls = matches!(&self.socket, Some(Socket::Tls(_)));
        tls || !self.out.is_empty()
    }

    /// Writes what waits, as far as it goes. Returns how many bytes went.
    pub(super) fn flush(&mut self, now: Nanos) -> io::Result<u64> {
        let Some(socket) = &mut self.socket else {
            return Ok(0);
        };
        let mut written = 0;
        while written < self.out.len() {
            match socket.write(&self.out[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        socket.flush()?;
        if written == self.out.len() {
            // An idle connection holds no buffer.
            self.out = Vec::new();
            self.stuck = 0;
        } else {
            self.out.drain(..written);
            if written > 0 || self.stuck == 0 {
                self.stuck = now;
            }
        }
        Ok(written as u64)
    }
}
