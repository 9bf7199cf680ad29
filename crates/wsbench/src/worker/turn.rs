//! The event loop: sockets that have something, and everything that time brings.

use std::time::Duration;

use mio::{Events, Token};

use super::alarm::Chore;
use super::calls::FIRST_LINE;
use super::disrupt::Ladder;
use super::engine::{COMMANDS, Engine, Phase, SWEEP, TIMER};
use super::{Command, Update, WorkerResult};
use crate::clock::{self, MILLISECOND, Nanos};
use crate::pacer::Pacer;

/// The longest turn of the loop, so that nothing waits for an event that never comes.
const TURN_MAX: Nanos = 100 * MILLISECOND;
/// Sends, pings and dials per turn, so that sockets are read in between.
const EVENTS_PER_TURN: usize = 128;

impl Engine {
    /// Works to the end. An error is the last word of a worker that can't.
    pub(super) fn work(mut self) -> Result<WorkerResult, Update> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.now = clock::now();
            self.turn();
            if let Some(reason) = self.not_set_up.take() {
                return Err(Update::NotSetUp(reason));
            }
            if self.is_over() {
                break;
            }
            let wait = if self.unread.is_empty() {
                self.now = clock::now();
                self.timer
                    .wait(self.now, self.next_due(), TURN_MAX)
                    .map_err(|error| Update::Failed(format!("timer: {error}")))?
            } else {
                Duration::ZERO
            };
            let before = clock::now();
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    return Err(Update::Failed(format!("poll: {error}")));
                }
                _ => {}
            }
            self.now = clock::now();
            self.notice_stop(before);
            for event in &events {
                match event.token() {
                    TIMER | COMMANDS => {}
                    Token(token) if token >= FIRST_LINE => self.line_event(token - FIRST_LINE),
                    Token(index) => self.socket_event(index as u32, event),
                }
            }
            let turn = clock::now() - self.now;
            self.usage.longest_turn_nanos = self.usage.longest_turn_nanos.max(turn);
            self.make_calls();
            self.flush_dirty();
        }
        Ok(self.result())
    }

    /// Everything that time brings.
    fn turn(&mut self) {
        self.obey();
        for index in std::mem::take(&mut self.unread) {
            self.readable(index);
        }
        self.run_chores();
        self.dial_due();
        self.ping_due();
        self.begin_loop();
        self.send_due();
        self.disrupt_due();
        self.receipts_due();
        self.make_calls();
        self.flush_dirty();
        if self.now >= self.next_sweep {
            self.sweep();
            self.next_sweep = self.now + SWEEP;
        }
        if self.now >= self.next_second {
            self.report_second();
        }
        self.change_phase();
    }

    fn next_due(&self) -> Option<Nanos> {
        let paced = [&self.dials, &self.pings, &self.sends, &self.flaps];
        let paced = paced.into_iter().flatten().filter_map(Pacer::due);
        let ladder = self.ladder.as_ref().and_then(Ladder::due);
        let growth = self.stairs.next_dial().map(|(at, _)| at);
        paced
            .chain(self.chores.due())
            .chain(self.storm)
            .chain(self.top_up_at)
            .chain(ladder)
            .chain(growth)
            .chain(self.receipts.due())
            .min()
    }

    fn obey(&mut self) {
        while let Ok(command) = self.link.commands.try_recv() {
            match command {
                Command::Begin(at) if self.phase == Phase::Waiting => self.begin_run(at),
                Command::Begin(_) => {}
                Command::Stop => self.stop = true,
            }
        }
    }

    fn run_chores(&mut self) {
        while let Some((chore, index, due)) = self.chores.take(self.now) {
            match chore {
                Chore::Dial => self.dial_again(index, due),
                Chore::Read => {
                    self.sessions[index as usize].paused = false;
                    self.readable(index);
                }
                Chore::SendAgain => self.send_again(index),
                Chore::Found => self.ask_for_group_again(index),
            }
        }
    }

    fn dial_due(&mut self) {
        for _ in 0..EVENTS_PER_TURN {
            let Some(pacer) = &mut self.dials else { return };
            if pacer.due().is_none_or(|due| due > self.now) {
                return;
            }
            let Some((index, due)) = pacer.take() else { return };
            self.dialled += 1;
            if self.dialled as usize == self.sessions.len() {
                self.dials = None;
            }
            self.scheduled(due);
            self.first_dial(index, due);
        }
    }

    pub(super) fn events_per_turn() -> usize {
        EVENTS_PER_TURN
    }
}
