//! A store that fails when it is told to, and tells what it has really stored: the fault
//! decorator of this port. The ports beside it, which never fail, are passed on
//! (`passed_on`).

mod passed_on;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};
use tokio::sync::Notify;

use crate::{
    Batch, Claim, Committed, ConversationState, Derivation, DerivationId, Entry, EntryPage,
    EventPage, Member, MemberPage, Relation, RowPage, Store, StoreError, StoreErrorKind,
    StoredEvent, Summary, SyncPage, User,
};

/// What befalls a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is stored, and the store says so with this kind.
    Refused(StoreErrorKind),
    /// It is stored, but the caller learns only that the disk failed.
    StoredButFatal,
    /// It is not stored, and the caller learns only that the disk failed.
    LostAndFatal,
}

/// What befalls a question what users are to each other.
#[derive(Clone, Debug)]
pub enum RelationsFault {
    /// There is no answer, and the store says so with this kind.
    Refused(StoreErrorKind),
    /// The answer is of the moment in which it was asked, and comes when it is let go.
    Held(Hold),
}

/// An answer that is held back.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    asked: Arc<Notify>,
    released: Arc<Notify>,
}

impl Hold {
    /// Waits until somebody has asked.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Lets the answer go.
    pub fn release(&self) {
        self.released.notify_one();
    }
}

/// Passes everything to another store, but for the faults that were ordered.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    next_commit: Mutex<Option<CommitFault>>,
    next_relations: Mutex<Option<RelationsFault>>,
    stored: Mutex<Vec<(RowId, Batch)>>,
    pairs_asked: AtomicU64,
}

impl FaultyStore {
    /// No faults until some are ordered.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            next_commit: Mutex::new(None),
            next_relations: Mutex::new(None),
            stored: Mutex::default(),
            pairs_asked: AtomicU64::new(0),
        }
    }

    /// Orders a fault for the next commit.
    pub fn fail_next_commit(&self, fault: CommitFault) {
        *self.next_commit.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Orders a fault for the next question what users are to each other.
    pub fn fail_next_relations(&self, fault: RelationsFault) {
        *self.next_relations.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// The batches that were stored since this was asked last, whatever their senders were
    /// told, each with the row of its first event. For one who checks; they pile up until
    /// somebody asks.
    pub fn take_stored(&self) -> Vec<(RowId, Batch)> {
        std::mem::take(&mut *self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often it was asked for a pair.
    pub fn pairs_asked(&self) -> u64 {
        self.pairs_asked.load(Ordering::Relaxed)
    }

    async fn store(
        &self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError> {
        let copy = batch.clone();
        let committed = self.inner.commit(partition, batch, next_position, owner_epoch).await?;
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.push((committed.first_row, copy));
        Ok(committed)
    }

    fn take_fault(&self) -> Option<CommitFault> {
        self.next_commit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(
        &self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError> {
        let fatal = || StoreError::new(StoreErrorKind::Fatal, "the disk failed, as ordered");
        match self.take_fault() {
            None => self.store(partition, batch, next_position, owner_epoch).await,
            Some(CommitFault::Refused(kind)) => Err(StoreError::new(kind, "refused, as ordered")),
            Some(CommitFault::LostAndFatal) => Err(fatal()),
            Some(CommitFault::StoredButFatal) => {
                self.store(partition, batch, next_position, owner_epoch).await?;
                Err(fatal())
            }
        }
    }

    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    async fn claim(&self, partition: Partition) -> Result<Claim, StoreError> {
        self.inner.claim(partition).await
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationState>, StoreError> {
        self.inner.conversation(conversation).await
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        self.inner.summary(conversation).await
    }

    async fn conversations_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.inner.conversations_after(after, limit).await
    }

    async fn members_after(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        self.inner.members_after(conversation, after, limit).await
    }

    async fn personal_timeline(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        self.inner.personal_timeline(user).await
    }

    async fn pair(&self, one: UserId, other: UserId) -> Result<Option<ConversationId>, StoreError> {
        self.pairs_asked.fetch_add(1, Ordering::Relaxed);
        self.inner.pair(one, other).await
    }

    async fn relations(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<Relation>, StoreError> {
        let fault = self.next_relations.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault {
            None => self.inner.relations(user, others).await,
            Some(RelationsFault::Refused(kind)) => {
                Err(StoreError::new(kind, "refused, as ordered"))
            }
            Some(RelationsFault::Held(hold)) => {
                let relations = self.inner.relations(user, others).await;
                hold.asked.notify_one();
                hold.released.notified().await;
                relations
            }
        }
    }

    async fn personal_lists(
        &self,
        list: u8,
        users: &[UserId],
        limit: u32,
    ) -> Result<Vec<Vec<Entry>>, StoreError> {
        self.inner.personal_lists(list, users, limit).await
    }

    async fn share_group(&self, user: UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        self.inner.share_group(user, others).await
    }

    async fn entry(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        self.inner.entry(conversation, list, key).await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        list: u8,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EntryPage, StoreError> {
        self.inner.entries_after(conversation, list, after, limit).await
    }

    async fn code_holder(&self, code: &str) -> Result<Option<ConversationId>, StoreError> {
        self.inner.code_holder(code).await
    }

    async fn unsettled(
        &self,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<Derivation>, StoreError> {
        self.inner.unsettled(after, limit).await
    }

    async fn is_unsettled(&self, derivation: DerivationId) -> Result<bool, StoreError> {
        self.inner.is_unsettled(derivation).await
    }

    async fn single_chat(
        &self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        self.inner.single_chat(one, other).await
    }

    async fn find_message(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.find_message(conversation, sender, client_message_id).await
    }

    async fn recent_messages(
        &self,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.recent_messages(partition, limit).await
    }

    async fn event(&self, row: RowId) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.event(row).await
    }

    async fn events_by_row(&self, after: RowId, limit: u32) -> Result<RowPage, StoreError> {
        self.inner.events_by_row(after, limit).await
    }

    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.inner.events_after(conversation, after, limit).await
    }

    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.inner.events_before(conversation, before, limit).await
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        self.inner.member(conversation, user).await
    }

    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError> {
        self.inner.sync_page(user, since, before, limit).await
    }

    async fn create_user(
        &self,
        username: &str,
        password_hash: &str,
        now: TimestampMs,
    ) -> Result<User, StoreError> {
        self.inner.create_user(username, password_hash, now).await
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<User>, StoreError> {
        self.inner.user_by_name(username).await
    }

    async fn user(&self, user: UserId) -> Result<Option<User>, StoreError> {
        self.inner.user(user).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
