//! Log-ins: how they begin, go on by refreshing, and end.

use std::sync::PoisonError;
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Device, Devices, LoggedIn, Revoked};
use petrel_protocol::token::{Claims, LOCAL_ISSUER};
use petrel_store::{
    EndedLogin, Login, LoginDevice, LoginEnd, NewLogin, StoreError, User, WhichLogins,
};
use petrel_types::{LoginId, TimestampMs, UserId};

use super::lockout::of_begun;
use super::refresh::{Presented, RefreshToken, first_tokens};
use super::{Authenticated, Ended, Identity, millis, of_store, random};
use crate::Refusal;

/// How often refreshing looks again when somebody else was faster. Twice is enough: then
/// the token is the previous one.
const REFRESH_ATTEMPTS: usize = 4;

/// The most log-ins of one page.
pub const DEVICES_PAGE_MAX: u32 = 100;

/// How often what has expired is removed, and how much at once.
const REMOVE_EVERY: Duration = Duration::from_secs(10 * 60);
const REMOVED_AT_ONCE: u32 = 1000;

/// Log-ins that were ended are read in pages of this size at a start.
const ENDED_PER_PAGE: u32 = 1000;

/// Access tokens are remembered as revoked for longer than they last, because the second
/// in which one was issued is rounded.
const REMEMBERED_LONGER_MS: u64 = 2000;

impl Identity {
    /// Begins a log-in of a user whose password was right.
    pub(super) async fn begin_login(
        &self,
        user: User,
        device: LoginDevice,
    ) -> Result<LoggedIn, Refusal> {
        let now = self.clock.now();
        let seed = random()?;
        let login = NewLogin {
            user: user.id,
            device,
            refresh: first_tokens(&seed),
            created: now,
            expires: self.login_expires(now),
        };
        let (kept_max, end) = (self.settings.logins_per_user_max, self.end_now());
        let begun = self.store.begin_login(login, kept_max, end).await.map_err(of_begun)?;
        self.ended(user.id, &begun.ended, end);
        let token = RefreshToken::first(begun.id, &seed);
        Ok(self.logged_in(user, begun.id, &token))
    }

    /// Trades a refresh token for the next one and an access token.
    ///
    /// A token that was traded before, and whose successor is unused, gets the same
    /// successor once more for a minute; later its reuse ends the log-in, because two
    /// people hold it.
    pub async fn refresh(&self, token: &str) -> Result<LoggedIn, Refusal> {
        let token = RefreshToken::parse(token).ok_or_else(invalid)?;
        for _ in 0..REFRESH_ATTEMPTS {
            let login = self.store.login(token.login()).await.map_err(of_store)?;
            let login = login.ok_or_else(invalid)?;
            let now = self.clock.now();
            if token.presented(&login, now, 0) != Presented::Invalid {
                self.check_enabled(login.user)?;
            }
            match token.presented(&login, now, millis(self.settings.refresh_grace)) {
                Presented::Invalid => return Err(invalid()),
                Presented::Repeat { nonce } => {
                    return self.refreshed(&login, &token.successor(&nonce)).await;
                }
                Presented::Rotate => {
                    let nonce = random()?;
                    if self.rotate(&login, &token, nonce, now).await.map_err(of_store)? {
                        return self.refreshed(&login, &token.successor(&nonce)).await;
                    }
                    // Somebody else was faster: look again.
                }
                Presented::Reused => {
                    tracing::warn!(
                        user = %login.user, login = %login.id,
                        "a refresh token was used again after its successor; the log-in is ended"
                    );
                    self.end_logins(login.user, WhichLogins::One(login.id)).await?;
                    return Err(invalid());
                }
            }
        }
        Err(Refusal::new(ErrorReason::ServerBusy, "the log-in is refreshed by many at once"))
    }

    async fn rotate(
        &self,
        login: &Login,
        token: &RefreshToken,
        nonce: [u8; 32],
        now: TimestampMs,
    ) -> Result<bool, StoreError> {
        let replacement = token.replaced(nonce, now);
        // A clock that was set back does not make a log-in older than it is.
        let seen = now.max(login.seen);
        let expires = self.login_expires(seen);
        let expected = login.refresh.current;
        self.store.replace_refresh_tokens(login.id, &expected, replacement, seen, expires).await
    }

    async fn refreshed(&self, login: &Login, token: &RefreshToken) -> Result<LoggedIn, Refusal> {
        let user = self.store.user(login.user).await.map_err(of_store)?.ok_or_else(invalid)?;
        Ok(self.logged_in(user, login.id, token))
    }

    /// Ends the log-in of a refresh token. One that is no longer the current one will do:
    /// whoever wants it ended has held it.
    pub async fn logout_by_refresh_token(&self, token: &str) -> Result<(), Refusal> {
        let token = RefreshToken::parse(token).ok_or_else(invalid)?;
        let login = self.store.login(token.login()).await.map_err(of_store)?.ok_or_else(invalid)?;
        if token.presented(&login, self.clock.now(), 0) == Presented::Invalid {
            return Err(invalid());
        }
        self.end_logins(login.user, WhichLogins::One(login.id)).await.map(drop)
    }

    /// Ends the log-in of an access token. One that belongs to none just expires.
    pub async fn logout(&self, who: Authenticated) -> Result<(), Refusal> {
        match who.login {
            Some(login) => self.end_logins(who.user, WhichLogins::One(login)).await.map(drop),
            None => Ok(()),
        }
    }

