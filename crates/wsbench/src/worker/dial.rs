//! Opening connections, and opening them again.

use mio::event::Event;
use mio::{Interest, Token};
use petrel_websocket::handshake::{self, Answer};

use super::engine::{Engine, Phase};
use super::session::{Dialing, Stage};
use crate::adapter::{FrameWriter, HistoryFrom};
use crate::causes;
use crate::clock::Nanos;
use crate::metrics::Timing;

impl Engine {
    /// Dials a connection for the first time.
    pub(super) fn first_dial(&mut self, index: u32, due: Nanos) {
        self.metrics.counters.connects_attempted += 1;
        if let Some(stair) = self.stairs.at(due) {
            stair.result.attempted += 1;
        }
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
        if event.is_writable() && self.sessions[index as usize].has_more_to_write() {
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
        // What comes again may come with the very first bytes.
        if session.was_live && self.abilities.repeats && self.behaviour.cast.receives(index) {
            self.ledger.came_back(index);
        }
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
        self.came_or_went(index, true);
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
            if let Some(stair) = self.stairs.at(since) {
                stair.result.connected += 1;
                stair.time(Timing::Connect, since, self.now);
            }
            self.decided();
        }
        self.ask_for_group_again(index);
        self.follow(index);
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

    pub(super) fn decided(&mut self) {
        self.undecided = self.undecided.saturating_sub(1);
    }
}
