//! Sending: messages when they are due or when there is room, pings, requests
//! for history.

use petrel_websocket::Opcode;

use super::engine::{Engine, Phase};
use super::stairs::{rates, staircase};
use crate::adapter::{FrameWriter, HistoryFrom, MessageName};
use crate::clock::{MICROSECOND, Nanos};
use crate::pacer::Pacer;
use crate::scenario::Disruption;
use crate::stamp::Stamp;

/// The most messages that one sender holds back.
const HELD_BACK_MAX: usize = 10_000;

impl Engine {
    /// The run begins: from here on messages are due.
    pub(super) fn begin_sending(&mut self, at: Nanos, until: Nanos) {
        let senders = self.senders.len() as u32;
        if senders == 0 {
            return;
        }
        let seed = self.random.u64(..);
        if self.plan.in_flight.is_some() {
            self.top_up_at = Some(at);
            return;
        }
        let share = f64::from(senders) / self.all_senders();
        let (rate, stages) = match (self.behaviour.disruption, self.plan.total_rate) {
            (Disruption::RisingRate { from, factor, step }, _) => {
                let rates = rates(f64::from(from), factor, step.nanos(), until - at);
                (f64::from(from) * share, staircase(&rates, step.nanos()))
            }
            (_, Some(rate)) => (rate * share, self.plan.stages.clone()),
            (_, None) => (self.plan.sender_rate * f64::from(senders), self.plan.stages.clone()),
        };
        if rate > 0.0 {
            let arrival = self.plan.arrival;
            self.sends = Some(Pacer::new(at, rate, &stages, arrival, senders, seed));
        }
    }

    fn all_senders(&self) -> f64 {
        let cast = self.behaviour.cast;
        let in_unit = (0..cast.unit()).filter(|index| cast.sends(*index)).count();
        f64::from(self.plan.conns) / f64::from(cast.unit()) * in_unit as f64
    }

    /// Sends what is due.
    pub(super) fn send_due(&mut self) {
        for _ in 0..Self::events_per_turn() {
            let Some(pacer) = &mut self.sends else { return };
            if pacer.due().is_none_or(|due| due > self.now) {
                return;
            }
            let Some((sender, due)) = pacer.take() else { return };
            if self.measured.1 <= due {
                self.sends = None;
                return;
            }
            let index = self.senders[sender as usize];
            if let Disruption::Absence { messages } = self.behaviour.disruption
                && self.ledger.stream_or_new(index).sent >= messages
            {
                // Senders take turns, so the others have theirs too.
                self.sends = None;
                return;
            }
            self.message_due(index, due);
        }
    }

    fn message_due(&mut self, index: u32, due: Nanos) {
        if let Some(stair) = self.stairs.plateau(due) {
            stair.result.due += 1;
        }
        let counters = &mut self.metrics.counters;
        counters.messages_due += 1;
        let measured = self.is_measured(due);
        self.metrics.counters.messages_due_measured += u64::from(measured);
        if self.may_send(index) {
            self.scheduled(due);
            self.send(index, due);
            return;
        }
        // Held back by the server or by a connection that is away: the wait is part of
        // the message's latency, and no fault of the schedule.
        let held_back = &mut self.ledger.stream_or_new(index).held_back;
        if held_back.len() >= HELD_BACK_MAX {
            self.metrics.counters.messages_skipped += 1;
        } else {
            held_back.push_back(due);
            self.metrics.counters.messages_held_back += 1;
        }
    }

    /// Whether a connection can take another message now.
    fn may_send(&mut self, index: u32) -> bool {
        let most = self.plan.in_flight.unwrap_or(self.plan.max_in_flight);
        let session = &self.sessions[index as usize];
        session.is_live()
            && session.out.len() < self.plan.write_buffer as usize
            && session.again.is_none()
            && self.ledger.stream_or_new(index).in_flight < most
    }

    /// Writes a message.
    fn send(&mut self, index: u32, due: Nanos) {
        self.now = crate::clock::now();
        let seq = self.ledger.stream_or_new(index).send(due, self.now);
        let counters = &mut self.metrics.counters;
        counters.messages_sent += 1;
        if let Some(stair) = self.stairs.plateau(due) {
            stair.result.sent += 1;
        }
        let measured = self.is_measured(self.now);
        self.metrics.counters.messages_sent_measured += u64::from(measured);
        self.write_message(index, seq, due, self.now, false);
    }

