//! Conducts a run: shares it out among workers, begins it when all are ready, and puts
//! together what they say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::Duration;

use mio::Waker;

use crate::clock::{self, MILLISECOND, Nanos};
use crate::machine;
use crate::plan::Plan;
use crate::seconds::Seconds;
use crate::worker::{self, Assignment, Command, Link, Merged, StepResult, Update};

/// How long the workers have to begin at the same time.
const BEGIN_AFTER: Nanos = 50 * MILLISECOND;
/// The same for processes, which must be started.
const BEGIN_AFTER_PROCESS: Nanos = 500 * MILLISECOND;
/// Updates that may wait for the conductor.
const UPDATES_MAX: usize = 1024;

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
    /// Another second is complete.
    fn second(&mut self, seconds: &Seconds);
    /// Every connection has been tried; the measured part begins.
    fn ramped(&mut self, seconds: &Seconds);
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
    /// The workers, and whether they were processes.
    pub workers: (usize, bool),
}

/// Someone who does a share of the work.
enum Worker {
    Thread { commands: Sender<Command>, waker: Waker },
    Process { child: Child },
}

impl Worker {
    fn tell(&mut self, command: Command) {
        // A worker that is gone has said so, or its end has been noticed.
        match self {
            Self::Thread { commands, waker } => {
                let _ = commands.send(command);
                let _ = waker.wake();
            }
            Self::Process { child } => {
                if let Some(stdin) = &mut child.stdin {
                    let _ = serde_json::to_writer(&mut *stdin, &command);
                    let _ = stdin.write_all(b"\n");
                    let _ = stdin.flush();
                }
            }
        }
    }
}

/// How a run is shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The first connection and the number of connections of each worker.
    pub shares: Vec<(u32, u32)>,
    /// The workers are processes.
    pub processes: bool,
}

/// Shares connections out: groups that talk to each other stay together, and no process
/// gets more than it has descriptors for.
pub fn share_out(plan: &Plan, unit: u32, descriptors: u64, cores: usize) -> Result<Shares, String> {
    let capacity = descriptors.saturating_sub(machine::DESCRIPTORS_RESERVED);
    let capacity = u32::try_from(capacity).unwrap_or(u32::MAX) / unit * unit;
    if capacity == 0 {
        return Err(format!(
            "a process may open {descriptors} files here, too few for {unit} connections that \
             belong together; raise it with ulimit -n"
        ));
    }
    let units = plan.conns / unit;
    let processes = plan.conns > capacity;
    let least = plan.conns.div_ceil(capacity);
    // Half of the cores: the server may be here too, and one loop drives a core's worth.
    let wanted = plan.workers.unwrap_or((cores as u32 / 2).clamp(1, 8));
    let count = wanted.max(least).min(units);
    let (each, rest) = (units / count, units % count);
    let mut first = 0;
    let shares = (0..count)
        .map(|index| {
            let share = (each + u32::from(index < rest)) * unit;
            first += share;
            (first - share, share)
        })
        .collect();
    Ok(Shares { shares, processes })
}

