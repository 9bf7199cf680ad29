//! The threads that own the connections: one writes, a few read.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::closed;
use super::files::{Directory, Opened, of};
use super::token::Secret;
use super::update::apply;
use crate::{SearchError, SearchErrorKind, Update};

/// Updates that wait. Whoever gives more is refused: there is one who does, and who waits
/// for each answer.
const UPDATES_QUEUED_MAX: usize = 4;
/// Lookups that wait for a thread. Beyond, callers wait to get into the queue.
const LOOKUPS_QUEUED_MAX: usize = 64;

/// How long to wait before the log is truncated after a reader was in the way.
const TRUNCATE_AGAIN_AFTER: Duration = Duration::from_millis(100);

type Answer = oneshot::Sender<Result<(), SearchError>>;
type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to the threads. They end when the queues are dropped.
#[derive(Debug)]
pub(super) struct Threads {
    updates: Option<SyncSender<(Update, Answer)>>,
    readers: Option<Readers>,
    threads: Vec<JoinHandle<()>>,
}

/// The way to those that read.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    queue: mpsc::Sender<Read>,
    secret: Secret,
}

impl Threads {
    pub(super) fn start(opened: Opened) -> Result<Self, SearchError> {
        let Opened { directory, secret, writer, readers } = opened;
        let (updates, queue) = sync_channel(UPDATES_QUEUED_MAX);
        let mut threads = vec![spawn("petrel-search-writer".to_owned(), move || {
            Writer { connection: writer, directory, secret, must_truncate: true }.run(&queue);
        })?];
        let (reads, queue) = mpsc::channel(LOOKUPS_QUEUED_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for (number, mut connection) in readers.into_iter().enumerate() {
            let queue = Arc::clone(&queue);
            threads.push(spawn(format!("petrel-search-reader-{number}"), move || {
                while let Some(read) = next(&queue) {
                    read(&mut connection);
                }
            })?);
        }
        let readers = Some(Readers { queue: reads, secret });
        Ok(Self { updates: Some(updates), readers, threads })
    }

    pub(super) fn readers(&self) -> Readers {
        self.readers.clone().expect("the queue is there until the threads are dropped")
    }

    /// Queues an update, and returns where its answer comes.
    pub(super) fn update(
        &self,
        update: Update,
    ) -> Result<oneshot::Receiver<Result<(), SearchError>>, SearchError> {
        let (reply, answer) = oneshot::channel();
        let updates = self.updates.as_ref().ok_or_else(closed)?;
        match updates.try_send((update, reply)) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(SearchError::new(
                SearchErrorKind::Unavailable,
                "too many updates wait for the search index",
            )),
            Err(TrySendError::Disconnected(_)) => Err(closed()),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        (self.updates, self.readers) = (None, None);
        for thread in self.threads.drain(..) {
            // One that panicked has nothing left to let go of.
            let _ = thread.join();
        }
    }
}

impl Readers {
    pub(super) fn secret(&self) -> Secret {
        self.secret
    }

    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Connection) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            // Who has gone away in the meantime wants no answer.
            if !reply.is_closed() {
                let _ = reply.send(work(connection));
            }
        });
        // Taken by value: the threads end only when the last sender is dropped, which must
        // not wait for the answer.
        let queue = self.queue;
        queue.send(read).await.map_err(|_| closed())?;
        drop(queue);
        answer.await.map_err(|_| closed())?
    }
}

struct Writer {
    connection: Connection,
    directory: Directory,
    secret: Secret,
    /// Something was taken out that may still be in the log; at the start nobody knows.
    must_truncate: bool,
}

impl Writer {
    fn run(mut self, queue: &Receiver<(Update, Answer)>) {
        loop {
            let next = if self.must_truncate {
                queue.recv_timeout(TRUNCATE_AGAIN_AFTER)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok((update, answer)) => {
                    let result = apply(&mut self.connection, self.secret, &update);
                    self.must_truncate |= matches!(result, Ok(true));
                    if self.must_truncate {
                        self.truncate();
                    }
                    let result = result.map(|_| ()).map_err(of);
                    if let Err(error) = &result
                        && error.kind() == SearchErrorKind::Corrupt
                    {
                        self.directory.condemn();
                    }
                    // The caller may have gone away.
                    let _ = answer.send(result);
                }
                Err(RecvTimeoutError::Timeout) => self.truncate(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Copies the log into the database and empties it, unless somebody reads just now.
    fn truncate(&mut self) {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        match self.connection.query_row(sql, [], |row| row.get::<_, bool>(0)) {
            Ok(is_blocked) => self.must_truncate = is_blocked,
            Err(error) => tracing::warn!(%error, "the search index's log can't be truncated"),
        }
    }
}

fn spawn(
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, SearchError> {
    thread::Builder::new().name(name).spawn(work).map_err(|error| {
        SearchError::new(SearchErrorKind::Unavailable, "can't start a thread").with_source(error)
    })
}

/// Waits for the next read. The idle threads stand in line for the lock; the guard is gone
/// before the read runs.
fn next(queue: &Mutex<mpsc::Receiver<Read>>) -> Option<Read> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
