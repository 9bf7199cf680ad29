//! The embedded backend: SQLite in one directory.
//!
//! One thread writes and a few read; the async methods queue work for them and wait for
//! the answer, so that no async thread ever waits for a disk. All SQL of Petrel is in
//! this module. It does not know what a payload means, and it keeps no state outside
//! the database but the high-water marks.

mod commit;
mod directory;
mod fault;
mod marks;
mod number;
mod reader;
mod schema;
mod sync;
#[cfg(test)]
mod tests;
mod timelines;
mod users;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};
use rusqlite::Connection;
use tokio::sync::mpsc;

use self::directory::DataDirectory;
use self::marks::Marks;
use self::reader::Read;
use self::writer::{Failure, Finished, Transaction, Write, WriteError, Writer};
use crate::{
    Batch, Claim, Committed, ConversationState, EventPage, Member, Store, StoreError,
    StoreErrorKind, StoredEvent, SyncPage, User,
};

/// A store in a directory of this machine. Dropping it closes it and waits for that.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    failure: Failure,
    /// `None` once the store is closed.
    threads: Mutex<Option<Threads>>,
}

/// The way to the threads. They end when the queues are dropped, the writer last.
#[derive(Debug)]
struct Threads {
    writes: mpsc::Sender<Box<dyn Write>>,
    reads: mpsc::Sender<Read>,
    writer: JoinHandle<()>,
    finished: Finished,
}

impl SqliteStore {
    /// Opens the store in `directory`, creating both if they are missing. Blocks on the
    /// disk: call it before serving.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let directory = DataDirectory::lock(directory)?;
        let path = directory.database()?;
        let connection = schema::open_writer(&directory, &path, mint_epoch()?)?;
        let (epoch, marks) = Marks::load(&connection).map_err(fault::of_read)?;
        let failure = Failure::default();
        let (reads, queue) = mpsc::channel(reader::READS_QUEUED_MAX);
        let readers = reader::start(&path, queue)?;
        let (writes, queue) = mpsc::channel(writer::WRITES_QUEUED_MAX);
        let (writer, finished) = writer::start(Writer {
            connection,
            marks,
            queue,
            readers,
            failure: Arc::clone(&failure),
            directory,
        })?;
        let threads = Threads { writes, reads, writer, finished };
        Ok(Self { epoch, failure, threads: Mutex::new(Some(threads)) })
    }

    /// Runs `work` on the writer and waits until it is on disk.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send + 'static,
    {
        let queue = self.queue(|threads| &threads.writes)?;
        let (write, answer) = writer::write(work);
        enqueue(queue, write).await?;
        answer.await.map_err(|_| fault::closed())?
    }

    /// Runs `work` on a reader.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let queue = self.queue(|threads| &threads.reads)?;
        let (read, answer) = reader::read(work);
        enqueue(queue, read).await?;
        answer.await.map_err(|_| fault::closed())?
    }

    /// The queue that `choose` names, if the store is neither closed nor broken.
    fn queue<J>(
        &self,
        choose: impl FnOnce(&Threads) -> &mpsc::Sender<J>,
    ) -> Result<mpsc::Sender<J>, StoreError> {
        if let Some(reason) = self.failure.get() {
            return Err(StoreError::new(StoreErrorKind::Fatal, reason));
        }
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.as_ref().map(|threads| choose(threads).clone()).ok_or_else(fault::closed)
    }

    fn take_threads(&self) -> Option<Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Takes the sender by value: the threads end only when the last one is dropped, which
/// must not wait for the answer.
async fn enqueue<J>(queue: mpsc::Sender<J>, job: J) -> Result<(), StoreError> {
    queue.send(job).await.map_err(|_| fault::closed())
}

/// A random epoch that is not zero and that SQLite can hold.
fn mint_epoch() -> Result<Epoch, StoreError> {
    let random = getrandom::u64().map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, "the system has no random numbers")
            .with_source(error)
    })?;
    Ok(Epoch::new((random >> 1).max(1)))
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let Some(Threads { writes, reads, writer, mut finished }) = self.take_threads() else {
            return;
        };
        drop((writes, reads));
        // Waiting means that the directory can be opened again right away. No call is
        // under way any more, as a call borrows the store.
        let _ = writer.join();
        if let Ok(Err(error)) = finished.try_recv() {
            tracing::warn!(%error, "a store was dropped without a clean end");
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn claim(&self, partition: Partition) -> Result<Claim, StoreError> {
        self.write(move |transaction| commit::claim(transaction, partition)).await
    }

    async fn commit(
        &self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError> {
        self.write(move |transaction| {
            commit::commit(transaction, partition, &batch, next_position, owner_epoch)
        })
        .await
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationState>, StoreError> {
        self.read(move |connection| timelines::conversation(connection, conversation)).await
    }

    async fn single_chat(
        &self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        self.read(move |connection| timelines::single_chat(connection, one, other)).await
    }

    async fn find_message(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let id = client_message_id.clone();
        self.read(move |connection| timelines::find_message(connection, conversation, sender, &id))
            .await
    }

    async fn recent_messages(
        &self,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| timelines::recent_messages(connection, partition, limit)).await
    }

    async fn event(&self, row: RowId) -> Result<Option<StoredEvent>, StoreError> {
        self.read(move |connection| timelines::event(connection, row)).await
    }

    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.read(move |connection| timelines::events_after(connection, conversation, after, limit))
            .await
    }

    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.read(move |connection| {
            timelines::events_before(connection, conversation, before, limit)
        })
        .await
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        self.read(move |connection| timelines::member(connection, conversation, user)).await
    }

    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError> {
        self.read(move |connection| sync::sync_page(connection, user, since, before, limit)).await
    }

    async fn create_user(
        &self,
        username: &str,
        password_hash: &str,
        now: TimestampMs,
    ) -> Result<User, StoreError> {
        let (username, password_hash) = (username.to_owned(), password_hash.to_owned());
        self.write(move |transaction| users::create(transaction, &username, &password_hash, now))
            .await
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<User>, StoreError> {
        let username = username.to_owned();
        self.read(move |connection| users::by_name(connection, &username)).await
    }

    async fn user(&self, user: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |connection| users::by_id(connection, user)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Threads { writes, reads, writer: _, finished } =
            self.take_threads().ok_or_else(fault::closed)?;
        drop((writes, reads));
        finished.await.map_err(|_| fault::closed())?
    }
}
