//! When a tail is frozen, and how fast it is moved into the indexes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use petrel_types::TimestampMs;
use rusqlite::{Connection, Result};
use tokio::sync::oneshot;

use super::flush::{Flush, Plan, Slice, Watermark, trim_journal};
use super::idempotency::{Idempotency, Retired, delete_retired};
use super::marks::Marks;
use super::memory::{self, Memory, SharedTail};
use super::options::Options;
use super::trims;
use crate::{StoreError, StoreErrorKind};

/// A smaller tail is sorted at once.
const SORTED_AT_ONCE_MAX: usize = 4096;

/// The flush of the writer: at most one at a time.
pub(super) struct Flusher {
    options: Options,
    memory: Arc<Memory>,
    stage: Stage,
    sorter: Sorter,
}

enum Stage {
    Nothing,
    Sorting {
        tail: SharedTail,
        watermark: Watermark,
        plan: oneshot::Receiver<Plan>,
    },
    Moving(Flush),
    TrimmingJournal(Watermark),
    /// What is forgotten is deleted. It can be put off at any time for the next flush.
    Deleting(Watermark),
}

/// What a transaction did for the flush, to be taken over once it is on disk.
pub(super) enum Done {
    Moved(Slice),
    TrimmedJournal { more: bool },
    Retired(Retired),
    Deleted { more: bool },
}

/// The thread that sorts frozen tails and takes old ones apart: either would hold up
/// commits.
struct Sorter {
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

enum Task {
    Sort(SharedTail, Watermark, oneshot::Sender<Plan>),
    Discard(Option<SharedTail>, Plan),
}

impl Flusher {
    /// Begins by trimming what a crash may have left in the journal.
    pub(super) fn start(
        options: Options,
        memory: Arc<Memory>,
        watermark: Watermark,
    ) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            options,
            memory,
            stage: Stage::TrimmingJournal(watermark),
            sorter: Sorter::start()?,
        })
    }

    /// Freezes the tail if it is full, or holds anything and `even_if_small`, and nothing
    /// else is under way.
    pub(super) fn freeze_if_due(&mut self, marks: Marks, even_if_small: bool) {
        let weight = self.memory.weight();
        let is_due = weight >= self.options.tail_rows || (even_if_small && weight > 0);
        if !is_due || !matches!(self.stage, Stage::Nothing | Stage::Deleting(_)) {
            return;
        }
        tracing::debug!(weight, "a tail is frozen");
        let (tail, row) = self.memory.freeze();
        let watermark = Watermark { row, journal: marks.journal };
        self.stage = if weight < SORTED_AT_ONCE_MAX {
            Stage::Moving(Flush::new(Plan::new(&memory::read(&tail), watermark)))
        } else {
            let plan = self.sorter.sort(&tail, watermark);
            Stage::Sorting { tail, watermark, plan }
        };
    }

    /// Whether there is anything in memory that is not in the indexes.
    pub(super) fn is_behind(&self) -> bool {
        self.is_busy() || self.memory.weight() > 0
    }

    /// Whether a flush is under way.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Nothing)
    }

    /// Whether commits have to wait, as two tails are full.
    pub(super) fn must_catch_up(&self) -> bool {
        self.is_busy() && self.memory.weight() >= self.options.tail_rows
    }

    /// Waits until the frozen tail is sorted.
    pub(super) fn await_plan(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Nothing) {
            Stage::Sorting { tail, watermark, plan } => {
                // A thread that panicked leaves its work to this one.
                let plan = plan.blocking_recv();
                let plan = plan.unwrap_or_else(|_| Plan::new(&memory::read(&tail), watermark));
                Stage::Moving(Flush::new(plan))
            }
            stage => stage,
        };
    }

    /// Does a slice in the transaction of `connection`, which also adds `weight` entries
    /// to the collecting tail. The newest event was numbered at `now`.
    pub(super) fn slice(
        &mut self,
        connection: &Connection,
        idempotency: &mut Idempotency,
        now: TimestampMs,
        weight: usize,
    ) -> Result<Option<Done>> {
        if let Stage::Sorting { plan, .. } = &mut self.stage
            && let Ok(plan) = plan.try_recv()
        {
            self.stage = Stage::Moving(Flush::new(plan));
        }
        match &self.stage {
            Stage::Nothing | Stage::Sorting { .. } => Ok(None),
            Stage::Moving(flush) => {
                let quota = self.quota(flush.remaining(), weight);
                flush.slice(connection, idempotency, quota).map(|slice| Some(Done::Moved(slice)))
            }
            Stage::TrimmingJournal(watermark) => {
                let more = trim_journal(connection, *watermark, self.quota(0, weight))?;
                Ok(Some(Done::TrimmedJournal { more }))
            }
            Stage::Deleting(watermark) => {
                if let Some(retired) = idempotency.retire(connection, now)? {
                    return Ok(Some(Done::Retired(retired)));
                }
                // Entries of a generation are neighbours, trimmed events are not.
                let quota = self.options.slice_rows;
                let more = delete_retired(connection, quota)?
                    || trims::delete(connection, watermark.row, quota.div_ceil(16))?;
                Ok(Some(Done::Deleted { more }))
            }
        }
    }

    /// Takes over what is on disk now.
    pub(super) fn settle(&mut self, done: Done, idempotency: &mut Idempotency) {
        let stage = std::mem::replace(&mut self.stage, Stage::Nothing);
        self.stage = match (stage, done) {
            (Stage::Moving(mut flush), Done::Moved(slice)) => {
                if flush.settle(slice, idempotency) {
                    tracing::debug!("the watermark has moved");
                    let watermark = flush.watermark();
                    let tail = self.memory.forget_frozen(idempotency.generations());
                    self.sorter.discard(tail, flush.into_plan());
                    Stage::TrimmingJournal(watermark)
                } else {
                    Stage::Moving(flush)
                }
            }
            (Stage::TrimmingJournal(watermark), Done::TrimmedJournal { more: false }) => {
                Stage::Deleting(watermark)
            }
            (stage, Done::Retired(retired)) => {
                idempotency.forget(&retired);
                self.memory.set_generations(idempotency.generations());
                stage
            }
            (Stage::Deleting(_), Done::Deleted { more: false }) => Stage::Nothing,
            (stage, _) => stage,
        };
    }

    /// How many entries to move so that the flush is done by the time that the next tail
    /// is three quarters full.
    fn quota(&self, remaining: usize, weight: usize) -> usize {
        let room = (self.options.tail_rows / 4 * 3).saturating_sub(self.memory.weight()).max(1);
        let pace = (remaining as u128 * weight as u128).div_ceil(room as u128);
        usize::try_from(pace).unwrap_or(usize::MAX).max(self.options.slice_rows).max(1)
    }
}

