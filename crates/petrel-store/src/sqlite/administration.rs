//! What admins read and change: see the port.

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{ConversationId, LoginId, TimestampMs, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::number::{bound, key};
use super::reader::Snapshot;
use super::transaction::Transaction;
use super::write::WriteError;
use super::{SqliteStore, audit, conversations, logins, system_entries};
use crate::{
    AdministrationStore, AuditFilter, AuditRecord, Digest, Figures, Found, KeptRecord, KnownUser,
    LoginEnd, StoreError, Summary, UserChange, UserChanged, UserFilter, WhichLogins,
};

/// What stands in the place of a password's hash while there is no password.
const NO_PASSWORD: &str = "";

/// Everybody there is, with the profile of the personal timeline, in three sorted lists that
/// SQLite merges.
const USERS: &str = "
SELECT id, username, NULL AS issuer, NULL AS subject, created_ms, is_admin, since_ms, reason,
  (SELECT profile FROM conversations WHERE kind = 3 AND low = users.id AND begun_row <= ?3)
FROM users LEFT JOIN disabled_users ON disabled_users.user = users.id
WHERE id BETWEEN ?1 AND ?2
UNION ALL
SELECT external_users.user, NULL, issuer, subject, created_ms, 0, since_ms, reason,
  (SELECT profile FROM conversations
   WHERE kind = 3 AND low = external_users.user AND begun_row <= ?3)
FROM external_users LEFT JOIN disabled_users USING (user)
WHERE external_users.user BETWEEN ?1 AND ?2
UNION ALL
SELECT user, NULL, NULL, NULL, NULL, 0, since_ms, reason,
  (SELECT profile FROM conversations
   WHERE kind = 3 AND low = disabled_users.user AND begun_row <= ?3)
FROM disabled_users
WHERE user BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM users WHERE id = user)
  AND NOT EXISTS (SELECT 1 FROM external_users AS mapped WHERE mapped.user = disabled_users.user)
ORDER BY 1";

fn change_user(
    transaction: &Transaction<'_>,
    user: UserId,
    change: &UserChange,
    record: &AuditRecord,
) -> std::result::Result<UserChanged, WriteError> {
    let connection = transaction.connection;
    let changed = match change {
        UserChange::Disable { reason, end } => disable(connection, user, reason, record.at, *end)?,
        UserChange::Enable => enable(connection, user)?,
        UserChange::SetAdmin(admin) => set_admin(connection, user, *admin)?,
        UserChange::ResetPassword { code, expires, end } => {
            if set_password(connection, user, NO_PASSWORD)? {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO password_resets (user, code, created_ms, expires_ms)
                         VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![user.get(), code, record.at.get(), expires.get()])?;
                UserChanged::Done(logins::end(transaction, user, WhichLogins::All, *end)?)
            } else {
                UserChanged::Nobody
            }
        }
        UserChange::EndLogins(end) => {
            UserChanged::Done(logins::end(transaction, user, WhichLogins::All, *end)?)
        }
    };
    #[cfg(feature = "mutants")]
    if crate::mutants::is("audit-not-kept") {
        return Ok(changed);
    }
    if matches!(changed, UserChanged::Done(_)) {
        audit::keep(connection, record)?;
    }
    Ok(changed)
}

fn disable(
    connection: &Connection,
    user: UserId,
    reason: &str,
    now: TimestampMs,
    end: LoginEnd,
) -> Result<UserChanged> {
    if is_last_admin(connection, user)? {
        return Ok(UserChanged::LastAdmin);
    }
    let disabled = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO disabled_users (user, since_ms, reason) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![user.get(), now.get(), reason])?;
    if disabled == 0 {
        return Ok(UserChanged::Already);
    }
    #[cfg(feature = "mutants")]
    if crate::mutants::is("disabled-keeps-log-ins") {
        return Ok(UserChanged::Done(Vec::new()));
    }
    logins::end_and_keep(connection, user, end).map(UserChanged::Done)
}

fn enable(connection: &Connection, user: UserId) -> Result<UserChanged> {
    let enabled = connection
        .prepare_cached("DELETE FROM disabled_users WHERE user = ?1")?
        .execute([key(user.get())])?;
    if enabled == 0 {
        return Ok(UserChanged::Already);
    }
    connection.prepare_cached("DELETE FROM logins WHERE user = ?1")?.execute([key(user.get())])?;
    Ok(UserChanged::Done(Vec::new()))
}

