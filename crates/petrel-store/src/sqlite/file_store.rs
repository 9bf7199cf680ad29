//! Files and uploads, as the embedded backend keeps them: each call of the port is one piece
//! of work for the writer or a reader.

use async_trait::async_trait;
use petrel_types::{ConversationId, FileId, Seq, TimestampMs, UserId};

use super::{SqliteStore, files};
use crate::{BegunUpload, File, FileFacts, FileStore, FileUsage, NewUpload, Quota, StoreError};

#[async_trait]
impl FileStore for SqliteStore {
    async fn begin_upload(
        &self,
        upload: NewUpload,
        quota: Quota,
    ) -> Result<BegunUpload, StoreError> {
        self.write(move |transaction| files::begin(transaction, &upload, quota)).await
    }

    async fn advance_upload(
        &self,
        file: FileId,
        received: u64,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        self.write(move |transaction| files::advance(transaction, file, received, expires)).await
    }

    async fn complete_upload(
        &self,
        file: FileId,
        facts: FileFacts,
        expires: TimestampMs,
        quota: Quota,
    ) -> Result<bool, StoreError> {
        self.write(move |transaction| files::complete(transaction, file, &facts, expires, quota))
            .await
    }

    async fn file(&self, file: FileId) -> Result<Option<File>, StoreError> {
        self.read(move |snapshot| files::by_id(snapshot.connection, file)).await
    }

    async fn files_of(
        &self,
        owner: UserId,
        before: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<File>, StoreError> {
        self.read(move |snapshot| files::of_owner(snapshot.connection, owner, before, limit)).await
    }

    async fn file_usage(&self, owner: UserId) -> Result<FileUsage, StoreError> {
        self.read(move |snapshot| files::usage(snapshot.connection, owner)).await
    }

    async fn references_for(
        &self,
        file: FileId,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<(ConversationId, Seq)>, StoreError> {
        self.read(move |snapshot| files::references_for(snapshot.connection, file, user, limit))
            .await
    }

    async fn remove_file(&self, owner: UserId, file: FileId) -> Result<bool, StoreError> {
        self.write(move |transaction| files::remove(transaction, owner, file)).await
    }

    async fn remove_expired_files(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        self.write(move |transaction| files::remove_expired(transaction, now, limit)).await
    }

    async fn uploads_after(&self, after: FileId, limit: u32) -> Result<Vec<File>, StoreError> {
        self.read(move |snapshot| files::uploads_after(snapshot.connection, after, limit)).await
    }

    async fn garbage(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(move |snapshot| files::garbage(snapshot.connection, limit)).await
    }

    async fn forget_garbage(&self, objects: Vec<String>) -> Result<(), StoreError> {
        self.write(move |transaction| files::forget_garbage(transaction, &objects)).await
    }
}
