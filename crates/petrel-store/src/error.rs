//! What can go wrong with durable state.

use std::error::Error;
use std::fmt;

/// What callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// The key exists already.
    Conflict,
    /// Another owner has claimed the partition; this one must step down.
    Fenced,
    /// The batch contradicts the stored state; a programming error.
    Invalid,
    /// Another process has the data directory open.
    Locked,
    /// The disk is full. Nothing was stored; reads still work.
    Full,
    /// The stored data can't be understood, or belongs to a newer version.
    Corrupt,
    /// The store can't be reached, or was closed.
    Unavailable,
    /// The disk failed, so that what is on it is uncertain. The process must end.
    Fatal,
}

/// An error of the store: a kind to match on, a story to read.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error without an underlying one.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What callers tell apart.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
