//! Who is in a conversation, and what each may read.
//!
//! Memberships change rarely, so they are written in their commit. Only the cursors, in
//! columns of their own, follow behind.

use std::collections::HashMap;

use bytes::Bytes;
use petrel_types::{ConversationId, RowId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::memory::View;
use super::number::{bound, key};
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{
    ConversationKind, Cursors, Interval, Member, MemberUpdate, NewConversation, StoreErrorKind,
};

/// Who is in a conversation from its beginning.
pub(super) fn first_members(kind: ConversationKind) -> impl Iterator<Item = UserId> {
    let (first, second) = match kind {
        ConversationKind::Single { low, high } => (Some(low), Some(high).filter(|_| high != low)),
        ConversationKind::Personal { user } => (Some(user), None),
        ConversationKind::Group | ConversationKind::Pair { .. } => (None, None),
    };
    first.into_iter().chain(second)
}

/// Makes the first members of a conversation that begins. The beginning is a change that
/// concerns them, so they are stamped with a row of its own.
pub(super) fn insert_first(
    transaction: &mut Transaction<'_>,
    conversation: &NewConversation,
) -> Result<()> {
    let stamp = transaction.marks.take_row();
    let mut statement = transaction.connection.prepare_cached(
        "INSERT INTO members (user, conversation, changed_row) VALUES (?1, ?2, ?3)",
    )?;
    for user in first_members(conversation.kind) {
        statement.execute((user.get(), conversation.id.get(), stamp.get()))?;
    }
    Ok(())
}

/// Checks a change of a membership of a group that ends at `head` and may be trimmed.
pub(super) fn check(
    transaction: &Transaction<'_>,
    update: &MemberUpdate,
    head: Seq,
    trimmed_before: Seq,
) -> std::result::Result<(), WriteError> {
    let MemberUpdate { conversation, user, ref intervals, .. } = *update;
    let refused = |why: String| {
        let story = format!("the membership of user {user} in conversation {conversation} {why}");
        Err(WriteError::refused(StoreErrorKind::Invalid, story))
    };
    if !are_in_order(intervals) {
        return refused("has intervals that are not in order".to_owned());
    }
    if let Some(last) = intervals.iter().filter_map(|it| it.last).find(|last| *last > head) {
        return refused(format!("ends at {last}, beyond the head {head}"));
    }
    let ended = intervals.last().and_then(|interval| interval.last);
    if let Some(last) = ended
        && last < trimmed_before
        && last != head
        && left_at(transaction.connection, conversation, user)?.flatten() != ended
    {
        return refused(format!("can't have ended at {last}, which is trimmed"));
    }
    Ok(())
}

/// Whether there are intervals, none of them is empty, none overlaps with the one before,
/// and only the last may be open.
fn are_in_order(intervals: &[Interval]) -> bool {
    let is_sound = |interval: &Interval| {
        interval.first > Seq::ZERO && interval.last.is_none_or(|last| last >= interval.first)
    };
    let follows = |pair: &[Interval]| pair[0].last.is_some_and(|last| last < pair[1].first);
    !intervals.is_empty() && intervals.iter().all(is_sound) && intervals.windows(2).all(follows)
}

/// Changes the memberships. Each takes a row.
pub(super) fn write(transaction: &mut Transaction<'_>, updates: &[MemberUpdate]) -> Result<()> {
    let mut count_changes: HashMap<ConversationId, i64> = HashMap::new();
    let mut departed = Vec::new();
    for update in updates {
        let MemberUpdate { conversation, user, ref intervals, .. } = *update;
        let connection = transaction.connection;
        let before = left_at(connection, conversation, user)?;
        let was_present = before == Some(None);
        let ended = intervals.last().and_then(|interval| interval.last);
        let stamp = transaction.marks.take_row();
        write_one(connection, update, stamp)?;
        *count_changes.entry(conversation).or_default() +=
            i64::from(ended.is_none()) - i64::from(was_present);
        match ended {
            None => forget_departure(connection, conversation, user)?,
            Some(last) if before.flatten() != ended => departed.push((conversation, user, last)),
            Some(_) => {}
        }
    }
    for (conversation, change) in count_changes {
        transaction
            .connection
            .prepare_cached(
                "UPDATE conversations SET member_count = member_count + ?2 WHERE id = ?1",
            )?
            .execute((conversation.get(), change))?;
    }
    // Who leaves sees the conversation as it is after the commit, and never again.
    for (conversation, user, last) in departed {
        let place = transaction.place(conversation, last)?.unwrap_or_default();
        transaction
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO departures
                     (conversation, user, head_message_number, head_timestamp_ms, member_count,
                      profile)
                 SELECT id, ?2, ?3, ?4, member_count, profile FROM conversations WHERE id = ?1",
            )?
            .execute((
                conversation.get(),
                user.get(),
                place.message_number.get(),
                place.timestamp.get(),
            ))?;
    }
    Ok(())
}

