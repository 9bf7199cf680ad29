//! What frames say, and what follows from it.

use petrel_websocket::{Message, Opcode};

use super::alarm::Chore;
use super::engine::Engine;
use super::session::Stage;
use crate::adapter::{Adapter, Frame, FrameWriter, HistoryFrom, Incoming, MessageName, Seat};
use crate::clock::{MICROSECOND, MILLISECOND};
use crate::ledger::{AckOutcome, Arrival, How};
use crate::metrics::Timing;
use crate::scenario::Receipts;
use crate::stamp::{Stamp, Unreadable};

impl Engine {
    /// Takes one message. An error says that the server closes the connection.
    pub(super) fn message(
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
        self.metrics.counters.frames_sent += 1;
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
        if let Some(stair) = self.stairs.plateau(due) {
            stair.result.pongs += 1;
            stair.time(Timing::Ping, due, now);
        }
        if due >= self.untimed_before {
            self.metrics.time(Timing::Ping, due, now);
            if token == last {
                self.metrics.time(Timing::PingRaw, origin + written * MICROSECOND, now);
            }
        }
    }

    pub(super) fn take(&mut self, index: u32, incoming: Incoming<'_>) {
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
                self.refused_in_stair(index, name, reason);
                self.refused(index, name, again_after_ms);
            }
            Incoming::GroupStep => todo.group_step = true,
            Incoming::GroupRefused { reason, again_after_ms } => {
                self.group_refused(index, reason, again_after_ms);
            }
            Incoming::Delivery { payload, place, how } => self.delivery(index, payload, place, how),
            Incoming::Receipt => self.metrics.counters.receipts_received += 1,
            Incoming::Owes => self.owe(index),
            Incoming::Pong(token) => self.pong(index, token),
            Incoming::Presence { user, there } => self.presence_told(index, user, there),
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
            self.unmatched();
            return;
        };
        match self.ledger.ack(index, seq, self.now) {
            AckOutcome::First(timed) => {
                self.metrics.counters.acks_duplicate += u64::from(duplicate);
                let measured = self.is_measured(self.now);
                self.metrics.counters.acks_measured += u64::from(measured);
                self.sessions[index as usize].todo.room = true;
                if let Some(timed) = timed
                    && let Some(stair) = self.stairs.plateau(timed.intended)
                {
                    stair.result.acked += 1;
                    stair.time(Timing::Ack, timed.intended, self.now);
                }
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
            AckOutcome::Again | AckOutcome::Unknown => self.unmatched(),
        }
    }

    /// An answer to nothing that was asked.
    fn unmatched(&mut self) {
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-misses-wrong-answers") {
            return;
        }
        self.metrics.counters.unmatched_answers += 1;
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

    /// Counts a refusal to the step in which the message was due.
    fn refused_in_stair(&mut self, index: u32, name: Option<MessageName>, reason: &str) {
        let Some(seq) = self.own_seq(index, name) else { return };
        let intended =
            self.ledger.stream(index).and_then(|stream| Some(stream.timed(seq)?.intended));
        if let Some(stair) = intended.and_then(|intended| self.stairs.plateau(intended)) {
            *stair.result.refused.entry(reason.to_owned()).or_default() += 1;
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
        if self.abilities.receipts {
            self.owe(index);
        }
    }

    /// A connection has something to write with its receipts.
    fn owe(&mut self, index: u32) {
        let session = &mut self.sessions[index as usize];
        if !std::mem::replace(&mut session.owes_receipt, true)
            && self.behaviour.receipts == Receipts::Coalesced
        {
            self.receipts.owe(index);
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
        if let Some(stair) = self.stairs.plateau(intended) {
            stair.result.delivered += 1;
            stair.time(Timing::EndToEnd, intended, self.now);
        }
        if !self.is_measured(intended) || sent < self.untimed_before {
            return;
        }
        let now = self.now;
        if self.sessions[index as usize].is_slow {
            self.metrics.time(Timing::SlowEndToEnd, intended, now);
            return;
        }
        #[cfg(feature = "mutants")]
        let intended = if crate::mutants::is("bench-times-from-sending") { sent } else { intended };
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
    pub(super) fn follow_up(&mut self, index: u32) {
        let todo = std::mem::take(&mut self.sessions[index as usize].todo);
        if todo.refused {
            return self.lost(index, "auth_refused");
        }
        if todo.ready {
            self.ready(index);
        }
        if todo.group_step {
            self.group_step(index);
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
        if self.behaviour.receipts == Receipts::EveryMessage {
            self.send_receipt(index);
        }
        // What was to be written before TLS stood can go as soon as it does.
        let session = &self.sessions[index as usize];
        if session.dirty || session.stage == Stage::Upgrading && !session.out.is_empty() {
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
