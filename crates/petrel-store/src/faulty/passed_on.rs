//! The ports on which no fault is ever ordered: users, what admins do, files.

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{ConversationId, FileId, LoginId, Seq, TimestampMs, UserId};

use crate::{
    AdministrationStore, AuditFilter, AuditRecord, BegunLogin, BegunUpload, Digest, EndedLogin,
    Figures, File, FileFacts, FileStore, FileUsage, Found, IdentityStore, Invite, KeptRecord,
    KnownUser, Login, LoginEnd, NewLogin, NewUpload, Quota, RefreshTokens, StoreError, Summary,
    User, UserChange, UserChanged, UserFilter, WhichLogins,
};

use super::FaultyStore;

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
