//! The thread that writes: group commit.
//!
//! It takes the writes that wait, runs them in one transaction, and answers all of them
//! after one fsync. A write that is refused leaves no trace and does not spoil the
//! others: if it has changed something before it was refused, the transaction is rolled
//! back and run again without it. That costs nothing as long as nobody is refused, where
//! a savepoint per write would copy every page the write touches.
//!
//! The same transactions move the frozen tail into the indexes, a slice each. Between
//! them the write-ahead log is looked after.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time;

use super::checkpoint::{Checkpoints, checkpoint};
use super::directory::DataDirectory;
use super::flusher::{Done, Flusher};
use super::marks::Marks;
use super::memory::{Memory, Shut};
use super::options::Options;
use super::transaction::{Known, Staged, Transaction};
use super::write::{Write, WriteError};
use super::{fault, journal, room};
use crate::{StoreError, StoreErrorKind};

/// Writes that wait for the thread. Beyond, callers wait to get into the queue.
pub(super) const WRITES_QUEUED_MAX: usize = 1024;
/// The most writes of one transaction.
const WRITES_GROUPED_MAX: usize = 256;

/// Set once what is on disk has become uncertain; says why.
pub(super) type Failure = Arc<OnceLock<String>>;

/// Tells, once the writer has let go of everything, whether all of it is on disk.
pub(super) type Finished = oneshot::Receiver<Result<(), StoreError>>;

/// The state of the thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) options: Options,
    pub(super) marks: Marks,
    pub(super) known: Known,
    pub(super) memory: Arc<Memory>,
    pub(super) flusher: Flusher,
    pub(super) checkpoints: Checkpoints,
    pub(super) queue: mpsc::Receiver<Box<dyn Write>>,
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) failure: Failure,
    /// Held until everything else is let go of.
    pub(super) directory: DataDirectory,
}

/// What a transaction did, to be taken over once it is on disk.
struct Outcome {
    marks: Marks,
    staged: Staged,
    flushed: Option<Done>,
}

/// What to do while nobody writes.
enum Idle {
    Flush,
    LookAfterLog,
}

/// How an attempt to commit a group ended, if not well.
enum Setback {
    /// This write was refused after it had changed something.
    Spoiled(usize),
    /// All of them failed.
    Failed(StoreErrorKind, rusqlite::Error),
    /// They may or may not be on disk.
    Uncertain(rusqlite::Error),
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn start(writer: Writer) -> Result<(JoinHandle<()>, Finished), StoreError> {
    let failed = |error| {
        StoreError::new(StoreErrorKind::Unavailable, "can't start a thread").with_source(error)
    };
    let (finished, answer) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let thread = thread::Builder::new()
        .name("petrel-store-writer".to_owned())
        .spawn(move || {
            // Nobody may be left to be told.
            let _ = finished.send(writer.run(&runtime));
        })
        .map_err(failed)?;
    Ok((thread, answer))
}

impl Writer {
    fn run(mut self, runtime: &Runtime) -> Result<(), StoreError> {
        let mut received = Vec::new();
        loop {
            match self.receive(runtime, &mut received) {
                Ok(0) => break,
                Ok(_) => self.commit_group(received.drain(..).collect()),
                Err(Idle::Flush) => self.flush_while_idle(),
                Err(Idle::LookAfterLog) => self.look_after_log(),
            }
        }
        self.finish()
    }

    /// Waits for writes. Returns how many there are, zero at the end of the queue, or what
    /// to do if there have been none for some time.
    fn receive(
        &mut self,
        runtime: &Runtime,
        received: &mut Vec<Box<dyn Write>>,
    ) -> Result<usize, Idle> {
        let flush_after = self.options.flush_idle_after.filter(|_| self.flusher.is_behind());
        let log_after = self.checkpoints.due_after();
        let idle = match (flush_after, log_after) {
            (Some(flush), Some(log)) if log < flush => Some((log, Idle::LookAfterLog)),
            (Some(flush), _) => Some((flush, Idle::Flush)),
            (None, log) => log.map(|log| (log, Idle::LookAfterLog)),
        };
        runtime.block_on(async {
            let receive = self.queue.recv_many(received, WRITES_GROUPED_MAX);
            match idle {
                Some((after, idle)) => time::timeout(after, receive).await.map_err(|_| idle),
                None => Ok(receive.await),
            }
        })
    }

