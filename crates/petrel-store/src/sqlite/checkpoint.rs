//! Keeping the write-ahead log short.
//!
//! Copying the log into the database takes long and must not hold up commits, so a
//! thread of its own does it as the log grows. But the log begins again only when all of
//! it has been copied and nobody reads from it, which never happens by itself while
//! commits keep coming. So from a certain size on the writer copies the little that is
//! left, between two commits. If a reader from outside keeps it from succeeding, commits
//! are refused at a hard limit, before the log fills the disk.
//!
//! A log that begins again is overwritten from its start, so that old pages stay in the
//! file behind the new ones. After an overwrite of a payload that must not be: the log is
//! truncated then, however short it is, after a time that lets several overwrites share
//! the work. The same is done once after an opening, as nobody knows what is in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::options::Options;
use super::schema::{self, BUSY_TIMEOUT, Location, PAGE_BYTES};
use crate::{StoreError, StoreErrorKind};

/// How long the writer waits for the readers when it wants the log to begin again. They
/// are done much sooner; a reader from outside may not be.
const READERS_WAIT: Duration = Duration::from_millis(20);

/// How long the writer waits before it tries again what readers kept from succeeding, or
/// looks whether the thread is done while nobody writes.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// A truncation that is to come.
#[derive(Clone, Copy)]
struct Truncation {
    due: Instant,
    /// The thread was sent off to copy all but what comes in meanwhile.
    is_prepared: bool,
}

/// The writer's side.
pub(super) struct Checkpoints {
    options: Options,
    /// The length of the log after the latest commit, which SQLite tells in passing.
    pages: Arc<AtomicU64>,
    /// `None` when the thread is to end.
    orders: Option<SyncSender<()>>,
    results: Receiver<rusqlite::Result<u64>>,
    thread: Option<JoinHandle<()>>,
    is_copying: bool,
    /// How much of the log had been copied when the thread was last done.
    copied_bytes: u64,
    /// The length at which the thread was last sent off, or the writer last failed.
    ordered_at_bytes: u64,
    refused_at_bytes: u64,
    truncation: Option<Truncation>,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(
        writer: &mut Connection,
        location: &Location,
        options: Options,
    ) -> Result<Self, StoreError> {
        let start = |error: rusqlite::Error| {
            super::fault::of_write(error, "the write-ahead log can't be looked after")
        };
        let pages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, length| {
            counted.store(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(start)?;
        let connection = schema::open_checkpointer(location).map_err(start)?;
        let (orders, queue) = sync_channel(1);
        let (done, results) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("petrel-store-checkpoint".to_owned())
            .spawn(move || run(&connection, &queue, &done))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unavailable, "can't start a thread")
                    .with_source(error)
            })?;
        let mut checkpoints = Self {
            options,
            pages,
            orders: Some(orders),
            results,
            thread: Some(thread),
            is_copying: false,
            copied_bytes: 0,
            ordered_at_bytes: 0,
            refused_at_bytes: 0,
            truncation: None,
        };
        checkpoints.truncate_soon();
        Ok(checkpoints)
    }

    /// Sees to it that what is in the log now has soon left it.
    pub(super) fn truncate_soon(&mut self) {
        let due = Instant::now() + self.options.overwritten_lingers;
        self.truncation.get_or_insert(Truncation { due, is_prepared: false });
    }

    /// After which time without a commit the log has to be looked after again.
    pub(super) fn due_after(&self) -> Option<Duration> {
        self.truncation.map(|truncation| {
            let left = truncation.due.saturating_duration_since(Instant::now());
            if self.is_copying { left.max(RETRY_AFTER) } else { left }
        })
    }

    /// Does what is due after a commit, or after a time without one. An error is one of the
    /// disk.
    pub(super) fn after_commit(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.is_copying
            && let Ok(result) = self.results.try_recv()
        {
            self.take(result)?;
        }
        let bytes = self.log_bytes();
        if bytes < self.ordered_at_bytes {
            // It has begun again by itself, while nobody was reading.
            (self.copied_bytes, self.ordered_at_bytes, self.refused_at_bytes) = (0, 0, 0);
        }
        if self.is_copying {
            return Ok(());
        }
        let left_bytes = bytes.saturating_sub(self.copied_bytes);
        let is_long = bytes >= self.options.restart_bytes
            && bytes >= self.refused_at_bytes + self.options.checkpoint_bytes / 2;
        // If the thread can't catch up, the writer has to help out.
        let is_too_long = bytes >= self.options.restart_bytes.saturating_mul(2);
        let is_short_work = left_bytes <= self.options.checkpoint_bytes;
        if is_long && (is_short_work || is_too_long) {
            self.begin_again(writer)
        } else if let Some(truncation) = self.truncation.filter(|it| it.due <= Instant::now()) {
            if truncation.is_prepared && is_short_work {
                self.begin_again(writer)
            } else {
                self.truncation = Some(Truncation { is_prepared: true, ..truncation });
                self.order(bytes);
                Ok(())
            }
        } else {
            if bytes >= self.ordered_at_bytes + self.options.checkpoint_bytes {
                self.order(bytes);
            }
            Ok(())
        }
    }

    /// Whether there is room for a commit. Makes it, if it can.
    pub(super) fn has_room(&mut self, writer: &Connection) -> rusqlite::Result<bool> {
        if self.log_bytes() < self.options.wal_bytes_max {
            return Ok(true);
        }
        if self.is_copying
            && let Ok(result) = self.results.recv()
        {
            self.take(result)?;
        }
        self.begin_again(writer)?;
        Ok(self.log_bytes() < self.options.wal_bytes_max)
    }

    /// How long the log is.
    pub(super) fn log_bytes(&self) -> u64 {
        self.pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES)
    }

    fn order(&mut self, bytes: u64) {
        if let Some(orders) = &self.orders {
            self.is_copying = orders.try_send(()).is_ok();
            self.ordered_at_bytes = bytes;
        }
    }

    fn take(&mut self, result: rusqlite::Result<u64>) -> rusqlite::Result<()> {
        self.is_copying = false;
        self.copied_bytes = result? * u64::from(PAGE_BYTES);
        Ok(())
    }

    /// Copies what is left, so that the next commit begins the log again.
    fn begin_again(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        writer.busy_timeout(READERS_WAIT)?;
        let mode = if self.truncation.is_some() { "TRUNCATE" } else { "RESTART" };
        let result = checkpoint(writer, mode);
        writer.busy_timeout(BUSY_TIMEOUT)?;
        if result?.is_some() {
            tracing::debug!(mode, "the log begins again");
            self.options.metrics.checkpoints.inc();
            self.truncation = None;
            self.pages.store(0, Ordering::Relaxed);
            (self.copied_bytes, self.ordered_at_bytes, self.refused_at_bytes) = (0, 0, 0);
        } else {
            self.refused_at_bytes = self.log_bytes();
            if let Some(truncation) = &mut self.truncation {
                truncation.due = truncation.due.max(Instant::now() + RETRY_AFTER);
            }
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to let go of.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, orders: &Receiver<()>, done: &SyncSender<rusqlite::Result<u64>>) {
    while orders.recv().is_ok() {
        let copied = checkpoint(connection, "PASSIVE");
        if done.send(copied.map(Option::unwrap_or_default)).is_err() {
            break;
        }
    }
}

/// Copies the log into the database. Returns how many of its pages are copied, and
/// `None` if somebody was in the way.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Option<u64>> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let is_blocked: bool = row.get(0)?;
        let copied: i64 = row.get(2)?;
        Ok((!is_blocked).then(|| u64::try_from(copied).unwrap_or(0)))
    })
}
