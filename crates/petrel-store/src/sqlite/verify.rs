//! Looking for contradictions in a data directory that nobody has open.
//!
//! The checks are queries over whole tables and take as long as reading them does. Above
//! the watermark the indexes may lack entries but not hold wrong ones. Retention is not
//! there yet, so that every timeline begins with its first event.

use std::path::Path;

use petrel_types::{ClientMessageId, ConversationId, RowId, UserId};
use rusqlite::{Connection, Result};

use super::directory::DataDirectory;
use super::message_key::is_message;
use super::options::Options;
use super::recovery::{self, Recovered};
use super::schema::{self, Location};
use super::{HashSecret, fault, idempotency, mint_epoch};
use crate::StoreError;

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

/// A check that is a query: each row is a problem.
struct Check {
    problem: &'static str,
    /// Names up to three numbers that tell where.
    rows: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        problem: "an event (conversation, seq, row) does not continue its timeline",
        rows: "SELECT conversation, seq, row_id FROM (
                   SELECT conversation, seq, row_id, message_number,
                          lag(seq, 1, 0) OVER places AS last_seq,
                          lag(message_number, 1, 0) OVER places AS last_number,
                          lag(row_id, 1, 0) OVER places AS last_row
                   FROM events WINDOW places AS (PARTITION BY conversation ORDER BY seq, row_id))
               WHERE seq <> last_seq + 1 OR message_number - last_number NOT IN (0, 1)
                  OR row_id <= last_row",
    },
    Check {
        problem: "an event (conversation, seq, row) belongs to no conversation",
        rows: "SELECT conversation, seq, row_id FROM events
               WHERE conversation NOT IN (SELECT id FROM conversations)",
    },
    Check {
        problem: "a stored head (conversation, seq, row) is not the last event up to the watermark",
        rows: "SELECT id, head_seq, head_row FROM conversations
               LEFT JOIN (SELECT conversation, max(seq) AS seq FROM events
                          WHERE row_id <= (SELECT watermark_row FROM meta) GROUP BY conversation) AS covered
                   ON covered.conversation = conversations.id
               WHERE head_seq < coalesce(covered.seq, 0)
                  OR (head_seq > 0 AND NOT EXISTS (
                      SELECT 1 FROM events
                      WHERE events.row_id = head_row AND events.conversation = conversations.id
                        AND events.seq = head_seq
                        AND events.message_number = head_message_number
                        AND events.timestamp_ms = head_timestamp_ms))",
    },
    Check {
        problem: "an entry of the timeline index (conversation, seq, row) points at another event",
        rows: "SELECT timeline.conversation, timeline.seq, timeline.row_id FROM timeline
               LEFT JOIN events ON events.row_id = timeline.row_id
               WHERE events.row_id IS NULL OR events.conversation <> timeline.conversation
                  OR events.seq <> timeline.seq",
    },
    Check {
        problem: "an event below the watermark (conversation, seq, row) is not in the timeline index",
        rows: "SELECT conversation, seq, row_id FROM events
               WHERE row_id <= (SELECT watermark_row FROM meta) AND NOT EXISTS (
                   SELECT 1 FROM timeline WHERE timeline.conversation = events.conversation
                      AND timeline.seq = events.seq AND timeline.row_id = events.row_id)",
    },
    Check {
        problem: "a client message id (conversation, sender, row) is stored twice",
        rows: "SELECT conversation, sender, max(row_id) FROM events
               WHERE client_message_id IS NOT NULL
               GROUP BY conversation, sender, client_message_id HAVING count(*) > 1",
    },
    Check {
        problem: "an entry of the idempotency index (generation, row) points at no message",
        rows:
            "SELECT generation, idempotency.row_id, 0 FROM idempotency
               LEFT JOIN events ON events.row_id = idempotency.row_id
               WHERE events.client_message_id IS NULL
                  OR idempotency.generation > (SELECT generation FROM meta)",
    },
    Check {
        problem: "a generation of the idempotency index has no filter",
        rows: "SELECT DISTINCT idempotency.generation, 0, 0 FROM idempotency
               WHERE idempotency.generation < (SELECT generation FROM meta)
                 AND idempotency.generation NOT IN (SELECT generation FROM idempotency_filters)",
    },
    Check {
        problem: "a stamp (conversation, user, stamp) is above the watermark and not a beginning",
        rows: "SELECT conversation, user, changed_row FROM members, conversations
               WHERE conversations.id = members.conversation
                 AND changed_row > (SELECT watermark_row FROM meta) AND changed_row <> begun_row AND NOT EXISTS (SELECT 1 FROM journal
                     WHERE last_row >= changed_row)",
    },
    Check {
        problem: "a conversation (id, low, high) does not have its members",
        rows: "SELECT id, low, high FROM conversations
               WHERE (SELECT count(*) FROM members WHERE conversation = id
                      AND user IN (low, high)) <> (CASE low WHEN high THEN 1 ELSE 2 END)",
    },
    Check {
        problem: "a row of the journal (number, last row) is out of order or below the watermark",
        rows: "SELECT number, last_row, 0 FROM (
                   SELECT number, last_row, lag(last_row, 1, 0) OVER (ORDER BY number) AS earlier
                   FROM journal) WHERE last_row < earlier",
    },
    Check {
        problem: "a user (id) is above the last one",
        rows: "SELECT id, 0, 0 FROM users WHERE id > (SELECT last_user FROM meta)",
    },
];

