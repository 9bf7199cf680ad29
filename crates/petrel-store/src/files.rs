//! The part of the port that knows which files there are, whose they are and which messages
//! refer to them. Not what is in them: that is in an object store, under names that are kept
//! here.
//!
//! A file is first an *upload*, of which so many bytes are received, and then *complete*. It
//! lasts until it expires, or until the last message or conversation that refers to it lets go
//! of it
//! ([`Batch::file_references`](crate::Batch::file_references), or a trim). Then its object is
//! *garbage*: nothing reads it any more, and its name is kept until somebody has deleted it.
//! So there is never an object that nothing tells of.

use async_trait::async_trait;
use petrel_types::{ConversationId, FileId, Seq, TimestampMs, UserId};

use crate::{Digest, StoreError};

/// How much of a quota even an empty file takes, in bytes: a block of a file system, and a
/// bound on how many files there can be.
pub const FILE_BYTES_MIN: u64 = 4096;

/// Durable state about files. Every change is on disk on return (`fsync` has returned) and
/// visible to reads; a call that fails has changed nothing, unless with
/// [`StoreErrorKind::Fatal`](crate::StoreErrorKind::Fatal).
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Begins an upload, if its owner has room for it.
    async fn begin_upload(
        &self,
        upload: NewUpload,
        quota: Quota,
    ) -> Result<BegunUpload, StoreError>;

    /// Notes that so many bytes of an upload are on disk, and until when it lasts. Never goes
    /// back. Returns whether there is such an upload.
    async fn advance_upload(
        &self,
        file: FileId,
        received: u64,
        expires: TimestampMs,
    ) -> Result<bool, StoreError>;

    /// Makes an upload a complete file, which lasts until `expires` unless a message refers to
    /// it. `false`, and no change, if there is no such upload, or its size is larger than was
    /// reserved for it and the owner has no room for that.
    async fn complete_upload(
        &self,
        file: FileId,
        facts: FileFacts,
        expires: TimestampMs,
        quota: Quota,
    ) -> Result<bool, StoreError>;

    /// A file or upload.
    async fn file(&self, file: FileId) -> Result<Option<File>, StoreError>;

    /// Up to `limit` files and uploads of a user with ids below `before`, newest first.
    async fn files_of(
        &self,
        owner: UserId,
        before: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<File>, StoreError>;

    /// What a user has.
    async fn file_usage(&self, owner: UserId) -> Result<FileUsage, StoreError>;

    /// Up to `limit` places that refer to a file, latest first, in conversations that
    /// `user` is or was a member of.
    async fn references_for(
        &self,
        file: FileId,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<(ConversationId, Seq)>, StoreError>;

    /// Lets go of a file or upload of `owner` that no message refers to. Returns whether there
    /// was one.
    async fn remove_file(&self, owner: UserId, file: FileId) -> Result<bool, StoreError>;

    /// Lets go of up to `limit` files and uploads that have expired. Returns how many.
    async fn remove_expired_files(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError>;

    /// Up to `limit` uploads with ids above `after`, by id.
    async fn uploads_after(&self, after: FileId, limit: u32) -> Result<Vec<File>, StoreError>;

    /// Up to `limit` names of objects that are garbage.
    async fn garbage(&self, limit: u32) -> Result<Vec<String>, StoreError>;

    /// Forgets garbage that was deleted.
    async fn forget_garbage(&self, objects: Vec<String>) -> Result<(), StoreError>;
}

/// An upload that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Who uploads.
    pub owner: UserId,
    /// Where its bytes go. No other file has or had the name.
    pub object: String,
    /// What the owner calls it.
    pub name: String,
    /// What the owner says it is.
    pub content_type: String,
    /// How many bytes it is going to have, if that is known.
    pub size: Option<u64>,
    /// When it begins.
    pub created: TimestampMs,
    /// When it ends if nothing more comes.
    pub expires: TimestampMs,
}

/// How much a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of files and of what is reserved for uploads, each counted with at least
    /// [`FILE_BYTES_MIN`].
    pub bytes: u64,
    /// Uploads at the same time.
    pub uploads: u32,
}

/// What [`FileStore::begin_upload`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BegunUpload {
    /// It has begun.
    Begun(FileId),
    /// The owner has no room for so many bytes.
    NoRoom,
    /// The owner has so many uploads already.
    TooMany,
}

/// What is known of a file once all of it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its length in bytes.
    pub size: u64,
    /// What it is.
    pub content_type: String,
    /// Of all its bytes.
    pub sha256: Digest,
    /// Width and height as it is shown, in pixels; of pictures.
    pub dimensions: Option<(u32, u32)>,
    /// What its thumbnail is, if it has one.
    pub thumbnail: Option<String>,
}

/// A file, or an upload that may become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Who uploaded it.
    pub owner: UserId,
    /// Where its bytes are.
    pub object: String,
    /// What the owner calls it.
    pub name: String,
    /// When it began.
    pub created: TimestampMs,
    /// When it ends. `None` as long as a message refers to it.
    pub expires: Option<TimestampMs>,
    /// How far it is.
    pub state: FileState,
}

/// How far a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is being uploaded.
    Upload {
        /// What the owner says it is.
        content_type: String,
        /// How many bytes it is going to have, if that is known.
        size: Option<u64>,
        /// How many are on disk.
        received: u64,
    },
    /// All of it is there.
    Complete(FileFacts),
}

/// What a user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileUsage {
    /// Bytes, as [`Quota::bytes`] counts them.
    pub bytes: u64,
    /// Files and uploads.
    pub files: u64,
    /// Uploads among them.
    pub uploads: u64,
}

/// A message or conversation that refers to a file, or no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileReference {
    /// The file. If there is no such file, or not any more, nothing refers to it: its owner may
    /// have let go of it in the same moment.
    pub file: FileId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message, which must not be beyond the head. [`Seq::ZERO`] if the conversation as a
    /// whole refers to it, which no trim ends.
    pub seq: Seq,
    /// Whether it does. A file that no message refers to after the commit goes if this was one
    /// of those that no longer do, also if it did so within this commit only.
    pub is_there: bool,
}

impl FileUsage {
    /// With one more file of a size.
    pub(crate) fn with(self, size: u64, is_upload: bool) -> Self {
        Self {
            bytes: self.bytes.saturating_add(size.max(FILE_BYTES_MIN)),
            files: self.files + 1,
            uploads: self.uploads + u64::from(is_upload),
        }
    }
}