fn set_admin(connection: &Connection, user: UserId, admin: bool) -> Result<UserChanged> {
    let is_admin: Option<bool> = connection
        .prepare_cached("SELECT is_admin FROM users WHERE id = ?1")?
        .query_row([key(user.get())], |row| row.get(0))
        .optional()?;
    match is_admin {
        None => return Ok(UserChanged::Nobody),
        Some(is_admin) if is_admin == admin => return Ok(UserChanged::Already),
        Some(_) if !admin && is_last_admin(connection, user)? => return Ok(UserChanged::LastAdmin),
        Some(_) => {}
    }
    connection
        .prepare_cached("UPDATE users SET is_admin = ?2 WHERE id = ?1")?
        .execute(params![key(user.get()), admin])?;
    Ok(UserChanged::Done(Vec::new()))
}

/// Whether a user is the only admin who can act.
fn is_last_admin(connection: &Connection, user: UserId) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND is_admin)
                AND NOT EXISTS (SELECT 1 FROM users
                                WHERE is_admin AND id <> ?1
                                  AND id NOT IN (SELECT user FROM disabled_users))",
        )?
        .query_row([key(user.get())], |row| row.get(0))
}

fn set_password(connection: &Connection, user: UserId, hash: &str) -> Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?
        .execute(params![key(user.get()), hash])?;
    Ok(changed == 1)
}

fn redeem(
    transaction: &Transaction<'_>,
    user: UserId,
    code: &Digest,
    password_hash: &str,
    end: LoginEnd,
    record: &AuditRecord,
) -> std::result::Result<Option<Vec<LoginId>>, WriteError> {
    let connection = transaction.connection;
    let redeemed = connection
        .prepare_cached(
            "DELETE FROM password_resets WHERE user = ?1 AND code = ?2 AND expires_ms > ?3",
        )?
        .execute(params![key(user.get()), code, bound(record.at.get())])?;
    if redeemed == 0 || !set_password(connection, user, password_hash)? {
        return Ok(None);
    }
    audit::keep(connection, record)?;
    Ok(Some(logins::end(transaction, user, WhichLogins::All, end)?))
}

fn replace_password(
    transaction: &Transaction<'_>,
    user: UserId,
    expected: &str,
    password_hash: &str,
    kept: Option<LoginId>,
    end: LoginEnd,
) -> std::result::Result<Option<Vec<LoginId>>, WriteError> {
    let replaced = transaction
        .connection
        .prepare_cached("UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2")?
        .execute(params![key(user.get()), expected, password_hash])?;
    if replaced == 0 {
        return Ok(None);
    }
    let which = kept.map_or(WhichLogins::All, WhichLogins::AllBut);
    Ok(Some(logins::end(transaction, user, which, end)?))
}

fn known_user(snapshot: &Snapshot<'_>, user: UserId) -> Result<Option<KnownUser>> {
    let (id, visible) = (key(user.get()), snapshot.view.visible().get());
    let mut users = snapshot.connection.prepare_cached(USERS)?;
    users.query_row((id, id, visible), known_user_of).optional()
}

fn users_after(
    snapshot: &Snapshot<'_>,
    filter: UserFilter,
    after: UserId,
    limit: u32,
) -> Result<Found<KnownUser, UserId>> {
    let Some(first) = bound(after.get()).checked_add(1) else {
        return Ok(Found { items: Vec::new(), next: None });
    };
    let mut users = snapshot.connection.prepare_cached(USERS)?;
    let visible = snapshot.view.visible().get();
    let users = users.query_map((first, i64::MAX, visible), known_user_of)?;
    Found::among(users.map(|user| user.map(|user| (user.id, user))), limit, |user| {
        filter.passes(user)
    })
}

fn known_user_of(row: &Row<'_>) -> Result<KnownUser> {
    let external = row.get::<_, Option<String>>(2)?.zip(row.get(3)?);
    let since = row.get::<_, Option<u64>>(6)?.map(TimestampMs::new);
    Ok(KnownUser {
        id: UserId::new(row.get(0)?),
        username: row.get(1)?,
        external,
        created: row.get::<_, Option<u64>>(4)?.map(TimestampMs::new),
        is_admin: row.get(5)?,
        disabled: since.zip(row.get(7)?),
        personal: row.get::<_, Option<Vec<u8>>>(8)?.unwrap_or_default().into(),
    })
}

fn disabled_users(connection: &Connection, after: UserId, limit: u32) -> Result<Vec<UserId>> {
    connection
        .prepare_cached("SELECT user FROM disabled_users WHERE user > ?1 ORDER BY user LIMIT ?2")?
        .query_map(params![bound(after.get()), limit], |row| Ok(UserId::new(row.get(0)?)))?
        .collect()
}