/// Checks the data directory `directory`, which must not be in use. Nothing is changed
/// but that the write-ahead log is copied into the database.
pub fn verify(directory: &Path) -> std::result::Result<Report, StoreError> {
    let directory = DataDirectory::lock(directory)?;
    let location = Location { path: directory.database()?, vfs: None };
    let connection =
        schema::open_writer(&directory, &location, mint_epoch()?, HashSecret::mint()?)?;
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
    check_cursors(connection, &recovered, report)
}

/// The marks are not below what they numbered.
fn check_marks(connection: &Connection, recovered: &Recovered, report: &mut Report) -> Result<()> {
    let highest: u64 = connection.query_row(
        "SELECT max(coalesce((SELECT max(row_id) FROM events), 0),
                    coalesce((SELECT max(changed_row) FROM members), 0),
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

/// Every message is found by its client message id.
fn check_client_message_ids(
    connection: &Connection,
    recovered: &Recovered,
    report: &mut Report,
) -> Result<()> {
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
            idempotency::all_rows_of(connection, hash)?.contains(&row)
                && recovered.idempotency.rows_of(connection, hash)?.contains(&row)
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

/// No cursor is beyond the end of its timeline, in the tables or in the journal.
fn check_cursors(
    connection: &Connection,
    recovered: &Recovered,
    report: &mut Report,
) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT user, conversation, delivered_seq, read_seq,
                coalesce((SELECT max(seq) FROM timeline
                          WHERE timeline.conversation = members.conversation), 0)
         FROM members",
    )?;
    let mut found = statement.query([])?;
    while let Some(member) = found.next()? {
        let (user, conversation) =
            (UserId::new(member.get(0)?), ConversationId::new(member.get(1)?));
        let visible = RowId::new(u64::MAX);
        let moved = recovered.tail.member(conversation, user, visible).map(|moved| moved.cursors);
        let stored = member.get::<_, u64>(2)?.max(member.get(3)?);
        let cursor = moved.map_or(stored, |moved| moved.delivered.max(moved.read).get());
        let last = recovered.tail.places(conversation, visible).last().map(|place| place.seq.get());
        let head = member.get::<_, u64>(4)?.max(last.unwrap_or(0));
        if cursor.max(stored) > head {
            report.add(format!(
                "a cursor of user {user} in conversation {conversation} is at {cursor}, beyond {head}"
            ));
        }
    }
    Ok(())
}

impl Report {
    fn add(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD_MAX {
            self.problems.push(problem);
        }
    }
}
