//! Locally registered users.

use petrel_types::{TimestampMs, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::number::key;
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{StoreErrorKind, User};

/// Creates a user with the next local id.
pub(super) fn create(
    transaction: &mut Transaction<'_>,
    username: &str,
    password_hash: &str,
    now: TimestampMs,
) -> std::result::Result<User, WriteError> {
    let connection = transaction.connection;
    if by_name(connection, username)?.is_some() {
        return Err(WriteError::refused(
            StoreErrorKind::Conflict,
            format!("the username {username} is taken"),
        ));
    }
    let user = User {
        id: transaction.marks.take_user(),
        username: username.to_owned(),
        password_hash: password_hash.to_owned(),
        created: now,
        is_admin: false,
    };
    connection
        .prepare_cached(
            "INSERT INTO users (id, username, username_key, password_hash, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            user.id.get(),
            username,
            username.to_ascii_lowercase(),
            password_hash,
            now.get(),
        ))?;
    connection.prepare_cached("UPDATE meta SET last_user = ?1")?.execute([user.id.get()])?;
    Ok(user)
}

pub(super) fn by_name(connection: &Connection, username: &str) -> Result<Option<User>> {
    connection
        .prepare_cached(
            "SELECT id, username, password_hash, created_ms, is_admin FROM users
             WHERE username_key = ?1",
        )?
        .query_row([username.to_ascii_lowercase()], user_of)
        .optional()
}

pub(super) fn by_id(connection: &Connection, user: UserId) -> Result<Option<User>> {
    connection
        .prepare_cached(
            "SELECT id, username, password_hash, created_ms, is_admin FROM users WHERE id = ?1",
        )?
        .query_row([key(user.get())], user_of)
        .optional()
}

/// Makes a registered user an admin. Returns whether there is such a user.
pub(super) fn make_admin(
    transaction: &Transaction<'_>,
    user: UserId,
) -> std::result::Result<bool, WriteError> {
    let changed = transaction
        .connection
        .prepare_cached("UPDATE users SET is_admin = 1 WHERE id = ?1")?
        .execute([key(user.get())])?;
    Ok(changed == 1)
}

fn user_of(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: UserId::new(row.get(0)?),
        username: row.get(1)?,
        password_hash: row.get(2)?,
        created: TimestampMs::new(row.get(3)?),
        is_admin: row.get(4)?,
    })
}