impl Sorter {
    fn start() -> std::result::Result<Self, StoreError> {
        let (tasks, queue) = sync_channel(2);
        let thread = thread::Builder::new()
            .name("petrel-store-sorter".to_owned())
            .spawn(move || run(&queue))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Unavailable, "can't start a thread")
                    .with_source(error)
            })?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread) })
    }

    /// If the thread is gone, the answer says so.
    fn sort(&self, tail: &SharedTail, watermark: Watermark) -> oneshot::Receiver<Plan> {
        let (reply, plan) = oneshot::channel();
        self.give(Task::Sort(Arc::clone(tail), watermark, reply));
        plan
    }

    fn discard(&self, tail: Option<SharedTail>, plan: Plan) {
        self.give(Task::Discard(tail, plan));
    }

    /// A task that finds no room is dropped here and now, which is as good but slower.
    fn give(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            let _ = tasks.try_send(task);
        }
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to let go of.
            let _ = thread.join();
        }
    }
}

fn run(queue: &Receiver<Task>) {
    while let Ok(task) = queue.recv() {
        match task {
            Task::Sort(tail, watermark, reply) => {
                // Nobody waits for it if the store is being closed.
                let _ = reply.send(Plan::new(&memory::read(&tail), watermark));
            }
            Task::Discard(tail, plan) => drop((tail, plan)),
        }
    }
}
