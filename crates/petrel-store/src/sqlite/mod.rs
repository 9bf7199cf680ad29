//! The embedded backend: SQLite in one directory.
//!
//! One thread writes and a few read; the async methods queue work for them and wait for
//! the answer, so that no async thread ever waits for a disk. All SQL of Petrel is in
//! this module. It does not know what a payload means.
//!
//! # Commits append, indexes follow
//!
//! A B-tree with an entry per message, in any order but that of the commits, has a page
//! of its own touched by nearly every message as soon as it is large, and a database
//! writes whole pages. So a commit writes only to the ends of two tables: its events, and
//! one row of the `journal`. What else a message changes (the timeline, its client
//! message id, the head, the cursors) is kept in a `tail` in memory. A full tail is
//! frozen, sorted, and moved into the B-trees in slices between commits (`flush`), where
//! neighbours share a page; then the *watermark* moves, and the tail leaves memory.
//! `memory` argues why no reader ever misses or mixes anything meanwhile.
//!
//! After a crash, everything above the watermark is read from the events and the journal
//! again (`recovery`). Slices that were written before the crash are written again,
//! which changes nothing.

mod administration;
mod audit;
mod backup;
mod checkpoint;
mod commit;
mod conversations;
mod derivations;
mod directory;
mod entries;
mod fault;
mod file_store;
mod files;
mod filter;
mod flush;
mod flusher;
mod idempotency;
mod identity_store;
mod journal;
mod logins;
mod marks;
mod memberships;
mod memory;
mod mentions;
mod message_key;
mod migrations;
mod newcomers;
mod number;
mod options;
mod overwrites;
mod reader;
mod recovery;
mod relations;
mod room;
mod schema;
mod sync;
mod system_entries;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod timelines;
mod transaction;
mod trims;
mod users;
mod verify;
mod write;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};
use tokio::sync::mpsc;

pub use self::backup::{Progress, backup, objects, restore};
use self::checkpoint::Checkpoints;
use self::directory::DataDirectory;
use self::flusher::Flusher;
use self::memory::Memory;
use self::message_key::HashSecret;
pub use self::options::Options;
use self::reader::{Read, Snapshot};
use self::recovery::Recovered;
use self::schema::Location;
use self::transaction::{Known, Transaction};
pub use self::verify::{Report, verify};
use self::write::{Write, WriteError};
use self::writer::{Failure, Finished, Writer};
use crate::{
    Batch, Claim, Committed, ConversationState, Derivation, DerivationId, Entry, EntryPage,
    EventPage, Member, MemberPage, Relation, RowPage, Store, StoreError, StoreErrorKind,
    StoredEvent, Summary, SyncPage, User,
};

/// A store in a directory of this machine. Dropping it closes it and waits for that.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    hash_secret: HashSecret,
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
        Self::open_with(directory, Options::default())
    }

    /// As [`SqliteStore::open`], with other thresholds than the default ones.
    pub fn open_with(directory: &Path, options: Options) -> Result<Self, StoreError> {
        let directory = DataDirectory::lock(directory)?;
        let location = Location { path: directory.database()?, vfs: options.vfs.clone() };
        let mut connection =
            schema::open_writer(&directory, &location, mint_epoch()?, HashSecret::mint()?)?;
        #[cfg(feature = "mutants")]
        lower_heads(&connection);
        let Recovered { epoch, hash_secret, marks, watermark, tail, owners, idempotency } =
            recovery::recover(&connection, &options).map_err(fault::of_read)?;
        let memory = Arc::new(Memory::new(tail, marks.row, idempotency.generations()));
        let failure = Failure::default();
        let (reads, queue) = mpsc::channel(reader::READS_QUEUED_MAX);
        let readers = reader::start(&location, &memory, queue, &options.metrics)?;
        let checkpoints = Checkpoints::start(&mut connection, &location, options.clone())?;
        let flusher = Flusher::start(options.clone(), Arc::clone(&memory), watermark)?;
        let (writes, queue) = mpsc::channel(writer::WRITES_QUEUED_MAX);
        let (writer, finished) = writer::start(Writer {
            connection,
            options,
            marks,
            known: Known { owners, hash_secret, idempotency },
            memory,
            flusher,
            checkpoints,
            queue,
            readers,
            failure: Arc::clone(&failure),
            directory,
        })?;
        let threads = Threads { writes, reads, writer, finished };
        Ok(Self { epoch, hash_secret, failure, threads: Mutex::new(Some(threads)) })
    }

    /// Runs `work` on the writer and waits until it is on disk.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send + 'static,
    {
        let queue = self.queue(|threads| &threads.writes)?;
        let (write, answer) = write::write(work);
        enqueue(queue, write).await?;
        answer.await.map_err(|_| fault::closed())?
    }

    /// Runs `work` on a reader.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot<'_>) -> rusqlite::Result<T> + Send + 'static,
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
    Ok(Epoch::new((random()? >> 1).max(1)))
}

