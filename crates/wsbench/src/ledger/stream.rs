//! One sender's messages: what was sent, what was answered, what is still under way.

use std::collections::VecDeque;

use super::ranges::Ranges;
use super::window::{Seen, Window};
use crate::clock::Nanos;

/// The most messages of one stream whose times are kept. Beyond, the oldest are no
/// longer timed; they are still accounted for.
const TIMED_MAX: usize = 16 * 1024;

/// The messages of one sender.
#[derive(Debug, Default)]
pub struct Stream {
    /// How many were sent; they are numbered from 1.
    pub sent: u32,
    /// Which the server has acknowledged.
    pub acks: Window,
    /// Which the server has said that it did not take.
    pub refused: Ranges,
    /// Which nobody knows about: the connection broke before an answer.
    pub unconfirmed: Ranges,
    /// Sends that wait for an answer: the depth of the pipeline.
    pub in_flight: u32,
    /// Meant to be sent, and held back: when each was meant to be sent.
    pub held_back: VecDeque<Nanos>,
    /// From the oldest that is still under way to the newest.
    timed: VecDeque<Timed>,
}

/// One message that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Its number.
    pub seq: u32,
    /// How many recipients have it.
    pub deliveries: u32,
    /// When it was meant to be sent.
    pub intended: Nanos,
    /// When it was written.
    pub sent: Nanos,
    /// When its ack came.
    pub acked: Option<Nanos>,
    /// When the first recipient got it.
    pub delivered: Option<Nanos>,
    /// It no longer counts as in flight.
    pub answered: bool,
}

/// What an ack turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum AckOutcome {
    /// The first for this message. Its times, if they are still kept.
    First(Option<Timed>),
    /// There was one before.
    Again,
    /// For a message that was never sent.
    Unknown,
}

impl Stream {
    /// Numbers a message that is about to be written.
    pub fn send(&mut self, intended: Nanos, now: Nanos) -> u32 {
        self.sent += 1;
        self.in_flight += 1;
        if self.timed.len() >= TIMED_MAX {
            self.timed.pop_front();
        }
        self.timed.push_back(Timed {
            seq: self.sent,
            deliveries: 0,
            intended,
            sent: now,
            acked: None,
            delivered: None,
            answered: false,
        });
        self.sent
    }

    /// Takes an ack.
    pub fn ack(&mut self, seq: u32, now: Nanos) -> AckOutcome {
        if seq == 0 || seq > self.sent {
            return AckOutcome::Unknown;
        }
        if self.acks.see(seq) == Seen::Again {
            return AckOutcome::Again;
        }
        self.unconfirmed.remove(seq);
        let timed = self.answer(seq).map(|timed| {
            timed.acked = Some(now);
            *timed
        });
        AckOutcome::First(timed)
    }

    /// Takes the word that a message was not stored. Says whether that is news about a
    /// message that was sent.
    pub fn refuse(&mut self, seq: u32) -> bool {
        if seq == 0 || seq > self.sent || self.acks.has(seq) || self.refused.contains(seq) {
            return false;
        }
        self.answer(seq);
        self.unconfirmed.remove(seq);
        self.refused.add(seq..=seq);
        true
    }

    /// Takes a delivery to one recipient and returns the message's times with it.
    pub fn delivered(&mut self, seq: u32, now: Nanos, answers: bool) -> Option<Timed> {
        let timed = if answers { self.answer(seq)? } else { self.timed_mut(seq)? };
        timed.deliveries += 1;
        timed.delivered.get_or_insert(now);
        Some(*timed)
    }

    /// Forgets the times of messages that have all they wait for.
    pub fn forget_done(&mut self, recipients: u32) {
        while self
            .timed
            .front()
            .is_some_and(|timed| timed.answered && timed.deliveries >= recipients)
        {
            self.timed.pop_front();
        }
    }

    /// The connection broke. What has no answer may or may not have been taken.
    /// Returns those messages, for a client that asks again.
    pub fn connection_lost(&mut self) -> Vec<u32> {
        let mut open = Vec::new();
        for timed in &mut self.timed {
            if !timed.answered {
                timed.answered = true;
                self.unconfirmed.add(timed.seq..=timed.seq);
                open.push(timed.seq);
            }
        }
        self.in_flight = 0;
        open
    }

    /// A message is sent again. Its times, if they are still kept; without them it can't
    /// be, because it would not be the same message.
    pub fn send_again(&mut self, seq: u32) -> Option<Timed> {
        let timed = self.timed_mut(seq)?;
        let was_answered = std::mem::replace(&mut timed.answered, false);
        let timed = *timed;
        if timed.acked.is_some() {
            return None;
        }
        self.in_flight += u32::from(was_answered);
        Some(timed)
    }

    /// Gives up waiting for the answers to messages sent before `before`. Returns how
    /// many there were.
    pub fn expire(&mut self, before: Nanos) -> u64 {
        let mut expired = 0;
        for timed in self.timed.iter_mut().take_while(|timed| timed.sent < before) {
            if !timed.answered {
                timed.answered = true;
                self.in_flight = self.in_flight.saturating_sub(1);
                expired += 1;
            }
        }
        expired
    }

    /// The times of a message, if they are still kept.
    pub fn timed(&self, seq: u32) -> Option<&Timed> {
        let first = self.timed.front()?.seq;
        self.timed.get(seq.checked_sub(first)? as usize)
    }

    fn timed_mut(&mut self, seq: u32) -> Option<&mut Timed> {
        let first = self.timed.front()?.seq;
        self.timed.get_mut(seq.checked_sub(first)? as usize)
    }

    fn answer(&mut self, seq: u32) -> Option<&mut Timed> {
        let first = self.timed.front()?.seq;
        let timed = self.timed.get_mut(seq.checked_sub(first)? as usize)?;
        if !timed.answered {
            timed.answered = true;
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Some(timed)
    }
}
