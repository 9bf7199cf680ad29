//! A worker: one thread, one event loop, a share of the connections.
//!
//! Workers are threads, or processes where one process may not have enough descriptors;
//! they do the same either way. A worker gets an [`Assignment`] and [`Command`]s, and
//! sends [`Update`]s. Connections that talk to each other are always of the same worker.

mod account;
mod alarm;
mod calls;
mod dial;
mod disrupt;
mod engine;
mod founding;
mod hear;
mod lose;
mod merged;
mod phases;
mod plateau;
mod presence;
mod read;
mod receipts;
mod session;
mod socket;
mod stairs;
mod talk;
mod turn;

use serde::{Deserialize, Serialize};

pub(crate) use engine::{Link, poll, run};
pub use merged::{Merged, Step, Trend, Watched, WatchedSample};
pub use plateau::{BeyondKnee, Plateau, beyond_knee, knee};
pub(crate) use socket::tls_config_for;
pub use stairs::StairResult;

use crate::clock::Nanos;
use crate::ledger::Tally;
use crate::metrics::{Counters, Sparse, Timing};
use crate::plan::Plan;

/// Finds out whether everything that the plan names can be had: keys, certificates,
/// addresses. Every worker needs all of it, and to hear of it before a run is better.
pub fn check(plan: &Plan) -> Result<(), String> {
    plan.targets.iter().try_for_each(|target| target.resolve().map(drop))?;
    crate::adapter::make(plan, &[])?;
    socket::Dialer::new(plan)?;
    Ok(())
}

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// The whole run's plan.
    pub plan: Plan,
    /// The run's random name.
    pub run: u32,
    /// Where the run's time begins.
    pub origin: Nanos,
    /// The index of this worker's first connection.
    pub first: u32,
    /// How many connections it has.
    pub count: u32,
    /// The accounts of their users, if the server has to know them.
    pub accounts: Vec<crate::adapter::Account>,
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Command {
    /// All workers are through with their ramp: begin at this time.
    Begin(Nanos),
    /// Come to an end now; the report is wanted.
    Stop,
}

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Update {
    /// Every connection has been tried.
    Ramped,
    /// What happened in the last second.
    Second(Box<Second>),
    /// It is over.
    Done(Box<WorkerResult>),
    /// The server can't be brought to where the run could begin.
    NotSetUp(String),
    /// It can't go on.
    Failed(String),
}

/// One second of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Second {
    /// Which, counted from the origin.
    pub second: u64,
    /// All counts so far.
    pub counters: Counters,
    /// Connections that stand.
    pub live: u32,
    /// What was timed in it.
    pub times: Vec<(Timing, Sparse)>,
    /// Errors by class so far.
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Deliveries so far that were there before.
    pub duplicates: u64,
    /// Deliveries so far that came after a later message of the same sender.
    pub reordered: u64,
}

/// Everything a worker has to say in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerResult {
    /// All counts.
    pub counters: Counters,
    /// Errors by class.
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Everything that was timed.
    pub times: Vec<(Timing, Sparse)>,
    /// What became of the messages.
    pub tally: Tally,
    /// The steps of a ladder.
    pub steps: Vec<StepResult>,
    /// The steps of a rising load.
    pub stairs: Vec<StairResult>,
    /// How the worker itself fared.
    pub usage: Usage,
}

/// One step of a ladder, at one worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepResult {
    /// Connections a second that were due.
    pub offered: f64,
    /// Connections tried.
    pub attempted: u64,
    /// Connections that came to stand.
    pub ok: u64,
    /// How long it took, in nanoseconds.
    pub nanos: Nanos,
    /// Times to connect.
    pub times: Sparse,
}

/// How a worker itself fared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Measured time, in nanoseconds.
    pub measured_nanos: Nanos,
    /// CPU time in it.
    pub cpu_nanos: Nanos,
    /// Time in it that the worker could have run and had no CPU.
    pub wait_nanos: Nanos,
    /// Frames that were sent and received in it.
    pub frames: u64,
    /// Times that the process was stopped from outside: when, in seconds, and for how long.
    pub stops: Vec<(f64, f64)>,
    /// The longest turn of the loop, in nanoseconds.
    pub longest_turn_nanos: Nanos,
    /// The process's memory before the first connection and after the ramp, in bytes.
    pub memory_before: u64,
    /// See `memory_before`.
    pub memory_after: u64,
    /// Connections that stood then.
    pub memory_connections: u32,
    /// The process, so that threads of one are not counted twice.
    pub process: u32,
}
