//! Log-ins, and those that were ended before their time.
//!
//! The tables are small and rarely written, compared with messages, so each change goes
//! where it belongs. Ids come from SQLite's own mark (`AUTOINCREMENT`), which outlives the
//! rows it numbered: an access token names a log-in for longer than the log-in may live.

use petrel_types::{LoginId, TimestampMs, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::number::{bound, key};
use super::transaction::Transaction;
use super::write::WriteError;
use crate::StoreErrorKind;
use crate::identity::{
    BegunLogin, Digest, EndedLogin, Login, LoginDevice, LoginEnd, NewLogin, PreviousToken,
    RefreshTokens, WhichLogins,
};

const COLUMNS: &str = "id, user, device_id, platform, client, family, current, previous, nonce,
                       replaced_ms, created_ms, seen_ms, expires_ms";

/// Begins a log-in, and ends those that are too many.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    login: &NewLogin,
    kept_max: u32,
    end: LoginEnd,
) -> std::result::Result<BegunLogin, WriteError> {
    let connection = transaction.connection;
    let is_disabled: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM disabled_users WHERE user = ?1)")?
        .query_row([key(login.user.get())], |row| row.get(0))?;
    if is_disabled {
        return Err(WriteError::refused(StoreErrorKind::Conflict, "the user is disabled"));
    }
    let NewLogin { user, device, refresh, created, expires } = login;
    let previous = refresh.previous.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO logins (user, device_id, platform, client, family, current, previous,
                                 nonce, replaced_ms, created_ms, seen_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
        )?
        .execute(params![
            user.get(),
            device.id,
            device.platform,
            device.client,
            refresh.family,
            refresh.current,
            previous.map(|previous| previous.digest),
            previous.map(|previous| previous.nonce),
            previous.map(|previous| previous.replaced.get()),
            created.get(),
            expires.get(),
        ])?;
    let id = connection.last_insert_rowid();
    let surplus: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM logins WHERE user = ?1 AND id <> ?2
             ORDER BY seen_ms DESC, id DESC LIMIT -1 OFFSET ?3",
        )?
        .query_map(params![user.get(), id, kept_max.saturating_sub(1)], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut ended = Vec::new();
    for id in surplus {
        forget(connection, id, end)?;
        ended.push(login_id(id)?);
    }
    Ok(BegunLogin { id: login_id(id)?, ended })
}

pub(super) fn login(connection: &Connection, login: LoginId) -> Result<Option<Login>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM logins WHERE id = ?1"))?
        .query_row([key(login.get())], login_of)
        .optional()
}

pub(super) fn logins_of(
    connection: &Connection,
    user: UserId,
    before: Option<LoginId>,
    limit: u32,
) -> Result<Vec<Login>> {
    let before = before.map_or(i64::MAX, |before| bound(before.get()));
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM logins WHERE user = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
        ))?
        .query_map(params![key(user.get()), before, limit], login_of)?
        .collect()
}

/// Gives a log-in other refresh tokens, if its current one is the expected one.
pub(super) fn replace(
    transaction: &Transaction<'_>,
    login: LoginId,
    expected: &Digest,
    replacement: &RefreshTokens,
    seen: TimestampMs,
    expires: TimestampMs,
) -> std::result::Result<bool, WriteError> {
    let previous = replacement.previous.as_ref();
    let changed = transaction
        .connection
        .prepare_cached(
            "UPDATE logins SET family = ?3, current = ?4, previous = ?5, nonce = ?6,
                               replaced_ms = ?7, seen_ms = ?8, expires_ms = ?9
             WHERE id = ?1 AND current = ?2
               AND user NOT IN (SELECT user FROM disabled_users)",
        )?
        .execute(params![
            key(login.get()),
            expected,
            replacement.family,
            replacement.current,
            previous.map(|previous| previous.digest),
            previous.map(|previous| previous.nonce),
            previous.map(|previous| previous.replaced.get()),
            seen.get(),
            expires.get(),
        ])?;
    Ok(changed == 1)
}

