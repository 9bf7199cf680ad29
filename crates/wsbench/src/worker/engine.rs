//! The event loop, and the phases of a run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use super::alarm::{Chore, Chores, Timer};
use super::disrupt::Ladder;
use super::session::{Session, Stage};
use super::socket::Dialer;
use super::{Assignment, Command, Second, StepResult, Update, Usage, WorkerResult};
use crate::adapter::{Abilities, Adapter, HistoryFrom, Seat};
use crate::clock::{self, MILLISECOND, Nanos, SECOND};
use crate::ledger::{Cast, Ledger};
use crate::metrics::{Metrics, Sparse};
use crate::pacer::Pacer;
use crate::plan::{Arrival, Plan};
use crate::scenario::{Behaviour, Disruption};

/// The token of the timer; those of sessions are below.
const TIMER: Token = Token(usize::MAX);
/// The token of the one who brings commands.
pub(crate) const COMMANDS: Token = Token(usize::MAX - 1);
/// The longest turn of the loop, so that nothing waits for an event that never comes.
const TURN_MAX: Nanos = 100 * MILLISECOND;
/// Sends, pings and dials per turn, so that sockets are read in between.
const EVENTS_PER_TURN: usize = 128;
/// How often deadlines are looked at.
const SWEEP: Nanos = 100 * MILLISECOND;
/// How often receipts are sent: a device does not acknowledge every message by itself.
const RECEIPTS: Nanos = 100 * MILLISECOND;
/// How long recipients may read their histories after the drain.
const SETTLE_MAX: Nanos = 30 * SECOND;
/// How long closing may take.
const CLOSE_MAX: Nanos = SECOND;
/// Without the loop turning for so long while the process was stopped, it was stopped.
const STOP_MIN: Nanos = 250 * MILLISECOND;

/// Where the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connections are being opened.
    Ramp,
    /// Until all workers have.
    Waiting,
    /// It goes on until this time.
    Run(Nanos),
    /// What is under way may arrive, until this time.
    Drain(Nanos),
    /// Recipients read their history, until this time.
    Settle(Nanos),
    /// Connections say goodbye, until this time.
    Close(Nanos),
}

/// What comes from outside besides sockets.
#[derive(Debug)]
pub(crate) struct Link {
    /// Commands; whoever sends one wakes the poll.
    pub(crate) commands: Receiver<Command>,
    /// Where updates go.
    pub(crate) updates: SyncSender<Update>,
    /// Set when the process goes on after it was stopped.
    pub(crate) continued: Arc<AtomicBool>,
}

/// One worker.
pub(super) struct Engine {
    pub(super) plan: Plan,
    pub(super) behaviour: Behaviour,
    pub(super) abilities: Abilities,
    pub(super) adapter: Option<Box<dyn Adapter>>,
    pub(super) run: u32,
    pub(super) origin: Nanos,
    pub(super) first: u32,
    pub(super) addresses: Vec<Vec<SocketAddr>>,
    pub(super) dialer: Dialer,
    pub(super) poll: Poll,
    timer: Timer,
    link: Link,
    pub(super) sessions: Vec<Session>,
    pub(super) ledger: Ledger,
    pub(super) metrics: Metrics,
    pub(super) random: fastrand::Rng,
    pub(super) chores: Chores,
    pub(super) dials: Option<Pacer>,
    pub(super) dialled: u32,
    pub(super) undecided: u32,
    pub(super) sends: Option<Pacer>,
    pub(super) senders: Vec<u32>,
    pub(super) pings: Option<Pacer>,
    pub(super) flaps: Option<Pacer>,
    pub(super) storm: Option<Nanos>,
    pub(super) absent: bool,
    pub(super) ladder: Option<Ladder>,
    pub(super) steps: Vec<StepResult>,
    pub(super) dirty: Vec<u32>,
    pub(super) receipts: Vec<u32>,
    /// Sockets with more to read than fits into one turn.
    pub(super) unread: Vec<u32>,
    pub(super) live: u32,
    pub(super) now: Nanos,
    pub(super) phase: Phase,
    pub(super) measured: (Nanos, Nanos),
    pub(super) buffer: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) usage: Usage,
    /// Messages sent before this are not timed: the process was stopped since.
    pub(super) untimed_before: Nanos,
    next_sweep: Nanos,
    next_receipts: Nanos,
    next_second: Nanos,
    settling: Vec<u32>,
    usage_at: Option<(Nanos, Nanos, Nanos, u64)>,
    stop: bool,
}

/// Runs a worker to its end. Everything it has to say goes through the link.
pub(crate) fn run(assignment: Assignment, poll: Poll, link: Link) {
    let updates = link.updates.clone();
    let result = Engine::new(assignment, poll, link).and_then(Engine::work);
    let last = match result {
        Ok(result) => Update::Done(Box::new(result)),
        Err(error) => Update::Failed(error),
    };
    // If nobody listens any more, there is nobody to tell.
    let _ = updates.send(last);
}