fn random() -> Result<u64, StoreError> {
    getrandom::u64().map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, "the system has no random numbers")
            .with_source(error)
    })
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

/// The fault `head-lowered-at-open`: heads as far as the indexes happen to reach.
#[cfg(feature = "mutants")]
fn lower_heads(connection: &rusqlite::Connection) {
    if crate::mutants::is("head-lowered-at-open") {
        let lower = "UPDATE conversations SET head_seq = max(head_seq, 1) - 1";
        connection.execute(lower, []).expect("a fault must be seen to happen");
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
        self.read(move |snapshot| conversations::conversation(snapshot, conversation)).await
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        self.read(move |snapshot| conversations::summary(snapshot, conversation)).await
    }

    async fn conversations_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.read(move |snapshot| conversations::conversations_after(snapshot, after, limit)).await
    }

    async fn members_after(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        self.read(move |snapshot| {
            conversations::members_after(snapshot, conversation, after, limit)
        })
        .await
    }

    async fn personal_timeline(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        self.read(move |snapshot| conversations::personal_timeline(snapshot, user)).await
    }

    async fn pair(&self, one: UserId, other: UserId) -> Result<Option<ConversationId>, StoreError> {
        self.read(move |snapshot| conversations::pair(snapshot, one, other)).await
    }

    async fn relations(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<Relation>, StoreError> {
        let others = others.to_vec();
        self.read(move |snapshot| relations::relations(snapshot, user, &others)).await
    }

    async fn personal_lists(
        &self,
        list: u8,
        users: &[UserId],
        limit: u32,
    ) -> Result<Vec<Vec<Entry>>, StoreError> {
        let users = users.to_vec();
        self.read(move |snapshot| relations::personal_lists(snapshot, list, &users, limit)).await
    }

    async fn share_group(&self, user: UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        let others = others.to_vec();
        self.read(move |snapshot| relations::share_group(snapshot, user, &others)).await
    }

    async fn entry(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        self.read(move |snapshot| entries::entry(snapshot.connection, conversation, list, key))
            .await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        list: u8,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EntryPage, StoreError> {
        self.read(move |snapshot| {
            entries::entries_after(snapshot, conversation, list, after, limit)
        })
        .await
    }

    async fn code_holder(&self, code: &str) -> Result<Option<ConversationId>, StoreError> {
        let code = code.to_owned();
        self.read(move |snapshot| entries::code_holder(snapshot.connection, &code)).await
    }

    async fn unsettled(
        &self,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<Derivation>, StoreError> {
        self.read(move |snapshot| derivations::unsettled(snapshot.connection, after, limit)).await
    }

    async fn is_unsettled(&self, derivation: DerivationId) -> Result<bool, StoreError> {
        self.read(move |snapshot| derivations::is_unsettled(snapshot.connection, derivation)).await
    }

    async fn single_chat(
        &self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        self.read(move |snapshot| conversations::single_chat(snapshot, one, other)).await
    }

    async fn find_message(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let (secret, id) = (self.hash_secret, client_message_id.clone());
        self.read(move |snapshot| {
            timelines::find_message(snapshot, secret, conversation, sender, &id)
        })
        .await
    }

    async fn recent_messages(
        &self,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |snapshot| timelines::recent_messages(snapshot, partition, limit)).await
    }

    async fn event(&self, row: RowId) -> Result<Option<StoredEvent>, StoreError> {
        self.read(move |snapshot| timelines::event(snapshot, row)).await
    }

    async fn events_by_row(&self, after: RowId, limit: u32) -> Result<RowPage, StoreError> {
        self.read(move |snapshot| timelines::events_by_row(snapshot, after, limit)).await
    }

    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.read(move |snapshot| timelines::events_after(snapshot, conversation, after, limit))
            .await
    }

    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.read(move |snapshot| timelines::events_before(snapshot, conversation, before, limit))
            .await
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        self.read(move |snapshot| {
            memberships::member(snapshot.connection, &snapshot.view, conversation, user)
        })
        .await
    }

    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError> {
        self.read(move |snapshot| sync::sync_page(snapshot, user, since, before, limit)).await
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
        self.read(move |snapshot| users::by_name(snapshot.connection, &username)).await
    }

    async fn user(&self, user: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |snapshot| users::by_id(snapshot.connection, user)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Threads { writes, reads, writer: _, finished } =
            self.take_threads().ok_or_else(fault::closed)?;
        drop((writes, reads));
        finished.await.map_err(|_| fault::closed())?
    }
}