fn write_one(connection: &Connection, update: &MemberUpdate, stamp: RowId) -> Result<()> {
    let MemberUpdate { conversation, user, ref attributes, ref intervals } = *update;
    let Some((last, earlier)) = intervals.split_last() else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO members (user, conversation, changed_row, membership_row, joined_seq,
                                  left_seq, attributes)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)
             ON CONFLICT (user, conversation) DO UPDATE SET
                 membership_row = excluded.membership_row, joined_seq = excluded.joined_seq,
                 left_seq = excluded.left_seq, attributes = excluded.attributes",
        )?
        .execute((
            user.get(),
            conversation.get(),
            stamp.get(),
            last.first.get(),
            last.last.map(Seq::get),
            attributes.as_ref(),
        ))?;
    connection
        .prepare_cached("DELETE FROM intervals WHERE conversation = ?1 AND user = ?2")?
        .execute((conversation.get(), user.get()))?;
    for interval in earlier {
        connection
            .prepare_cached(
                "INSERT INTO intervals (conversation, user, first_seq, last_seq)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((
                conversation.get(),
                user.get(),
                interval.first.get(),
                interval.last.map(Seq::get),
            ))?;
    }
    Ok(())
}

fn forget_departure(
    connection: &Connection,
    conversation: ConversationId,
    user: UserId,
) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM departures WHERE conversation = ?1 AND user = ?2")?
        .execute((conversation.get(), user.get()))?;
    Ok(())
}

/// Where the last interval of a membership ends, if it does; `None` if there is no
/// membership.
fn left_at(
    connection: &Connection,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Option<Seq>>> {
    connection
        .prepare_cached("SELECT left_seq FROM members WHERE user = ?1 AND conversation = ?2")?
        .query_row((user.get(), conversation.get()), |row| {
            Ok(row.get::<_, Option<u64>>(0)?.map(Seq::new))
        })
        .optional()
}

/// The columns that [`member_of`] takes.
macro_rules! select_members {
    ($rest:literal) => {
        concat!(
            "SELECT user, delivered_seq, read_seq, joined_seq, left_seq, attributes ",
            "FROM members ",
            $rest
        )
    };
}

/// One member, present or former.
pub(super) fn member(
    connection: &Connection,
    view: &View,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Member>> {
    let mut found: Vec<Member> = connection
        .prepare_cached(select_members!(
            "WHERE user = ?1 AND conversation = ?2 AND changed_row <= ?3"
        ))?
        .query_map((key(user.get()), key(conversation.get()), view.visible().get()), member_of)?
        .collect::<Result<_>>()?;
    complete(connection, view, conversation, &mut found)?;
    Ok(found.pop())
}

/// Up to `limit` present members with ids above `after`, by id.
pub(super) fn present(
    connection: &Connection,
    view: &View,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Member>> {
    let after = after.map_or(-1, |after| bound(after.get()));
    let mut found: Vec<Member> = connection
        .prepare_cached(select_members!(
            "WHERE conversation = ?1 AND user > ?2 AND left_seq IS NULL ORDER BY user LIMIT ?3"
        ))?
        .query_map((key(conversation.get()), after, bound(limit)), member_of)?
        .collect::<Result<_>>()?;
    complete(connection, view, conversation, &mut found)?;
    Ok(found)
}

/// Adds the earlier intervals, and the cursors that the tables do not have yet.
fn complete(
    connection: &Connection,
    view: &View,
    conversation: ConversationId,
    members: &mut [Member],
) -> Result<()> {
    for member in members.iter_mut() {
        if let Some(moved) = view.member(conversation, member.user) {
            member.cursors = moved.cursors;
        }
    }
    let users = match members {
        [] => return Ok(()),
        [first, .., last] => (first.user, last.user),
        [only] => (only.user, only.user),
    };
    let mut statement = connection.prepare_cached(
        "SELECT user, first_seq, last_seq FROM intervals
         WHERE conversation = ?1 AND user BETWEEN ?2 AND ?3 ORDER BY user, first_seq DESC",
    )?;
    let bounds = (key(conversation.get()), key(users.0.get()), key(users.1.get()));
    let mut rows = statement.query(bounds)?;
    while let Some(row) = rows.next()? {
        let user = UserId::new(row.get(0)?);
        if let Ok(index) = members.binary_search_by_key(&user, |member| member.user) {
            let interval =
                Interval { first: Seq::new(row.get(1)?), last: Some(Seq::new(row.get(2)?)) };
            members[index].intervals.insert(0, interval);
        }
    }
    Ok(())
}

fn member_of(row: &Row<'_>) -> Result<Member> {
    let last = row.get::<_, Option<u64>>(4)?.map(Seq::new);
    Ok(Member {
        user: UserId::new(row.get(0)?),
        cursors: Cursors { delivered: Seq::new(row.get(1)?), read: Seq::new(row.get(2)?) },
        attributes: Bytes::from(row.get::<_, Vec<u8>>(5)?),
        intervals: vec![Interval { first: Seq::new(row.get(3)?), last }],
    })
}
