//! What SQLite's errors mean to callers of the store.

use rusqlite::{Error, ErrorCode};

use crate::{StoreError, StoreErrorKind};

/// What a failed statement of the writer means.
pub(super) fn kind(error: &Error) -> StoreErrorKind {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::ConstraintViolation | ErrorCode::TooBig => StoreErrorKind::Invalid,
            ErrorCode::DiskFull => StoreErrorKind::Full,
            ErrorCode::SystemIoFailure => StoreErrorKind::Fatal,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Unavailable,
        },
        Error::ToSqlConversionFailure(_) => StoreErrorKind::Invalid,
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::QueryReturnedNoRows => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    }
}

/// Wraps an error of the writer.
pub(super) fn of_write(error: Error, story: &str) -> StoreError {
    StoreError::new(kind(&error), story).with_source(error)
}

/// Wraps an error of a read. What is on disk does not become uncertain because it
/// could not be read, so this is never [`StoreErrorKind::Fatal`].
pub(super) fn of_read(error: Error) -> StoreError {
    let kind = match kind(&error) {
        StoreErrorKind::Corrupt => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(kind, "the store can't be read").with_source(error)
}

/// What every call gets once the store is closed.
pub(super) fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store is closed")
}
