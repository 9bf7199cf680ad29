//! What an operator decides about files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use petrel_files::{Decoder, FileSettings, Place, S3Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Span;

/// The name of the directory of files within the data directory.
const DIRECTORY: &str = "files";

/// `[files]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesSection {
    /// Where complete files are kept: `local` (in files.directory) or `s3` (in a bucket of any store
    /// that speaks S3). Uploads that are not complete are in files.directory in any case.
    pub storage: FileStorage,
    /// The directory for files, made if it doesn't exist. If not set: `files` in the data directory.
    #[schemars(example = &"/srv/petrel/files")]
    pub directory: Option<PathBuf>,
    /// The largest file, in bytes.
    pub file_bytes_max: u64,
    /// The largest picture, in bytes.
    pub image_bytes_max: u64,
    /// The largest sound, in bytes.
    pub audio_bytes_max: u64,
    /// The largest film, in bytes.
    pub video_bytes_max: u64,
    /// What the files of one user may take together, in bytes; each counts with 4096 at least.
    pub quota_bytes_per_user: u64,
    /// How many unfinished uploads a user may have.
    pub uploads_per_user: u32,
    /// How many uploads are received at once. Beyond, senders are asked to come again.
    pub uploads_at_once: u32,
    /// How many pictures are decoded at once, for their thumbnails. Each may take 8 bytes of memory
    /// for each pixel.
    pub thumbnails_at_once: u32,
    /// The largest picture that is decoded, in pixels. A larger one has no thumbnail.
    pub image_pixels_max: u64,
    /// How long an unfinished upload lasts after its last byte.
    pub upload_lasts: Span,
    /// How long a file lasts that no message refers to.
    pub unreferenced_lasts: Span,
    /// How long a link to a file is good: so long at least, and at most twice as long.
    pub link_lasts: Span,
    /// The bucket, which must exist.
    #[schemars(example = &"petrel-files")]
    pub s3_bucket: Option<String>,
    /// The region of the bucket.
    pub s3_region: String,
    /// Where the store is that has the bucket, as `https://minio.example.com:9000`. If not set, it is
    /// AWS.
    #[schemars(example = &"https://minio.example.com:9000")]
    pub s3_endpoint: Option<String>,
    /// The access key id for the bucket.
    #[schemars(example = &"AKIAIOSFODNN7EXAMPLE")]
    pub s3_access_key_id: Option<String>,
    /// A file that holds the secret access key, and nothing else.
    #[schemars(example = &"/etc/petrel/s3.key")]
    pub s3_secret_key_file: Option<PathBuf>,
    /// Whether links to files lead to the bucket itself (presigned), so that downloads don't go
    /// through this server. Devices must be able to reach the bucket then.
    pub s3_presigned_links: bool,
}

/// Where complete files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileStorage {
    /// On this machine.
    #[default]
    Local,
    /// In a bucket.
    S3,
}

impl Default for FilesSection {
    fn default() -> Self {
        let settings = FileSettings::in_directory(PathBuf::new());
        Self {
            storage: FileStorage::default(),
            directory: None,
            file_bytes_max: settings.file_bytes_max,
            image_bytes_max: settings.image_bytes_max,
            audio_bytes_max: settings.audio_bytes_max,
            video_bytes_max: settings.video_bytes_max,
            quota_bytes_per_user: settings.quota_bytes_per_user,
            uploads_per_user: settings.uploads_per_user,
            uploads_at_once: settings.uploads_at_once,
            thumbnails_at_once: settings.thumbnails_at_once,
            image_pixels_max: settings.image_pixels_max,
            upload_lasts: Span(settings.upload_lasts),
            unreferenced_lasts: Span(settings.unreferenced_lasts),
            link_lasts: Span(settings.link_lasts),
            s3_bucket: None,
            s3_region: "us-east-1".to_owned(),
            s3_endpoint: None,
            s3_access_key_id: None,
            s3_secret_key_file: None,
            s3_presigned_links: false,
        }
    }
}

