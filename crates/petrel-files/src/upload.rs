//! Uploads: beginning, appending, giving up. A file that comes in one piece is an upload that
//! begins and ends in one request.

use std::sync::Arc;
use std::time::Duration;

use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::UploadedFile;
use petrel_store::{BegunUpload, File, FileState, NewUpload, StoreError};
use petrel_types::{FileId, TimestampMs, UserId};

use crate::receive::{Body, Received};
use crate::turns::Turn;
use crate::{Files, name};

/// The longest content type that is taken from a sender, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 255;

/// What somebody says of a file that is to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFile {
    /// What it is called.
    pub name: String,
    /// What it is said to be.
    pub content_type: String,
    /// How many bytes it has.
    pub size: Option<u64>,
}

/// An upload, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id, which is that of the file it becomes.
    pub id: FileId,
    /// How many bytes are on disk.
    pub offset: u64,
    /// How many it is going to have.
    pub size: Option<u64>,
    /// When it ends if nothing more comes; `None` once it is complete.
    pub expires: Option<TimestampMs>,
}

/// A digest of a body, said by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-1, against accidents only.
    Sha1([u8; 20]),
}

impl Files {
    /// Takes a file that comes in one piece. If anything goes wrong, nothing is kept.
    pub async fn upload(
        self: &Arc<Self>,
        owner: UserId,
        file: NewFile,
        body: impl Body,
    ) -> Result<UploadedFile, Refusal> {
        let files = Arc::clone(self);
        finishing(async move {
            let begun = files.begin(owner, file).await?;
            let taken = files.take_whole(owner, begun.id, body).await;
            if taken.is_err() {
                files.give_up(owner, begun.id).await;
            }
            taken
        })
        .await
    }

    /// Begins an upload.
    pub async fn begin(&self, owner: UserId, file: NewFile) -> Result<Upload, Refusal> {
        let bytes_max = self.settings.file_bytes_max;
        if file.size.is_some_and(|size| size > bytes_max) {
            return Err(too_large(bytes_max));
        }
        let mut name = name::clean(&file.name);
        self.words.check_file_name(owner, &mut name)?;
        let mut content_type = file.content_type;
        if content_type.len() > CONTENT_TYPE_BYTES_MAX || !content_type.is_ascii() {
            content_type.clear();
        }
        let created = self.clock.now();
        let expires = expiry(created, self.settings.upload_lasts);
        let upload = NewUpload {
            owner,
            object: random_name()?,
            name,
            content_type,
            size: file.size,
            created,
            expires,
        };
        let begun = self.store.begin_upload(upload, self.quota()).await;
        match begun.map_err(|error| of_store(&error))? {
            BegunUpload::Begun(id) => {
                Ok(Upload { id, offset: 0, size: file.size, expires: Some(expires) })
            }
            BegunUpload::NoRoom => Err(self.quota_exceeded()),
            BegunUpload::TooMany => Err(Refusal::new(
                ErrorReason::TooManyUploads,
                "you have so many unfinished uploads already; finish some or give them up",
            )),
        }
    }

    /// Appends a body at `offset`, which must be where the upload ends. An upload that is all
    /// there becomes a file before this returns.
    pub async fn append(
        self: &Arc<Self>,
        owner: UserId,
        id: FileId,
        offset: u64,
        checksum: Option<Checksum>,
        body: impl Body,
    ) -> Result<Upload, Refusal> {
        let files = Arc::clone(self);
        finishing(async move {
            let mut turn = files.take_turn(id).await?;
            let (file, upload) = files.own_upload(owner, id).await?;
            if upload.offset != offset {
                let message = format!("the upload is at {}, not at {offset}", upload.offset);
                return Err(Refusal::new(ErrorReason::UploadOffsetMismatch, message));
            }
            if upload.expires.is_none() {
                return Ok(upload);
            }
            let bytes_max = upload.size.unwrap_or(files.settings.file_bytes_max);
            let permit = files.permit()?;
            let received =
                files.receive(&mut turn, &file, offset, bytes_max, checksum, body).await?;
            drop(permit);
            files.finish_if_all_there(&turn, owner, id, received).await
        })
        .await
    }

    /// Where an upload is. One that is all there becomes a file before this returns, if a crash
    /// kept it from that.
    pub async fn upload_state(
        self: &Arc<Self>,
        owner: UserId,
        id: FileId,
    ) -> Result<Upload, Refusal> {
        let files = Arc::clone(self);
        finishing(async move {
            let (_, upload) = files.own_upload(owner, id).await?;
            if upload.expires.is_none() {
                return Ok(upload);
            }
            let turn = files.take_turn(id).await?;
            let (_, upload) = files.own_upload(owner, id).await?;
            let received = Received { total: upload.offset, refusal: None };
            files.finish_if_all_there(&turn, owner, id, received).await
        })
        .await
    }

