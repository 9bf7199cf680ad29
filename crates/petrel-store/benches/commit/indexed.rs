//! The obvious schema: each message is entered into its indexes in its commit.

use std::path::Path;

use petrel_store::Batch;
use rusqlite::Connection;

use crate::measure::{Meter, Report};
use crate::workload::Workload;

const TABLES: &str = "
CREATE TABLE heads (conversation INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE events (
    row_id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    client_message_id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (conversation, seq),
    UNIQUE (conversation, sender, client_message_id)
) STRICT;";

pub(crate) fn open(place: &Path) -> Connection {
    let connection = Connection::open(place.join("indexed.db")).unwrap();
    connection.pragma_update(None, "page_size", 16_384).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection.pragma_update(None, "cache_size", -256 * 1024).unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection
}

pub(crate) fn commit(connection: &mut Connection, batch: &Batch) {
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare_cached(
                "INSERT INTO events (conversation, seq, sender, client_message_id, timestamp_ms,
                                     payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .unwrap();
        let mut raise =
            transaction.prepare_cached("INSERT OR REPLACE INTO heads VALUES (?1, ?2)").unwrap();
        for event in &batch.events {
            let id = event.client_message_id.as_ref().unwrap().as_str();
            let (conversation, seq) = (event.conversation.get(), event.seq.get());
            let (sender, timestamp) = (event.sender.get(), event.timestamp.get());
            let payload = event.payload.as_ref();
            insert.execute((conversation, seq, sender, id, timestamp, payload)).unwrap();
            raise.execute((conversation, seq)).unwrap();
        }
    }
    transaction.commit().unwrap();
}

pub(crate) fn run(place: &Path, workload: &Workload) -> Report {
    let mut generator = workload.generator();
    let mut connection = open(place);
    let mut meter = Meter::start();
    for _ in 0..workload.messages.div_ceil(workload.batch as u64) {
        let batch = meter.generate(|| generator.batch());
        meter.commit(|| commit(&mut connection, &batch));
    }
    let messages = workload.messages.next_multiple_of(workload.batch as u64);
    meter.finish(workload.name("indexed"), messages, generator.logical_bytes)
}
