//! Conducts a run: shares it out among workers, begins it when all are ready, and puts
//! together what they say.

mod actions;
mod shares;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use actions::Actions;

use crate::clock::{self, MILLISECOND, Nanos};
use crate::machine;
use crate::plan::Plan;
use crate::seconds::Seconds;
use crate::worker::{Assignment, Command, Merged, StairResult, StepResult, Update};

pub use actions::Done;
pub use shares::{Shares, share_out};
pub use workers::work_as_process;
use workers::{UPDATES_MAX, Worker, start_process, start_thread};

/// How long the workers have to begin at the same time.
const BEGIN_AFTER: Nanos = 50 * MILLISECOND;
/// The same for processes, which must be started.
const BEGIN_AFTER_PROCESS: Nanos = 500 * MILLISECOND;

/// Signals to this process, counted by handlers.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// How often the user asked for the end.
    pub interrupts: Arc<AtomicU32>,
    /// The process goes on after it was stopped; one for each worker that wants to know.
    pub continued: Arc<std::sync::Mutex<Vec<Arc<AtomicBool>>>>,
}

/// What the conductor tells while a run goes on.
pub trait Audience {
    /// So many of the accounts that the run needs have been opened.
    fn preparing(&mut self, done: usize, of: usize) {
        let _ = (done, of);
    }
    /// Another second is complete.
    fn second(&mut self, seconds: &Seconds);
    /// Every connection has been tried; the measured part begins.
    fn ramped(&mut self, seconds: &Seconds);
    /// A moment has passed: called several times a second, and must return soon.
    fn moment(&mut self, _seconds: &Seconds, _watch: &crate::watch::Watch) {}
}

/// Two who are told the same, one after the other.
impl<A: Audience, B: Audience> Audience for (&mut A, &mut B) {
    fn second(&mut self, seconds: &Seconds) {
        self.0.second(seconds);
        self.1.second(seconds);
    }

    fn ramped(&mut self, seconds: &Seconds) {
        self.0.ramped(seconds);
        self.1.ramped(seconds);
    }

