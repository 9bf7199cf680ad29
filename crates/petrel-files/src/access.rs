//! What users get of a file. Who may have what of it is decided by the rules
//! ([`Catchup::share`](petrel_logic::sync::Catchup::share)).

use petrel_logic::Refusal;
use petrel_logic::sync::Share;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{FileLinks, FileList, FileRoom, UploadedFile};
use petrel_store::{File, FileState};
use petrel_types::{FileId, UserId};

use crate::download::Variant;
use crate::finish::described;
use crate::upload::{not_found, of_store};
use crate::{Files, Place};

/// The most files of a page.
const FILES_MAX: u32 = 100;

impl Files {
    /// What is known of a file.
    pub async fn describe(&self, user: UserId, id: FileId) -> Result<UploadedFile, Refusal> {
        Ok(described(&self.readable(user, id).await?))
    }

    /// Links to a file, and to its thumbnail if it has one, for whoever has them. Who may have
    /// it only as the avatar of a group gets the thumbnail for both.
    pub async fn links(&self, user: UserId, id: FileId) -> Result<FileLinks, Refusal> {
        let (file, share) = self.complete(user, id).await?;
        if share == Share::Avatar {
            let avatar = self.avatar(id).await?.ok_or_else(not_found)?;
            let (url, expires_ts) = (avatar.url, avatar.expires_ts);
            return Ok(FileLinks { thumbnail_url: Some(url.clone()), url, expires_ts });
        }
        let lasts = self.settings.link_lasts;
        let has_thumbnail =
            matches!(&file.state, FileState::Complete(facts) if facts.thumbnail.is_some());
        let (mut url, expires_ts) = self.link(id, Variant::Original, lasts);
        let mut thumbnail_url = has_thumbnail.then(|| self.link(id, Variant::Thumbnail, lasts).0);
        if matches!(&self.settings.place, Place::S3(s3) if s3.presigned_links) {
            let sign = |variant| self.storage.presign(&file.object, variant, lasts);
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

    /// A complete file that a user may have all of.
    async fn readable(&self, user: UserId, id: FileId) -> Result<File, Refusal> {
        match self.complete(user, id).await? {
            (file, Share::Whole) => Ok(file),
            (_, Share::Avatar) => Err(not_found()),
        }
    }

    /// A complete file, and what of it a user may have.
    async fn complete(&self, user: UserId, id: FileId) -> Result<(File, Share), Refusal> {
        let found = self.store.file(id).await.map_err(|error| of_store(&error))?;
        let file = found.ok_or_else(not_found)?;
        let share = self.catchup.share(user, &file).await?.ok_or_else(not_found)?;
        match file.state {
            FileState::Complete(_) => Ok((file, share)),
            FileState::Upload { .. } => Err(Refusal::new(
                ErrorReason::UploadUnfinished,
                "this file is not complete yet; go on with its upload",
            )),
        }
    }
}
