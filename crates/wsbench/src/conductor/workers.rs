//! Workers, as threads and as processes, and how to talk to them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;

use mio::Waker;

use super::Signals;
use crate::machine;
use crate::worker::{self, Assignment, Command, Link, Update};

/// Updates that may wait for the conductor.
pub(super) const UPDATES_MAX: usize = 1024;

/// Someone who does a share of the work.
pub(super) enum Worker {
    Thread { commands: Sender<Command>, waker: Waker },
    Process { child: Child },
}

impl Worker {
    /// Tells it something.
    pub(super) fn tell(&mut self, command: Command) {
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

/// Starts a worker in this process.
pub(super) fn start_thread(
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

/// Starts a worker as a process of its own.
pub(super) fn start_process(
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
            is_over = matches!(update, Update::Done(_) | Update::Failed(_) | Update::NotSetUp(_));
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
