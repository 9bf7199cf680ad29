//! The port for the search index: which messages hold certain terms.
//!
//! An index is made of the store and follows it at its own pace; it may be behind, and it
//! may be thrown away and made again. So nothing in it is the truth: what it answers are
//! *candidates*, rows of messages that are to be looked at in the store before anybody is
//! shown one. It promises that no message it has indexed is missing among them, and not
//! that all of them fit.
//!
//! What a term is, who may see what, and how a hit is shown is the business of
//! `petrel-logic`. `docs/decisions/0021-search.md` has the reasons for this division and
//! the measurements.

#[cfg(any(test, feature = "suite"))]
pub mod memory;
pub mod sqlite;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use petrel_types::{ConversationId, RowId, TimestampMs};

/// An index of messages. Cheap to share; every method may be called from any task.
#[async_trait]
pub trait SearchIndex: Send + Sync + 'static {
    /// The row that the last update named. It outlives a restart together with what that
    /// update did, or is forgotten together with it: what comes after this row is to be
    /// given again.
    async fn indexed_up_to(&self) -> Result<RowId, SearchError>;

    /// Applies an update, all or nothing, and makes it visible to lookups. To apply one
    /// again changes nothing.
    ///
    /// Not durable on return: a loss of power may take the latest updates back, never part
    /// of one. What was erased is gone from all files of the index within seconds.
    async fn update(&self, update: Update) -> Result<(), SearchError>;

    /// The newest messages in some conversations that hold all of some terms, as of the
    /// last update. [`SearchErrorKind::TooSlow`] if it takes longer than
    /// [`Lookup::time_max`].
    async fn candidates(&self, lookup: Lookup) -> Result<Candidates, SearchError>;

    /// Up to `limit` rows above `after` that are in the index, by row: a walk over all of
    /// them. Erased ones are among them until they are forgotten.
    async fn rows_after(&self, after: RowId, limit: u32) -> Result<Vec<RowId>, SearchError>;

    /// Lets go of the files. Later calls fail as [`SearchErrorKind::Unavailable`].
    async fn close(&self) -> Result<(), SearchError>;
}

/// What is to be found of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its row.
    pub row: RowId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// When it was numbered.
    pub timestamp: TimestampMs,
    /// What it is found by, in any order. One that is there twice counts once.
    pub terms: Vec<String>,
}

/// What one transaction of an index does. A row is in at most one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Messages to be found from now on, in the place of what was known of them.
    pub documents: Vec<Document>,
    /// Messages not to be found any more, of whose terms nothing must be left in any file.
    pub erased: Vec<RowId>,
    /// Messages that are no longer kept.
    pub forgotten: Vec<RowId>,
    /// Everything up to this row has been given. A smaller one than before changes nothing.
    pub indexed_up_to: RowId,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where. The order is a hint: those with the newest messages first make it faster.
    pub conversations: Vec<ConversationId>,
    /// All of these must be there; at least one.
    pub terms: Vec<String>,
    /// Only rows below this one.
    pub before: RowId,
    /// Only rows above this one.
    pub after: RowId,
    /// A hint: nothing that was numbered before this time is of use.
    pub from_time: Option<TimestampMs>,
    /// A hint: nothing that was numbered at this time or later is of use.
    pub until_time: Option<TimestampMs>,
    /// How many are wanted; at least one.
    pub limit: u32,
    /// How long it may take.
    pub time_max: Duration,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// The rows of messages that may hold all terms, newest first, and each once. They may
    /// be of other conversations, and outside of the times.
    pub rows: Vec<RowId>,
    /// There are more below the last of them.
    pub more: bool,
    /// How far the index was when it was asked.
    pub indexed_up_to: RowId,
}

/// What callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchErrorKind {
    /// Another process has the directory open.
    Locked,
    /// The lookup took longer than it might.
    TooSlow,
    /// The disk is full. Nothing was changed; lookups still work.
    Full,
    /// The files can't be understood. They are thrown away at the next opening.
    Corrupt,
    /// The index can't be reached, is too busy, or was closed.
    Unavailable,
}

/// An error of the index: a kind to match on, a story to read.
#[derive(Debug)]
pub struct SearchError {
    kind: SearchErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SearchError {
    /// An error without an underlying one.
    pub fn new(kind: SearchErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What callers tell apart.
    pub fn kind(&self) -> SearchErrorKind {
        self.kind
    }
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for SearchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
