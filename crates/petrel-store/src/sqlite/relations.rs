//! What users have to do with each other: pairs, and groups that both are in.

use bytes::Bytes;
use petrel_types::UserId;
use rusqlite::{OptionalExtension, Result};

use super::number::key;
use super::reader::Snapshot;
use crate::{Entry, Relation};

/// What each of `others` is to `user`, in their order.
pub(super) fn relations(
    snapshot: &Snapshot<'_>,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<Relation>> {
    let visible = snapshot.view.visible().get();
    let mut pairs = snapshot.connection.prepare_cached(
        "SELECT profile FROM conversations
         WHERE kind = 4 AND low = ?1 AND high = ?2 AND begun_row <= ?3",
    )?;
    let mut personal_timelines = snapshot.connection.prepare_cached(
        "SELECT profile FROM conversations WHERE kind = 3 AND low = ?1 AND begun_row <= ?2",
    )?;
    let profile = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0).map(Bytes::from);
    let relation = |other: &UserId| {
        let (low, high) = (key(user.min(*other).get()), key(user.max(*other).get()));
        let pair = pairs.query_row((low, high, visible), profile).optional()?;
        let personal =
            personal_timelines.query_row((key(other.get()), visible), profile).optional()?;
        Ok(Relation { pair: pair.unwrap_or_default(), personal: personal.unwrap_or_default() })
    };
    others.iter().map(relation).collect()
}

/// The beginning of a list of each user's personal timeline, in the order of the users.
pub(super) fn personal_lists(
    snapshot: &Snapshot<'_>,
    list: u8,
    users: &[UserId],
    limit: u32,
) -> Result<Vec<Vec<Entry>>> {
    let mut entries = snapshot.connection.prepare_cached(
        "SELECT key, value FROM entries
         WHERE list = ?2 AND conversation = (
             SELECT id FROM conversations WHERE kind = 3 AND low = ?1 AND begun_row <= ?4)
         ORDER BY key LIMIT ?3",
    )?;
    let visible = snapshot.view.visible().get();
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(Entry { key: row.get(0)?, value: row.get::<_, Vec<u8>>(1)?.into() })
    };
    let mut listed = |user: &UserId| {
        entries.query_map((key(user.get()), list, limit, visible), entry)?.collect()
    };
    users.iter().map(&mut listed).collect()
}

/// Whether `user` and each of `others` are in a group together now, in their order.
///
/// Walks over the conversations of `user` for each of them, until one is found.
pub(super) fn share_group(
    snapshot: &Snapshot<'_>,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<bool>> {
    let mut shared = snapshot.connection.prepare_cached(
        "SELECT EXISTS (
             SELECT 1 FROM members AS own
             CROSS JOIN members AS theirs
                 ON theirs.user = ?2 AND theirs.conversation = own.conversation
             CROSS JOIN conversations ON conversations.id = own.conversation
             WHERE own.user = ?1 AND own.left_seq IS NULL AND theirs.left_seq IS NULL
               AND kind = 2 AND begun_row <= ?3)",
    )?;
    let visible = snapshot.view.visible().get();
    let is_shared = |other: &UserId| {
        shared.query_row((key(user.get()), key(other.get()), visible), |row| row.get(0))
    };
    others.iter().map(is_shared).collect()
}
