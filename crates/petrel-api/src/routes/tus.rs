//! Uploads that go on where they were cut: tus 1.0.0 (<https://tus.io/protocols/resumable-upload>)
//! with creation, creation-with-upload, expiration, termination and checksum.
//!
//! Sizes and offsets are in headers. An upload has the id of the file that it becomes.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use petrel_files::{Checksum, NewFile, Upload};
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_types::{FileId, TimestampMs, UserId};

use super::files::{TAG, bytes};
use crate::Api;
use crate::answer::Refused;
use crate::bearer::Bearer;
use crate::extract::PathOf;
use crate::route::{Header, Outcome, Route};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination,checksum";
const CHECKSUMS: &str = "sha1";
const PATH: &str = "/api/files/tus";
const CONTENT_TYPE: &str = "application/offset+octet-stream";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

const RESUMABLE_HEADER: Header = Header {
    name: "Tus-Resumable",
    is_required: true,
    pattern: "^1\\.0\\.0$",
    meaning: "The version of tus: 1.0.0.",
};
const OFFSET_HEADER: Header = Header {
    name: "Upload-Offset",
    is_required: true,
    pattern: "^[0-9]{1,15}$",
    meaning: "Where the body belongs, in bytes from the beginning: where the upload is.",
};
const CHECKSUM_HEADER: Header = Header {
    name: "Upload-Checksum",
    is_required: false,
    pattern: "^sha1 [A-Za-z0-9+/]{27}=$",
    meaning: "The SHA-1 of the body: `sha1`, a space, the digest in Base64.",
};

pub(super) fn routes() -> Vec<Route> {
    const UPLOAD: &str = "/api/files/tus/{fileId}";
    const REASONS: &[ErrorReason] = &[
        ErrorReason::InvalidField,
        ErrorReason::UploadCut,
        ErrorReason::QuotaExceeded,
        ErrorReason::FileNotFound,
        ErrorReason::TooManyUploads,
        ErrorReason::UploadOffsetMismatch,
        ErrorReason::TusVersion,
        ErrorReason::FileTooLarge,
        ErrorReason::UnsupportedMediaType,
        ErrorReason::UploadBusy,
        ErrorReason::ChecksumMismatch,
        ErrorReason::NotAllowed,
        ErrorReason::WordRefused,
    ];
    const fn went_on(meaning: &'static str) -> Outcome {
        let headers = &["Upload-Offset", "Upload-Expires"];
        Outcome { status: 204, meaning, has_bytes: false, headers }
    }
    let routes = vec![
        Route::new(Method::OPTIONS, PATH, TAG, "What of tus is spoken here", options)
            .outcomes(&[Outcome {
                status: 204,
                meaning: "In the headers.",
                has_bytes: false,
                headers: &["Tus-Version", "Tus-Extension", "Tus-Max-Size"],
            }])
            .public(),
        Route::new(Method::POST, PATH, TAG, "Begin a resumable upload (tus)", create)
            .headers(&[
                RESUMABLE_HEADER,
                Header {
                    name: "Upload-Length",
                    is_required: true,
                    pattern: "^[0-9]{1,15}$",
                    meaning: "How many bytes the file has.",
                },
                Header {
                    name: "Upload-Metadata",
                    is_required: false,
                    pattern: "^[a-z]+ [A-Za-z0-9+/]{4,40}(,[a-z]+ [A-Za-z0-9+/]{4,40})?$",
                    meaning: "Pairs of a key and a value in Base64, between commas. `filename` is \
                              what the file is called, `filetype` what it is said to be.",
                },
                CHECKSUM_HEADER,
            ])
            .bytes(CONTENT_TYPE)
            .outcomes(&[Outcome {
                status: 201,
                meaning: "It has begun; `Location` is where it goes on.",
                has_bytes: false,
                headers: &["Location", "Upload-Offset", "Upload-Expires"],
            }])
            .reasons(REASONS),
        Route::new(Method::HEAD, UPLOAD, TAG, "Where an upload is (tus)", offset)
            .headers(&[RESUMABLE_HEADER])
            .outcomes(&[Outcome {
                status: 200,
                meaning: "In the headers.",
                has_bytes: false,
                headers: &["Upload-Offset", "Upload-Length", "Upload-Expires"],
            }])
            .reasons(REASONS),
        Route::new(Method::PATCH, UPLOAD, TAG, "Go on with an upload (tus)", append)
            .headers(&[RESUMABLE_HEADER, OFFSET_HEADER, CHECKSUM_HEADER])
            .bytes(CONTENT_TYPE)
            .outcomes(const { &[went_on("What came is on disk. At its end it is a file.")] })
            .reasons(REASONS),
        Route::new(Method::DELETE, UPLOAD, TAG, "Give an upload up (tus)", terminate)
            .headers(&[RESUMABLE_HEADER])
            .outcomes(const { &[went_on("It is gone.")] })
            .reasons(REASONS),
        Route::new(
            Method::POST,
            UPLOAD,
            TAG,
            "The same, where only POST is to be had (tus)",
            overridden,
        )
        .headers(&[
            RESUMABLE_HEADER,
            Header {
                name: "X-HTTP-Method-Override",
                is_required: true,
                pattern: "^(PATCH|DELETE)$",
                meaning: "The method that is meant.",
            },
            Header { is_required: false, ..OFFSET_HEADER },
        ])
        .bytes(CONTENT_TYPE)
        .outcomes(const { &[went_on("It is done.")] })
        .reasons(REASONS),
    ];
    let version = |mut answer: Response| {
        answer.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
        if answer.status() == StatusCode::PRECONDITION_FAILED {
            answer.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(VERSION));
        }
        answer
    };
    routes.into_iter().map(|route| route.with_answers(version)).collect()
}

