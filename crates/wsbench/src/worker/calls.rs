//! HTTP requests of protocols that have some beside their WebSockets.
//!
//! The requests of all connections of a worker go over a small number of kept
//! connections, one request after the other on each; those that wait for one are in
//! order. The wait counts as latency.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::engine::Engine;
use crate::adapter::{Answer, Call};
use crate::clock::Nanos;
use crate::http;

/// The token of the first line; those of sessions are below.
pub(super) const FIRST_LINE: usize = usize::MAX / 2;
/// Connections for requests.
const LINES: usize = 64;
/// Requests that may wait for one.
const WAITING_MAX: usize = 100_000;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// One kept connection.
#[derive(Debug, Default)]
struct Line {
    socket: Option<TcpStream>,
    out: Vec<u8>,
    received: Vec<u8>,
    /// The request on it, and since when.
    call: Option<(Call, Nanos)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    addresses: Vec<SocketAddr>,
    authority: String,
    lines: Vec<Line>,
    waiting: VecDeque<Call>,
}

impl Calls {
    pub(super) fn to((addresses, authority): (Vec<SocketAddr>, String)) -> Self {
        Self { addresses, authority, ..Self::default() }
    }

    /// Whether something has been asked and not answered.
    pub(super) fn are_open(&self) -> bool {
        !self.waiting.is_empty() || self.lines.iter().any(|line| line.call.is_some())
    }

    fn free_line(&mut self) -> Option<usize> {
        let free = self.lines.iter().position(|line| line.call.is_none());
        if free.is_none() && self.lines.len() < LINES {
            self.lines.push(Line::default());
            return Some(self.lines.len() - 1);
        }
        free
    }
}

impl Engine {
    /// Takes what adapters want asked, and asks as far as lines are free.
    pub(super) fn make_calls(&mut self) {
        while let Some(call) = self.adapter.as_mut().and_then(|adapter| adapter.take_call()) {
            if self.calls.waiting.len() < WAITING_MAX {
                self.calls.waiting.push_back(call);
            } else {
                self.answered(call, &Err("too many requests wait for a connection".to_owned()));
            }
        }
        while !self.calls.waiting.is_empty() {
            let Some(place) = self.calls.free_line() else { return };
            let Some(call) = self.calls.waiting.pop_front() else { return };
            self.ask(place, call);
        }
    }

    fn ask(&mut self, place: usize, call: Call) {
        let line = &mut self.calls.lines[place];
        call.request.write(&self.calls.authority, &mut line.out);
        line.call = Some((call, self.now));
        if line.socket.is_none() {
            let Some(address) = self.calls.addresses.first() else {
                return self.hang_up_line(place, "no address");
            };
            let connected = TcpStream::connect(*address).and_then(|mut socket| {
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(&mut socket, Token(FIRST_LINE + place), interest)?;
                Ok(socket)
            });
            match connected {
                Ok(socket) => {
                    // Small requests must not wait for acknowledgements of the network.
                    let _ = socket.set_nodelay(true);
                    self.calls.lines[place].socket = Some(socket);
                }
                Err(error) => self.hang_up_line(place, crate::causes::of(&error)),
            }
            return;
        }
        self.write_line(place);
    }

    /// Something happened on a line.
    pub(super) fn line_event(&mut self, place: usize) {
        self.write_line(place);
        self.read_line(place);
        self.make_calls();
    }

    fn write_line(&mut self, place: usize) {
        let Some(line) = self.calls.lines.get_mut(place) else { return };
        let Some(socket) = &mut line.socket else { return };
        while !line.out.is_empty() {
            match socket.write(&line.out) {
                Ok(bytes) => drop(line.out.drain(..bytes)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Not connected yet, or full: there will be an event.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return;
                }
                Err(error) => return self.hang_up_line(place, crate::causes::of(&error)),
            }
        }
    }

    fn read_line(&mut self, place: usize) {
        let mut buffer = [0; READ_BYTES];
        loop {
            let Some(line) = self.calls.lines.get_mut(place) else { return };
            let Some(socket) = &mut line.socket else { return };
            match socket.read(&mut buffer) {
                Ok(0) => {
                    if !self.take_answer(place, true) {
                        self.hang_up_line(place, "eof");
                    }
                    return;
                }
                Ok(bytes) => {
                    line.received.extend_from_slice(&buffer[..bytes]);
                    self.now = crate::clock::now();
                    if !self.take_answer(place, false) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return;
                }
                Err(error) => return self.hang_up_line(place, crate::causes::of(&error)),
            }
        }
    }

    /// Takes an answer, if it is whole. False if the line is gone after it.
    fn take_answer(&mut self, place: usize, ended: bool) -> bool {
        let line = &mut self.calls.lines[place];
        match http::read_answer(&line.received, ended) {
            Ok(None) => true,
            Ok(Some(answer)) => {
                line.received.drain(..answer.length);
                let call = line.call.take();
                let closes = answer.closes || ended;
                if closes {
                    *line = Line::default();
                }
                if let Some((call, _)) = call {
                    self.answered(call, &Ok(answer));
                }
                !closes
            }
            Err(_) => {
                self.hang_up_line(place, "bad_http");
                false
            }
        }
    }

    /// A line is of no more use; what was asked on it has no answer.
    fn hang_up_line(&mut self, place: usize, cause: &str) {
        let line = std::mem::take(&mut self.calls.lines[place]);
        if let Some(mut socket) = line.socket {
            // It may be gone from the poll already.
            let _ = self.poll.registry().deregister(&mut socket);
        }
        if let Some((call, _)) = line.call {
            self.metrics.error(format!("http_{cause}"));
            self.answered(call, &Err(cause.to_owned()));
        }
    }

    fn answered(&mut self, call: Call, answer: &Result<http::Answer, String>) {
        let seat = self.seat(call.local);
        let Some(mut adapter) = self.adapter.take() else { return };
        let answer = match answer {
            Ok(answer) => Answer::Status(answer.status, &answer.body),
            Err(cause) => Answer::None(cause),
        };
        adapter.answered(seat, &call, answer, &mut |incoming| self.take(call.local, incoming));
        self.adapter = Some(adapter);
        self.follow_up(call.local);
    }

    /// Gives up on answers that take too long.
    pub(super) fn sweep_calls(&mut self) {
        let patience = self.plan.write_timeout.nanos();
        for place in 0..self.calls.lines.len() {
            let call = &self.calls.lines[place].call;
            if call.as_ref().is_some_and(|(_, since)| self.now.saturating_sub(*since) > patience) {
                self.hang_up_line(place, "timeout");
            }
        }
        self.make_calls();
    }
}