/// Conducts a run to its end.
pub fn conduct(
    plan: &Plan,
    signals: &Signals,
    watch: &mut crate::watch::Watch,
    audience: &mut dyn Audience,
) -> Result<Conducted, String> {
    let descriptors = machine::raise_descriptors();
    let unit = plan.scenario().behaviour(plan).cast.unit();
    let shares = share_out(plan, unit, descriptors, machine::cores())?;
    let run = fastrand::u32(..) & 0xff_ffff;
    let began = clock::now();
    let origin = began + if shares.processes { BEGIN_AFTER_PROCESS } else { BEGIN_AFTER };
    let (sender, updates) = mpsc::sync_channel(UPDATES_MAX);
    let mut workers = Vec::new();
    for (index, (first, count)) in shares.shares.iter().enumerate() {
        let assignment =
            Assignment { plan: plan.clone(), run, origin, first: *first, count: *count };
        let worker = if shares.processes {
            start_process(index, &assignment, sender.clone())
        } else {
            start_thread(index, assignment, sender.clone(), signals)
        };
        match worker {
            Ok(worker) => workers.push(worker),
            Err(error) => {
                workers.iter_mut().for_each(|worker| worker.tell(Command::Stop));
                return Err(format!("can't start worker {index}: {error}"));
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
        ramped: 0,
        done: 0,
        interrupts: 0,
    };
    watch.begin();
    let outcome = orchestra.play(signals, watch, audience);
    for worker in &mut orchestra.workers {
        if let Worker::Process { child } = worker {
            if outcome.is_err() {
                // It may be gone already.
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
    outcome?;
    let mut merged = orchestra.merged;
    merged.add_steps(&orchestra.steps);
    merged.server = watch.end(&merged);
    Ok(Conducted {
        merged,
        seconds: orchestra.seconds,
        run,
        interrupted: orchestra.interrupts > 0,
        elapsed_seconds: (clock::now() - began) as f64 / 1e9,
        workers: (shares.shares.len(), shares.processes),
    })
}

/// The workers of a run, and what they have said.
struct Orchestra {
    workers: Vec<Worker>,
    updates: Receiver<(usize, Update)>,
    seconds: Seconds,
    merged: Merged,
    steps: Vec<Vec<StepResult>>,
    ramped: usize,
    done: usize,
    interrupts: u32,
}

impl Orchestra {
    fn play(
        &mut self,
        signals: &Signals,
        watch: &mut crate::watch::Watch,
        audience: &mut dyn Audience,
    ) -> Result<(), String> {
        while self.done < self.workers.len() {
            match self.updates.recv_timeout(Duration::from_millis(100)) {
                Ok((index, update)) => self.take(index, update, watch, audience)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("a worker ended without a result".to_owned());
                }
            }
            let interrupts = signals.interrupts.load(Ordering::Relaxed);
            if interrupts > 1 {
                return Err("interrupted twice: there is no report".to_owned());
            }
            if interrupts > self.interrupts {
                self.interrupts = interrupts;
                self.tell_all(Command::Stop);
            }
            watch.sample();
        }
        Ok(())
    }

    fn take(
        &mut self,
        index: usize,
        update: Update,
        watch: &mut crate::watch::Watch,
        audience: &mut dyn Audience,
    ) -> Result<(), String> {
        match update {
            Update::Ramped => {
                self.ramped += 1;
                if self.ramped == self.workers.len() {
                    watch.ramped(self.seconds.live());
                    audience.ramped(&self.seconds);
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
                self.merged.add(*result);
            }
            Update::Failed(error) => return Err(format!("worker {index}: {error}")),
        }
        Ok(())
    }

    fn tell_all(&mut self, command: Command) {
        self.workers.iter_mut().for_each(|worker| worker.tell(command));
    }
}

fn start_thread(
    index: usize,
    assignment: Assignment,
    updates: SyncSender<(usize, Update)>,
    signals: &Signals,
) -> std::io::Result<Worker> {
    let (poll, waker) = worker::poll()?;
    let (commands, received) = mpsc::channel();
    let (sender, own_updates) = mpsc::sync_channel(UPDATES_MAX);
    let continued = Arc::new(AtomicBool::new(false));
    if let Ok(mut list) = signals.continued.lock() {
        list.push(continued.clone());
    }
    let link = Link { commands: received, updates: sender, continued };
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || worker::run(assignment, poll, link))?;
    thread::Builder::new()
        .name(format!("updates-{index}"))
        .spawn(move || own_updates.iter().all(|update| updates.send((index, update)).is_ok()))?;
    Ok(Worker::Thread { commands, waker })
}

fn start_process(
    index: usize,
    assignment: &Assignment,
    updates: SyncSender<(usize, Update)>,
) -> std::io::Result<Worker> {
    let mut child = Process::new(std::env::current_exe()?)
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(stdin) = &mut child.stdin {
        serde_json::to_writer(&mut *stdin, assignment)?;
        stdin.write_all(b"\n")?;
        stdin.flush()?;
    }
    let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    thread::Builder::new().name(format!("updates-{index}")).spawn(move || {
        let mut is_over = false;
        for line in BufReader::new(stdout).lines() {
            let update = line
                .map_err(|error| error.to_string())
                .and_then(|line| serde_json::from_str(&line).map_err(|error| error.to_string()));
            let update = update.unwrap_or_else(Update::Failed);
            is_over = matches!(update, Update::Done(_) | Update::Failed(_));
            if updates.send((index, update)).is_err() || is_over {
                break;
            }
        }
        if !is_over {
            let error = "the process ended without a result (killed, or out of memory?)";
            // If nobody listens, the run is over.
            let _ = updates.send((index, Update::Failed(error.to_owned())));
        }
    })?;
    Ok(Worker::Process { child })
}

/// The whole life of a worker process: the assignment and commands come by standard
/// input, updates go to standard output.
pub fn work_as_process(continued: Arc<AtomicBool>) -> Result<(), String> {
    machine::raise_descriptors();
    let mut lines = BufReader::new(std::io::stdin()).lines();
    let line = lines.next().ok_or("no assignment")?.map_err(|error| error.to_string())?;
    let assignment = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    let (poll, waker) = worker::poll().map_err(|error| error.to_string())?;
    let (commands, received) = mpsc::channel();
    let (updates, own_updates) = mpsc::sync_channel(UPDATES_MAX);
    thread::spawn(move || {
        for line in lines {
            let command = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            // Without its conductor a worker has nobody to work for.
            if commands.send(command.unwrap_or(Command::Stop)).is_err() {
                return;
            }
            let _ = waker.wake();
        }
        let _ = commands.send(Command::Stop);
        let _ = waker.wake();
    });
    let link = Link { commands: received, updates, continued };
    let writer = thread::spawn(move || -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        for update in own_updates {
            serde_json::to_writer(&mut stdout, &update)?;
            stdout.write_all(b"\n")?;
            stdout.flush()?;
        }
        Ok(())
    });
    worker::run(assignment, poll, link);
    // A conductor that no longer listens ended first.
    let _ = writer.join();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn plan(conns: u32, workers: Option<u32>) -> Plan {
        let settings = Settings {
            conns: Some(conns),
            workers,
            adapter: Some(crate::adapter::AdapterKind::Echo),
            ..Settings::default()
        };
        Plan::resolve(None, settings).unwrap()
    }

    #[test]
    fn shares_cover_all_connections_and_keep_units_together() {
        for (conns, workers, unit, descriptors, cores) in [
            (1000, None, 2, 20_000, 2),
            (40_000, None, 2, 20_000, 2),
            (18_000, None, 1, 20_000, 2),
            (7 * 6, Some(4), 6, 1000, 2),
            (10, Some(100), 2, 1000, 8),
        ] {
            let shares = share_out(&plan(conns, workers), unit, descriptors, cores).unwrap();
            let mut next = 0;
            for (first, count) in &shares.shares {
                assert_eq!(*first, next);
                assert!(*count > 0 && count.is_multiple_of(unit));
                assert!(u64::from(*count) <= descriptors - machine::DESCRIPTORS_RESERVED);
                next += count;
            }
            assert_eq!(next, conns);
        }
        assert!(!share_out(&plan(18_000, None), 1, 20_000, 2).unwrap().processes);
        let shares = share_out(&plan(40_000, None), 1, 20_000, 2).unwrap();
        assert!(shares.processes && shares.shares.len() == 3);
        assert!(share_out(&plan(1000, None), 500, 200, 2).is_err());
    }
}