    /// Gives an upload up, or deletes a file that no message refers to.
    pub async fn remove(&self, owner: UserId, id: FileId) -> Result<(), Refusal> {
        let _turn = self.take_turn(id).await?;
        if self.store.remove_file(owner, id).await.map_err(|error| of_store(&error))? {
            self.released.notify_one();
            return Ok(());
        }
        match self.store.file(id).await.map_err(|error| of_store(&error))? {
            Some(file) if file.owner == owner => Err(Refusal::new(
                ErrorReason::NotAllowed,
                "a message or an avatar refers to this file; recall the message, or show another picture",
            )),
            _ => Err(not_found()),
        }
    }

    async fn take_whole(
        &self,
        owner: UserId,
        id: FileId,
        body: impl Body,
    ) -> Result<UploadedFile, Refusal> {
        let mut turn = self.take_turn(id).await?;
        let (file, upload) = self.own_upload(owner, id).await?;
        let bytes_max = upload.size.unwrap_or(self.settings.file_bytes_max);
        let permit = self.permit()?;
        let received = self.receive(&mut turn, &file, 0, bytes_max, None, body).await?;
        drop(permit);
        if let Some(refusal) = received.refusal {
            return Err(refusal);
        }
        self.finish(&turn, &file, received.total).await
    }

    async fn finish_if_all_there(
        &self,
        turn: &Turn,
        owner: UserId,
        id: FileId,
        received: Received,
    ) -> Result<Upload, Refusal> {
        let (file, upload) = self.own_upload(owner, id).await?;
        if upload.expires.is_some() && upload.size == Some(received.total) {
            if let Err(refusal) = self.finish(turn, &file, received.total).await {
                // It is refused for what it is, and would be again.
                if !is_passing(&refusal) {
                    self.give_up(owner, id).await;
                }
                return Err(refusal);
            }
            return Ok(Upload { expires: None, ..upload });
        }
        received.refusal.map_or(Ok(upload), Err)
    }

    async fn give_up(&self, owner: UserId, id: FileId) {
        self.metrics.refused.inc();
        if let Err(error) = self.store.remove_file(owner, id).await {
            tracing::warn!(%error, file = %id, "an upload can't be given up; it will expire");
        }
        self.released.notify_one();
    }

    /// An upload or complete file of `owner`.
    async fn own_upload(&self, owner: UserId, id: FileId) -> Result<(File, Upload), Refusal> {
        let found = self.store.file(id).await.map_err(|error| of_store(&error))?;
        let file = found.filter(|file| file.owner == owner).ok_or_else(not_found)?;
        let upload = match &file.state {
            FileState::Upload { size, received, .. } => {
                Upload { id, offset: *received, size: *size, expires: file.expires }
            }
            FileState::Complete(facts) => {
                Upload { id, offset: facts.size, size: Some(facts.size), expires: None }
            }
        };
        Ok((file, upload))
    }

    async fn take_turn(&self, id: FileId) -> Result<Turn, Refusal> {
        self.turns.take(id).await.ok_or_else(|| {
            let message = "another request is at work on this upload; try again in a moment";
            Refusal::new(ErrorReason::UploadBusy, message).retry_after(1000)
        })
    }

    fn permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.receiving).try_acquire_owned().map_err(|_| {
            Refusal::new(ErrorReason::ServerBusy, "very many uploads are under way; try again")
                .retry_after(1000)
        })
    }

    pub(crate) fn quota_exceeded(&self) -> Refusal {
        Refusal::new(
            ErrorReason::QuotaExceeded,
            format!(
                "your files would take more than the {} bytes you may have",
                self.settings.quota_bytes_per_user
            ),
        )
    }
}

/// Runs to its end, also if nobody waits for it any more: what has come is kept, and what is
/// all there becomes a file.
async fn finishing<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(_) => Err(internal()),
    }
}

/// Whether the same could be accepted later.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        ErrorReason::StorageFull | ErrorReason::ServerBusy | ErrorReason::InternalError
    )
}

/// The time after a while.
pub(crate) fn expiry(now: TimestampMs, lasts: Duration) -> TimestampMs {
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    TimestampMs::new(now.get().saturating_add(lasts_ms).min(i64::MAX as u64))
}

pub(crate) fn too_large(bytes_max: u64) -> Refusal {
    let message = format!("a file of this kind may have {bytes_max} bytes");
    Refusal::new(ErrorReason::FileTooLarge, message)
}

/// The one answer for a file that does not exist and one that is somebody else's.
pub(crate) fn not_found() -> Refusal {
    Refusal::new(ErrorReason::FileNotFound, "there is no such file, or you may not have it")
}

pub(crate) fn storage_full() -> Refusal {
    Refusal::new(ErrorReason::StorageFull, "the server's disk is full; nothing more was stored")
}

pub(crate) fn internal() -> Refusal {
    Refusal::new(ErrorReason::InternalError, "the server failed; its log says why")
}

pub(crate) fn of_store(error: &StoreError) -> Refusal {
    Refusal::of_store(error)
}

/// A name for an object that nobody can guess and none had before.
fn random_name() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system has no random numbers");
        internal()
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
