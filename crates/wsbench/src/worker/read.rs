//! Reading sockets: all there is, slowly, or not at all.

use std::io::ErrorKind;
use std::ops::ControlFlow;

use super::alarm::Chore;
use super::engine::{Engine, Phase};
use super::session::{Reading, Stage};

/// Reads of one socket before others get their turn.
const READS_PER_TURN: usize = 8;
/// What a slow reader takes at once, in bytes.
const SLOW_BYTES: usize = 2048;

impl Engine {
    /// Reads what a socket has.
    pub(super) fn readable(&mut self, index: u32) {
        match self.sessions[index as usize].reading {
            Reading::Deaf if self.sessions[index as usize].is_live() => {
                self.sessions[index as usize].readable = true;
            }
            Reading::Slow if self.sessions[index as usize].is_live() => self.read_slowly(index),
            _ => self.read_all(index),
        }
    }

    fn read_all(&mut self, index: u32) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = true;
        for _ in 0..READS_PER_TURN {
            more = self.read_once(index, &mut buffer, false);
            if !more {
                break;
            }
        }
        self.buffer = buffer;
        if more {
            self.unread.push(index);
        }
        self.follow_up(index);
    }

    /// One message, then a pause.
    fn read_slowly(&mut self, index: u32) {
        if self.sessions[index as usize].paused {
            self.sessions[index as usize].readable = true;
            return;
        }
        let before = self.metrics.counters.frames_received;
        let mut buffer = std::mem::take(&mut self.buffer);
        let size = SLOW_BYTES.min(buffer.len());
        let mut more = true;
        while more && self.metrics.counters.frames_received == before {
            if self.sessions[index as usize].decoder.has_bytes() {
                self.decode(index, &mut [], true);
            } else {
                more = self.read_once(index, &mut buffer[..size], true);
                self.sessions[index as usize].readable = more;
            }
        }
        self.buffer = buffer;
        self.follow_up(index);
        let took_one = self.metrics.counters.frames_received > before;
        let session = &mut self.sessions[index as usize];
        if session.is_live() && took_one {
            session.paused = true;
            self.chores.add(self.now + self.plan.slow_delay.nanos(), Chore::Read, index);
        }
    }

    /// One read. False if nothing is left, or nobody to read from.
    fn read_once(&mut self, index: u32, buffer: &mut [u8], one: bool) -> bool {
        let session = &mut self.sessions[index as usize];
        let Some(socket) = &mut session.socket else {
            return false;
        };
        let all = socket.short_read_is_all();
        match socket.read(buffer) {
            Ok(0) => {
                self.lost(index, "eof");
                false
            }
            Ok(bytes) => {
                self.now = crate::clock::now();
                session.last_heard = self.now;
                self.metrics.counters.bytes_received += bytes as u64;
                let more = bytes == buffer.len() || !all;
                self.take_bytes(index, &mut buffer[..bytes], one);
                more && self.sessions[index as usize].socket.is_some()
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => {
                self.lost_by(index, &error);
                false
            }
        }
    }

    fn take_bytes(&mut self, index: u32, bytes: &mut [u8], one: bool) {
        if matches!(self.phase, Phase::Close(_)) {
            return;
        }
        match self.sessions[index as usize].stage {
            Stage::Upgrading => {
                if let Some(mut rest) = self.upgrade_answer(index, bytes)
                    && !rest.is_empty()
                {
                    self.decode(index, &mut rest, one);
                }
            }
            Stage::LoggingIn | Stage::Live => self.decode(index, bytes, one),
            _ => {}
        }
    }

    fn decode(&mut self, index: u32, bytes: &mut [u8], one: bool) {
        let Some(mut adapter) = self.adapter.take() else { return };
        let seat = self.seat(index);
        let mut decoder = std::mem::replace(
            &mut self.sessions[index as usize].decoder,
            petrel_websocket::Decoder::new(petrel_websocket::Role::Client, 0),
        );
        let mut cause = None;
        let result = decoder.feed(bytes, |message| {
            self.metrics.counters.frames_received += 1;
            match self.message(seat, message, &mut *adapter) {
                Err(closed) => {
                    cause = Some(closed);
                    ControlFlow::Break(())
                }
                Ok(()) if one => ControlFlow::Break(()),
                Ok(()) => ControlFlow::Continue(()),
            }
        });
        self.adapter = Some(adapter);
        self.sessions[index as usize].decoder = decoder;
        match (result, cause) {
            // The goodbye after a refusal says less than the refusal.
            (_, Some(_)) if self.sessions[index as usize].todo.refused => {
                self.sessions[index as usize].todo.refused = false;
                self.lost(index, "auth_refused");
            }
            (_, Some(cause)) => self.lost(index, &cause),
            (Err(_), None) => self.lost(index, "protocol"),
            (Ok(()), None) => {}
        }
    }
}
