//! Opening connections, losing them, and opening them again.

use std::io;

use mio::event::Event;
use mio::{Interest, Token};
use petrel_websocket::handshake::{self, Answer};
use petrel_websocket::{Opcode, close_payload};

use super::alarm::Chore;
use super::engine::{Engine, Phase};
use super::session::{Dialing, Stage};
use crate::adapter::{FrameWriter, HistoryFrom};
use crate::causes;
use crate::clock::{MILLISECOND, Nanos};
use crate::metrics::Timing;

/// The longest wait between two attempts.
const BACK_OFF_MAX: Nanos = 30_000 * MILLISECOND;

impl Engine {
    /// Dials a connection for the first time.
    pub(super) fn first_dial(&mut self, index: u32, due: Nanos) {
        self.metrics.counters.connects_attempted += 1;
        self.sessions[index as usize].since = due;
        self.dial(index);
    }

    /// Dials again, after a failure or a loss.
    pub(super) fn dial_again(&mut self, index: u32, due: Nanos) {
        let session = &mut self.sessions[index as usize];
        if session.stage != Stage::Waiting || matches!(self.phase, Phase::Close(_)) {
            return;
        }
        if session.was_live && session.since == 0 {
            session.since = due;
        }
        self.dial(index);
    }

    fn dial(&mut self, index: u32) {
        let target = self.target_of(index);
        let addresses = &self.addresses[target];
        let attempts = self.sessions[index as usize].attempts as usize;
        let address = addresses[attempts % addresses.len()];
        let sources = &self.plan.sources;
        let source = (!sources.is_empty()).then(|| sources[index as usize % sources.len()]);
        let tls_host = &self.plan.targets[target];
        let tls_host = tls_host.tls.then_some(tls_host.host.as_str());
        let began = crate::clock::now();
        let dialled = self.dialer.dial(address, source, tls_host).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(socket.source(), Token(index as usize), interest)?;
            Ok(socket)
        });
        let random: [u8; 16] = std::array::from_fn(|_| self.random.u8(..));
        let session = &mut self.sessions[index as usize];
        session.began = began;
        match dialled {
            Ok(socket) => {
                session.socket = Some(socket);
                session.stage = Stage::Connecting;
                session.last_heard = began;
                session.dialing = Some(Box::new(Dialing {
                    key: handshake::key(random),
                    head: Vec::new(),
                    deadline: began + self.plan.handshake_timeout.nanos(),
                }));
            }
            Err(error) => {
                session.stage = Stage::Connecting;
                self.lost(index, causes::of(&error));
            }
        }
    }

    fn target_of(&self, index: u32) -> usize {
        let targets = self.plan.targets.len();
        if self.plan.role_pinned && targets > 1 {
            return if self.behaviour.cast.sends(index) { 0 } else { targets - 1 };
        }
        (self.first + index) as usize % targets
    }

    /// Something happened to a socket.
    pub(super) fn socket_event(&mut self, index: u32, event: &Event) {
        if self.sessions[index as usize].stage == Stage::Connecting && !self.connected(index) {
            return;
        }
        if event.is_writable() && !self.sessions[index as usize].out.is_empty() {
            self.flush(index);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.readable(index);
        }
    }

    /// TCP stands, or not: asks for the upgrade.
    fn connected(&mut self, index: u32) -> bool {
        let session = &self.sessions[index as usize];
        let connected = session.socket.as_ref().map_or(Ok(false), |socket| socket.is_connected());
        match connected {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                self.lost(index, causes::of(&error));
                return false;
            }
        }
        let seat = self.seat(index);
        let Some(adapter) = &mut self.adapter else { return false };
        let upgrade = adapter.upgrade(seat);
        let target = &self.plan.targets[self.target_of(index)];
        let mut path = target.path.clone();
        for (name, value) in &upgrade.query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("{name}={value}"));
        }
        let headers = self.plan.headers.iter().chain(&upgrade.headers);
        let session = &mut self.sessions[index as usize];
        let Some(dialing) = &session.dialing else { return false };
        handshake::write_request(
            &mut session.out,
            &target.authority(),
            &path,
            &dialing.key,
            headers.map(|(name, value)| (name, value)),
        );
        session.stage = Stage::Upgrading;
        self.flush(index);
        self.sessions[index as usize].stage == Stage::Upgrading
    }

    /// Takes a piece of the server's answer. Returns the bytes after it, when it is whole
    /// and good.
    pub(super) fn upgrade_answer(&mut self, index: u32, bytes: &[u8]) -> Option<Vec<u8>> {
        let session = &mut self.sessions[index as usize];
        let dialing = session.dialing.as_mut()?;
        dialing.head.extend_from_slice(bytes);
        let cause = match handshake::read_answer(&dialing.head, &dialing.key) {
            Ok(None) => return None,
            Ok(Some(Answer::Upgraded(length))) => {
                let rest = dialing.head.split_off(length);
                self.upgraded(index);
                return Some(rest);
            }
            Ok(Some(Answer::Refused { status, .. })) => format!("http_{status}"),
            Err(_) => "bad_handshake".to_owned(),
        };
        self.lost(index, &cause);
        None
    }

    fn upgraded(&mut self, index: u32) {
        let seat = self.seat(index);
        let session = &mut self.sessions[index as usize];
        if !session.was_live {
            let (since, began) = (session.since, session.began);
            self.metrics.time(Timing::Connect, since, self.now);
            self.metrics.time(Timing::ConnectRaw, began, self.now);
        }
        session.began = self.now;
        session.stage = Stage::LoggingIn;
        if let Some(adapter) = &mut self.adapter {
            let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
            adapter.greet(seat, &mut writer);
        }
        self.flush(index);
        if !self.abilities.login && self.sessions[index as usize].stage == Stage::LoggingIn {
            self.sessions[index as usize].todo.ready = true;
        }
    }

    /// The connection stands and is logged in.
    pub(super) fn ready(&mut self, index: u32) {
        let session = &mut self.sessions[index as usize];
        if session.stage != Stage::LoggingIn {
            return;
        }
        session.stage = Stage::Live;
        session.dialing = None;
        session.attempts = 0;
        let (came_back, since, upgraded) = (session.was_live, session.since, session.began);
        session.was_live = true;
        session.since = 0;
        session.began = self.now;
        self.live += 1;
        if self.abilities.login {
            self.metrics.counters.logins_ok += 1;
            self.metrics.time(Timing::Login, upgraded, self.now);
        }
        if self.climbed(index, since) {
            return;
        }
        if came_back {
            self.metrics.counters.reconnects += 1;
            self.metrics.time(Timing::Reconnect, since, self.now);
            self.back_again(index);
        } else {
            self.metrics.counters.connects_ok += 1;
            self.decided();
        }
        self.send_again(index);
        self.send_held_back(index);
    }

    /// What a device does that comes back: it reads what it missed.
    fn back_again(&mut self, index: u32) {
        if !self.behaviour.cast.receives(index) {
            return;
        }
        if !self.abilities.history {
            self.ledger.excuse_absence(index);
        } else if self.read_history(index, HistoryFrom::Position) {
            self.sessions[index as usize].catching_up = true;
        }
    }

    fn decided(&mut self) {
        self.undecided = self.undecided.saturating_sub(1);
    }

    /// A connection broke, or never came to stand.
    pub(super) fn lost(&mut self, index: u32, cause: &str) {
        let session = &mut self.sessions[index as usize];
        let stage = session.stage;
        if let Some(mut socket) = session.socket.take() {
            // It may be gone from the poll already.
            let _ = self.poll.registry().deregister(socket.source());
        }
        match stage {
            Stage::Off | Stage::Waiting | Stage::Failed => {}
            _ if matches!(self.phase, Phase::Close(_)) => {
                self.sessions[index as usize].reset(Stage::Off);
            }
            Stage::Connecting | Stage::Upgrading | Stage::LoggingIn => {
                self.metrics.error(cause);
                self.failed(index, cause);
            }
            Stage::Live => {
                self.live -= 1;
                self.metrics.counters.disconnects += 1;
                self.metrics.error(format!("lost_{cause}"));
                self.fell(index, 0);
            }
        }
    }

    /// An attempt failed: tries again, or gives up.
    fn failed(&mut self, index: u32, cause: &str) {
        let retry = self.plan.retry;
        let session = &mut self.sessions[index as usize];
        session.reset(Stage::Waiting);
        session.attempts += 1;
        let was_live = session.was_live;
        let final_word = cause.starts_with("auth_") || cause == "http_401" || cause == "http_403";
        let over = matches!(self.phase, Phase::Drain(_) | Phase::Settle(_));
        if self.ladder_failed(index) {
            return;
        }
        // A connection that has stood comes back as long as the run goes on.
        if final_word || over || (!was_live && session_attempts(self, index) > retry) {
            self.sessions[index as usize].stage = Stage::Failed;
            if !was_live {
                self.metrics.counters.connects_failed += 1;
                self.decided();
            }
            return;
        }
        self.metrics.counters.connect_retries += 1;
        let doublings = (session_attempts(self, index) - 1).min(16);
        let wait = (self.plan.retry_delay.nanos() << doublings).min(BACK_OFF_MAX);
        let wait = wait / 2 + self.random.u64(0..=wait);
        self.chores.add(self.now + wait, Chore::Dial, index);
    }

    /// A connection that stood is gone: remembers what was under way, and comes back if
    /// it is to, not before `away` has passed.
    pub(super) fn fell(&mut self, index: u32, away: Nanos) {
        if self.behaviour.cast.sends(index)
            && let Some(stream) = self.ledger.stream(index)
        {
            let open = stream.connection_lost();
            if self.abilities.retries && !open.is_empty() {
                let again = self.sessions[index as usize].again.get_or_insert_default();
                for seq in open {
                    if let Err(place) = again.binary_search(&seq) {
                        again.insert(place, seq);
                    }
                }
            }
        }
        let session = &mut self.sessions[index as usize];
        session.reset(Stage::Off);
        let over = matches!(self.phase, Phase::Settle(_) | Phase::Close(_));
        let reconnects = self.plan.reconnect.unwrap_or(self.behaviour.reconnects);
        if !reconnects || over || self.absent && self.behaviour.cast.receives(index) {
            return;
        }
        session.stage = Stage::Waiting;
        session.since = self.now + away;
        let jitter = self.random.u64(0..=self.plan.reconnect_jitter.nanos());
        self.chores.add(self.now + away + jitter, Chore::Dial, index);
    }

    /// Breaks a connection on purpose, without a goodbye.
    pub(super) fn hang_up(&mut self, index: u32, away: Nanos) {
        let session = &mut self.sessions[index as usize];
        if !session.is_live() {
            return;
        }
        if let Some(mut socket) = session.socket.take() {
            // It is dropped all the same.
            let _ = self.poll.registry().deregister(socket.source());
        }
        self.live -= 1;
        self.metrics.counters.hangups += 1;
        self.fell(index, away);
    }

    /// Closes a connection in the way of the protocol.
    pub(super) fn say_goodbye(&mut self, index: u32) {
        let session = &mut self.sessions[index as usize];
        if !session.is_live() {
            if let Some(mut socket) = session.socket.take() {
                // It is dropped all the same.
                let _ = self.poll.registry().deregister(socket.source());
            }
            return;
        }
        let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
        writer.frame(Opcode::Close, &close_payload(1000, ""));
        // It is over either way.
        let _ = session.flush(self.now);
        if let Some(socket) = &mut session.socket {
            socket.shut_down_write();
        }
    }

    /// Writes what waits for a connection.
    pub(super) fn flush(&mut self, index: u32) {
        let session = &mut self.sessions[index as usize];
        session.dirty = false;
        match session.flush(self.now) {
            Ok(bytes) => self.metrics.counters.bytes_sent += bytes,
            Err(error) => self.lost_by(index, &error),
        }
    }

    /// Writes what waits for all connections that had something to say.
    pub(super) fn flush_dirty(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            if self.sessions[index as usize].dirty {
                self.flush(index);
            }
        }
    }

    /// Puts a connection on the list of those that have something to say.
    pub(super) fn mark_dirty(&mut self, index: u32) {
        let session = &mut self.sessions[index as usize];
        if !session.dirty {
            session.dirty = true;
            self.dirty.push(index);
        }
    }

    pub(super) fn lost_by(&mut self, index: u32, error: &io::Error) {
        self.lost(index, causes::of(error));
    }
}

fn session_attempts(engine: &Engine, index: u32) -> u32 {
    engine.sessions[index as usize].attempts
}
