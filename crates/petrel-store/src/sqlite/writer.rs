//! The thread that writes: group commit.
//!
//! It takes the writes that wait, runs them in one transaction, and answers all of them
//! after one fsync. A write that is refused leaves no trace and does not spoil the
//! others: if it has changed something before it was refused, the transaction is rolled
//! back and run again without it. That costs nothing as long as nobody is refused, where
//! a savepoint per write would copy every page the write touches.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{mpsc, oneshot};

use super::directory::DataDirectory;
use super::fault;
use super::marks::Marks;
use crate::{StoreError, StoreErrorKind};

/// Writes that wait for the thread. Beyond, callers wait to get into the queue.
pub(super) const WRITES_QUEUED_MAX: usize = 1024;
/// The most writes of one transaction.
const WRITES_GROUPED_MAX: usize = 256;

/// Why a write did not take place.
pub(super) enum WriteError {
    /// It is not allowed. The other writes of the transaction are not concerned.
    Refused(StoreError),
    /// The database failed it, and the transaction with it.
    Failed(rusqlite::Error),
}

/// What a write works on.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) marks: Marks,
}

/// A write that waits for the thread.
pub(super) trait Write: Send {
    /// Takes place in `transaction`. May be called again after a rollback.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), WriteError>;

    /// Keeps the reason why it did not take place.
    fn fail(&mut self, error: StoreError);

    /// Answers the caller with the outcome of the last run.
    fn answer(self: Box<Self>);
}

/// Set once what is on disk has become uncertain; says why.
pub(super) type Failure = Arc<OnceLock<String>>;

/// Tells, once the writer has let go of everything, whether all of it is on disk.
pub(super) type Finished = oneshot::Receiver<Result<(), StoreError>>;

/// The state of the thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) marks: Marks,
    pub(super) queue: mpsc::Receiver<Box<dyn Write>>,
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) failure: Failure,
    /// Held until everything else is let go of.
    pub(super) directory: DataDirectory,
}

struct PendingWrite<T, F> {
    work: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// How an attempt to commit a group ended, if not well.
enum Setback {
    /// This write was refused after it had changed something.
    Spoiled(usize),
    /// All of them failed.
    Failed(rusqlite::Error),
    /// They may or may not be on disk.
    Uncertain(rusqlite::Error),
}

/// Makes a queue entry of `work`. `work` may run more than once, each time from the same
/// state but for the writes before it.
pub(super) fn write<T, F>(work: F) -> (Box<dyn Write>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(PendingWrite { work, outcome: None, reply }), answer)
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn start(writer: Writer) -> Result<(JoinHandle<()>, Finished), StoreError> {
    let (finished, answer) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("petrel-store-writer".to_owned())
        .spawn(move || {
            // Nobody may be left to be told.
            let _ = finished.send(writer.run());
        })
        .map_err(|error| {
            StoreError::new(StoreErrorKind::Unavailable, "can't start a thread").with_source(error)
        })?;
    Ok((thread, answer))
}

impl Writer {
    fn run(mut self) -> Result<(), StoreError> {
        let mut received = Vec::new();
        while self.queue.blocking_recv_many(&mut received, WRITES_GROUPED_MAX) > 0 {
            self.commit_group(received.drain(..).collect());
        }
        self.finish()
    }

    /// Commits as many of `writes` as are allowed, and answers all of them.
    fn commit_group(&mut self, mut writes: VecDeque<Box<dyn Write>>) {
        while !writes.is_empty() {
            if let Some(reason) = self.failure.get() {
                fail_all(&mut writes, StoreErrorKind::Fatal, reason);
                break;
            }
            match self.attempt(&mut writes) {
                Ok(()) => break,
                Err(Setback::Spoiled(index)) => {
                    if let Some(refused) = writes.remove(index) {
                        refused.answer();
                    }
                }
                Err(Setback::Failed(error)) => {
                    let kind = fault::kind(&error);
                    fail_all(&mut writes, kind, &format!("the store can't be written: {error}"));
                    break;
                }
                Err(Setback::Uncertain(error)) => {
                    // The next round finds it and tells everybody.
                    let _ = self.failure.set(format!("the disk failed: {error}"));
                }
            }
        }
        for write in writes {
            write.answer();
        }
    }

