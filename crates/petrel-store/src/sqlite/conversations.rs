//! Conversations as a whole: their kinds, heads and profiles.

use bytes::Bytes;
use petrel_types::{ConversationId, MessageNumber, RowId, Seq, TimestampMs, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use super::number::{bound, key};
use super::reader::Snapshot;
use super::tables::{GROUP, PAIR, PERSONAL, SINGLE};
use super::tail::Place;
use super::write::WriteError;
use super::{memberships, trims};
use crate::{
    Conversation, ConversationKind, ConversationState, Head, MemberPage, NewConversation,
    ProfileUpdate, StoreErrorKind, Summary,
};

/// Inserts the conversations that begin. Each takes a row, from `begun_row` on.
pub(super) fn insert(
    connection: &Connection,
    conversations: &[NewConversation],
    begun_row: RowId,
) -> std::result::Result<(), WriteError> {
    for (row, NewConversation { id, kind, profile }) in (begun_row.get()..).zip(conversations) {
        let (kind_code, low, high) = match *kind {
            ConversationKind::Single { low, high } if low > high => {
                let story = format!("the users of conversation {id} are not in order");
                return Err(WriteError::refused(StoreErrorKind::Invalid, story));
            }
            ConversationKind::Single { low, high } => (SINGLE, Some(low), Some(high)),
            ConversationKind::Group => (GROUP, None, None),
            ConversationKind::Personal { user } => (PERSONAL, Some(user), None),
            ConversationKind::Pair { low, high } if low >= high => {
                let story = format!("the users of the pair {id} are not in order");
                return Err(WriteError::refused(StoreErrorKind::Invalid, story));
            }
            ConversationKind::Pair { low, high } => (PAIR, Some(low), Some(high)),
        };
        connection
            .prepare_cached(
                "INSERT INTO conversations (id, kind, low, high, begun_row, member_count, profile)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                id.get(),
                kind_code,
                low.map(UserId::get),
                high.map(UserId::get),
                row,
                memberships::first_members(*kind).count(),
                profile.as_ref(),
            ))?;
    }
    Ok(())
}

/// Replaces profiles.
pub(super) fn write_profiles(connection: &Connection, updates: &[ProfileUpdate]) -> Result<()> {
    for ProfileUpdate { conversation, profile } in updates {
        connection
            .prepare_cached("UPDATE conversations SET profile = ?2 WHERE id = ?1")?
            .execute((conversation.get(), profile.as_ref()))?;
    }
    Ok(())
}

/// What a conversation is; `None` if there is none.
pub(super) fn kind(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<ConversationKind>> {
    connection
        .prepare_cached("SELECT id, kind, low, high FROM conversations WHERE id = ?1")?
        .query_row([key(conversation.get())], |row| Ok(conversation_of(row)?.kind))
        .optional()
}

/// The columns that [`summary_of`] takes.
macro_rules! select_conversations {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, low, high, head_seq, head_message_number, trimmed_before, ",
            "member_count, profile FROM conversations ",
            $rest
        )
    };
}

pub(super) fn summary(snapshot: &Snapshot<'_>, id: ConversationId) -> Result<Option<Summary>> {
    snapshot
        .connection
        .prepare_cached(select_conversations!("WHERE id = ?1 AND begun_row <= ?2"))?
        .query_row((key(id.get()), snapshot.view.visible().get()), |row| summary_of(snapshot, row))
        .optional()
}

pub(super) fn conversations_after(
    snapshot: &Snapshot<'_>,
    after: ConversationId,
    limit: u32,
) -> Result<Vec<Summary>> {
    snapshot
        .connection
        .prepare_cached(select_conversations!(
            "WHERE id > ?1 AND begun_row <= ?2 ORDER BY id LIMIT ?3"
        ))?
        .query_map((bound(after.get()), snapshot.view.visible().get(), limit), |row| {
            summary_of(snapshot, row)
        })?
        .collect()
}

/// Groups by id, by an index of their own.
pub(super) fn groups_after(
    snapshot: &Snapshot<'_>,
    after: ConversationId,
    limit: u32,
) -> Result<Vec<Summary>> {
    snapshot
        .connection
        .prepare_cached(select_conversations!(
            "WHERE kind = 2 AND id > ?1 AND begun_row <= ?2 ORDER BY id LIMIT ?3"
        ))?
        .query_map((bound(after.get()), snapshot.view.visible().get(), limit), |row| {
            summary_of(snapshot, row)
        })?
        .collect()
}

/// A conversation with all its present members.
pub(super) fn conversation(
    snapshot: &Snapshot<'_>,
    id: ConversationId,
) -> Result<Option<ConversationState>> {
    let Snapshot { connection, view } = snapshot;
    let Some(summary) = summary(snapshot, id)? else { return Ok(None) };
    let members = memberships::present(connection, view, id, None, u64::MAX)?;
    Ok(Some(ConversationState { summary, members }))
}

pub(super) fn members_after(
    snapshot: &Snapshot<'_>,
    id: ConversationId,
    after: UserId,
    limit: u32,
) -> Result<Option<MemberPage>> {
    let Snapshot { connection, view } = snapshot;
    let Some(summary) = summary(snapshot, id)? else { return Ok(None) };
    let limit_and_one = u64::from(limit) + 1;
    let mut members = memberships::present(connection, view, id, Some(after), limit_and_one)?;
    let more = members.len() as u64 == limit_and_one;
    members.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Some(MemberPage { members, more, summary }))
}

