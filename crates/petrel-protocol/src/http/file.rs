//! Bodies about files.

use petrel_types::{FileId, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::file_kind::FileKind;

/// A file that was uploaded: `POST /api/files`, `GET /api/files/{fileId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedFile {
    /// Its id.
    pub file_id: FileId,
    /// What it is called. Never a path.
    pub name: String,
    /// Its length in bytes; of an upload, how long it is going to be.
    pub size: u64,
    /// What its bytes show it to be; of an upload, what it is said to be.
    pub content_type: String,
    /// The kind that messages and limits go by.
    pub kind: FileKind,
    /// The SHA-256 of its bytes, in hexadecimal; once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The width of a picture as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height of a picture as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether there is a thumbnail of it.
    pub thumbnail: bool,
    /// When its upload began.
    pub created_ts: TimestampMs,
    /// When it is deleted, unless a message refers to it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ts: Option<TimestampMs>,
}

/// `GET /api/files/{fileId}/link`: who has such a link may have the file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileLinks {
    /// Where the file is: a path on this server, or a URL elsewhere.
    pub url: String,
    /// Where its thumbnail is, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Until when both are good.
    pub expires_ts: TimestampMs,
}

/// `GET /api/files`: one's own files and unfinished uploads, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// A page of them. One without `sha256` is an unfinished upload.
    pub files: Vec<UploadedFile>,
    /// There are more; `before` the last one of these continues.
    pub more: bool,
    /// How much room there is.
    pub room: FileRoom,
}

/// How much a user has, and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileRoom {
    /// What is taken, in bytes; each file counts with 4,096 at least, an unfinished upload with
    /// what it is going to be.
    pub used_bytes: u64,
    /// What may be taken, in bytes.
    pub quota_bytes: u64,
    /// The largest file, in bytes. Some kinds have smaller limits.
    pub file_bytes_max: u64,
}

impl std::fmt::Debug for FileLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileLinks").field("expires_ts", &self.expires_ts).finish_non_exhaustive()
    }
}
