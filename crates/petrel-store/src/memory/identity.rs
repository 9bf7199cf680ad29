//! Log-ins, users of external issuers and invites, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use petrel_types::{LoginId, TimestampMs, UserId};

use super::MemoryStore;
use super::state::State;
use crate::{
    BegunLogin, Digest, EndedLogin, IdentityStore, Invite, Login, LoginEnd, NewLogin,
    RefreshTokens, SUBJECT_BYTES_MAX, Store, StoreError, StoreErrorKind, User, WhichLogins,
};

#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) external: BTreeMap<(String, String), UserId>,
    pub(super) external_since: BTreeMap<UserId, TimestampMs>,
    pub(super) logins: BTreeMap<LoginId, Login>,
    pub(super) ended: BTreeMap<LoginId, LoginEnd>,
    invites: BTreeMap<Digest, Invite>,
    last_login: u64,
}

impl State {
    /// Hands out the next local user id.
    pub(super) fn take_user(&self) -> UserId {
        let taken = self.users.len() + self.identity.external.len();
        UserId::new(UserId::LOCAL_FIRST.get() + taken as u64)
    }
}

impl Identity {
    pub(super) fn end(&mut self, login: LoginId, end: LoginEnd) {
        self.logins.remove(&login);
        self.ended.insert(login, end);
    }
}

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn create_invited_user(
        &self,
        username: &str,
        password_hash: &str,
        invite: &Digest,
        now: TimestampMs,
    ) -> Result<Option<User>, StoreError> {
        let is_good = |invite: &Invite| invite.uses_left > 0 && invite.expires > now;
        if !self.state()?.identity.invites.get(invite).is_some_and(is_good) {
            return Ok(None);
        }
        // Nobody else redeems it in between: there is no other task in a simulation.
        let user = self.create_user(username, password_hash, now).await?;
        if let Some(invite) = self.state()?.identity.invites.get_mut(invite) {
            invite.uses_left -= 1;
        }
        Ok(Some(user))
    }

    async fn make_admin(&self, id: UserId) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let user = state.users.iter_mut().find(|user| user.id == id);
        Ok(user.map(|user| user.is_admin = true).is_some())
    }

    async fn has_user(&self, id: UserId) -> Result<bool, StoreError> {
        let state = self.state()?;
        let is_external = state.identity.external.values().any(|user| *user == id);
        Ok(is_external || state.users.iter().any(|user| user.id == id))
    }

    async fn external_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<UserId>, StoreError> {
        let name = (issuer.to_owned(), subject.to_owned());
        Ok(self.state()?.identity.external.get(&name).copied())
    }

    async fn map_external_user(
        &self,
        issuer: &str,
        subject: &str,
        now: TimestampMs,
    ) -> Result<UserId, StoreError> {
        if issuer.len().max(subject.len()) > SUBJECT_BYTES_MAX {
            return Err(StoreError::new(StoreErrorKind::Invalid, "a name is too long"));
        }
        let mut state = self.state()?;
        let next = state.take_user();
        let name = (issuer.to_owned(), subject.to_owned());
        let identity = &mut state.identity;
        let user = *identity.external.entry(name).or_insert(next);
        identity.external_since.entry(user).or_insert(now);
        Ok(user)
    }

    async fn begin_login(
        &self,
        login: NewLogin,
        kept_max: u32,
        end: LoginEnd,
    ) -> Result<BegunLogin, StoreError> {
        let mut state = self.state()?;
        if state.administration.disabled.contains_key(&login.user) {
            return Err(StoreError::new(StoreErrorKind::Conflict, "the user is disabled"));
        }
        let identity = &mut state.identity;
        let NewLogin { user, device, refresh, created, expires } = login;
        let own = identity.logins.values().filter(|login| login.user == user);
        let mut others: Vec<_> = own.map(|login| (login.seen, login.id)).collect();
        others.sort_unstable_by(|one, other| other.cmp(one));
        let kept = kept_max.saturating_sub(1) as usize;
        let ended: Vec<_> = others.into_iter().skip(kept).map(|(_, id)| id).collect();
        for login in &ended {
            identity.end(*login, end);
        }
        identity.last_login += 1;
        let id = LoginId::new(identity.last_login);
        let login = Login { id, user, device, refresh, created, seen: created, expires };
        identity.logins.insert(id, login);
        Ok(BegunLogin { id, ended })
    }

    async fn login(&self, login: LoginId) -> Result<Option<Login>, StoreError> {
        Ok(self.state()?.identity.logins.get(&login).cloned())
    }

    async fn logins_of(
        &self,
        user: UserId,
        before: Option<LoginId>,
        limit: u32,
    ) -> Result<Vec<Login>, StoreError> {
        let state = self.state()?;
        let newest_first = state.identity.logins.values().rev();
        let own = newest_first.filter(|login| login.user == user);
        let page = own.filter(|login| before.is_none_or(|before| login.id < before));
        Ok(page.take(limit as usize).cloned().collect())
    }

    async fn replace_refresh_tokens(
        &self,
        login: LoginId,
        expected: &Digest,
        replacement: RefreshTokens,
        seen: TimestampMs,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        let state = &mut *self.state()?;
        let disabled = &state.administration.disabled;
        let login = state.identity.logins.get_mut(&login);
        let is_expected = |login: &&mut Login| {
            login.refresh.current == *expected && !disabled.contains_key(&login.user)
        };
        let Some(login) = login.filter(is_expected) else {
            return Ok(false);
        };
        (login.refresh, login.seen, login.expires) = (replacement, seen, expires);
        Ok(true)
    }

    async fn end_logins(
        &self,
        user: UserId,
        which: WhichLogins,
        end: LoginEnd,
    ) -> Result<Vec<LoginId>, StoreError> {
        let identity = &mut self.state()?.identity;
        let is_meant = |login: &&Login| {
            login.user == user
                && match which {
                    WhichLogins::One(one) => login.id == one,
                    WhichLogins::AllBut(one) => login.id != one,
                    WhichLogins::All => true,
                }
        };
        let ids: Vec<_> = identity.logins.values().filter(is_meant).map(|it| it.id).collect();
        for login in &ids {
            identity.end(*login, end);
        }
        Ok(ids)
    }

    async fn ended_logins(
        &self,
        after: LoginId,
        limit: u32,
    ) -> Result<Vec<EndedLogin>, StoreError> {
        let state = self.state()?;
        let later = state.identity.ended.iter().filter(|(id, _)| **id > after);
        let ended = later.map(|(id, end)| EndedLogin { id: *id, end: *end });
        Ok(ended.take(limit as usize).collect())
    }

    async fn remove_expired_logins(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        let state = &mut *self.state()?;
        let identity = &mut state.identity;
        let most = [
            remove_some(&mut identity.logins, limit, |login| login.expires <= now),
            remove_some(&mut identity.ended, limit, |end| end.remembered_until <= now),
            remove_some(&mut identity.invites, limit, |invite| invite.expires <= now),
            remove_some(&mut state.administration.resets, limit, |(_, expires)| *expires <= now),
        ];
        Ok(most.into_iter().max().unwrap_or(0))
    }

    async fn create_invite(&self, invite: Invite) -> Result<(), StoreError> {
        let invites = &mut self.state()?.identity.invites;
        if invites.contains_key(&invite.digest) {
            return Err(StoreError::new(StoreErrorKind::Conflict, "there is this invite already"));
        }
        invites.insert(invite.digest, invite);
        Ok(())
    }
}

/// Removes up to `limit` values that are over. Returns how many there were.
fn remove_some<K: Clone + Ord, V>(
    values: &mut BTreeMap<K, V>,
    limit: u32,
    is_over: impl Fn(&V) -> bool,
) -> u32 {
    let over = values.iter().filter(|(_, value)| is_over(value)).map(|(key, _)| key.clone());
    let over: Vec<_> = over.take(limit as usize).collect();
    for key in &over {
        values.remove(key);
    }
    u32::try_from(over.len()).unwrap_or(limit)
}
