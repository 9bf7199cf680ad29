//! Losing connections: by failure, on purpose, in the end.

use std::io;

use petrel_websocket::{Opcode, close_payload};

use super::alarm::Chore;
use super::engine::{Engine, Phase};
use super::session::Stage;
use crate::adapter::FrameWriter;
use crate::causes;
use crate::clock::{MILLISECOND, Nanos};

/// The longest wait between two attempts.
const BACK_OFF_MAX: Nanos = 30_000 * MILLISECOND;

impl Engine {
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
                #[cfg(feature = "mutants")]
                if crate::mutants::is("bench-misses-disconnects") {
                    return self.fell(index, 0);
                }
                self.metrics.counters.disconnects += 1;
                if let Some(stair) = self.stairs.at(self.now) {
                    stair.result.disconnects += 1;
                }
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
        if final_word || over || (!was_live && self.sessions[index as usize].attempts > retry) {
            self.sessions[index as usize].stage = Stage::Failed;
            if !was_live {
                self.metrics.counters.connects_failed += 1;
                self.decided();
            }
            return;
        }
        self.metrics.counters.connect_retries += 1;
        let doublings = (self.sessions[index as usize].attempts - 1).min(16);
        let wait = (self.plan.retry_delay.nanos() << doublings).min(BACK_OFF_MAX);
        let wait = wait / 2 + self.random.u64(0..=wait);
        self.chores.add(self.now + wait, Chore::Dial, index);
    }

    /// A connection that stood is gone: remembers what was under way, and comes back if
    /// it is to, not before `away` has passed.
    pub(super) fn fell(&mut self, index: u32, away: Nanos) {
        self.came_or_went(index, false);
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

    pub(super) fn lost_by(&mut self, index: u32, error: &io::Error) {
        self.lost(index, causes::of(error));
    }
}