    /// Flushes until there is nothing to flush or something to write.
    fn flush_while_idle(&mut self) {
        self.flusher.freeze_if_due(self.marks, true);
        while self.flusher.is_busy() && self.queue.is_empty() && self.flush_alone() {}
    }

    /// Does a slice in a transaction of its own. Returns whether it took place.
    fn flush_alone(&mut self) -> bool {
        if self.failure.get().is_some() {
            return false;
        }
        self.flusher.await_plan();
        let flushed = match self.attempt(&mut VecDeque::new()) {
            Ok(()) => true,
            Err(Setback::Uncertain(error)) => {
                self.fail(&error);
                false
            }
            // It is tried again with the next commit, or when the store is idle again.
            Err(Setback::Failed(_, error)) => {
                tracing::warn!(%error, "the indexes can't be brought up to date now");
                false
            }
            Err(Setback::Spoiled(_)) => false,
        };
        self.look_after_log();
        flushed
    }

    fn look_after_log(&mut self) {
        if self.failure.get().is_none()
            && let Err(error) = self.checkpoints.after_commit(&self.connection)
        {
            self.log_failed(&error);
        }
        let metrics = &self.options.metrics;
        metrics.wal_bytes.set(self.checkpoints.log_bytes().cast_signed());
        metrics.tail_rows.set(i64::try_from(self.memory.weight()).unwrap_or(i64::MAX));
    }

    /// A copy that failed may have left anything in the database's file, but all of it is
    /// in the log still. Only if the disk itself has failed can neither be trusted.
    fn log_failed(&mut self, error: &rusqlite::Error) {
        match self.kind_of(error) {
            StoreErrorKind::Fatal => self.fail(error),
            _ => tracing::warn!(%error, "the write-ahead log can't be shortened now"),
        }
    }

    /// What a failed statement means. A write that failed for want of room, under whatever
    /// name, has left the log without the mark that would end the commit.
    fn kind_of(&self, error: &rusqlite::Error) -> StoreErrorKind {
        match fault::kind(error) {
            StoreErrorKind::Fatal
                if room::is_failed_write(error) && room::is_used_up(self.directory.path()) =>
            {
                StoreErrorKind::Full
            }
            kind => kind,
        }
    }

    /// A setback of a statement before the commit.
    fn setback(&self, error: rusqlite::Error) -> Setback {
        match self.kind_of(&error) {
            StoreErrorKind::Fatal => Setback::Uncertain(error),
            kind => Setback::Failed(kind, error),
        }
    }

    fn fail(&self, error: &rusqlite::Error) {
        let _ = self.failure.set(format!("the disk failed: {error}"));
    }

    /// Commits as many of `writes` as are allowed, and answers all of them.
    fn commit_group(&mut self, mut writes: VecDeque<Box<dyn Write>>) {
        while !writes.is_empty() {
            let has_room = self.failure.get().is_some() || self.has_room();
            if let Some(reason) = self.failure.get() {
                fail_all(&mut writes, StoreErrorKind::Fatal, reason);
                break;
            }
            if !has_room {
                let reason = "the write-ahead log is too long: something keeps it in use";
                fail_all(&mut writes, StoreErrorKind::Unavailable, reason);
                break;
            }
            match self.attempt(&mut writes) {
                Ok(()) => break,
                Err(Setback::Spoiled(index)) => {
                    if let Some(refused) = writes.remove(index) {
                        refused.answer();
                    }
                }
                Err(Setback::Failed(kind, error)) => {
                    fail_all(&mut writes, kind, &format!("the store can't be written: {error}"));
                    break;
                }
                // The next round finds it and tells everybody.
                Err(Setback::Uncertain(error)) => self.fail(&error),
            }
        }
        for write in writes {
            write.answer();
        }
        self.look_after_log();
        self.flusher.freeze_if_due(self.marks, false);
        while self.flusher.must_catch_up() && self.flush_alone() {}
    }

    /// Whether the log is short enough for another commit.
    fn has_room(&mut self) -> bool {
        match self.checkpoints.has_room(&self.connection) {
            Ok(has_room) => has_room,
            Err(error) => {
                self.log_failed(&error);
                false
            }
        }
    }

