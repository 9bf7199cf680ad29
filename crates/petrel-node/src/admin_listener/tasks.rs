//! `/debug/tasks`: what is running.
//!
//! A dump of every task's stack, as Go has it for goroutines, would need a build of tokio
//! with unstable features. What a stable build can tell honestly is shown instead: the
//! long-lived tasks by name and whether they still run, the runtime's own numbers, and
//! every thread with what it does.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{AdminListener, process};

/// The long-lived tasks of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<Mutex<Vec<Task>>>);

#[derive(Debug)]
struct Task {
    name: &'static str,
    begin: Instant,
    handle: JoinHandle<()>,
}

impl Tasks {
    /// Spawns a task that lives about as long as the node.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = Task { name, begin: Instant::now(), handle: tokio::spawn(task) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "Long-lived tasks");
        for task in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let state = if task.handle.is_finished() { "ended" } else { "running" };
            let age = task.begin.elapsed().as_secs();
            let _ = writeln!(text, "  {:<24} {state:<8} begun {age} s ago", task.name);
        }
    }
}

pub(super) async fn show(State(admin): State<AdminListener>) -> String {
    let mut text = String::new();
    admin.tasks.write(&mut text);

    let metrics = Handle::current().metrics();
    let _ = writeln!(
        text,
        "\nRuntime\n  {} worker threads, {} tasks alive (a connection is one), {} waiting for a worker",
        metrics.num_workers(),
        metrics.num_alive_tasks(),
        metrics.global_queue_depth()
    );
    for worker in 0..metrics.num_workers() {
        let _ = writeln!(
            text,
            "  worker {worker}: busy {:.1} s, parked {} times",
            metrics.worker_total_busy_duration(worker).as_secs_f64(),
            metrics.worker_park_count(worker)
        );
    }

    let _ = writeln!(text, "\nThreads (R runs, S sleeps, D waits for a disk)");
    for thread in process::threads() {
        let process::Thread { id, name, state, cpu_seconds, waits_in } = thread;
        let _ = writeln!(text, "  {id:>8} {state} {cpu_seconds:>9.2} s  {name:<24} {waits_in}");
    }
    text
}
