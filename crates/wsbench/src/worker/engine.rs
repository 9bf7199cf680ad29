//! One worker: what it has, and how it begins.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender};

use mio::{Poll, Token, Waker};

use super::alarm::{Chores, Timer};
use super::calls::Calls;
use super::disrupt::Ladder;
use super::founding::Founding;
use super::presence::Presence;
use super::receipts::ReceiptWheel;
use super::session::Session;
use super::socket::Dialer;
use super::stairs::Stairs;
use super::{Assignment, Command, StepResult, Update, Usage};
use crate::adapter::{Abilities, Adapter, Seat};
use crate::clock::{self, MILLISECOND, Nanos, SECOND};
use crate::ledger::{Cast, Ledger};
use crate::metrics::Metrics;
use crate::pacer::Pacer;
use crate::plan::{Arrival, Plan};
use crate::scenario::{Behaviour, Disruption};

/// The token of the timer; those of sessions are below.
pub(super) const TIMER: Token = Token(usize::MAX);
/// The token of the one who brings commands.
pub(crate) const COMMANDS: Token = Token(usize::MAX - 1);
/// How often deadlines are looked at.
pub(super) const SWEEP: Nanos = 100 * MILLISECOND;

/// How often a connection sends receipts at most: a device does not acknowledge every
/// message by itself.
const RECEIPTS: Nanos = 100 * MILLISECOND;
/// The same in groups, where every message would bring one from each member.
const GROUP_RECEIPTS: Nanos = SECOND;

/// Where the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connections are being opened.
    Ramp,
    /// Groups are brought into being.
    Found,
    /// Until all workers are as far.
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
    pub(super) timer: Timer,
    pub(super) link: Link,
    pub(super) sessions: Vec<Session>,
    pub(super) ledger: Ledger,
    pub(super) metrics: Metrics,
    pub(super) random: fastrand::Rng,
    pub(super) chores: Chores,
    pub(super) founding: Founding,
    pub(super) calls: Calls,
    /// Why the run can't begin, if it can't.
    pub(super) not_set_up: Option<String>,
    pub(super) dials: Option<Pacer>,
    pub(super) dialled: u32,
    pub(super) undecided: u32,
    pub(super) sends: Option<Pacer>,
    pub(super) senders: Vec<u32>,
    pub(super) pings: Option<Pacer>,
    pub(super) flaps: Option<Pacer>,
    /// Connections that flap, in order.
    pub(super) flapping: Vec<u32>,
    pub(super) presence: Presence,
    pub(super) storm: Option<Nanos>,
    pub(super) absent: bool,
    /// When the senders of a closed loop begin, as long as they have not.
    pub(super) top_up_at: Option<Nanos>,
    pub(super) ladder: Option<Ladder>,
    pub(super) steps: Vec<StepResult>,
    pub(super) stairs: Stairs,
    pub(super) dirty: Vec<u32>,
    pub(super) receipts: ReceiptWheel,
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
    pub(super) next_sweep: Nanos,
    pub(super) next_quiet: Nanos,
    pub(super) next_usage: Nanos,
    pub(super) next_second: Nanos,
    pub(super) settling: Vec<u32>,
    /// How far the run was when histories were last asked for.
    pub(super) settled_at: (u64, u64),
    /// When the last poll ended.
    pub(super) turned: Nanos,
    /// The last time that nothing happened here for long: from when, until when.
    pub(super) stood_still: Option<(Nanos, Nanos)>,
    pub(super) usage_at: Option<(Nanos, Nanos, Nanos, u64)>,
    pub(super) stop: bool,
}

/// Runs a worker to its end. Everything it has to say goes through the link.
pub(crate) fn run(assignment: Assignment, poll: Poll, link: Link) {
    let updates = link.updates.clone();
    let result = Engine::new(assignment, poll, link).map_err(Update::Failed).and_then(Engine::work);
    let last = match result {
        Ok(result) => Update::Done(Box::new(result)),
        Err(last) => last,
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
        let Assignment { plan, run, origin, first, count, accounts } = assignment;
        let memory_before = crate::machine::own_memory();
        let behaviour = plan.behaviour();
        let abilities = plan.abilities();
        let addresses =
            plan.targets.iter().map(|target| target.resolve()).collect::<Result<_, _>>()?;
        let adapter = crate::adapter::make(&plan, &accounts)?;
        let calls = match accounts.is_empty() {
            true => Calls::default(),
            false => Calls::to(plan.http_base()?),
        };
        let timer =
            Timer::new(poll.registry(), TIMER).map_err(|error| format!("timer: {error}"))?;
        let mut sessions = Vec::new();
        sessions.resize_with(count as usize, Session::default);
        let seed = plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(first));
        let cast = behaviour.cast;
        let senders = (0..count).filter(|index| cast.sends(*index)).collect();
        let ledger = Ledger::new(cast, count, abilities.acks);
        let receipt_interval = if cast.audience() > 1 { GROUP_RECEIPTS } else { RECEIPTS };
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
            founding: Founding::default(),
            calls,
            not_set_up: None,
            dials: None,
            dialled: 0,
            undecided: count,
            sends: None,
            senders,
            pings: None,
            flaps: None,
            flapping: Vec::new(),
            presence: Presence::default(),
            storm: None,
            absent: false,
            top_up_at: None,
            ladder: None,
            steps: Vec::new(),
            stairs: Stairs::default(),
            dirty: Vec::new(),
            receipts: ReceiptWheel::new(receipt_interval, count as usize, clock::now()),
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
            next_quiet: 0,
            next_usage: 0,
            next_second: origin + SECOND,
            settling: Vec::new(),
            settled_at: (0, 0),
            turned: clock::now(),
            stood_still: None,
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
        let by_itself = self.behaviour.disruption;
        if matches!(by_itself, Disruption::Ladder { .. } | Disruption::RisingConnections { .. }) {
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

    /// Counts something that was due, and whether this generator was late with it.
    pub(super) fn scheduled(&mut self, due: Nanos) {
        let late = u64::from(self.now.saturating_sub(due) > self.plan.late_after.nanos());
        self.metrics.counters.scheduled += 1;
        self.metrics.counters.late += late;
        if let Some(stair) = self.stairs.at(due) {
            stair.result.scheduled += 1;
            stair.result.late += late;
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
        let conversation = cast.conversation(index);
        let group = self.plan.user_base + u64::from(self.first + conversation * cast.unit());
        Seat { local: index, user, conversation, peer, group }
    }
}