    /// Runs `writes` and a slice of the flush in one transaction. On an error everything
    /// is rolled back, and nothing has changed in memory.
    fn attempt(&mut self, writes: &mut VecDeque<Box<dyn Write>>) -> Result<(), Setback> {
        let metrics = self.options.metrics.clone();
        let begin = Instant::now();
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| self.setback(error))?;
        let memory = Arc::clone(&self.memory);
        let ran = self.run_all(writes).and_then(|outcome| {
            let shut = outcome.staged.changes_in_place.then(|| memory.shut());
            #[cfg(feature = "mutants")]
            answer_early(writes);
            let sync_begin = Instant::now();
            let committed = self.connection.execute_batch("COMMIT");
            metrics.sync_seconds.observe(sync_begin.elapsed().as_secs_f64());
            match committed {
                Ok(()) => Ok((outcome, shut)),
                // A full disk stops the log before the mark that would end the commit.
                Err(error) => match self.kind_of(&error) {
                    StoreErrorKind::Full => Err(Setback::Failed(StoreErrorKind::Full, error)),
                    _ => Err(Setback::Uncertain(error)),
                },
            }
        });
        match ran {
            Ok((outcome, shut)) => {
                self.settle(outcome, shut);
                metrics.commits.inc();
                metrics.commit_writes.observe(writes.len() as f64);
                metrics.commit_seconds.observe(begin.elapsed().as_secs_f64());
                Ok(())
            }
            Err(setback) => {
                metrics.commits_failed.inc();
                Err(self.roll_back(setback))
            }
        }
    }

    /// Takes over what is on disk now.
    fn settle(&mut self, Outcome { marks, staged, flushed }: Outcome, shut: Option<Shut<'_>>) {
        self.marks = marks;
        self.known.owners.extend(staged.owners);
        self.memory.append(staged.tail, marks.row, shut);
        if staged.overwrites {
            self.checkpoints.truncate_soon();
        }
        if let Some(done) = flushed {
            self.flusher.settle(done, &mut self.known.idempotency);
        }
    }

    /// Runs `writes` in the open transaction, and a slice after them.
    fn run_all(&mut self, writes: &mut VecDeque<Box<dyn Write>>) -> Result<Outcome, Setback> {
        let connection = &self.connection;
        let view = self.memory.writers_view();
        let mut transaction = Transaction {
            connection,
            marks: self.marks,
            known: &self.known,
            view: &view,
            staged: Staged::default(),
        };
        for (index, write) in writes.iter_mut().enumerate() {
            let (marks, changes) = (transaction.marks, connection.total_changes());
            match write.run(&mut transaction) {
                Ok(()) => {}
                Err(WriteError::Refused(error)) => {
                    write.fail(error);
                    transaction.marks = marks;
                    // Nothing is staged before something is written.
                    if connection.total_changes() != changes {
                        return Err(Setback::Spoiled(index));
                    }
                }
                Err(WriteError::Failed(error)) => return Err(self.setback(error)),
            }
        }
        let Transaction { mut marks, mut staged, .. } = transaction;
        if marks.row != self.marks.row || !staged.tail.positions.is_empty() {
            marks.journal += 1;
            // Its row counts, so that a journal of nothing but positions is trimmed, too.
            staged.tail.weight += 1;
            journal::append(connection, marks.journal, marks.row, &staged.tail)
                .map_err(|error| self.setback(error))?;
        }
        let flushed = self
            .flusher
            .slice(connection, &mut self.known.idempotency, marks.newest, staged.tail.weight)
            .map_err(|error| self.setback(error))?;
        Ok(Outcome { marks, staged, flushed })
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
        // Their threads use the files.
        drop((self.checkpoints, self.flusher));
        let story = "the store can't be closed cleanly";
        let result = if let Some(reason) = self.failure.get() {
            // After a failed fsync the log may hold what the disk does not. The next
            // start decides from what it finds there.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            Err(StoreError::new(StoreErrorKind::Fatal, reason))
        } else {
            checkpoint(&self.connection, "TRUNCATE")
                .map(|_| ())
                .map_err(|error| fault::of_write(error, story))
        };
        let closed = self.connection.close();
        drop(self.directory);
        result.and(closed.map_err(|(_, error)| fault::of_write(error, story)))
    }
}

/// The fault `ack-before-commit`.
#[cfg(feature = "mutants")]
fn answer_early(writes: &mut VecDeque<Box<dyn Write>>) {
    if crate::mutants::is("ack-before-commit") && !writes.is_empty() {
        writes.drain(..).for_each(|write| write.answer());
        thread::sleep(crate::mutants::SLOW_COMMIT);
    }
}

fn fail_all(writes: &mut VecDeque<Box<dyn Write>>, kind: StoreErrorKind, reason: &str) {
    for write in writes {
        write.fail(StoreError::new(kind, reason));
    }
}