/// The poll of a worker, and what wakes it.
pub(crate) fn poll() -> std::io::Result<(Poll, Waker)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), COMMANDS)?;
    Ok((poll, waker))
}

impl Engine {
    fn new(assignment: Assignment, poll: Poll, link: Link) -> Result<Self, String> {
        let Assignment { plan, run, origin, first, count } = assignment;
        let memory_before = crate::machine::own_memory();
        let behaviour = plan.scenario().behaviour(&plan);
        let abilities = plan.abilities();
        let addresses =
            plan.targets.iter().map(|target| target.resolve()).collect::<Result<_, _>>()?;
        let adapter = crate::adapter::make(&plan)?;
        let timer =
            Timer::new(poll.registry(), TIMER).map_err(|error| format!("timer: {error}"))?;
        let mut sessions = Vec::new();
        sessions.resize_with(count as usize, Session::default);
        let seed = plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(first));
        let cast = behaviour.cast;
        let senders = (0..count).filter(|index| cast.sends(*index)).collect();
        let ledger = Ledger::new(cast, count, abilities.acks);
        let buffer = vec![0; (plan.read_buffer as usize).max(64 * 1024)];
        let mut engine = Self {
            behaviour,
            abilities,
            adapter: Some(adapter),
            run,
            origin,
            first,
            addresses,
            dialer: Dialer::new(&plan)?,
            poll,
            timer,
            link,
            sessions,
            ledger,
            metrics: Metrics::default(),
            random: fastrand::Rng::with_seed(seed),
            chores: Chores::default(),
            dials: None,
            dialled: 0,
            undecided: count,
            sends: None,
            senders,
            pings: None,
            flaps: None,
            storm: None,
            absent: false,
            ladder: None,
            steps: Vec::new(),
            dirty: Vec::new(),
            receipts: Vec::new(),
            unread: Vec::new(),
            live: 0,
            now: clock::now(),
            phase: Phase::Ramp,
            measured: (Nanos::MAX, Nanos::MAX),
            buffer,
            payload: Vec::new(),
            usage: Usage { process: std::process::id(), ..Usage::default() },
            untimed_before: 0,
            next_sweep: 0,
            next_receipts: 0,
            next_second: origin + SECOND,
            settling: Vec::new(),
            usage_at: None,
            stop: false,
            plan,
        };
        engine.usage.memory_before = memory_before;
        engine.choose_readers();
        engine.begin_ramp(seed);
        Ok(engine)
    }

    /// What this worker's share of the whole is.
    pub(super) fn share(&self) -> f64 {
        self.sessions.len() as f64 / f64::from(self.plan.conns)
    }

    fn begin_ramp(&mut self, seed: u64) {
        let count = self.sessions.len() as u32;
        if matches!(self.behaviour.disruption, Disruption::Ladder { .. }) {
            self.undecided = 0;
            return;
        }
        let most = f64::from(self.plan.max_cps) * self.share();
        let ramp = self.plan.ramp.as_secs_f64();
        let rate = if ramp > 0.0 { most.min(f64::from(count) / ramp) } else { most };
        let start = self.origin.max(self.now);
        self.dials = Some(Pacer::new(start, rate, &[], Arrival::Spread, count, seed));
        if !self.plan.ping_interval.0.is_zero() {
            let rate = f64::from(count) / self.plan.ping_interval.as_secs_f64();
            // The first ping of a connection comes half an interval after it was dialled,
            // or as soon as it stands.
            self.pings = Some(Pacer::new(start, rate, &[], Arrival::Spread, count, seed));
        }
    }

    fn work(mut self) -> Result<WorkerResult, String> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.now = clock::now();
            self.turn();
            if self.is_over() {
                break;
            }
            let wait = if self.unread.is_empty() {
                self.now = clock::now();
                self.timer
                    .wait(self.now, self.next_due(), TURN_MAX)
                    .map_err(|error| format!("timer: {error}"))?
            } else {
                Duration::ZERO
            };
            let before = clock::now();
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    return Err(format!("poll: {error}"));
                }
                _ => {}
            }
            self.now = clock::now();
            self.notice_stop(before);
            for event in &events {
                match event.token() {
                    TIMER | COMMANDS => {}
                    Token(index) => self.socket_event(index as u32, event),
                }
            }
            let turn = clock::now() - self.now;
            self.usage.longest_turn_nanos = self.usage.longest_turn_nanos.max(turn);
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
        self.send_due();
        self.disrupt_due();
        if self.now >= self.next_receipts {
            self.send_receipts();
            self.next_receipts = self.now + RECEIPTS;
        }
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
        let waiting = (!self.receipts.is_empty()).then_some(self.next_receipts);
        paced.chain(self.chores.due()).chain(self.storm).chain(ladder).chain(waiting).min()
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

    /// Counts something that was due, and whether this generator was late with it.
    pub(super) fn scheduled(&mut self, due: Nanos) {
        self.metrics.counters.scheduled += 1;
        if self.now.saturating_sub(due) > self.plan.late_after.nanos() {
            self.metrics.counters.late += 1;
        }
    }

    /// Whether something that was due at `due` belongs to the measured time.
    pub(super) fn is_measured(&self, due: Nanos) -> bool {
        (self.measured.0..self.measured.1).contains(&due)
    }

    pub(super) fn seat(&self, index: u32) -> Seat {
        let cast = self.behaviour.cast;
        let user = self.plan.user_base + u64::from(self.first + index);
        let peer = match cast {
            Cast::Pairs { .. } => self.plan.user_base + u64::from(self.first + (index ^ 1)),
            _ => user,
        };
        Seat { local: index, user, conversation: cast.conversation(index), peer }
    }

    fn change_phase(&mut self) {
        match self.phase {
            Phase::Ramp => {
                let late =
                    self.origin + self.plan.ramp.nanos() + 2 * self.plan.handshake_timeout.nanos();
                if self.stop {
                    self.drain();
                } else if self.undecided == 0 || (self.dials.is_none() && self.now > late) {
                    self.usage.memory_after = crate::machine::own_memory();
                    self.usage.memory_connections = self.live;
                    self.phase = Phase::Waiting;
                    self.report_second();
                    self.tell(Update::Ramped);
                }
            }
            Phase::Waiting => {
                if self.stop {
                    self.drain();
                }
            }
            Phase::Run(until) => {
                self.measure_usage();
                if self.stop || self.now >= until || self.is_finished() {
                    self.drain();
                }
            }
            Phase::Drain(until) => {
                if self.now >= until || self.is_quiet() {
                    self.settle();
                }
            }
            Phase::Settle(until) => {
                if self.now >= until || self.has_settled() {
                    self.close();
                }
            }
            Phase::Close(_) => {}
        }
    }

    fn begin_run(&mut self, at: Nanos) {
        let until = at + self.plan.hold().nanos();
        // A warm-up that would leave nothing is left out.
        let warm = at + self.plan.warmup.nanos().min(self.plan.hold().nanos() / 2);
        self.measured = (warm, until);
        self.phase = Phase::Run(until);
        self.begin_sending(at);
        self.begin_disruption(at, until);
    }

    /// Whether a scenario that has an end of its own has come to it.
    fn is_finished(&self) -> bool {
        match self.behaviour.disruption {
            Disruption::Absence { .. } => {
                !self.absent && self.sends.is_none() && self.ledger.is_complete()
            }
            Disruption::Ladder { .. } => self.ladder.is_none(),
            _ => false,
        }
    }

    fn drain(&mut self) {
        // The usage of a run that was cut short is measured up to here.
        self.measured.1 = self.measured.1.min(self.now.max(self.measured.0));
        self.measure_usage();
        (self.sends, self.pings, self.flaps, self.dials) = (None, None, None, None);
        (self.storm, self.ladder) = (None, None);
        self.come_back();
        self.read_fast();
        self.next_receipts = self.now;
        self.phase = Phase::Drain(self.now + self.plan.drain.nanos());
    }

    /// Whether nothing is under way any more.
    fn is_quiet(&mut self) -> bool {
        let pings =
            self.sessions.iter().any(|session| session.is_live() && session.ping.0 > session.pong);
        let busy = self.sessions.iter().any(|session| session.reads_history);
        !pings && !busy && self.ledger.is_complete()
    }

    /// After the drain every recipient that misses something reads its history.
    fn settle(&mut self) {
        self.phase = Phase::Settle(self.now + SETTLE_MAX);
        self.settling.clear();
        if !self.abilities.history || self.stop && self.ledger.in_flight() > 0 && self.live == 0 {
            return;
        }
        for index in 0..self.sessions.len() as u32 {
            if self.behaviour.cast.receives(index)
                && self.ledger.is_behind(index)
                && self.sessions[index as usize].is_live()
                && self.read_history(index, HistoryFrom::Start)
            {
                self.settling.push(index);
            }
        }
        self.flush_dirty();
    }

    fn has_settled(&mut self) -> bool {
        let sessions = &self.sessions;
        self.settling.retain(|index| sessions[*index as usize].reads_history);
        self.settling.is_empty()
    }

    fn close(&mut self) {
        self.metrics.counters.connections_final = u64::from(self.live);
        let lost =
            self.sessions.iter().filter(|session| session.was_live && !session.is_live()).count();
        if self.behaviour.reconnects {
            self.metrics.counters.reconnects_failed = lost as u64;
        }
        self.phase = Phase::Close(self.now + CLOSE_MAX);
        for index in 0..self.sessions.len() as u32 {
            self.say_goodbye(index);
        }
    }

    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Close(until) => {
                self.now >= until || self.sessions.iter().all(|session| session.socket.is_none())
            }
            _ => false,
        }
    }

    /// The processor time of the measured time, and nothing else.
    fn measure_usage(&mut self) {
        let (from, until) = self.measured;
        let frames = self.metrics.counters.frames_received + self.metrics.counters.messages_sent;
        if self.usage_at.is_none() && self.now >= from {
            self.usage_at =
                Some((self.now, clock::thread_cpu(), crate::machine::thread_wait(), frames));
        }
        let Some((at, cpu, wait, before)) = self.usage_at else { return };
        if self.now <= until || self.usage.measured_nanos == 0 {
            self.usage.measured_nanos = self.now - at;
            self.usage.cpu_nanos = clock::thread_cpu() - cpu;
            self.usage.frames = frames - before;
            // A file read, and good enough once a turn of the sweep.
            if self.now + SWEEP >= until || self.stop {
                self.usage.wait_nanos = crate::machine::thread_wait() - wait;
            }
        }
    }

    /// The process may have been stopped (SIGSTOP). Then time stood still for this side
    /// only: the schedule moves on by as much, silence is not the server's, and what was
    /// under way is not timed.
    fn notice_stop(&mut self, before: Nanos) {
        if !self.link.continued.swap(false, Ordering::Relaxed) {
            return;
        }
        let gap = self.now - before;
        if gap < STOP_MIN {
            return;
        }
        self.usage.stops.push(((before - self.origin) as f64 / 1e9, gap as f64 / 1e9));
        self.untimed_before = self.now;
        let pacers = [&mut self.dials, &mut self.sends, &mut self.pings, &mut self.flaps];
        for pacer in pacers.into_iter().flatten() {
            pacer.shift(gap);
        }
        for session in &mut self.sessions {
            session.last_heard = self.now;
            if let Some(dialing) = &mut session.dialing {
                dialing.deadline += gap;
            }
        }
        if let Phase::Run(until) = &mut self.phase {
            *until += gap;
            self.measured.1 += gap;
            if self.measured.0 > before {
                self.measured.0 += gap;
            }
        }
    }

    fn report_second(&mut self) {
        let second = Second {
            second: (self.now - self.origin) / SECOND,
            counters: self.metrics.counters.clone(),
            live: self.live,
            times: self.metrics.take_second(),
        };
        self.tell(Update::Second(Box::new(second)));
        self.next_second = self.origin + ((self.now - self.origin) / SECOND + 1) * SECOND;
    }

    fn tell(&mut self, update: Update) {
        // If nobody listens any more, the stop comes by the other way.
        let _ = self.link.updates.send(update);
    }

    fn result(mut self) -> WorkerResult {
        self.report_second();
        let times = self.metrics.times().iter();
        WorkerResult {
            times: times.map(|(timing, times)| (*timing, Sparse::of(times))).collect(),
            counters: self.metrics.counters.clone(),
            errors: std::mem::take(&mut self.metrics.errors),
            tally: self.ledger.settle(self.first),
            steps: std::mem::take(&mut self.steps),
            usage: std::mem::take(&mut self.usage),
        }
    }

    /// Looks at every connection's deadlines.
    fn sweep(&mut self) {
        let read_timeout = self.plan.read_timeout.nanos();
        let write_timeout = self.plan.write_timeout.nanos();
        for index in 0..self.sessions.len() as u32 {
            let session = &self.sessions[index as usize];
            match session.stage {
                Stage::Connecting | Stage::Upgrading | Stage::LoggingIn => {
                    let deadline = session.dialing.as_ref().map(|dialing| dialing.deadline);
                    if deadline.is_some_and(|deadline| self.now > deadline) {
                        self.lost(index, "timeout");
                    }
                }
                Stage::Live => {
                    let fast = session.reading == super::session::Reading::Fast;
                    let silent = self.now.saturating_sub(session.last_heard);
                    if fast && read_timeout > 0 && silent > read_timeout {
                        self.lost(index, "io_timeout");
                    } else if session.stuck > 0 && self.now - session.stuck > write_timeout {
                        self.lost(index, "write_timeout");
                    }
                }
                Stage::Off | Stage::Waiting | Stage::Failed => {}
            }
        }
        let before = self.now.saturating_sub(write_timeout.max(SECOND) * 3);
        self.metrics.counters.answer_timeouts += self.ledger.expire(before);
        self.top_up();
    }

    pub(super) fn events_per_turn() -> usize {
        EVENTS_PER_TURN
    }
}
