//! A store that fails when it is told to, and tells what it has really stored: the fault
//! decorator of this port.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, FileId, LogPosition, LoginId, OwnerEpoch, Partition,
    RowId, Seq, TimestampMs, UserId,
};
use tokio::sync::Notify;

use crate::{
    AdministrationStore, AuditFilter, AuditRecord, Batch, BegunLogin, BegunUpload, Claim,
    Committed, ConversationState, Derivation, DerivationId, Digest, EndedLogin, Entry, EntryPage,
    EventPage, Figures, File, FileFacts, FileStore, FileUsage, Found, IdentityStore, Invite,
    KeptRecord, KnownUser, Login, LoginEnd, Member, MemberPage, NewLogin, NewUpload, Quota,
    RefreshTokens, Relation, RowPage, Store, StoreError, StoreErrorKind, StoredEvent, Summary,
    SyncPage, User, UserChange, UserChanged, UserFilter, WhichLogins,
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

#[async_trait]
impl IdentityStore for FaultyStore {
    async fn create_invited_user(
        &self,
        username: &str,
        password_hash: &str,
        invite: &Digest,
        now: TimestampMs,
    ) -> Result<Option<User>, StoreError> {
        self.inner.create_invited_user(username, password_hash, invite, now).await
    }

    async fn make_admin(&self, user: UserId) -> Result<bool, StoreError> {
        self.inner.make_admin(user).await
    }

    async fn has_user(&self, user: UserId) -> Result<bool, StoreError> {
        self.inner.has_user(user).await
    }

    async fn external_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<UserId>, StoreError> {
        self.inner.external_user(issuer, subject).await
    }

    async fn map_external_user(
        &self,
        issuer: &str,
        subject: &str,
        now: TimestampMs,
    ) -> Result<UserId, StoreError> {
        self.inner.map_external_user(issuer, subject, now).await
    }

    async fn begin_login(
        &self,
        login: NewLogin,
        kept_max: u32,
        end: LoginEnd,
    ) -> Result<BegunLogin, StoreError> {
        self.inner.begin_login(login, kept_max, end).await
    }

    async fn login(&self, login: LoginId) -> Result<Option<Login>, StoreError> {
        self.inner.login(login).await
    }

    async fn logins_of(
        &self,
        user: UserId,
        before: Option<LoginId>,
        limit: u32,
    ) -> Result<Vec<Login>, StoreError> {
        self.inner.logins_of(user, before, limit).await
    }

    async fn replace_refresh_tokens(
        &self,
        login: LoginId,
        expected: &Digest,
        replacement: RefreshTokens,
        seen: TimestampMs,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        self.inner.replace_refresh_tokens(login, expected, replacement, seen, expires).await
    }

    async fn end_logins(
        &self,
        user: UserId,
        which: WhichLogins,
        end: LoginEnd,
    ) -> Result<Vec<LoginId>, StoreError> {
        self.inner.end_logins(user, which, end).await
    }

    async fn ended_logins(
        &self,
        after: LoginId,
        limit: u32,
    ) -> Result<Vec<EndedLogin>, StoreError> {
        self.inner.ended_logins(after, limit).await
    }

    async fn remove_expired_logins(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        self.inner.remove_expired_logins(now, limit).await
    }

    async fn create_invite(&self, invite: Invite) -> Result<(), StoreError> {
        self.inner.create_invite(invite).await
    }
}

#[async_trait]
impl AdministrationStore for FaultyStore {
    async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        record: AuditRecord,
    ) -> Result<UserChanged, StoreError> {
        self.inner.change_user(user, change, record).await
    }

    async fn known_user(&self, user: UserId) -> Result<Option<KnownUser>, StoreError> {
        self.inner.known_user(user).await
    }

    async fn users_after(
        &self,
        filter: UserFilter,
        after: UserId,
        limit: u32,
    ) -> Result<Found<KnownUser, UserId>, StoreError> {
        self.inner.users_after(filter, after, limit).await
    }

    async fn disabled_users(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError> {
        self.inner.disabled_users(after, limit).await
    }

    async fn redeem_password_reset(
        &self,
        user: UserId,
        code: Digest,
        password_hash: &str,
        end: LoginEnd,
        record: AuditRecord,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        self.inner.redeem_password_reset(user, code, password_hash, end, record).await
    }

    async fn replace_password(
        &self,
        user: UserId,
        expected: &str,
        password_hash: &str,
        kept: Option<LoginId>,
        end: LoginEnd,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        self.inner.replace_password(user, expected, password_hash, kept, end).await
    }

    async fn keep_record(&self, record: AuditRecord) -> Result<u64, StoreError> {
        self.inner.keep_record(record).await
    }

    async fn records_before(
        &self,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Found<KeptRecord, u64>, StoreError> {
        self.inner.records_before(filter, before, limit).await
    }

    async fn remove_records(&self, before: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        self.inner.remove_records(before, limit).await
    }

    async fn groups_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.inner.groups_after(after, limit).await
    }

    async fn put_system_entries(
        &self,
        list: u8,
        entries: Vec<(String, Option<Bytes>)>,
        record: Option<AuditRecord>,
    ) -> Result<(), StoreError> {
        self.inner.put_system_entries(list, entries, record).await
    }

    async fn system_entries_after(
        &self,
        list: u8,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        self.inner.system_entries_after(list, after, limit).await
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        self.inner.figures().await
    }
}

#[async_trait]
impl FileStore for FaultyStore {
    async fn begin_upload(
        &self,
        upload: NewUpload,
        quota: Quota,
    ) -> Result<BegunUpload, StoreError> {
        self.inner.begin_upload(upload, quota).await
    }

    async fn advance_upload(
        &self,
        file: FileId,
        received: u64,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        self.inner.advance_upload(file, received, expires).await
    }

    async fn complete_upload(
        &self,
        file: FileId,
        facts: FileFacts,
        expires: TimestampMs,
        quota: Quota,
    ) -> Result<bool, StoreError> {
        self.inner.complete_upload(file, facts, expires, quota).await
    }

    async fn file(&self, file: FileId) -> Result<Option<File>, StoreError> {
        self.inner.file(file).await
    }

    async fn files_of(
        &self,
        owner: UserId,
        before: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<File>, StoreError> {
        self.inner.files_of(owner, before, limit).await
    }

    async fn file_usage(&self, owner: UserId) -> Result<FileUsage, StoreError> {
        self.inner.file_usage(owner).await
    }

    async fn references_for(
        &self,
        file: FileId,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<(ConversationId, Seq)>, StoreError> {
        self.inner.references_for(file, user, limit).await
    }

    async fn remove_file(&self, owner: UserId, file: FileId) -> Result<bool, StoreError> {
        self.inner.remove_file(owner, file).await
    }

    async fn remove_expired_files(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        self.inner.remove_expired_files(now, limit).await
    }

    async fn uploads_after(&self, after: FileId, limit: u32) -> Result<Vec<File>, StoreError> {
        self.inner.uploads_after(after, limit).await
    }

    async fn garbage(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.garbage(limit).await
    }

    async fn forget_garbage(&self, objects: Vec<String>) -> Result<(), StoreError> {
        self.inner.forget_garbage(objects).await
    }
}
