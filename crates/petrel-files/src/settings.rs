//! What an operator decides about files.

use std::path::PathBuf;
use std::time::Duration;

use crate::Decoder;

/// How much may be uploaded, how long things last, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Where uploads are spooled and, unless they go elsewhere, files are kept.
    pub directory: PathBuf,
    /// Where complete files are kept.
    pub place: Place,
    /// The largest file of any kind, in bytes.
    pub file_bytes_max: u64,
    /// The largest picture, in bytes.
    pub image_bytes_max: u64,
    /// The largest sound, in bytes.
    pub audio_bytes_max: u64,
    /// The largest film, in bytes.
    pub video_bytes_max: u64,
    /// What one user may have, in bytes, uploads included.
    pub quota_bytes_per_user: u64,
    /// Unfinished uploads of one user.
    pub uploads_per_user: u32,
    /// Bodies that are received at once; beyond, `server_busy`.
    pub uploads_at_once: u32,
    /// Who decodes pictures.
    pub decoder: Decoder,
    /// Pictures that are decoded at once; beyond, they wait.
    pub thumbnails_at_once: u32,
    /// The largest picture that is decoded, in pixels. A larger one has no thumbnail.
    pub image_pixels_max: u64,
    /// How long an unfinished upload lasts after its last byte.
    pub upload_lasts: Duration,
    /// How long a file lasts that no message refers to.
    pub unreferenced_lasts: Duration,
    /// How long a link is good at least; at most twice as long.
    pub link_lasts: Duration,
}

/// Where complete files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside the spool.
    Local,
    /// In a bucket.
    S3(S3Settings),
}

/// A bucket of a store that speaks S3.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket, which must exist.
    pub bucket: String,
    /// The region.
    pub region: String,
    /// Where the store is, as `https://minio.example.com`; AWS, if unset.
    pub endpoint: Option<String>,
    /// Who asks.
    pub access_key_id: String,
    /// And the proof of it.
    pub secret_access_key: String,
    /// Whether links lead to the bucket itself rather than through the node.
    pub presigned_links: bool,
}

impl FileSettings {
    /// The usual ones, in a directory.
    pub fn in_directory(directory: PathBuf) -> Self {
        const MEBIBYTE: u64 = 1024 * 1024;
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            directory,
            place: Place::Local,
            file_bytes_max: 1024 * MEBIBYTE,
            image_bytes_max: 50 * MEBIBYTE,
            audio_bytes_max: 200 * MEBIBYTE,
            video_bytes_max: 1024 * MEBIBYTE,
            quota_bytes_per_user: 10 * 1024 * MEBIBYTE,
            uploads_per_user: 20,
            uploads_at_once: 200,
            decoder: Decoder::Here,
            thumbnails_at_once: 2,
            image_pixels_max: 50_000_000,
            upload_lasts: DAY,
            unreferenced_lasts: DAY,
            link_lasts: Duration::from_secs(5 * 60),
        }
    }
}

impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Settings")
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
