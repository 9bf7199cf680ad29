//! Where complete files are: a directory of this machine or a bucket, both through
//! `object_store`. What is kept is durable on return.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, ClientOptions, GetOptions, GetRange, GetResultPayload, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, WriteMultipart,
};
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::FileKind;
use tokio::task::spawn_blocking;

use crate::Files;
use crate::download::Variant;
use crate::settings::{FileSettings, Place, S3Settings};
use crate::spool::{Spool, blocking};
use crate::upload::{internal, storage_full};

/// What of a file is in memory at once while it is sent.
const PIECE_BYTES: usize = 256 * 1024;

/// The parts of a large object, in bytes. S3 takes up to 10,000 of them.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Objects that are larger are sent in parts.
const WHOLE_BYTES_MAX: u64 = PART_BYTES as u64;

/// Parts of one object on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// How long to wait for a bucket to take a connection, and to answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// The place of complete files.
pub(crate) struct Storage {
    objects: Arc<dyn ObjectStore>,
    signer: Option<Arc<AmazonS3>>,
}

/// Files can't be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A directory can't be used.
    #[error("can't use {path} for files: {source}; files.directory names another place")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The settings of a bucket contradict each other.
    #[error("the bucket of [files] can't be used: {0}")]
    Bucket(object_store::Error),
    /// The object store failed.
    #[error("the object store failed: {0}")]
    Objects(#[from] object_store::Error),
    /// The spool failed.
    #[error("the spool of uploads failed: {0}")]
    Spool(#[from] io::Error),
    /// What is known of files can't be read or written.
    #[error("{0}")]
    Store(#[from] petrel_store::StoreError),
}

impl Storage {
    /// Opens the place that the settings name.
    pub(crate) fn open(settings: &FileSettings) -> Result<Self, StorageError> {
        match &settings.place {
            Place::Local => {
                let local = LocalFileSystem::new_with_prefix(&settings.directory)?.with_fsync(true);
                Ok(Self { objects: Arc::new(local), signer: None })
            }
            Place::S3(settings) => {
                let s3 = Arc::new(s3(settings).map_err(StorageError::Bucket)?);
                Ok(Self { objects: Arc::clone(&s3) as Arc<dyn ObjectStore>, signer: Some(s3) })
            }
        }
    }

    /// Keeps a file that is in the spool. `head` is its content type and name. What is there
    /// of an earlier attempt is replaced.
    pub(crate) async fn keep(
        &self,
        object: &str,
        spooled: &FilePath,
        size: u64,
        head: (&str, &str),
    ) -> Result<(), StorageError> {
        let place = place(object, Variant::Original);
        if self.signer.is_none() {
            // The same bytes under another name. One that is there already, from before a crash,
            // has to go first: to rename one link over another of the same file does nothing,
            // and would leave the name that it was staged under.
            match self.objects.delete(&place).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let from = Path::from(Spool::NAME).join(object);
            match self.objects.copy(&from, &place).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(%error, "no link to the spool; its bytes are copied"),
            }
        }
        let attributes = self.attributes(head.0, Some(head.1));
        if size <= WHOLE_BYTES_MAX {
            let path = spooled.to_owned();
            let bytes = blocking(move || std::fs::read(path)).await?;
            let options = PutOptions { attributes, ..PutOptions::default() };
            self.objects.put_opts(&place, bytes.into(), options).await?;
            return Ok(());
        }
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let upload = self.objects.put_multipart_opts(&place, options).await?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut pieces = pieces_of(std::fs::File::open(spooled)?, 0, size);
        let sent: Result<(), StorageError> = async {
            while let Some(piece) = pieces.try_next().await? {
                parts.wait_for_capacity(PARTS_AT_ONCE).await?;
                parts.put(piece);
            }
            Ok(())
        }
        .await;
        match sent {
            Ok(()) => parts.finish().await.map(|_| ()).map_err(StorageError::from),
            Err(error) => {
                // The bucket's own rules clean up what this can't.
                let _ = parts.abort().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn keep_thumbnail(
        &self,
        object: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<(), StorageError> {
        let attributes = self.attributes(content_type, None);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let place = place(object, Variant::Thumbnail);
        self.objects.put_opts(&place, bytes.into(), options).await?;
        Ok(())
    }

    pub(crate) async fn thumbnail_size(&self, object: &str) -> Result<u64, StorageError> {
        Ok(self.objects.head(&place(object, Variant::Thumbnail)).await?.size)
    }

    /// The bytes from `first` to before `end`, in pieces.
    pub(crate) async fn read(
        &self,
        object: &str,
        variant: Variant,
        first: u64,
        end: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, StorageError> {
        let range = Some(GetRange::Bounded(first..end));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.objects.get_opts(&place(object, variant), options).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => pieces_of(file, first, end),
            GetResultPayload::Stream(stream) => stream.map_err(io::Error::other).boxed(),
        })
    }

    /// Deletes everything of a file. What is not there is deleted already.
    pub(crate) async fn delete(&self, object: &str) -> Result<(), StorageError> {
        for variant in [Variant::Original, Variant::Thumbnail] {
            match self.objects.delete(&place(object, variant)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A link that leads to the bucket itself.
    pub(crate) async fn presign(
        &self,
        object: &str,
        variant: Variant,
        lasts: Duration,
    ) -> Result<String, StorageError> {
        let Some(signer) = &self.signer else {
            return Err(StorageError::Spool(io::Error::other("a directory signs no links")));
        };
        let place = place(object, variant);
        Ok(signer.signed_url(object_store::signer::Method::GET, &place, lasts).await?.to_string())
    }

    /// What a bucket says of an object to those who come by themselves.
    fn attributes(&self, content_type: &str, name: Option<&str>) -> Attributes {
        let mut attributes = Attributes::new();
        if self.signer.is_some() {
            let disposition = disposition(FileKind::of(content_type) != FileKind::Other, name);
            attributes.insert(Attribute::ContentType, content_type.to_owned().into());
            attributes.insert(Attribute::ContentDisposition, disposition.into());
        }
        attributes
    }
}

impl Files {
    /// What a client is told of an object store that failed.
    pub(crate) fn storage_failed(&self, error: &StorageError) -> Refusal {
        self.metrics.storage_errors.inc();
        if is_full(error) {
            tracing::warn!(%error, "a file can't be kept: there is no room for it");
            return storage_full();
        }
        match error {
            StorageError::Objects(object_store::Error::NotFound { .. })
            | StorageError::Store(_)
            | StorageError::Directory { .. } => {
                tracing::error!(%error, "a file is not where it should be");
                internal()
            }
            _ => {
                tracing::warn!(%error, "the object store failed");
                Refusal::new(ErrorReason::ServerBusy, "the files can't be reached; try again")
                    .retry_after(1000)
            }
        }
    }
}

/// How a browser is to treat a file of this name (RFC 6266, RFC 8187).
pub fn disposition(is_shown: bool, name: Option<&str>) -> String {
    let how = if is_shown { "inline" } else { "attachment" };
    let Some(name) = name else { return how.to_owned() };
    let plain: String =
        name.chars()
            .map(|it| {
                if it.is_ascii_graphic() && !"\"\\%;".contains(it) || it == ' ' { it } else { '_' }
            })
            .collect();
    let encoded: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Whether somewhere below an error there was no room.
fn is_full(error: &StorageError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        source = error.source();
    }
    false
}

/// Objects lie in 256 directories, so that none of them gets very large.
fn place(object: &str, variant: Variant) -> Path {
    let directory = object.get(..2).unwrap_or(object);
    match variant {
        Variant::Original => Path::from(format!("objects/{directory}/{object}")),
        Variant::Thumbnail => Path::from(format!("objects/{directory}/{object}.thumbnail")),
    }
}

/// Reads a file piece by piece, off the async threads.
fn pieces_of(file: std::fs::File, first: u64, end: u64) -> BoxStream<'static, io::Result<Bytes>> {
    let state = (Arc::new(file), first);
    stream::try_unfold(state, move |(file, at)| async move {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        if length == 0 {
            return Ok(None);
        }
        let reader = Arc::clone(&file);
        let read = spawn_blocking(move || {
            use std::os::unix::fs::FileExt;
            let mut piece = vec![0; length];
            reader.read_exact_at(&mut piece, at).map(|()| piece)
        });
        let piece = read.await.map_err(io::Error::other)??;
        Ok(Some((Bytes::from(piece), (file, at + length as u64))))
    })
    .boxed()
}

fn s3(settings: &S3Settings) -> object_store::Result<AmazonS3> {
    // The client takes the one that is installed. There may be one already: the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_PATIENCE)
        .with_timeout(ANSWER_PATIENCE)
        .with_allow_http(settings.endpoint.as_ref().is_some_and(|it| it.starts_with("http://")));
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(&settings.access_key_id)
        .with_secret_access_key(&settings.secret_access_key)
        .with_client_options(client);
    match &settings.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint).build(),
        None => builder.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_whole_and_harms_no_header() {
        assert_eq!(
            disposition(false, Some("a\"b;ü.txt")),
            "attachment; filename=\"a_b__.txt\"; filename*=UTF-8''a%22b%3B%C3%BC.txt"
        );
        assert_eq!(disposition(true, None), "inline");
    }
}
