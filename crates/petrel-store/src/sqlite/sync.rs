//! The read behind a sync: a user's conversations by their stamps.
//!
//! It looks at every conversation of the user to find the newest ones, which is cheap
//! for the hundreds that people have. There is no index by stamp because each message
//! would have to move an entry of it for every member.

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};
use rusqlite::{OptionalExtension, Result, Row};

use super::conversations::{conversation_of, place_of};
use super::mentions;
use super::number::key;
use super::reader::Snapshot;
use super::tail::{Move, Place};
use crate::{ConversationKind, Cursors, Head, Interval, SyncEntry, SyncPage};

/// What the tables know of all of a user's conversations, but for what only the entries of
/// the page need.
const CONVERSATIONS: &str = "
SELECT conversations.id, kind, low, high,
       head_seq, head_row, head_message_number, head_timestamp_ms,
       trimmed_before, trimmed_message_number, member_count,
       own.changed_row, own.delivered_seq, own.read_seq,
       peer.changed_row, peer.delivered_seq, peer.read_seq,
       own.membership_row, own.joined_seq, own.left_seq, own.attributes
FROM members AS own
CROSS JOIN conversations ON conversations.id = own.conversation
LEFT JOIN members AS peer ON kind = 1 AND peer.conversation = own.conversation
    AND peer.user = CASE own.user WHEN low THEN high ELSE low END
WHERE own.user = ?1 AND begun_row <= ?2";

/// An entry, and what it needs to be completed.
struct Found {
    entry: SyncEntry,
    /// Countable messages among those that are trimmed.
    trimmed_message_number: MessageNumber,
}

pub(super) fn sync_page(
    snapshot: &Snapshot<'_>,
    user: UserId,
    since: RowId,
    before: Option<RowId>,
    limit: u32,
) -> Result<SyncPage> {
    let last_row = snapshot.view.visible();
    let before = before.unwrap_or(RowId::new(u64::MAX));
    let mut page = Vec::new();
    let mut statement = snapshot.connection.prepare_cached(CONVERSATIONS)?;
    let mut rows = statement.query((key(user.get()), last_row.get()))?;
    while let Some(row) = rows.next()? {
        let found = entry_of(snapshot, user, row)?;
        if since < found.entry.stamp && found.entry.stamp < before {
            page.push(found);
        }
    }
    page.sort_unstable_by_key(|found| std::cmp::Reverse(found.entry.stamp));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    for found in &mut page {
        complete(snapshot, user, found)?;
    }
    let entries = page.into_iter().map(|found| found.entry).collect();
    Ok(SyncPage { entries, last_row, more })
}

/// What the tables know, unless a tail knows better.
fn entry_of(snapshot: &Snapshot<'_>, user: UserId, row: &Row<'_>) -> Result<Found> {
    let view = &snapshot.view;
    let conversation = conversation_of(row)?;
    let interval = Interval {
        first: Seq::new(row.get(18)?),
        last: row.get::<_, Option<u64>>(19)?.map(Seq::new),
    };
    // That of a former member is among what is completed later. It is not newer than the
    // membership's own stamp.
    let head = match interval.last {
        Some(last) => Place { seq: last, ..Place::default() },
        None => match view.head(conversation.id) {
            Some(head) => head,
            None => place_of(row, 4)?,
        },
    };
    let own = view.member(conversation.id, user).map_or_else(|| move_of(row, 11), Ok)?;
    let membership_row = RowId::new(row.get(17)?);
    let mut stamp = head.row.max(own.stamp).max(membership_row);
    let mut peer = None;
    if let ConversationKind::Single { low, high } = conversation.kind {
        let other = if user == low { high } else { low };
        let moved = view.member(conversation.id, other).map_or_else(|| move_of(row, 14), Ok)?;
        stamp = stamp.max(moved.stamp);
        peer = Some(moved.cursors);
    }
    let entry = SyncEntry {
        conversation,
        stamp,
        head: head.head(),
        timestamp: head.timestamp,
        trimmed_before: Seq::new(row.get(8)?),
        interval,
        own: own.cursors,
        read_message_number: MessageNumber::ZERO,
        mentions: 0,
        peer,
        profile: Bytes::new(),
        member_count: row.get(10)?,
        attributes: row.get::<_, Vec<u8>>(20)?.into(),
    };
    Ok(Found { entry, trimmed_message_number: MessageNumber::new(row.get(9)?) })
}

fn move_of(row: &Row<'_>, column: usize) -> Result<Move> {
    Ok(Move {
        stamp: RowId::new(row.get(column)?),
        cursors: Cursors {
            delivered: Seq::new(row.get(column + 1)?),
            read: Seq::new(row.get(column + 2)?),
        },
    })
}

fn complete(snapshot: &Snapshot<'_>, user: UserId, found: &mut Found) -> Result<()> {
    let Found { entry, trimmed_message_number } = found;
    if entry.interval.last.is_some() {
        complete_departed(snapshot, user, entry)?;
    } else {
        let profile: Vec<u8> = snapshot
            .connection
            .prepare_cached("SELECT profile FROM conversations WHERE id = ?1")?
            .query_row([key(entry.conversation.id.get())], |row| row.get(0))?;
        entry.profile = profile.into();
    }
    entry.read_message_number = read_message_number(snapshot, entry, *trimmed_message_number)?;
    if entry.conversation.kind == ConversationKind::Group && entry.own.read < entry.head.seq {
        entry.mentions = mentions::count(snapshot.connection, key(user.get()), entry)?;
    }
    Ok(())
}

/// A former member sees what there was at the end.
fn complete_departed(snapshot: &Snapshot<'_>, user: UserId, entry: &mut SyncEntry) -> Result<()> {
    snapshot
        .connection
        .prepare_cached(
            "SELECT head_message_number, head_timestamp_ms, member_count, profile FROM departures
             WHERE conversation = ?1 AND user = ?2",
        )?
        .query_row((key(entry.conversation.id.get()), key(user.get())), |row| {
            let message_number = MessageNumber::new(row.get(0)?);
            entry.head = Head { message_number, ..entry.head };
            entry.timestamp = TimestampMs::new(row.get(1)?);
            entry.member_count = row.get(2)?;
            entry.profile = Bytes::from(row.get::<_, Vec<u8>>(3)?);
            Ok(())
        })
}

/// The message number at the read cursor. What is trimmed counts as read, as nobody can
/// read it any more.
fn read_message_number(
    snapshot: &Snapshot<'_>,
    entry: &SyncEntry,
    trimmed: MessageNumber,
) -> Result<MessageNumber> {
    let (conversation, read) = (entry.conversation.id, entry.own.read);
    let last_trimmed = Seq::new(entry.trimmed_before.get() - 1);
    if read.max(last_trimmed) >= entry.head.seq {
        return Ok(entry.head.message_number);
    }
    if read <= last_trimmed {
        return Ok(trimmed);
    }
    if let Some(place) = snapshot.view.last_up_to(conversation, read) {
        return Ok(place.message_number);
    }
    stored_message_number(snapshot, conversation, read)
}

fn stored_message_number(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
    seq: Seq,
) -> Result<MessageNumber> {
    let found = snapshot
        .connection
        .prepare_cached(
            "SELECT message_number FROM timeline
             CROSS JOIN events ON events.row_id = timeline.row_id
             WHERE timeline.conversation = ?1 AND timeline.seq <= ?2
             ORDER BY timeline.seq DESC LIMIT 1",
        )?
        .query_row((conversation.get(), seq.get()), |row| row.get(0))
        .optional()?;
    Ok(found.map_or(MessageNumber::ZERO, MessageNumber::new))
}