async fn options(State(api): State<Api>) -> impl IntoResponse {
    let largest = HeaderValue::from(api.files.settings().file_bytes_max);
    let said = [
        (TUS_VERSION, HeaderValue::from_static(VERSION)),
        (TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS)),
        (TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(CHECKSUMS)),
        (TUS_MAX_SIZE, largest),
    ];
    (StatusCode::NO_CONTENT, said)
}

async fn create(
    State(api): State<Api>,
    Bearer(user): Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    check_version(&headers)?;
    if headers.contains_key(UPLOAD_DEFER_LENGTH) {
        return Err(
            invalid("Upload-Defer-Length", "say how long the file is: Upload-Length").into()
        );
    }
    let size = number(&headers, &UPLOAD_LENGTH)?;
    let checksum = checksum(&headers)?;
    let has_body = headers.contains_key(header::CONTENT_TYPE);
    if has_body {
        check_content_type(&headers)?;
    }
    let mut file = metadata(&headers)?;
    file.size = Some(size);
    let begun = api.files.begin(user, file).await?;
    let upload = if has_body {
        api.files.append(user, begun.id, 0, checksum, bytes(body)).await?
    } else if size == 0 {
        api.files.upload_state(user, begun.id).await?
    } else {
        begun
    };
    let place = value(&format!("{PATH}/{}", upload.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], said_of(&upload)).into_response())
}

async fn offset(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    check_version(&headers)?;
    let upload = api.files.upload_state(user, file).await?;
    let caching = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::OK, caching, said_of(&upload)).into_response())
}

async fn append(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    check_version(&headers)?;
    append_to(&api, user, file, &headers, body).await
}

