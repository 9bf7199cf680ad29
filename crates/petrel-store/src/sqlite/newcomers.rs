//! How users come to be other than by registering freely: by invite, and by the word of
//! an external issuer.

use petrel_types::{TimestampMs, UserId};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::number::{bound, key};
use super::transaction::Transaction;
use super::users;
use super::write::WriteError;
use crate::identity::{Digest, Invite, SUBJECT_BYTES_MAX};
use crate::{StoreErrorKind, User};

/// Creates a user and uses an invite up by one; `None` if it is no good.
pub(super) fn create_invited(
    transaction: &mut Transaction<'_>,
    username: &str,
    password_hash: &str,
    invite: &Digest,
    now: TimestampMs,
) -> std::result::Result<Option<User>, WriteError> {
    let connection = transaction.connection;
    let is_good: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM invites
                            WHERE digest = ?1 AND uses_left > 0 AND expires_ms > ?2)",
        )?
        .query_row(params![invite, bound(now.get())], |row| row.get(0))?;
    if !is_good {
        return Ok(None);
    }
    let user = users::create(transaction, username, password_hash, now)?;
    connection
        .prepare_cached("UPDATE invites SET uses_left = uses_left - 1 WHERE digest = ?1")?
        .execute([invite])?;
    Ok(Some(user))
}

pub(super) fn create_invite(
    transaction: &Transaction<'_>,
    invite: &Invite,
) -> std::result::Result<(), WriteError> {
    let created = transaction
        .connection
        .prepare_cached(
            "INSERT OR IGNORE INTO invites (digest, uses_left, created_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            invite.digest,
            invite.uses_left,
            invite.created.get(),
            invite.expires.get()
        ])?;
    match created {
        1 => Ok(()),
        _ => Err(WriteError::refused(StoreErrorKind::Conflict, "there is this invite already")),
    }
}

pub(super) fn external_user(
    connection: &Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<UserId>> {
    connection
        .prepare_cached("SELECT user FROM external_users WHERE issuer = ?1 AND subject = ?2")?
        .query_row([issuer, subject], |row| row.get(0).map(UserId::new))
        .optional()
}

/// Whom an issuer calls `subject`; a new user, if nobody yet.
pub(super) fn map_external(
    transaction: &mut Transaction<'_>,
    issuer: &str,
    subject: &str,
    now: TimestampMs,
) -> std::result::Result<UserId, WriteError> {
    if issuer.len().max(subject.len()) > SUBJECT_BYTES_MAX {
        let story = format!("a name of an external user is longer than {SUBJECT_BYTES_MAX} bytes");
        return Err(WriteError::refused(StoreErrorKind::Invalid, story));
    }
    let connection = transaction.connection;
    if let Some(user) = external_user(connection, issuer, subject)? {
        return Ok(user);
    }
    let user = transaction.marks.take_user();
    connection
        .prepare_cached(
            "INSERT INTO external_users (issuer, subject, user, created_ms)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![issuer, subject, user.get(), now.get()])?;
    connection.prepare_cached("UPDATE meta SET last_user = ?1")?.execute([user.get()])?;
    Ok(user)
}

pub(super) fn has_user(connection: &Connection, user: UserId) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)
                 OR EXISTS (SELECT 1 FROM external_users WHERE user = ?1)",
        )?
        .query_row([key(user.get())], |row| row.get(0))
}
