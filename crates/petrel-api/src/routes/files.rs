//! Files: uploading one, what is known of it, and links to it.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use futures_util::TryStreamExt;
use petrel_files::{Cut, NewFile};
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Done, FileLinks, FileList, UploadedFile};
use petrel_types::FileId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

pub(super) const TAG: &str = "Files";

/// What an upload may be refused for.
const UPLOAD_REASONS: &[ErrorReason] = &[
    ErrorReason::UploadCut,
    ErrorReason::QuotaExceeded,
    ErrorReason::TooManyUploads,
    ErrorReason::FileTooLarge,
    ErrorReason::WordRefused,
];

/// What it is called.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Name {
    /// What the file is called. Of a path the last part counts.
    name: Option<String>,
}

/// Which of them.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// Wanted are files with ids below this one.
    before: Option<FileId>,
    /// The most files wanted: 1 to 100, 100 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

pub(super) fn routes() -> [Route; 5] {
    const NOT_FOUND: &[ErrorReason] = &[ErrorReason::FileNotFound, ErrorReason::UploadUnfinished];
    [
        Route::new(Method::POST, "/api/files", TAG, "Upload a file in one piece", upload)
            .query::<Name>()
            .bytes("application/octet-stream")
            .data::<UploadedFile>()
            .reasons(UPLOAD_REASONS),
        Route::new(Method::GET, "/api/files", TAG, "Your files and uploads", list)
            .query::<Page>()
            .data::<FileList>(),
        Route::new(Method::GET, "/api/files/{fileId}", TAG, "What is known of a file", describe)
            .data::<UploadedFile>()
            .reasons(NOT_FOUND),
        Route::new(Method::DELETE, "/api/files/{fileId}", TAG, "Delete a file of yours", remove)
            .data::<Done>()
            .reasons(&[
                ErrorReason::FileNotFound,
                ErrorReason::NotAllowed,
                ErrorReason::UploadBusy,
            ]),
        Route::new(
            Method::GET,
            "/api/files/{fileId}/link",
            TAG,
            "Links to a file and its thumbnail, for a short time",
            link,
        )
        .data::<FileLinks>()
        .reasons(NOT_FOUND),
    ]
}

async fn upload(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(Name { name }): QueryOf<Name>,
    headers: HeaderMap,
    body: Body,
) -> Answer<UploadedFile> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let file = NewFile {
        name: name.unwrap_or_default(),
        content_type: text(header::CONTENT_TYPE).unwrap_or_default().to_owned(),
        size: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    };
    answer(api.files.upload(user, file, bytes(body)).await)
}

async fn list(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(page): QueryOf<Page>,
) -> Answer<FileList> {
    answer(api.admission.read(api.files.list(user, page.before, page.limit)).await)
}

async fn describe(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
) -> Answer<UploadedFile> {
    answer(api.admission.read(api.files.describe(user, file)).await)
}

async fn remove(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
) -> Answer<Done> {
    answer(api.files.remove(user, file).await.map(|()| Done {}))
}

async fn link(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
) -> Answer<FileLinks> {
    answer(api.admission.read(api.files.links(user, file)).await)
}

/// The bytes of a body.
pub(super) fn bytes(body: Body) -> impl petrel_files::Body {
    body.into_data_stream().map_err(|_| Cut)
}
