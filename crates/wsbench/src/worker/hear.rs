//! Reading sockets, and what follows from what they say.

use std::io::ErrorKind;
use std::ops::ControlFlow;

use petrel_websocket::{Message, Opcode};

use super::alarm::Chore;
use super::engine::{Engine, Phase};
use super::session::{Reading, Stage};
use crate::adapter::{Adapter, Frame, FrameWriter, HistoryFrom, Incoming, MessageName, Seat};
use crate::clock::{MICROSECOND, MILLISECOND};
use crate::ledger::{AckOutcome, Arrival, How};
use crate::metrics::Timing;
use crate::stamp::{Stamp, Unreadable};

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
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.sessions[index as usize].decoder.has_bytes() {
            self.decode(index, &mut [], true);
        } else {
            let size = SLOW_BYTES.min(buffer.len());
            self.sessions[index as usize].readable =
                self.read_once(index, &mut buffer[..size], true);
        }
        self.buffer = buffer;
        self.follow_up(index);
        let session = &mut self.sessions[index as usize];
        if session.is_live() && (session.readable || session.decoder.has_bytes()) {
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
            (_, Some(cause)) => self.lost(index, &cause),
            (Err(_), None) => self.lost(index, "protocol"),
            (Ok(()), None) => {}
        }
    }

    /// Takes one message. An error says that the server closes the connection.
    fn message(
        &mut self,
        seat: Seat,
        message: Message<'_>,
        adapter: &mut dyn Adapter,
    ) -> Result<(), String> {
        let frame = match message {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
            Message::Ping(payload) => {
                self.answer_ping(seat.local, payload);
                return Ok(());
            }
            Message::Pong(payload) => {
                match payload.try_into() {
                    Ok(token) => self.pong(seat.local, u64::from_be_bytes(token)),
                    Err(_) => self.metrics.counters.frames_other += 1,
                }
                return Ok(());
            }
            Message::Close(code, _) => {
                return Err(code.map_or("close".to_owned(), |code| format!("close_{code}")));
            }
        };
        adapter.receive(seat, frame, &mut |incoming| self.take(seat.local, incoming));
        Ok(())
    }

    fn answer_ping(&mut self, index: u32, payload: &[u8]) {
        let session = &mut self.sessions[index as usize];
        let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
        writer.frame(Opcode::Pong, payload);
        self.mark_dirty(index);
    }

    fn pong(&mut self, index: u32, token: u64) {
        let (origin, now) = (self.origin, self.now);
        let session = &mut self.sessions[index as usize];
        let (last, written) = session.ping;
        // Pongs come in the order of their pings, and each once.
        if token <= session.pong || token > last {
            self.metrics.counters.unmatched_answers += 1;
            return;
        }
        session.pong = token;
        self.metrics.counters.pongs_received += 1;
        let due = origin + token * MICROSECOND;
        if due >= self.untimed_before {
            self.metrics.time(Timing::Ping, due, now);
            if token == last {
                self.metrics.time(Timing::PingRaw, origin + written * MICROSECOND, now);
            }
        }
    }

    fn take(&mut self, index: u32, incoming: Incoming<'_>) {
        let todo = &mut self.sessions[index as usize].todo;
        match incoming {
            Incoming::Ready => todo.ready = true,
            Incoming::LoginRefused(reason) => {
                todo.refused = true;
                self.metrics.counters.logins_failed += 1;
                self.metrics.error(format!("auth_{reason}"));
            }
            Incoming::Ack { name, duplicate } => self.ack(index, name, duplicate),
            Incoming::Refused { name, reason, again_after_ms } => {
                self.metrics.counters.server_errors += 1;
                self.metrics.error(format!("server_{reason}"));
                self.refused(index, name, again_after_ms);
            }
            Incoming::Delivery { payload, place, how } => self.delivery(index, payload, place, how),
            Incoming::Pong(token) => self.pong(index, token),
            Incoming::HistoryPage { more } => todo.page = Some(more),
            Incoming::Gap => {
                todo.gap = true;
                self.metrics.counters.gaps_announced += 1;
            }
            Incoming::ServerError(reason) => {
                self.metrics.counters.server_errors += 1;
                self.metrics.error(format!("server_{reason}"));
            }
            Incoming::Spoiled => self.ledger.corrupt(),
            Incoming::Other => self.metrics.counters.frames_other += 1,
            Incoming::Unrecognised => self.metrics.counters.frames_unrecognised += 1,
        }
    }

    /// The seq that a name of this connection's stream has.
    fn own_seq(&self, index: u32, name: Option<MessageName>) -> Option<u32> {
        name.filter(|name| name.run == self.run && name.stream == self.first + index)
            .map(|name| name.seq)
    }

    fn ack(&mut self, index: u32, name: Option<MessageName>, duplicate: bool) {
        let Some(seq) = self.own_seq(index, name) else {
            self.metrics.counters.unmatched_answers += 1;
            return;
        };
        match self.ledger.ack(index, seq, self.now) {
            AckOutcome::First(timed) => {
                self.metrics.counters.acks_duplicate += u64::from(duplicate);
                let measured = self.is_measured(self.now);
                self.metrics.counters.acks_measured += u64::from(measured);
                self.sessions[index as usize].todo.room = true;
                if let Some(timed) = timed.filter(|timed| timed.sent >= self.untimed_before)
                    && self.is_measured(timed.intended)
                {
                    self.metrics.time(Timing::Ack, timed.intended, self.now);
                    self.metrics.time(Timing::AckRaw, timed.sent, self.now);
                    if timed.delivered.is_some() {
                        self.metrics.time(Timing::AckToDelivery, self.now, self.now);
                    }
                }
            }
            AckOutcome::Again if duplicate => self.metrics.counters.acks_duplicate += 1,
            AckOutcome::Again | AckOutcome::Unknown => {
                self.metrics.counters.unmatched_answers += 1;
            }
        }
    }

    fn refused(&mut self, index: u32, name: Option<MessageName>, again_after_ms: Option<u64>) {
        let Some(seq) = self.own_seq(index, name) else {
            self.metrics.counters.unmatched_answers += 1;
            return;
        };
        let Some(after_ms) = again_after_ms else {
            if let Some(stream) = self.ledger.stream(index) {
                stream.refuse(seq);
            }
            self.sessions[index as usize].todo.room = true;
            return;
        };
        let session = &mut self.sessions[index as usize];
        if session.again.is_none() {
            self.chores.add(self.now + after_ms * MILLISECOND, Chore::SendAgain, index);
        }
        let again = session.again.get_or_insert_default();
        if let Err(place) = again.binary_search(&seq) {
            again.insert(place, seq);
        }
    }

    fn delivery(&mut self, index: u32, payload: &[u8], place: Option<u64>, how: How) {
        let stamp = match Stamp::find(payload) {
            Ok(stamp) => stamp,
            Err(Unreadable::Corrupt) => return self.ledger.corrupt(),
            Err(Unreadable::NoStamp) if payload.len() == self.plan.payload_size as usize => {
                return self.ledger.corrupt();
            }
            Err(Unreadable::NoStamp) => {
                self.metrics.counters.frames_unrecognised += 1;
                return;
            }
        };
        if stamp.run != self.run {
            return self.ledger.foreign();
        }
        // A sender of another worker has nobody here to send to.
        let sender = stamp.stream.wrapping_sub(self.first);
        let sender = if (sender as usize) < self.sessions.len() { sender } else { u32::MAX };
        match self.ledger.arrive(sender, index, stamp.seq, self.now, how) {
            Arrival::First(timed) => {
                self.check_place(index, place, how);
                self.time_delivery(index, &stamp, timed, how);
                if !self.abilities.acks {
                    self.sessions[index as usize].todo.room = true;
                }
            }
            Arrival::Duplicate | Arrival::Known => {}
            Arrival::WrongRecipient | Arrival::Invented => {}
        }
        let session = &mut self.sessions[index as usize];
        if self.abilities.history && !session.owes_receipt {
            session.owes_receipt = true;
            self.receipts.push(index);
        }
    }

    fn check_place(&mut self, index: u32, place: Option<u64>, how: How) {
        let session = &mut self.sessions[index as usize];
        if let (Some(place), How::Live) = (place, how) {
            if place <= session.place {
                self.metrics.counters.places_out_of_order += 1;
            }
            session.place = session.place.max(place);
        }
    }

    fn time_delivery(
        &mut self,
        index: u32,
        stamp: &Stamp,
        timed: Option<crate::ledger::Timed>,
        how: How,
    ) {
        if how == How::History {
            return;
        }
        self.metrics.counters.deliveries += 1;
        let measured = self.is_measured(self.now);
        self.metrics.counters.deliveries_measured += u64::from(measured);
        let (intended, sent) = (stamp.intended(self.origin), stamp.sent(self.origin));
        if !self.is_measured(intended) || sent < self.untimed_before {
            return;
        }
        let now = self.now;
        if self.sessions[index as usize].is_slow {
            self.metrics.time(Timing::SlowEndToEnd, intended, now);
            return;
        }
        self.metrics.time(Timing::EndToEnd, intended, now);
        self.metrics.time(Timing::EndToEndRaw, sent, now);
        let Some(timed) = timed else { return };
        if let Some(acked) = timed.acked.filter(|_| timed.deliveries == 1) {
            self.metrics.time(Timing::AckToDelivery, acked, now);
        }
        let audience = self.behaviour.cast.audience();
        if audience > 1 && timed.deliveries == 1 {
            self.metrics.time(Timing::FanoutFirst, intended, now);
        }
        if audience > 1 && timed.deliveries == audience {
            self.metrics.time(Timing::FanoutLast, intended, now);
        }
    }

    /// What follows from what was read.
    fn follow_up(&mut self, index: u32) {
        let todo = std::mem::take(&mut self.sessions[index as usize].todo);
        if todo.refused {
            return self.lost(index, "auth_refused");
        }
        if todo.ready {
            self.ready(index);
        }
        if let Some(more) = todo.page {
            self.page_read(index, more);
        }
        if todo.gap && !self.sessions[index as usize].reads_history {
            self.read_history(index, HistoryFrom::Position);
        }
        if todo.room {
            self.send_held_back(index);
        }
        if self.sessions[index as usize].dirty {
            self.flush(index);
        }
    }

    fn page_read(&mut self, index: u32, more: bool) {
        let session = &mut self.sessions[index as usize];
        session.reads_history = false;
        if more && self.read_history(index, HistoryFrom::LastPage) {
            return;
        }
        let session = &mut self.sessions[index as usize];
        if session.catching_up {
            session.catching_up = false;
            let began = session.began;
            self.metrics.time(Timing::CatchUp, began, self.now);
        }
    }
}