/// Ends log-ins of a user.
pub(super) fn end(
    transaction: &Transaction<'_>,
    user: UserId,
    which: WhichLogins,
    end: LoginEnd,
) -> std::result::Result<Vec<LoginId>, WriteError> {
    let (only, but) = match which {
        WhichLogins::One(login) => (Some(key(login.get())), None),
        WhichLogins::AllBut(login) => (None, Some(key(login.get()))),
        WhichLogins::All => (None, None),
    };
    let connection = transaction.connection;
    let ids: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM logins WHERE user = ?1 AND id = coalesce(?2, id) AND id IS NOT ?3
             ORDER BY id",
        )?
        .query_map(params![key(user.get()), only, but], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut ended = Vec::new();
    for id in ids {
        forget(connection, id, end)?;
        ended.push(login_id(id)?);
    }
    Ok(ended)
}

pub(super) fn ended(
    connection: &Connection,
    after: LoginId,
    limit: u32,
) -> Result<Vec<EndedLogin>> {
    connection
        .prepare_cached(
            "SELECT id, ended_ms, remembered_until_ms FROM ended_logins WHERE id > ?1
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![bound(after.get()), limit], |row| {
            let end = LoginEnd {
                at: TimestampMs::new(row.get(1)?),
                remembered_until: TimestampMs::new(row.get(2)?),
            };
            Ok(EndedLogin { id: LoginId::new(row.get(0)?), end })
        })?
        .collect()
}

/// Removes what has expired, so many of each kind.
pub(super) fn remove_expired(
    transaction: &Transaction<'_>,
    now: TimestampMs,
    limit: u32,
) -> std::result::Result<u32, WriteError> {
    let mut most = 0;
    for (table, time) in [
        ("logins", "expires_ms"),
        ("ended_logins", "remembered_until_ms"),
        ("invites", "expires_ms"),
        ("password_resets", "expires_ms"),
    ] {
        let removed = transaction
            .connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE rowid IN (
                     SELECT rowid FROM {table} WHERE {time} <= ?1 LIMIT ?2)"
            ))?
            .execute(params![bound(now.get()), limit])?;
        most = most.max(removed);
    }
    Ok(u32::try_from(most).unwrap_or(u32::MAX))
}

/// Ends all log-ins of a user and keeps them, so that their refresh tokens can be told from
/// those of nobody: for a user who is disabled.
pub(super) fn end_and_keep(
    connection: &Connection,
    user: UserId,
    end: LoginEnd,
) -> Result<Vec<LoginId>> {
    let ids: Vec<i64> = connection
        .prepare_cached("SELECT id FROM logins WHERE user = ?1 ORDER BY id")?
        .query_map([key(user.get())], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let mut ended = Vec::new();
    for id in ids {
        remember(connection, id, end)?;
        ended.push(login_id(id)?);
    }
    Ok(ended)
}

fn forget(connection: &Connection, id: i64, end: LoginEnd) -> Result<()> {
    connection.prepare_cached("DELETE FROM logins WHERE id = ?1")?.execute([id])?;
    remember(connection, id, end)
}

fn remember(connection: &Connection, id: i64, end: LoginEnd) -> Result<()> {
    // One of a disabled user may have been ended before.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO ended_logins (id, ended_ms, remembered_until_ms)
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![id, end.at.get(), end.remembered_until.get()])?;
    Ok(())
}

fn login_id(id: i64) -> Result<LoginId> {
    let out_of_range = |_| rusqlite::Error::IntegralValueOutOfRange(0, id);
    u64::try_from(id).map(LoginId::new).map_err(out_of_range)
}

fn login_of(row: &Row<'_>) -> Result<Login> {
    let previous = match (row.get(7)?, row.get(8)?, row.get::<_, Option<u64>>(9)?) {
        (Some(digest), Some(nonce), Some(replaced)) => {
            Some(PreviousToken { digest, nonce, replaced: TimestampMs::new(replaced) })
        }
        _ => None,
    };
    Ok(Login {
        id: LoginId::new(row.get(0)?),
        user: UserId::new(row.get(1)?),
        device: LoginDevice { id: row.get(2)?, platform: row.get(3)?, client: row.get(4)? },
        refresh: RefreshTokens { family: row.get(5)?, current: row.get(6)?, previous },
        created: TimestampMs::new(row.get(10)?),
        seen: TimestampMs::new(row.get(11)?),
        expires: TimestampMs::new(row.get(12)?),
    })
}