pub(super) fn single_chat(
    snapshot: &Snapshot<'_>,
    one: UserId,
    other: UserId,
) -> Result<Option<ConversationId>> {
    let (low, high) = (key(one.min(other).get()), key(one.max(other).get()));
    snapshot
        .connection
        .prepare_cached(
            "SELECT id FROM conversations
             WHERE kind = 1 AND low = ?1 AND high = ?2 AND begun_row <= ?3",
        )?
        .query_row((low, high, snapshot.view.visible().get()), id_of)
        .optional()
}

pub(super) fn pair(
    snapshot: &Snapshot<'_>,
    one: UserId,
    other: UserId,
) -> Result<Option<ConversationId>> {
    let (low, high) = (key(one.min(other).get()), key(one.max(other).get()));
    snapshot
        .connection
        .prepare_cached(
            "SELECT id FROM conversations
             WHERE kind = 4 AND low = ?1 AND high = ?2 AND begun_row <= ?3",
        )?
        .query_row((low, high, snapshot.view.visible().get()), id_of)
        .optional()
}

pub(super) fn personal_timeline(
    snapshot: &Snapshot<'_>,
    user: UserId,
) -> Result<Option<ConversationId>> {
    snapshot
        .connection
        .prepare_cached(
            "SELECT id FROM conversations WHERE kind = 3 AND low = ?1 AND begun_row <= ?2",
        )?
        .query_row((key(user.get()), snapshot.view.visible().get()), id_of)
        .optional()
}

/// The end of a timeline, and where it begins; nothing for one that has not begun.
pub(super) fn ends(
    snapshot: &Snapshot<'_>,
    conversation: ConversationId,
) -> Result<(Head, trims::Trimmed)> {
    let Snapshot { connection, view } = snapshot;
    let found = connection
        .prepare_cached(
            "SELECT head_seq, head_message_number, trimmed_before, trimmed_message_number
             FROM conversations WHERE id = ?1",
        )?
        .query_row([key(conversation.get())], |row| {
            let trimmed =
                trims::Trimmed { before: Seq::new(row.get(2)?), message_number: row.get(3)? };
            Ok((head_of(row, 0)?, trimmed))
        })
        .optional()?;
    let (stored, trimmed) = found.unwrap_or((Head::default(), trims::Trimmed::NOTHING));
    Ok((view.head(conversation).map_or(stored, Place::head), trimmed))
}

/// The end of a timeline as it is in the tables; `None` if there is no conversation.
pub(super) fn stored_head(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<Head>> {
    connection
        .prepare_cached("SELECT head_seq, head_message_number FROM conversations WHERE id = ?1")?
        .query_row([key(conversation.get())], |row| head_of(row, 0))
        .optional()
}

/// The place of the last event of a timeline, as it is in the tables.
pub(super) fn stored_place(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<Place>> {
    connection
        .prepare_cached(
            "SELECT head_seq, head_row, head_message_number, head_timestamp_ms
             FROM conversations WHERE id = ?1",
        )?
        .query_row([key(conversation.get())], |row| place_of(row, 0))
        .optional()
}

pub(super) fn place_of(row: &Row<'_>, column: usize) -> Result<Place> {
    Ok(Place {
        seq: Seq::new(row.get(column)?),
        row: RowId::new(row.get(column + 1)?),
        message_number: MessageNumber::new(row.get(column + 2)?),
        timestamp: TimestampMs::new(row.get(column + 3)?),
    })
}

/// A conversation from its id, kind, low and high.
pub(super) fn conversation_of(row: &Row<'_>) -> Result<Conversation> {
    let kind = match row.get(1)? {
        SINGLE => ConversationKind::Single {
            low: UserId::new(row.get(2)?),
            high: UserId::new(row.get(3)?),
        },
        GROUP => ConversationKind::Group,
        PERSONAL => ConversationKind::Personal { user: UserId::new(row.get(2)?) },
        PAIR => {
            ConversationKind::Pair { low: UserId::new(row.get(2)?), high: UserId::new(row.get(3)?) }
        }
        unknown => {
            let story = format!("{unknown} is no kind of conversation");
            return Err(Error::FromSqlConversionFailure(1, Type::Integer, story.into()));
        }
    };
    Ok(Conversation { id: ConversationId::new(row.get(0)?), kind })
}

fn summary_of(snapshot: &Snapshot<'_>, row: &Row<'_>) -> Result<Summary> {
    let conversation = conversation_of(row)?;
    let stored = head_of(row, 4)?;
    Ok(Summary {
        conversation,
        head: snapshot.view.head(conversation.id).map_or(stored, Place::head),
        trimmed_before: Seq::new(row.get(6)?),
        profile: Bytes::from(row.get::<_, Vec<u8>>(8)?),
        member_count: row.get(7)?,
    })
}

fn id_of(row: &Row<'_>) -> Result<ConversationId> {
    Ok(ConversationId::new(row.get(0)?))
}

fn head_of(row: &Row<'_>, column: usize) -> Result<Head> {
    Ok(Head {
        seq: Seq::new(row.get(column)?),
        message_number: MessageNumber::new(row.get(column + 1)?),
    })
}
