//! What a transaction changed besides its events: one appended row.
//!
//! It holds the log positions and the moves of cursors, which would otherwise each touch
//! a page of their own, and the last row, which would touch another. A row of the journal
//! is needed until the watermark has passed it.
//!
//! The body is a list of numbers in groups of seven bits, the lowest first: the count of
//! positions, each with its partition; the count of moves, each with its conversation,
//! user, cursors and stamp.

use petrel_types::{ConversationId, LogPosition, Partition, RowId, Seq, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result};

use super::tail::{Move, Tail};
use crate::Cursors;

/// Appends the row of a transaction.
pub(super) fn append(
    connection: &Connection,
    number: u64,
    last_row: RowId,
    commit: &Tail,
) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO journal (number, last_row, body) VALUES (?1, ?2, ?3)")?
        .execute((number, last_row.get(), encode(commit)))?;
    Ok(())
}

/// Adds what the rows after `watermark` tell to `tail`. Returns the last row's number,
/// and the last row that was handed out.
pub(super) fn replay(
    connection: &Connection,
    watermark: u64,
    tail: &mut Tail,
) -> Result<Option<(u64, RowId)>> {
    let mut statement = connection
        .prepare("SELECT number, last_row, body FROM journal WHERE number > ?1 ORDER BY number")?;
    let mut rows = statement.query([watermark])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        last = Some((row.get(0)?, RowId::new(row.get(1)?)));
        decode(row.get_ref(2)?.as_blob()?, tail).ok_or_else(|| {
            Error::FromSqlConversionFailure(2, Type::Blob, "not the body of a journal row".into())
        })?;
    }
    Ok(last)
}

/// Deletes up to `limit` rows up to `watermark`. Returns how many it deleted.
pub(super) fn trim(connection: &Connection, watermark: u64, limit: usize) -> Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM journal WHERE number IN
                 (SELECT number FROM journal WHERE number <= ?1 ORDER BY number LIMIT ?2)",
        )?
        .execute((watermark, limit))
}

fn encode(commit: &Tail) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, commit.positions.len() as u64);
    for (partition, position) in &commit.positions {
        put(&mut body, u64::from(partition.get()));
        put(&mut body, position.get());
    }
    put(&mut body, commit.members.values().map(Vec::len).sum::<usize>() as u64);
    for ((conversation, user), moves) in &commit.members {
        for Move { stamp, cursors } in moves {
            let Cursors { delivered, read } = cursors;
            let numbers =
                [conversation.get(), user.get(), delivered.get(), read.get(), stamp.get()];
            numbers.into_iter().for_each(|number| put(&mut body, number));
        }
    }
    body
}

fn decode(mut body: &[u8], tail: &mut Tail) -> Option<()> {
    for _ in 0..take(&mut body)? {
        let partition = Partition::new(take(&mut body)?.try_into().ok()?);
        tail.positions.insert(partition, LogPosition::new(take(&mut body)?));
    }
    for _ in 0..take(&mut body)? {
        let conversation = ConversationId::new(take(&mut body)?);
        let user = UserId::new(take(&mut body)?);
        let delivered = Seq::new(take(&mut body)?);
        let read = Seq::new(take(&mut body)?);
        let stamp = RowId::new(take(&mut body)?);
        tail.add_move(conversation, user, Move { stamp, cursors: Cursors { delivered, read } });
    }
    body.is_empty().then_some(())
}

fn put(body: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        body.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    body.push(number as u8);
}

fn take(body: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_what_went_into_it() {
        let mut commit = Tail::default();
        commit.positions.insert(Partition::new(3), LogPosition::new(300));
        commit.positions.insert(Partition::new(u16::MAX), LogPosition::new(i64::MAX as u64));
        let (conversation, user) = (ConversationId::new(u64::MAX >> 1), UserId::new(127));
        for stamp in [1, 128, 1 << 40] {
            let cursors = Cursors { delivered: Seq::new(stamp), read: Seq::ZERO };
            commit.add_move(conversation, user, Move { stamp: RowId::new(stamp), cursors });
        }
        let body = encode(&commit);
        let mut decoded = Tail::default();
        decode(&body, &mut decoded).unwrap();
        assert_eq!(decoded.positions, commit.positions);
        assert_eq!(decoded.members, commit.members);
        for cut in 0..body.len() {
            assert_eq!(decode(&body[..cut], &mut Tail::default()), None, "{cut}");
        }
        assert_eq!(decode(&[&body[..], &[0]].concat(), &mut Tail::default()), None);
    }
}
