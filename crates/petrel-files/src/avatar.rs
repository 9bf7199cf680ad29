//! Avatars: what others get of a file that a user or a group is shown with. That is its
//! thumbnail alone, made anew from the pixels: the file itself may tell where it was taken.

use std::time::Duration;

use futures_util::future::BoxFuture;
use petrel_logic::Refusal;
use petrel_logic::administration::Pictures;
use petrel_protocol::http::Avatar;
use petrel_types::{FileId, TimestampMs};

use crate::download::Variant;
use crate::upload::of_store;
use crate::{Files, Place};

/// How long a link to an avatar is good at least; at most twice as long. Longer than other
/// links, because avatars are shown again and again, and one that is replaced is deleted, with
/// which its links end.
const LINK_LASTS: Duration = Duration::from_secs(60 * 60);

impl Files {
    /// An avatar for somebody who may see it, which is for the caller to know. `None` if the
    /// file has gone.
    pub async fn avatar(&self, file_id: FileId) -> Result<Option<Avatar>, Refusal> {
        let (path, expires_ts) = self.link(file_id, Variant::Thumbnail, LINK_LASTS);
        if !matches!(&self.settings.place, Place::S3(s3) if s3.presigned_links) {
            return Ok(Some(Avatar { file_id, url: path, expires_ts }));
        }
        let Some(file) = self.store.file(file_id).await.map_err(|error| of_store(&error))? else {
            return Ok(None);
        };
        let url = self.storage.presign(&file.object, Variant::Thumbnail, LINK_LASTS).await;
        let url = url.map_err(|error| self.storage_failed(&error))?;
        let lasts_ms = u64::try_from(LINK_LASTS.as_millis()).unwrap_or(u64::MAX);
        let expires_ts = TimestampMs::new(self.clock.now().get().saturating_add(lasts_ms));
        Ok(Some(Avatar { file_id, url, expires_ts }))
    }

    /// A link through this server, as a path, and until when it is good.
    pub(crate) fn link(
        &self,
        id: FileId,
        variant: Variant,
        lasts: Duration,
    ) -> (String, TimestampMs) {
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        let link = self.links.sign(id, variant, self.clock.now(), lasts_ms);
        let path = match variant {
            Variant::Original => format!("/files/{id}"),
            Variant::Thumbnail => format!("/files/{id}/thumbnail"),
        };
        (format!("{path}?expires={}&signature={}", link.expires, link.signature), link.expires)
    }
}

impl Pictures for Files {
    fn link_to(&self, file: FileId) -> BoxFuture<'_, Result<Option<Avatar>, Refusal>> {
        Box::pin(self.avatar(file))
    }
}
