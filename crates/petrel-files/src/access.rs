//! Who may have a file: who uploaded it, whoever may read a message that refers to it, and, of
//! the avatar of a group, its members. Who may have the avatar of a user is decided where names
//! are given (`petrel_logic::contacts`).

use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{FileLinks, FileList, FileRoom, UploadedFile};
use petrel_store::{File, FileState};
use petrel_types::{FileId, Seq, UserId};

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
        let share = self.share(user, &file).await?.ok_or_else(not_found)?;
        match file.state {
            FileState::Complete(_) => Ok((file, share)),
            FileState::Upload { .. } => Err(Refusal::new(
                ErrorReason::UploadUnfinished,
                "this file is not complete yet; go on with its upload",
            )),
        }
    }

    async fn share(&self, user: UserId, file: &File) -> Result<Option<Share>, Refusal> {
        if file.owner == user {
            return Ok(Some(Share::Whole));
        }
        let mut share = None;
        let places = self.store.references_for(file.id, user, REFERENCES_MAX).await;
        for (conversation, seq) in places.map_err(|error| of_store(&error))? {
            // No message refers to it there, but the conversation as a whole.
            if seq == Seq::ZERO {
                if self.catchup.is_in(user, conversation).await? {
                    share = Some(Share::Avatar);
                }
            } else if self.catchup.may_read(user, conversation, seq).await? {
                return Ok(Some(Share::Whole));
            }
        }
        Ok(share)
    }
}

/// What somebody may have of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// All of it, and what is known of it.
    Whole,
    /// The thumbnail: it is the avatar of a group that the user is in.
    Avatar,
}