    /// Runs `writes` in one transaction. On an error everything is rolled back.
    fn attempt(&mut self, writes: &mut VecDeque<Box<dyn Write>>) -> Result<(), Setback> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(setback)?;
        let ran = run_all(&self.connection, self.marks, writes).and_then(|marks| {
            match self.connection.execute_batch("COMMIT") {
                Ok(()) => Ok(marks),
                // A full disk stops the log before the mark that would end the commit.
                Err(error) if fault::kind(&error) == StoreErrorKind::Full => {
                    Err(Setback::Failed(error))
                }
                Err(error) => Err(Setback::Uncertain(error)),
            }
        });
        match ran {
            Ok(marks) => {
                self.marks = marks;
                Ok(())
            }
            Err(setback) => Err(self.roll_back(setback)),
        }
    }

    fn roll_back(&self, setback: Setback) -> Setback {
        // SQLite has rolled back by itself after some errors.
        if self.connection.is_autocommit() {
            return setback;
        }
        match self.connection.execute_batch("ROLLBACK") {
            Ok(()) => setback,
            Err(error) => Setback::Uncertain(error),
        }
    }

    /// Empties the write-ahead log and lets go of the files, the lock last.
    fn finish(self) -> Result<(), StoreError> {
        for reader in self.readers {
            // One that panicked has nothing left to let go of.
            let _ = reader.join();
        }
        let story = "the store can't be closed cleanly";
        let result = if let Some(reason) = self.failure.get() {
            // After a failed fsync the log may hold what the disk does not. The next
            // start decides from what it finds there.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            Err(StoreError::new(StoreErrorKind::Fatal, reason))
        } else {
            checkpoint(&self.connection).map_err(|error| fault::of_write(error, story))
        };
        let closed = self.connection.close();
        drop(self.directory);
        result.and(closed.map_err(|(_, error)| fault::of_write(error, story)))
    }
}

/// Runs `writes` in the open transaction and returns the marks after them.
fn run_all(
    connection: &Connection,
    before: Marks,
    writes: &mut VecDeque<Box<dyn Write>>,
) -> Result<Marks, Setback> {
    let mut transaction = Transaction { connection, marks: before };
    for (index, write) in writes.iter_mut().enumerate() {
        let marks = transaction.marks;
        let changes = connection.total_changes();
        match write.run(&mut transaction) {
            Ok(()) => {}
            Err(WriteError::Refused(error)) => {
                write.fail(error);
                transaction.marks = marks;
                if connection.total_changes() != changes {
                    return Err(Setback::Spoiled(index));
                }
            }
            Err(WriteError::Failed(error)) => return Err(setback(error)),
        }
    }
    if transaction.marks != before {
        transaction.marks.save(connection).map_err(setback)?;
    }
    Ok(transaction.marks)
}

fn setback(error: rusqlite::Error) -> Setback {
    match fault::kind(&error) {
        StoreErrorKind::Fatal => Setback::Uncertain(error),
        _ => Setback::Failed(error),
    }
}

fn fail_all(writes: &mut VecDeque<Box<dyn Write>>, kind: StoreErrorKind, reason: &str) {
    for write in writes {
        write.fail(StoreError::new(kind, reason));
    }
}

fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        let database_failed = matches!(error, rusqlite::Error::SqliteFailure(..))
            && fault::kind(&error) != StoreErrorKind::Invalid;
        if database_failed {
            Self::Failed(error)
        } else {
            Self::Refused(fault::of_write(error, "the write contradicts the stored state"))
        }
    }
}

impl WriteError {
    /// A refusal.
    pub(super) fn refused(kind: StoreErrorKind, reason: impl Into<String>) -> Self {
        Self::Refused(StoreError::new(kind, reason))
    }
}

impl<T, F> Write for PendingWrite<T, F>
where
    T: Send,
    F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), WriteError> {
        self.outcome = None;
        self.outcome = Some(Ok((self.work)(transaction)?));
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(fault::closed()));
        // The caller may have gone away; the write has taken place all the same.
        let _ = self.reply.send(outcome);
    }
}
