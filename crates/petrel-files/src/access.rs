//! Who may have a file: who uploaded it, and whoever may read a message that refers to it.

use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{FileLinks, FileList, FileRoom, UploadedFile};
use petrel_store::{File, FileState};
use petrel_types::{FileId, UserId};

use crate::download::Variant;
use crate::finish::described;
use crate::upload::{not_found, of_store};
use crate::{Files, Place};

/// How many messages that refer to a file are looked at before a user is refused it.
const REFERENCES_MAX: u32 = 64;

/// The most files of a page.
const FILES_MAX: u32 = 100;

impl Files {
    /// What is known of a file.
    pub async fn describe(&self, user: UserId, id: FileId) -> Result<UploadedFile, Refusal> {
        Ok(described(&self.readable(user, id).await?))
    }

    /// Links to a file, and to its thumbnail if it has one, for whoever has them.
    pub async fn links(&self, user: UserId, id: FileId) -> Result<FileLinks, Refusal> {
        let file = self.readable(user, id).await?;
        let now = self.clock.now();
        let lasts_ms = u64::try_from(self.settings.link_lasts.as_millis()).unwrap_or(u64::MAX);
        let has_thumbnail =
            matches!(&file.state, FileState::Complete(facts) if facts.thumbnail.is_some());
        let link = |variant: Variant| {
            let link = self.links.sign(id, variant, now, lasts_ms);
            let path = match variant {
                Variant::Original => format!("/files/{id}"),
                Variant::Thumbnail => format!("/files/{id}/thumbnail"),
            };
            (link.expires, format!("{path}?expires={}&signature={}", link.expires, link.signature))
        };
        let (expires_ts, mut url) = link(Variant::Original);
        let mut thumbnail_url = has_thumbnail.then(|| link(Variant::Thumbnail).1);
        if matches!(&self.settings.place, Place::S3(s3) if s3.presigned_links) {
            let sign =
                |variant| self.storage.presign(&file.object, variant, self.settings.link_lasts);
            url = sign(Variant::Original).await.map_err(|error| self.storage_failed(&error))?;
            if has_thumbnail {
                let signed = sign(Variant::Thumbnail).await;
                thumbnail_url = Some(signed.map_err(|error| self.storage_failed(&error))?);
            }
        }
        Ok(FileLinks { url, thumbnail_url, expires_ts })
    }

    /// A page of one's own files and uploads, and how much room there is.
    pub async fn list(
        &self,
        user: UserId,
        before: Option<FileId>,
        limit: Option<u32>,
    ) -> Result<FileList, Refusal> {
        let limit = limit.unwrap_or(FILES_MAX).clamp(1, FILES_MAX);
        let mut files =
            self.store.files_of(user, before, limit + 1).await.map_err(|error| of_store(&error))?;
        let more = files.len() > limit as usize;
        files.truncate(limit as usize);
        let usage = self.store.file_usage(user).await.map_err(|error| of_store(&error))?;
        let room = FileRoom {
            used_bytes: usage.bytes,
            quota_bytes: self.settings.quota_bytes_per_user,
            file_bytes_max: self.settings.file_bytes_max,
        };
        Ok(FileList { files: files.iter().map(described).collect(), more, room })
    }

    /// A complete file that a user may have.
    async fn readable(&self, user: UserId, id: FileId) -> Result<File, Refusal> {
        let found = self.store.file(id).await.map_err(|error| of_store(&error))?;
        let file = found.ok_or_else(not_found)?;
        if !self.may_have(user, &file).await? {
            return Err(not_found());
        }
        match file.state {
            FileState::Complete(_) => Ok(file),
            FileState::Upload { .. } => Err(Refusal::new(
                ErrorReason::UploadUnfinished,
                "this file is not complete yet; go on with its upload",
            )),
        }
    }

    async fn may_have(&self, user: UserId, file: &File) -> Result<bool, Refusal> {
        if file.owner == user {
            return Ok(true);
        }
        let places = self.store.references_for(file.id, user, REFERENCES_MAX).await;
        for (conversation, seq) in places.map_err(|error| of_store(&error))? {
            if self.catchup.may_read(user, conversation, seq).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
