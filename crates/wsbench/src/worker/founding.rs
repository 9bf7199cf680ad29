//! Bringing the groups of a plan into being, between the ramp and the run.
//!
//! The first connection of a group that stands asks for it, one request after the other;
//! a protocol whose groups need no asking has nothing to say, and the run begins.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Update;
use super::alarm::Chore;
use super::engine::{Engine, Phase};
use crate::adapter::{FrameWriter, Group};
use crate::clock::{MILLISECOND, Nanos};

/// Groups that are brought into being at the same time.
const AT_ONCE: usize = 16;

/// What is still to be done.
#[derive(Debug, Default)]
pub(super) struct Founding {
    /// Groups that nobody has asked for, by their number at this worker.
    waiting: Range<u32>,
    /// Connections that wait for an answer, and since when.
    open: BTreeMap<u32, Nanos>,
}

impl Engine {
    /// All connections have been tried: brings the groups into being, if there are any.
    pub(super) fn begin_founding(&mut self) {
        self.phase = Phase::Found;
        if let Some(size) = self.behaviour.cast.group_size() {
            self.founding.waiting = 0..self.sessions.len() as u32 / size;
        }
        self.found_more();
        self.finish_founding();
    }

    /// Gives up on a server that doesn't answer; goes on when all is done.
    pub(super) fn finish_founding(&mut self) {
        let patience = self.plan.write_timeout.nanos();
        if self.founding.open.values().any(|since| self.now.saturating_sub(*since) > patience) {
            self.not_set_up(format!(
                "the server did not answer within {} (--write-timeout)",
                self.plan.write_timeout
            ));
        }
        if self.founding.open.is_empty() && self.founding.waiting.is_empty() {
            self.phase = Phase::Waiting;
            self.report_second();
            self.tell(Update::Ramped);
        }
    }

    fn found_more(&mut self) {
        let Some(size) = self.behaviour.cast.group_size() else { return };
        while self.founding.open.len() < AT_ONCE {
            let Some(group) = self.founding.waiting.next() else { return };
            let mut members = group * size..(group + 1) * size;
            // Where nobody stands nobody will speak.
            if let Some(founder) = members.find(|index| self.sessions[*index as usize].is_live()) {
                self.ask_for_group(founder, false);
            }
        }
    }

    /// Asks for the next step of a connection's group, or for the last one again.
    pub(super) fn ask_for_group(&mut self, founder: u32, again: bool) {
        let seat = self.seat(founder);
        let unit = self.behaviour.cast.unit();
        let group = Group {
            run: self.run,
            number: (self.first + founder) / unit,
            users: seat.group..seat.group + u64::from(unit),
        };
        let session = &mut self.sessions[founder as usize];
        let Some(adapter) = &mut self.adapter else { return };
        let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
        if adapter.found_group(seat, &group, again, &mut writer) {
            self.founding.open.insert(founder, self.now);
            self.mark_dirty(founder);
        } else {
            self.founding.open.remove(&founder);
        }
    }

    /// What was asked for a group has been done.
    pub(super) fn group_step(&mut self, index: u32) {
        if self.founding.open.contains_key(&index) {
            self.ask_for_group(index, false);
            self.found_more();
        } else {
            self.metrics.counters.unmatched_answers += 1;
        }
    }

    /// The server does not want a group, or not now.
    pub(super) fn group_refused(&mut self, index: u32, reason: &str, again_after_ms: Option<u64>) {
        self.metrics.counters.server_errors += 1;
        self.metrics.error(format!("server_{reason}"));
        match again_after_ms {
            Some(after_ms) => {
                self.chores.add(self.now + after_ms * MILLISECOND, Chore::Found, index);
            }
            None => self.not_set_up(format!("the server says {reason}")),
        }
    }

    /// A connection stands again: what it had asked for may be lost.
    pub(super) fn ask_for_group_again(&mut self, index: u32) {
        if self.founding.open.contains_key(&index) {
            self.ask_for_group(index, true);
        }
    }

    fn not_set_up(&mut self, reason: String) {
        self.not_set_up.get_or_insert(format!("the groups can't be made: {reason}"));
    }
}
