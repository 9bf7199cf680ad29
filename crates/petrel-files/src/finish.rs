//! From an upload that is all there to a complete file: looked at, kept, and only then known.

use std::time::Instant;

use petrel_logic::Refusal;
use petrel_protocol::http::{FileKind, UploadedFile};
use petrel_store::{File, FileFacts, FileState};

use crate::Files;
use crate::decoder::Task;
use crate::examine::{Examined, examine};
use crate::thumbnail::{self, Picture};
use crate::turns::Turn;
use crate::upload::{expiry, internal, not_found, of_store, too_large};

impl Files {
    /// Makes a file of an upload whose `size` bytes are on disk. May be called again after a
    /// crash, and then does what is left to do. `_turn` is that of the upload.
    pub(crate) async fn finish(
        &self,
        _turn: &Turn,
        upload: &File,
        size: u64,
    ) -> Result<UploadedFile, Refusal> {
        let FileState::Upload { content_type: declared, .. } = &upload.state else {
            return Err(not_found());
        };
        let begin = Instant::now();
        // An empty file was never written, and what nobody was told of does not belong to one.
        let spooled = self.spool.resume(&upload.object, size).await;
        spooled.map_err(|error| self.spool_failed(&error))?;
        let examined = self.examine(upload, declared.clone()).await?;
        if examined.size != size {
            tracing::error!(file = %upload.id, "the spool does not hold what was received");
            return Err(internal());
        }
        let bytes_max = self.bytes_max(FileKind::of(&examined.content_type));
        if size > bytes_max {
            return Err(too_large(bytes_max));
        }
        let picture = self.look_at(upload, &examined).await;
        self.keep(upload, &examined, &picture).await?;
        let facts = FileFacts {
            size,
            content_type: examined.content_type,
            sha256: examined.sha256,
            dimensions: picture.dimensions,
            thumbnail: picture.thumbnail.map(|(content_type, _)| content_type.to_owned()),
        };
        let expires = expiry(self.clock.now(), self.settings.unreferenced_lasts);
        let completed =
            self.store.complete_upload(upload.id, facts.clone(), expires, self.quota()).await;
        if !completed.map_err(|error| of_store(&error))? {
            return Err(self.quota_exceeded());
        }
        // Where it is kept it has a name of its own; if this fails, the next start does it.
        let _ = self.spool.delete(&upload.object).await;
        self.metrics.completed.inc();
        self.metrics.finish_seconds.observe(begin.elapsed().as_secs_f64());
        let state = FileState::Complete(facts);
        Ok(described(&File { state, expires: Some(expires), ..upload.clone() }))
    }

    /// The largest file of a kind.
    fn bytes_max(&self, kind: FileKind) -> u64 {
        let of_kind = match kind {
            FileKind::Image => self.settings.image_bytes_max,
            FileKind::Audio => self.settings.audio_bytes_max,
            FileKind::Video => self.settings.video_bytes_max,
            FileKind::Other => self.settings.file_bytes_max,
        };
        of_kind.min(self.settings.file_bytes_max)
    }

    async fn examine(&self, upload: &File, declared: String) -> Result<Examined, Refusal> {
        let path = self.spool.path(&upload.object);
        let examined = crate::spool::blocking(move || examine(&path, &declared)).await;
        examined.map_err(|error| self.spool_failed(&error))
    }

    /// Has a picture decoded, if it is one, when it is its turn. Whatever comes of it, the file
    /// is a file.
    async fn look_at(&self, upload: &File, examined: &Examined) -> Picture {
        if thumbnail::format(&examined.content_type).is_none() {
            return Picture::default();
        }
        let Ok(_permit) = self.decoding.acquire().await else {
            return Picture::default();
        };
        let task = Task {
            path: self.spool.path(&upload.object),
            content_type: examined.content_type.clone(),
            pixels_max: self.settings.image_pixels_max,
        };
        let picture = self.settings.decoder.look(task).await.unwrap_or_else(|error| {
            tracing::warn!(%error, file = %upload.id, "a picture can't be decoded");
            Picture::default()
        });
        match picture.thumbnail {
            Some(_) => self.metrics.thumbnails.inc(),
            None => self.metrics.thumbnails_failed.inc(),
        };
        picture
    }

    async fn keep(
        &self,
        upload: &File,
        examined: &Examined,
        picture: &Picture,
    ) -> Result<(), Refusal> {
        let (object, spooled) = (&upload.object, self.spool.path(&upload.object));
        let head = (examined.content_type.as_str(), upload.name.as_str());
        let kept = async {
            self.storage.keep(object, &spooled, examined.size, head).await?;
            match &picture.thumbnail {
                Some((content_type, bytes)) => {
                    self.storage.keep_thumbnail(object, content_type, bytes.clone()).await
                }
                None => Ok(()),
            }
        };
        kept.await.map_err(|error| self.storage_failed(&error))
    }
}

/// A complete file, as clients are told of it.
pub(crate) fn described(file: &File) -> UploadedFile {
    let (size, content_type, sha256, dimensions, thumbnail) = match &file.state {
        FileState::Complete(it) => (
            it.size,
            it.content_type.clone(),
            Some(it.sha256),
            it.dimensions,
            it.thumbnail.is_some(),
        ),
        FileState::Upload { size, content_type, .. } => {
            (size.unwrap_or(0), content_type.clone(), None, None, false)
        }
    };
    UploadedFile {
        file_id: file.id,
        name: file.name.clone(),
        size,
        kind: FileKind::of(&content_type),
        content_type,
        sha256: sha256.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect()),
        width: dimensions.map(|(width, _)| width),
        height: dimensions.map(|(_, height)| height),
        thumbnail,
        created_ts: file.created,
        expires_ts: file.expires,
    }
}