    /// A page of the log-ins of a user, newest first.
    pub async fn devices(
        &self,
        who: Authenticated,
        before: Option<LoginId>,
        limit: Option<u32>,
    ) -> Result<Devices, Refusal> {
        let limit = limit.unwrap_or(DEVICES_PAGE_MAX).clamp(1, DEVICES_PAGE_MAX);
        let mut logins =
            self.store.logins_of(who.user, before, limit + 1).await.map_err(of_store)?;
        let more = logins.len() > limit as usize;
        logins.truncate(limit as usize);
        let now = self.clock.now();
        let devices = logins.into_iter().filter(|login| login.expires > now).map(|login| Device {
            login_id: login.id,
            device_id: login.device.id,
            platform: login.device.platform,
            client: login.device.client,
            created_ts: login.created,
            seen_ts: login.seen,
            expires_ts: login.expires,
            current: who.login == Some(login.id),
        });
        Ok(Devices { devices: devices.collect(), more })
    }

    /// Ends one log-in of a user.
    pub async fn revoke(&self, who: Authenticated, login: LoginId) -> Result<(), Refusal> {
        match self.end_logins(who.user, WhichLogins::One(login)).await?.is_empty() {
            false => Ok(()),
            true => Err(Refusal::new(
                ErrorReason::DeviceNotFound,
                format!("you have no log-in {login}; GET /api/devices lists those you have"),
            )),
        }
    }

    /// Ends all log-ins of a user but the one that asks.
    pub async fn revoke_others(&self, who: Authenticated) -> Result<Revoked, Refusal> {
        let which = who.login.map_or(WhichLogins::All, WhichLogins::AllBut);
        let ended = self.end_logins(who.user, which).await?;
        Ok(Revoked { revoked: ended.len() as u64 })
    }

    /// Whether a log-in was ended while its access tokens were good.
    pub fn is_revoked(&self, login: LoginId) -> bool {
        self.revocations.lock().unwrap_or_else(PoisonError::into_inner).contains(login)
    }

    /// Calls `tell` with everything that is ended from now on, after it is durable and its
    /// tokens are refused. Only the first one who asks is told.
    pub fn tell_revocations(&self, tell: impl Fn(UserId, Ended) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(tell));
    }

    /// Removes what has expired, now and every so often, for ever.
    pub async fn remove_expired(&self) {
        loop {
            let removed = self.store.remove_expired_logins(self.clock.now(), REMOVED_AT_ONCE).await;
            match removed {
                Ok(REMOVED_AT_ONCE..) => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "expired log-ins can't be removed now"),
            }
            tokio::time::sleep(REMOVE_EVERY).await;
        }
    }

    /// Learns at a start whose access tokens are to be refused.
    pub(super) async fn recall_ended_logins(&self) -> Result<(), StoreError> {
        let mut after = LoginId::default();
        loop {
            let page = self.store.ended_logins(after, ENDED_PER_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let mut revocations = self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
            for ended in page {
                revocations.add(ended, self.clock.now());
            }
        }
    }

    async fn end_logins(&self, user: UserId, which: WhichLogins) -> Result<Vec<LoginId>, Refusal> {
        let end = self.end_now();
        let ended = self.store.end_logins(user, which, end).await.map_err(of_store)?;
        self.ended(user, &ended, end);
        Ok(ended)
    }

    /// Log-ins are ended on disk; now also here.
    pub(super) fn ended(&self, user: UserId, logins: &[LoginId], end: LoginEnd) {
        for id in logins {
            tracing::info!(%user, login = %id, "a log-in was ended");
            let ended = EndedLogin { id: *id, end };
            let revocations = self.revocations.lock();
            revocations.unwrap_or_else(PoisonError::into_inner).add(ended, self.clock.now());
            self.tell(user, Ended::Login(*id));
        }
    }

    pub(super) fn tell(&self, user: UserId, ended: Ended) {
        if let Some(tell) = self.listener.get() {
            tell(user, ended);
        }
    }

    pub(crate) fn end_now(&self) -> LoginEnd {
        let at = self.clock.now();
        let ttl_ms = millis(self.settings.access_token_ttl);
        let until = at.get().saturating_add(ttl_ms).saturating_add(REMEMBERED_LONGER_MS);
        LoginEnd { at, remembered_until: TimestampMs::new(until) }
    }

    fn login_expires(&self, now: TimestampMs) -> TimestampMs {
        TimestampMs::new(now.get().saturating_add(millis(self.settings.login_ttl)))
    }

    fn logged_in(&self, user: User, login: LoginId, token: &RefreshToken) -> LoggedIn {
        let expires_in = self.settings.access_token_ttl.as_secs().max(1);
        let claims = Claims::access(LOCAL_ISSUER, user.id, self.clock.now(), expires_in);
        let claims = Claims { sid: Some(login), ..claims };
        LoggedIn {
            user_id: user.id,
            username: user.username,
            login_id: login,
            access_token: self.issuers.local.sign(&claims),
            expires_in,
            refresh_token: Some(token.to_text()),
            refresh_expires_in: self.settings.login_ttl.as_secs(),
        }
    }
}

fn invalid() -> Refusal {
    Refusal::new(
        ErrorReason::InvalidRefreshToken,
        "the refresh token is unknown, expired, replaced or revoked; log in again",
    )
}