fn figures(connection: &Connection, rows: u64) -> Result<Figures> {
    let count = |sql: &str| -> Result<u64> {
        connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let page_bytes = count("SELECT page_size FROM pragma_page_size")?;
    let last_user = count("SELECT last_user FROM meta")?;
    Ok(Figures {
        // Ids are given in order, and none is given up.
        users: last_user.saturating_sub(UserId::LOCAL_FIRST.get() - 1),
        disabled_users: count("SELECT count(*) FROM disabled_users")?,
        groups: count("SELECT count(*) FROM conversations WHERE kind = 2")?,
        logins: count("SELECT count(*) FROM logins")?,
        rows,
        bytes: page_bytes * count("SELECT page_count FROM pragma_page_count")?,
        free_bytes: page_bytes * count("SELECT freelist_count FROM pragma_freelist_count")?,
        files: count("SELECT count(*) FROM files WHERE digest IS NOT NULL")?,
        file_bytes: count("SELECT coalesce(sum(size), 0) FROM files WHERE digest IS NOT NULL")?,
    })
}

#[async_trait]
impl AdministrationStore for SqliteStore {
    async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        record: AuditRecord,
    ) -> std::result::Result<UserChanged, StoreError> {
        self.write(move |transaction| change_user(transaction, user, &change, &record)).await
    }

    async fn known_user(&self, user: UserId) -> std::result::Result<Option<KnownUser>, StoreError> {
        self.read(move |snapshot| known_user(snapshot, user)).await
    }

    async fn users_after(
        &self,
        filter: UserFilter,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<Found<KnownUser, UserId>, StoreError> {
        self.read(move |snapshot| users_after(snapshot, filter, after, limit)).await
    }

    async fn disabled_users(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<Vec<UserId>, StoreError> {
        self.read(move |snapshot| disabled_users(snapshot.connection, after, limit)).await
    }

    async fn redeem_password_reset(
        &self,
        user: UserId,
        code: Digest,
        password_hash: &str,
        end: LoginEnd,
        record: AuditRecord,
    ) -> std::result::Result<Option<Vec<LoginId>>, StoreError> {
        let hash = password_hash.to_owned();
        self.write(move |transaction| redeem(transaction, user, &code, &hash, end, &record)).await
    }

    async fn replace_password(
        &self,
        user: UserId,
        expected: &str,
        password_hash: &str,
        kept: Option<LoginId>,
        end: LoginEnd,
    ) -> std::result::Result<Option<Vec<LoginId>>, StoreError> {
        let (expected, hash) = (expected.to_owned(), password_hash.to_owned());
        self.write(move |transaction| {
            replace_password(transaction, user, &expected, &hash, kept, end)
        })
        .await
    }

    async fn keep_record(&self, record: AuditRecord) -> std::result::Result<u64, StoreError> {
        self.write(move |transaction| Ok(audit::keep(transaction.connection, &record)?)).await
    }

    async fn records_before(
        &self,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> std::result::Result<Found<KeptRecord, u64>, StoreError> {
        self.read(move |snapshot| audit::before(snapshot.connection, &filter, before, limit)).await
    }

    async fn remove_records(
        &self,
        before: TimestampMs,
        limit: u32,
    ) -> std::result::Result<u32, StoreError> {
        self.write(move |transaction| Ok(audit::remove(transaction.connection, before, limit)?))
            .await
    }

    async fn groups_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> std::result::Result<Vec<Summary>, StoreError> {
        self.read(move |snapshot| conversations::groups_after(snapshot, after, limit)).await
    }

    async fn put_system_entries(
        &self,
        list: u8,
        entries: Vec<(String, Option<Bytes>)>,
        record: Option<AuditRecord>,
    ) -> std::result::Result<(), StoreError> {
        self.write(move |transaction| {
            system_entries::put(transaction.connection, list, &entries)?;
            if let Some(record) = &record {
                audit::keep(transaction.connection, record)?;
            }
            Ok(())
        })
        .await
    }

    async fn system_entries_after(
        &self,
        list: u8,
        after: Option<&str>,
        limit: u32,
    ) -> std::result::Result<Vec<(String, Bytes)>, StoreError> {
        let after = after.map(str::to_owned);
        self.read(move |snapshot| {
            system_entries::after(snapshot.connection, list, after.as_deref(), limit)
        })
        .await
    }

    async fn figures(&self) -> std::result::Result<Figures, StoreError> {
        self.read(move |snapshot| figures(snapshot.connection, snapshot.view.visible().get())).await
    }
}