async fn terminate(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    check_version(&headers)?;
    api.files.remove(user, file).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What `X-HTTP-Method-Override` says, for clients that can't send the method itself.
async fn overridden(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(file): PathOf<FileId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    check_version(&headers)?;
    match headers.get(METHOD_OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append_to(&api, user, file, &headers, body).await,
        Some(b"DELETE") => {
            api.files.remove(user, file).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(invalid("X-HTTP-Method-Override", "it must be PATCH or DELETE").into()),
    }
}

async fn append_to(
    api: &Api,
    user: UserId,
    file: FileId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    check_content_type(headers)?;
    let offset = number(headers, &UPLOAD_OFFSET)?;
    let checksum = checksum(headers)?;
    let upload = api.files.append(user, file, offset, checksum, bytes(body)).await?;
    Ok((StatusCode::NO_CONTENT, said_of(&upload)).into_response())
}

/// Where an upload is, and until when it may go on.
fn said_of(upload: &Upload) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(upload.offset));
    if let Some(size) = upload.size {
        headers.insert(UPLOAD_LENGTH, HeaderValue::from(size));
    }
    if let Some(expires) = upload.expires {
        headers.insert(UPLOAD_EXPIRES, value(&date(expires)));
    }
    headers
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
fn date(time: TimestampMs) -> String {
    // The last year with four digits.
    let seconds = time.seconds().min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version == VERSION => Ok(()),
        _ => Err(Refusal::new(
            ErrorReason::TusVersion,
            "send `Tus-Resumable: 1.0.0`; no other version is spoken here",
        )),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_TYPE) {
        Some(content_type) if content_type == CONTENT_TYPE => Ok(()),
        _ => Err(Refusal::new(
            ErrorReason::UnsupportedMediaType,
            "send the bytes with `content-type: application/offset+octet-stream`",
        )),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Refusal> {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok());
    number.ok_or_else(|| invalid(name.as_str(), "it must be a count of bytes"))
}

fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let Some(checksum) = headers.get(UPLOAD_CHECKSUM) else { return Ok(None) };
    let digest = checksum.to_str().ok().and_then(|text| text.strip_prefix("sha1 "));
    let digest = digest.and_then(|digest| STANDARD.decode(digest).ok());
    let digest = digest.and_then(|digest| digest.try_into().ok());
    digest.map(|digest| Some(Checksum::Sha1(digest))).ok_or_else(|| {
        invalid("Upload-Checksum", "it must be `sha1`, a space and the digest in Base64")
    })
}

/// What a client says of the file. Keys that are not known are not looked at.
fn metadata(headers: &HeaderMap) -> Result<NewFile, Refusal> {
    let wrong = || {
        let form = "it must be pairs of a key and a value in Base64, between commas";
        invalid("Upload-Metadata", form)
    };
    let mut file = NewFile::default();
    let Some(text) = headers.get(UPLOAD_METADATA) else { return Ok(file) };
    let text = text.to_str().map_err(|_| wrong())?.trim();
    for pair in text.split(',').map(str::trim).filter(|_| !text.is_empty()) {
        let (key, encoded) = pair.split_once(' ').unwrap_or((pair, ""));
        if key.is_empty() {
            return Err(wrong());
        }
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
        let decoded = String::from_utf8(decoded);
        match (key, decoded) {
            ("filename" | "name", Ok(name)) => file.name = name,
            ("filetype" | "type", Ok(content_type)) => file.content_type = content_type,
            ("filename" | "name" | "filetype" | "type", Err(_)) => return Err(wrong()),
            _ => {}
        }
    }
    Ok(file)
}

fn invalid(header: &str, what: &str) -> Refusal {
    Refusal::new(ErrorReason::InvalidField, format!("the header {header}: {what}"))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: HeaderName, text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(text))])
    }

    #[test]
    fn metadata_is_read_and_what_is_wrong_is_refused() {
        let read = |text| metadata(&said(UPLOAD_METADATA, text));
        let file =
            read("filename cGhvdG8uanBn, is_confidential,filetype aW1hZ2UvanBlZw==").unwrap();
        assert_eq!((file.name.as_str(), file.content_type.as_str()), ("photo.jpg", "image/jpeg"));
        assert_eq!(read("").unwrap(), NewFile::default());
        for wrong in ["filename !", "filename cGhvdG8u,", "filename /w=="] {
            assert_eq!(read(wrong).unwrap_err().reason, ErrorReason::InvalidField, "{wrong}");
        }
    }

    #[test]
    fn counts_and_checksums_have_one_form() {
        let count = |text| number(&said(UPLOAD_OFFSET, text), &UPLOAD_OFFSET).ok();
        assert_eq!((count("0"), count("12")), (Some(0), Some(12)));
        for wrong in ["", "-1", "+1", "1.0", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
        assert!(matches!(
            checksum(&said(UPLOAD_CHECKSUM, "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")),
            Ok(Some(Checksum::Sha1(_)))
        ));
        for wrong in ["md5 AAAA", "sha1 AAAA", "sha1"] {
            assert!(checksum(&said(UPLOAD_CHECKSUM, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_written_as_http_does() {
        assert_eq!(date(TimestampMs::new(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(date(TimestampMs::new(u64::MAX)).ends_with("9999 23:59:59 GMT"));
    }
}