    fn write_message(&mut self, index: u32, seq: u32, due: Nanos, sent: Nanos, retry: bool) {
        let intended_us = due.saturating_sub(self.origin) / MICROSECOND;
        let sent_us = sent.saturating_sub(self.origin) / MICROSECOND;
        let name = MessageName { run: self.run, stream: self.first + index, seq };
        let stamp = Stamp {
            run: name.run,
            stream: name.stream,
            seq,
            intended_us,
            late_us: sent_us.saturating_sub(intended_us),
        };
        stamp.write(&mut self.payload, self.plan.payload_size as usize);
        let seat = self.seat(index);
        let session = &mut self.sessions[index as usize];
        if let Some(adapter) = &mut self.adapter {
            let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
            adapter.send(seat, name, &self.payload, retry, &mut writer);
        }
        self.metrics.counters.frames_sent += 1;
        self.mark_dirty(index);
    }

    /// Sends again, in order, what was refused for now or what a broken connection left
    /// open.
    pub(super) fn send_again(&mut self, index: u32) {
        if !self.sessions[index as usize].is_live() {
            return;
        }
        let Some(again) = self.sessions[index as usize].again.take() else {
            return;
        };
        for seq in *again {
            if let Some(timed) = self.ledger.stream_or_new(index).send_again(seq) {
                self.metrics.counters.messages_retried += 1;
                self.write_message(index, seq, timed.intended, timed.sent, true);
            }
        }
        self.send_held_back(index);
    }

    /// Sends what was held back, as far as there is room; in a closed loop, a new message
    /// for each answered one.
    pub(super) fn send_held_back(&mut self, index: u32) {
        if !self.behaviour.cast.sends(index) {
            return;
        }
        while self.may_send(index) {
            if self.plan.in_flight.is_some() {
                if !matches!(self.phase, Phase::Run(_)) || self.top_up_at.is_some() {
                    return;
                }
                self.metrics.counters.messages_due += 1;
                let now = crate::clock::now();
                let measured = self.is_measured(now);
                self.metrics.counters.messages_due_measured += u64::from(measured);
                self.send(index, now);
            } else {
                let Some(due) = self.ledger.stream_or_new(index).held_back.pop_front() else {
                    return;
                };
                self.send(index, due);
            }
        }
    }

    /// A closed loop begins when the run does.
    pub(super) fn begin_loop(&mut self) {
        if self.top_up_at.is_some_and(|at| at <= self.now) {
            self.top_up_at = None;
            self.top_up();
        }
    }

    /// In a closed loop, fills up every sender.
    pub(super) fn top_up(&mut self) {
        if self.plan.in_flight.is_some() && matches!(self.phase, Phase::Run(_)) {
            for place in 0..self.senders.len() {
                self.send_held_back(self.senders[place]);
            }
        }
    }

    /// Sends the pings that are due.
    pub(super) fn ping_due(&mut self) {
        for _ in 0..Self::events_per_turn() {
            let Some(pacer) = &mut self.pings else { return };
            if pacer.due().is_none_or(|due| due > self.now) {
                return;
            }
            let Some((index, due)) = pacer.take() else { return };
            if self.sessions[index as usize].is_live() {
                self.scheduled(due);
                self.ping(index, due);
            }
        }
    }

    fn ping(&mut self, index: u32, due: Nanos) {
        let since_origin = |at: Nanos| at.saturating_sub(self.origin) / MICROSECOND;
        let token = since_origin(due);
        let session = &mut self.sessions[index as usize];
        // A token names one ping of a connection.
        if token <= session.ping.0 {
            return;
        }
        session.ping = (token, since_origin(crate::clock::now()));
        self.metrics.counters.pings_sent += 1;
        self.metrics.counters.frames_sent += 1;
        if let Some(stair) = self.stairs.plateau(due) {
            stair.result.pings += 1;
        }
        let protocol = self.behaviour.protocol_pings && self.abilities.pings;
        let seat = self.seat(index);
        let session = &mut self.sessions[index as usize];
        let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
        if self.plan.empty_heartbeat {
            writer.frame(Opcode::Binary, &[]);
            self.metrics.counters.frames_sent += 1;
        }
        match &mut self.adapter {
            Some(adapter) if protocol => adapter.ping(seat, token, &mut writer),
            _ => writer.frame(Opcode::Ping, &token.to_be_bytes()),
        }
        self.mark_dirty(index);
    }

    /// Asks for history. False if there is nothing to ask for.
    pub(super) fn read_history(&mut self, index: u32, from: HistoryFrom) -> bool {
        let seat = self.seat(index);
        let session = &mut self.sessions[index as usize];
        let Some(adapter) = &mut self.adapter else { return false };
        let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
        if !adapter.read_history(seat, from, &mut writer) {
            return false;
        }
        session.reads_history = true;
        self.metrics.counters.history_requests += 1;
        self.metrics.counters.frames_sent += 1;
        self.mark_dirty(index);
        true
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
}
