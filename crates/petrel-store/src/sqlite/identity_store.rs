//! Users and their log-ins, as the embedded backend keeps them: each call of the port is
//! one piece of work for the writer or a reader.

use async_trait::async_trait;
use petrel_types::{LoginId, TimestampMs, UserId};

use super::{SqliteStore, logins, newcomers, users};
use crate::{
    BegunLogin, Digest, EndedLogin, IdentityStore, Invite, Login, LoginEnd, NewLogin,
    RefreshTokens, StoreError, User, WhichLogins,
};

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn create_invited_user(
        &self,
        username: &str,
        password_hash: &str,
        invite: &Digest,
        now: TimestampMs,
    ) -> Result<Option<User>, StoreError> {
        let (username, password_hash) = (username.to_owned(), password_hash.to_owned());
        let invite = *invite;
        self.write(move |transaction| {
            newcomers::create_invited(transaction, &username, &password_hash, &invite, now)
        })
        .await
    }

    async fn make_admin(&self, user: UserId) -> Result<bool, StoreError> {
        self.write(move |transaction| users::make_admin(transaction, user)).await
    }

    async fn has_user(&self, user: UserId) -> Result<bool, StoreError> {
        self.read(move |snapshot| newcomers::has_user(snapshot.connection, user)).await
    }

    async fn external_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<UserId>, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.read(move |snapshot| newcomers::external_user(snapshot.connection, &issuer, &subject))
            .await
    }

    async fn map_external_user(
        &self,
        issuer: &str,
        subject: &str,
        now: TimestampMs,
    ) -> Result<UserId, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.write(move |transaction| newcomers::map_external(transaction, &issuer, &subject, now))
            .await
    }

    async fn begin_login(
        &self,
        login: NewLogin,
        kept_max: u32,
        end: LoginEnd,
    ) -> Result<BegunLogin, StoreError> {
        self.write(move |transaction| logins::begin(transaction, &login, kept_max, end)).await
    }

    async fn login(&self, login: LoginId) -> Result<Option<Login>, StoreError> {
        self.read(move |snapshot| logins::login(snapshot.connection, login)).await
    }

    async fn logins_of(
        &self,
        user: UserId,
        before: Option<LoginId>,
        limit: u32,
    ) -> Result<Vec<Login>, StoreError> {
        self.read(move |snapshot| logins::logins_of(snapshot.connection, user, before, limit)).await
    }

    async fn replace_refresh_tokens(
        &self,
        login: LoginId,
        expected: &Digest,
        replacement: RefreshTokens,
        seen: TimestampMs,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        let expected = *expected;
        self.write(move |transaction| {
            logins::replace(transaction, login, &expected, &replacement, seen, expires)
        })
        .await
    }

    async fn end_logins(
        &self,
        user: UserId,
        which: WhichLogins,
        end: LoginEnd,
    ) -> Result<Vec<LoginId>, StoreError> {
        self.write(move |transaction| logins::end(transaction, user, which, end)).await
    }

    async fn ended_logins(
        &self,
        after: LoginId,
        limit: u32,
    ) -> Result<Vec<EndedLogin>, StoreError> {
        self.read(move |snapshot| logins::ended(snapshot.connection, after, limit)).await
    }

    async fn remove_expired_logins(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        self.write(move |transaction| logins::remove_expired(transaction, now, limit)).await
    }

    async fn create_invite(&self, invite: Invite) -> Result<(), StoreError> {
        self.write(move |transaction| newcomers::create_invite(transaction, &invite)).await
    }
}