impl FilesSection {
    /// Where files are on this machine.
    pub fn directory(&self, data_directory: &Path) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| data_directory.join(DIRECTORY))
    }

    /// What the part that keeps files needs of it. Reads the secret key.
    pub(crate) fn settings(&self, data_directory: &Path) -> Result<FileSettings, String> {
        Ok(FileSettings {
            directory: self.directory(data_directory),
            place: match self.storage {
                FileStorage::Local => Place::Local,
                FileStorage::S3 => Place::S3(self.bucket()?),
            },
            file_bytes_max: self.file_bytes_max,
            image_bytes_max: self.image_bytes_max,
            audio_bytes_max: self.audio_bytes_max,
            video_bytes_max: self.video_bytes_max,
            quota_bytes_per_user: self.quota_bytes_per_user,
            uploads_per_user: self.uploads_per_user,
            uploads_at_once: self.uploads_at_once,
            decoder: Decoder::Here,
            thumbnails_at_once: self.thumbnails_at_once,
            image_pixels_max: self.image_pixels_max,
            upload_lasts: self.upload_lasts.0,
            unreferenced_lasts: self.unreferenced_lasts.0,
            link_lasts: self.link_lasts.0,
        })
    }

    /// Finds what no single value shows. Each message says what to do.
    pub(super) fn contradictions(&self) -> Vec<String> {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let mut found = Vec::new();
        if self.storage == FileStorage::S3 {
            let is_missing = self.s3_bucket.is_none()
                || self.s3_access_key_id.is_none()
                || self.s3_secret_key_file.is_none();
            if is_missing {
                found.push(
                    "files.storage is `s3`, so files.s3_bucket, files.s3_access_key_id and \
                     files.s3_secret_key_file must be given"
                        .to_owned(),
                );
            }
        } else if self.s3_presigned_links {
            found.push(
                "files.s3_presigned_links is of use only with files.storage = \"s3\"; set that, or \
                 take it out"
                    .to_owned(),
            );
        }
        for (name, count) in [
            ("uploads_per_user", self.uploads_per_user),
            ("uploads_at_once", self.uploads_at_once),
            ("thumbnails_at_once", self.thumbnails_at_once),
        ] {
            if !(1..=10_000).contains(&count) {
                found.push(format!("files.{name} must be between 1 and 10000"));
            }
        }
        for (name, bytes) in [
            ("file_bytes_max", self.file_bytes_max),
            ("quota_bytes_per_user", self.quota_bytes_per_user),
        ] {
            if i64::try_from(bytes).is_err() {
                found.push(format!("files.{name} is too large a number"));
            }
        }
        for (name, span) in
            [("upload_lasts", self.upload_lasts), ("unreferenced_lasts", self.unreferenced_lasts)]
        {
            if span.0 < MINUTE {
                found.push(format!("files.{name} must be 1m at least"));
            }
        }
        if !(Duration::from_secs(1)..=DAY).contains(&self.link_lasts.0) {
            found.push("files.link_lasts must be between 1s and 1d".to_owned());
        }
        found
    }

    fn bucket(&self) -> Result<S3Settings, String> {
        let file = self.s3_secret_key_file.clone().unwrap_or_default();
        let secret = fs::read_to_string(&file).map_err(|error| {
            format!("can't read files.s3_secret_key_file {}: {error}", file.display())
        })?;
        Ok(S3Settings {
            bucket: self.s3_bucket.clone().unwrap_or_default(),
            region: self.s3_region.clone(),
            endpoint: self.s3_endpoint.clone(),
            access_key_id: self.s3_access_key_id.clone().unwrap_or_default(),
            secret_access_key: secret.trim().to_owned(),
            presigned_links: self.s3_presigned_links,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order_and_a_bucket_needs_its_keys() {
        let section = FilesSection::default();
        assert_eq!(section.contradictions(), [""; 0]);
        let settings = section.settings(Path::new("/data")).unwrap();
        assert_eq!(settings, FileSettings::in_directory("/data/files".into()));

        let bucket = FilesSection { storage: FileStorage::S3, ..section };
        assert!(bucket.contradictions()[0].contains("files.s3_bucket"));
        let without_file = bucket.settings(Path::new("/data")).unwrap_err();
        assert!(without_file.contains("s3_secret_key_file"), "{without_file}");
    }

    #[test]
    fn values_that_can_not_work_are_told() {
        let wrong = FilesSection {
            uploads_at_once: 0,
            file_bytes_max: u64::MAX,
            upload_lasts: Span(Duration::from_secs(1)),
            link_lasts: Span(Duration::ZERO),
            s3_presigned_links: true,
            ..FilesSection::default()
        };
        assert_eq!(wrong.contradictions().len(), 5);
    }
}