    fn moment(&mut self, seconds: &Seconds, watch: &crate::watch::Watch) {
        self.0.moment(seconds, watch);
        self.1.moment(seconds, watch);
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server can't be brought to where the run could begin.
    #[error("{0}")]
    NotSetUp(String),
    /// This program or machine can't go on.
    #[error("{0}")]
    Broken(String),
}

/// A run that has come to its end.
#[derive(Debug)]
pub struct Conducted {
    /// What all workers have to say together.
    pub merged: Merged,
    /// Second by second.
    pub seconds: Seconds,
    /// The run's random name.
    pub run: u32,
    /// It was ended by the user.
    pub interrupted: bool,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
    /// What was run meanwhile.
    pub actions: Vec<Done>,
    /// The workers, and whether they were processes.
    pub workers: (usize, bool),
    /// When every connection had been tried, in seconds of the run; none if it did not
    /// come to that.
    pub ramped_at_seconds: Option<f64>,
}

/// Finds out, before anything is measured, whether this machine has what the plan asks for:
/// keys, certificates, addresses, descriptors for the largest group.
pub fn check(plan: &Plan) -> Result<(), String> {
    crate::worker::check(plan)?;
    shares_of(plan).map(drop)
}

fn shares_of(plan: &Plan) -> Result<Shares, String> {
    let descriptors = machine::raise_descriptors();
    let unit = plan.behaviour().cast.unit();
    share_out(plan, unit, descriptors, machine::cores())
}

/// Conducts a run to its end.
pub fn conduct(
    plan: &Plan,
    signals: &Signals,
    watch: &mut crate::watch::Watch,
    audience: &mut dyn Audience,
) -> Result<Conducted, Failure> {
    let shares = shares_of(plan).map_err(Failure::NotSetUp)?;
    let cast = plan.behaviour().cast;
    let accounts =
        crate::adapter::open_accounts(plan, &mut |done, of| audience.preparing(done, of))
            .map_err(Failure::NotSetUp)?;
    let run = fastrand::u32(..) & 0xff_ffff;
    let began = clock::now();
    let origin = began + if shares.processes { BEGIN_AFTER_PROCESS } else { BEGIN_AFTER };
    let (sender, updates) = mpsc::sync_channel(UPDATES_MAX);
    let mut workers = Vec::new();
    for (index, (first, count)) in shares.shares.iter().enumerate() {
        let (first, count) = (*first, *count);
        let own = accounts.get(first as usize..(first + count) as usize);
        let accounts = own.unwrap_or_default().to_vec();
        let assignment = Assignment { plan: plan.clone(), run, origin, first, count, accounts };
        let worker = if shares.processes {
            start_process(index, &assignment, sender.clone())
        } else {
            start_thread(index, assignment, sender.clone(), signals)
        };
        match worker {
            Ok(worker) => workers.push(worker),
            Err(error) => {
                workers.iter_mut().for_each(|worker| worker.tell(Command::Stop));
                return Err(Failure::Broken(format!("can't start worker {index}: {error}")));
            }
        }
    }
    drop(sender);
    let mut orchestra = Orchestra {
        workers,
        updates,
        seconds: Seconds::new(shares.shares.len()),
        merged: Merged::default(),
        steps: vec![Vec::new(); shares.shares.len()],
        stairs: vec![Vec::new(); shares.shares.len()],
        actions: Actions::default(),
        planned: plan.actions.clone(),
        began,
        ramped: 0,
        ramped_at: None,
        done: 0,
        interrupts: 0,
    };
    if let Err(error) = watch.begin() {
        orchestra.give_up();
        return Err(Failure::NotSetUp(error));
    }
    let outcome = orchestra.play(signals, watch, audience);
    if outcome.is_err() {
        orchestra.give_up();
    }
    for worker in &mut orchestra.workers {
        if let Worker::Process { child } = worker {
            // Its last word has been heard, or it is dead.
            let _ = child.wait();
        }
    }
    outcome?;
    let mut merged = orchestra.merged;
    merged.add_steps(&orchestra.steps);
    let samples = watch.samples();
    merged.add_plateaus(&orchestra.stairs, cast.audience(), |at| {
        let before = samples.iter().take_while(|sample| sample.at_seconds <= at);
        before.last().map(|sample| sample.memory)
    });
    merged.server = watch.end(&merged);
    Ok(Conducted {
        merged,
        seconds: orchestra.seconds,
        run,
        interrupted: orchestra.interrupts > 0,
        elapsed_seconds: (clock::now() - began) as f64 / 1e9,
        actions: orchestra.actions.finish(clock::now()),
        workers: (shares.shares.len(), shares.processes),
        ramped_at_seconds: orchestra.ramped_at.map(|at| at.saturating_sub(origin) as f64 / 1e9),
    })
}

/// The workers of a run, and what they have said.
struct Orchestra {
    workers: Vec<Worker>,
    updates: Receiver<(usize, Update)>,
    seconds: Seconds,
    merged: Merged,
    steps: Vec<Vec<StepResult>>,
    stairs: Vec<Vec<StairResult>>,
    actions: Actions,
    planned: Vec<crate::plan::Action>,
    began: Nanos,
    ramped: usize,
    ramped_at: Option<Nanos>,
    done: usize,
    interrupts: u32,
}

impl Orchestra {
    fn play(
        &mut self,
        signals: &Signals,
        watch: &mut crate::watch::Watch,
        audience: &mut dyn Audience,
    ) -> Result<(), Failure> {
        while self.done < self.workers.len() {
            match self.updates.recv_timeout(Duration::from_millis(100)) {
                Ok((index, update)) => self.take(index, update, watch, audience)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Broken("a worker ended without a result".to_owned()));
                }
            }
            let interrupts = signals.interrupts.load(Ordering::Relaxed);
            if interrupts > 1 {
                let text = "interrupted twice: there is no report";
                return Err(Failure::Broken(text.to_owned()));
            }
            if interrupts > self.interrupts {
                self.interrupts = interrupts;
                self.tell_all(Command::Stop);
            }
            watch.sample();
            audience.moment(&self.seconds, watch);
            self.actions.look(clock::now());
        }
        Ok(())
    }

    fn take(
        &mut self,
        index: usize,
        update: Update,
        watch: &mut crate::watch::Watch,
        audience: &mut dyn Audience,
    ) -> Result<(), Failure> {
        match update {
            Update::Ramped => {
                self.ramped += 1;
                if self.ramped == self.workers.len() {
                    self.ramped_at = Some(clock::now());
                    watch.ramped(self.seconds.live());
                    audience.ramped(&self.seconds);
                    // Where nothing stands, nothing will happen however long one waits.
                    let attempted = self.seconds.counters().connects_attempted;
                    if attempted > 0 && self.seconds.live() == 0 {
                        self.tell_all(Command::Stop);
                        return Ok(());
                    }
                    self.actions.begin(&self.planned, self.began, clock::now());
                    self.tell_all(Command::Begin(clock::now() + BEGIN_AFTER));
                }
            }
            Update::Second(second) => {
                if self.seconds.add(index, *second) {
                    audience.second(&self.seconds);
                }
            }
            Update::Done(result) => {
                self.done += 1;
                self.steps[index] = result.steps.clone();
                self.stairs[index] = result.stairs.clone();
                self.merged.add(*result);
            }
            Update::NotSetUp(reason) => return Err(Failure::NotSetUp(reason)),
            Update::Failed(error) => {
                return Err(Failure::Broken(format!("worker {index}: {error}")));
            }
        }
        Ok(())
    }

    /// There will be no report: what the workers still have to say is of no interest.
    fn give_up(&mut self) {
        self.tell_all(Command::Stop);
        for worker in &mut self.workers {
            if let Worker::Process { child } = worker {
                // It may be gone already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    fn tell_all(&mut self, command: Command) {
        self.workers.iter_mut().for_each(|worker| worker.tell(command));
    }
}
