//! The threads that read.
//!
//! Each has a read-only connection. A read sees one snapshot, taken when it begins, and
//! is short: a long one would keep the write-ahead log from being emptied. With the
//! snapshot it gets the memory tails of the same moment: see [`memory`](super::memory).

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::memory::{Memory, View};
use super::schema::Location;
use super::{fault, schema};
use crate::{Metrics, StoreError, StoreErrorKind};

const READERS: usize = 2;
/// Reads that wait for a thread. Beyond, callers wait to get into the queue.
pub(super) const READS_QUEUED_MAX: usize = 1024;

/// A read that waits for a thread.
pub(super) type Read = Box<dyn FnOnce(&mut Connection, &Memory) + Send>;

/// What a read works on: the database and the tails as of one moment.
pub(super) struct Snapshot<'a> {
    pub(super) connection: &'a Connection,
    pub(super) view: View,
}

type Queue = Arc<Mutex<mpsc::Receiver<Read>>>;

/// Makes a queue entry of `work`, which runs in a transaction of its own.
pub(super) fn read<T: Send + 'static>(
    work: impl FnOnce(&Snapshot<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> (Read, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    let read = move |connection: &mut Connection, memory: &Memory| {
        if reply.is_closed() {
            return;
        }
        let result = connection.transaction().and_then(|transaction| {
            // The transaction takes its snapshot with its first statement.
            let view = memory.view(|| {
                let mut statement = transaction.prepare_cached("SELECT id FROM meta")?;
                statement.query_row([], |_| Ok(()))
            })?;
            work(&Snapshot { connection: &transaction, view })
        });
        // The caller may have gone away in the meantime.
        let _ = reply.send(result.map_err(fault::of_read));
    };
    (Box::new(read), answer)
}

/// Starts the threads. They end when the queue is closed and empty.
pub(super) fn start(
    location: &Location,
    memory: &Arc<Memory>,
    queue: mpsc::Receiver<Read>,
    metrics: &Metrics,
) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let queue: Queue = Arc::new(Mutex::new(queue));
    let mut threads = Vec::with_capacity(READERS);
    for number in 0..READERS {
        let mut connection = schema::open_reader(location)?;
        let (queue, memory) = (Arc::clone(&queue), Arc::clone(memory));
        let metrics = metrics.clone();
        let thread = thread::Builder::new()
            .name(format!("petrel-store-reader-{number}"))
            .spawn(move || run(&mut connection, &memory, &queue, &metrics))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unavailable, "can't start a thread")
                    .with_source(error)
            })?;
        threads.push(thread);
    }
    Ok(threads)
}

fn run(connection: &mut Connection, memory: &Memory, queue: &Queue, metrics: &Metrics) {
    while let Some(read) = next(queue) {
        let begin = Instant::now();
        read(connection, memory);
        metrics.read_seconds.observe(begin.elapsed().as_secs_f64());
    }
}

/// Waits for the next read. The idle threads stand in line for the lock; the guard is
/// gone before the read runs.
fn next(queue: &Queue) -> Option<Read> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
