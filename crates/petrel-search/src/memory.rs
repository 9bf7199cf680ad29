//! A backend in memory, for tests: as plain as can be, so that it can serve as the model
//! that others are compared with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use petrel_types::RowId;

use crate::{Candidates, Document, Lookup, SearchError, SearchErrorKind, SearchIndex, Update};

/// An index in memory.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` for what was erased.
    documents: BTreeMap<RowId, Option<Document>>,
    indexed_up_to: RowId,
    is_closed: bool,
}

impl MemoryIndex {
    fn state(&self) -> Result<MutexGuard<'_, State>, SearchError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.is_closed {
            true => Err(SearchError::new(SearchErrorKind::Unavailable, "the index is closed")),
            false => Ok(state),
        }
    }
}

#[async_trait]
impl SearchIndex for MemoryIndex {
    async fn indexed_up_to(&self) -> Result<RowId, SearchError> {
        Ok(self.state()?.indexed_up_to)
    }

    async fn update(&self, update: Update) -> Result<(), SearchError> {
        let mut state = self.state()?;
        for document in update.documents {
            state.documents.insert(document.row, Some(document));
        }
        for row in update.erased {
            if let Some(document) = state.documents.get_mut(&row) {
                *document = None;
            }
        }
        for row in update.forgotten {
            state.documents.remove(&row);
        }
        state.indexed_up_to = state.indexed_up_to.max(update.indexed_up_to);
        Ok(())
    }

    async fn candidates(&self, lookup: Lookup) -> Result<Candidates, SearchError> {
        let state = self.state()?;
        let limit = lookup.limit as usize;
        let fits = |document: &&Document| {
            lookup.conversations.contains(&document.conversation)
                && lookup.terms.iter().all(|term| document.terms.contains(term))
                && (lookup.after..lookup.before).contains(&document.row)
                && document.row != lookup.after
        };
        let newest_first = state.documents.values().rev().flatten();
        let mut rows: Vec<RowId> =
            newest_first.filter(fits).map(|document| document.row).take(limit + 1).collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Candidates { rows, more, indexed_up_to: state.indexed_up_to })
    }

    async fn rows_after(&self, after: RowId, limit: u32) -> Result<Vec<RowId>, SearchError> {
        let state = self.state()?;
        let later = state.documents.keys().filter(|row| **row > after);
        Ok(later.take(limit as usize).copied().collect())
    }

    async fn close(&self) -> Result<(), SearchError> {
        self.state()?.is_closed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::suite::Place;

    /// The handles of one place share what was indexed.
    #[derive(Default)]
    struct Shared(Mutex<Option<Arc<MemoryIndex>>>);

    #[async_trait]
    impl Place for Shared {
        async fn open(&self) -> Arc<dyn SearchIndex> {
            let mut kept = self.0.lock().unwrap();
            let index = kept.get_or_insert_default();
            index.state.lock().unwrap().is_closed = false;
            Arc::clone(index) as _
        }
    }

    crate::search_suite!(Shared::default());
}
