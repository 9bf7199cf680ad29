//! Looking for contradictions in a data directory that nobody has open.
//!
//! Most checks are queries over whole tables and take as long as reading them does. Above
//! the watermark the indexes may lack entries but not hold wrong ones; what is trimmed may
//! be there or not, as it is deleted later; a retired generation may have entries left.
//!
//! A database of an earlier version is refused: its checks went with the Petrel that wrote
//! it, and a check must not bring it forward behind the operator's back.

mod checks;

use std::path::Path;

use petrel_types::{ClientMessageId, ConversationId, RowId, UserId};
use rusqlite::{Connection, Result};

use self::checks::{CHECKS, Check};
use super::directory::DataDirectory;
use super::message_key::is_message;
use super::options::Options;
use super::recovery::{self, Recovered};
use super::schema::{self, Location};
use super::{HashSecret, fault, mint_epoch};
use crate::{StoreError, StoreErrorKind};

/// How many problems are told; more are only counted.
const PROBLEMS_TOLD_MAX: usize = 100;

/// What was found in a data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that were checked.
    pub events: u64,
    /// Conversations that were checked.
    pub conversations: u64,
    /// Entries of the indexes that were checked.
    pub index_entries: u64,
    /// How many contradictions there are.
    pub problem_count: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
}

/// Checks the data directory `directory`, which must exist and not be in use. Nothing is
/// changed but that the write-ahead log is copied into the database.
pub fn verify(directory: &Path) -> std::result::Result<Report, StoreError> {
    if !DataDirectory::has_database(directory) {
        let story = format!("there is no Petrel database in {}", directory.display());
        return Err(StoreError::new(StoreErrorKind::Unavailable, story));
    }
    let directory = DataDirectory::lock(directory)?;
    let location = Location { path: directory.database()?, vfs: None };
    let connection =
        schema::open_present(&directory, &location, mint_epoch()?, HashSecret::mint()?)?;
    let mut report = Report::default();
    check(&connection, &mut report).map_err(fault::of_read)?;
    Ok(report)
}

fn check(connection: &Connection, report: &mut Report) -> Result<()> {
    let count = |table| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    report.events = count("events")?;
    report.conversations = count("conversations")?;
    report.index_entries = count("timeline")? + count("idempotency")?;
    let integrity: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if integrity != "ok" {
        report.add(format!("the database is damaged: {integrity}"));
    }
    for Check { problem, rows } in CHECKS {
        let mut statement = connection.prepare(rows)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let at: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            report.add(format!("{problem}: {at:?}"));
        }
    }
    let recovered = recovery::recover(connection, &Options::default())?;
    check_marks(connection, &recovered, report)?;
    check_client_message_ids(connection, &recovered, report)?;
    check_members(connection, &recovered, report)?;
    check_trims(connection, &recovered, report)
}

/// The marks are not below what they numbered.
fn check_marks(connection: &Connection, recovered: &Recovered, report: &mut Report) -> Result<()> {
    let highest: u64 = connection.query_row(
        "SELECT max(coalesce((SELECT max(row_id) FROM events), 0),
                    coalesce((SELECT max(changed_row) FROM members), 0),
                    coalesce((SELECT max(membership_row) FROM members), 0),
                    coalesce((SELECT max(begun_row) FROM conversations), 0))",
        [],
        |row| row.get(0),
    )?;
    let last = recovered.marks.row.get();
    if last < highest {
        report.add(format!("the last row is {last}, but {highest} has been handed out"));
    }
    Ok(())
}

/// Every message is found by its client message id, unless it is so old that it may have
/// been in a generation that was retired.
fn check_client_message_ids(
    connection: &Connection,
    recovered: &Recovered,
    report: &mut Report,
) -> Result<()> {
    let first_kept: u64 = connection.query_row(
        "SELECT CASE oldest_generation WHEN 0 THEN 0 ELSE
                    coalesce((SELECT min(row_id) FROM idempotency
                              WHERE idempotency.generation >= oldest_generation),
                             watermark_row + 1) END FROM meta",
        [],
        |row| row.get(0),
    )?;
    let generations = recovered.idempotency.generations();
    let mut statement = connection.prepare(
        "SELECT row_id, conversation, sender, client_message_id FROM events
         WHERE client_message_id IS NOT NULL",
    )?;
    let mut found = statement.query([])?;
    while let Some(event) = found.next()? {
        let row = RowId::new(event.get(0)?);
        let (conversation, sender) =
            (ConversationId::new(event.get(1)?), UserId::new(event.get(2)?));
        let text: String = event.get(3)?;
        let hash = recovered.hash_secret.hash(conversation, sender, &text);
        let is_indexed = if row <= recovered.watermark.row {
            row.get() < first_kept || generations.rows_of(connection, hash)?.contains(&row)
        } else {
            recovered.tail.keys.get(hash).any(|other| other == row)
        };
        let is_itself = match ClientMessageId::new(text) {
            Ok(id) => is_message(connection, row, conversation, sender, &id)?,
            Err(_) => false,
        };
        if !is_indexed || !is_itself {
            report.add(format!("message {row} is not found by its client message id"));
        }
    }
    Ok(())
}

/// No cursor and no membership is beyond the end of its timeline, in the tables or in the
/// journal.
fn check_members(
    connection: &Connection,
    recovered: &Recovered,
    report: &mut Report,
) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT user, conversation, delivered_seq, read_seq, coalesce(left_seq, 0), head_seq
         FROM members JOIN conversations ON conversations.id = conversation",
    )?;
    let mut found = statement.query([])?;
    while let Some(member) = found.next()? {
        let (user, conversation) =
            (UserId::new(member.get(0)?), ConversationId::new(member.get(1)?));
        let visible = RowId::new(u64::MAX);
        let moved = recovered.tail.member(conversation, user, visible).map(|moved| moved.cursors);
        let stored = member.get::<_, u64>(2)?.max(member.get(3)?);
        let cursor = moved.map_or(stored, |moved| moved.delivered.max(moved.read).get());
        let head = recovered.head(conversation, member.get(5)?);
        if cursor.max(stored) > head {
            report.add(format!(
                "a cursor of user {user} in conversation {conversation} is at {cursor}, beyond {head}"
            ));
        }
        let left = member.get::<_, u64>(4)?;
        if left > head {
            report.add(format!(
                "user {user} left conversation {conversation} at {left}, beyond {head}"
            ));
        }
    }
    Ok(())
}

/// No timeline is trimmed beyond its end.
fn check_trims(connection: &Connection, recovered: &Recovered, report: &mut Report) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, trimmed_before, head_seq FROM conversations WHERE trimmed_before <> 1",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (id, before): (_, u64) = (ConversationId::new(row.get(0)?), row.get(1)?);
        let head = recovered.head(id, row.get(2)?);
        if before == 0 || before > head + 1 {
            report.add(format!("conversation {id} is trimmed before {before}, and ends at {head}"));
        }
    }
    Ok(())
}

impl Recovered {
    /// The end of a timeline whose stored head is `stored`.
    fn head(&self, conversation: ConversationId, stored: u64) -> u64 {
        let places = self.tail.places(conversation, RowId::new(u64::MAX));
        places.last().map_or(stored, |place| place.seq.get())
    }
}

impl Report {
    fn add(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD_MAX {
            self.problems.push(problem);
        }
    }
}
