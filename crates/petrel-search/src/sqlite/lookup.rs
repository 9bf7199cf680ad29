//! Looking things up.
//!
//! Each conversation is a query of its own, as its tokens are. What is in the list already
//! bounds the next ones from below, so that those without newer messages cost next to
//! nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use petrel_types::{ConversationId, RowId};
use rusqlite::Connection;

use super::files::of;
use super::token::{Secret, Token};
use super::update::hour_of;
use crate::{Candidates, Lookup, SearchError, SearchErrorKind};

/// SQLite asks so many of its instructions apart whether the time is over.
const INSTRUCTIONS_BETWEEN_LOOKS: i32 = 1000;

pub(super) fn indexed_up_to(connection: &mut Connection) -> Result<RowId, SearchError> {
    mark(connection).map_err(of)
}

pub(super) fn rows_after(
    connection: &mut Connection,
    after: RowId,
    limit: u32,
) -> Result<Vec<RowId>, SearchError> {
    let read = || {
        connection
            .prepare_cached(
                "SELECT row_id FROM documents WHERE row_id > ?1 ORDER BY row_id LIMIT ?2",
            )?
            .query_map((signed(after), limit), |row| Ok(RowId::new(row.get(0)?)))?
            .collect::<rusqlite::Result<_>>()
    };
    read().map_err(of)
}

pub(super) fn candidates(
    connection: &mut Connection,
    secret: Secret,
    lookup: &Lookup,
) -> Result<Candidates, SearchError> {
    let deadline = Instant::now() + lookup.time_max;
    connection
        .progress_handler(INSTRUCTIONS_BETWEEN_LOOKS, Some(move || Instant::now() > deadline))
        .map_err(of)?;
    let found = find(connection, secret, lookup, deadline);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(of)?;
    found
}

fn find(
    connection: &mut Connection,
    secret: Secret,
    lookup: &Lookup,
    deadline: Instant,
) -> Result<Candidates, SearchError> {
    let transaction = connection.transaction().map_err(of)?;
    let indexed_up_to = mark(&transaction).map_err(of)?;
    let Some((mut after, before)) = bounds(&transaction, lookup).map_err(of)? else {
        return Ok(Candidates { rows: Vec::new(), more: false, indexed_up_to });
    };
    // One more than is wanted tells whether there are more.
    let wanted = usize::try_from(lookup.limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut newest: BinaryHeap<Reverse<i64>> = BinaryHeap::new();
    for conversation in &lookup.conversations {
        if Instant::now() > deadline {
            return Err(SearchError::new(SearchErrorKind::TooSlow, "the time is over"));
        }
        let words = words(secret, *conversation, &lookup.terms);
        let mut statement = transaction
            .prepare_cached(
                "SELECT rowid FROM postings WHERE postings MATCH ?1
                 AND rowid > ?2 AND rowid < ?3 ORDER BY rowid DESC LIMIT ?4",
            )
            .map_err(of)?;
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rows = statement
            .query_map((words, after, before, limit), |row| row.get::<_, i64>(0))
            .map_err(of)?;
        for row in rows {
            newest.push(Reverse(row.map_err(of)?));
            if newest.len() > wanted {
                newest.pop();
            }
        }
        if newest.len() == wanted {
            after = newest.peek().map_or(after, |oldest| oldest.0);
        }
    }
    let mut rows: Vec<i64> = newest.into_iter().map(|Reverse(row)| row).collect();
    rows.sort_unstable_by(|one, other| other.cmp(one));
    rows.dedup();
    let more = rows.len() == wanted;
    rows.truncate(wanted - 1);
    let rows = rows.into_iter().map(|row| RowId::new(row.cast_unsigned())).collect();
    Ok(Candidates { rows, more, indexed_up_to })
}

/// The query of one conversation: all of the words.
fn words(secret: Secret, conversation: ConversationId, terms: &[String]) -> String {
    let mut words = String::new();
    for term in terms {
        if !words.is_empty() {
            words.push_str(" AND ");
        }
        Token::new(secret, conversation, term).write_word(&mut words);
    }
    words
}

/// The rows between which everything of use lies, both excluded; `None` if nothing is.
fn bounds(connection: &Connection, lookup: &Lookup) -> rusqlite::Result<Option<(i64, i64)>> {
    let (mut after, mut before) = (signed(lookup.after), signed(lookup.before));
    if lookup.from_time.is_some() || lookup.until_time.is_some() {
        let from = lookup.from_time.map_or(0, hour_of);
        let until = lookup.until_time.map_or(i64::MAX.cast_unsigned(), hour_of);
        let (first, last): (Option<i64>, Option<i64>) = connection
            .prepare_cached(
                "SELECT min(first_row), max(last_row) FROM hours WHERE hour BETWEEN ?1 AND ?2",
            )?
            .query_row((from, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(None);
        };
        after = after.max(first - 1);
        before = before.min(last + 1);
    }
    Ok((before > after).then_some((after, before)))
}

fn mark(connection: &Connection) -> rusqlite::Result<RowId> {
    connection
        .prepare_cached("SELECT indexed_up_to FROM meta")?
        .query_row([], |row| Ok(RowId::new(row.get(0)?)))
}

fn signed(row: RowId) -> i64 {
    i64::try_from(row.get()).unwrap_or(i64::MAX)
}
