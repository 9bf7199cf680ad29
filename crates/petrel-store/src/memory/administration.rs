//! What admins read and change, in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{ConversationId, LoginId, TimestampMs, UserId};

use super::MemoryStore;
use super::state::State;
use crate::{
    AdministrationStore, AuditFilter, AuditRecord, ConversationKind, Digest, Figures, Found,
    IdentityStore, KeptRecord, KnownUser, LoginEnd, StoreError, Summary, UserChange, UserChanged,
    UserFilter, WhichLogins,
};

#[derive(Debug, Default)]
pub(super) struct Administration {
    pub(super) disabled: BTreeMap<UserId, (TimestampMs, String)>,
    pub(super) resets: BTreeMap<UserId, (Digest, TimestampMs)>,
    records: BTreeMap<u64, AuditRecord>,
    last_record: u64,
    entries: BTreeMap<(u8, String), Bytes>,
}

impl Administration {
    /// Whether the user was not disabled before.
    fn disable(&mut self, user: UserId, since: TimestampMs, reason: String) -> bool {
        match self.disabled.entry(user) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert((since, reason));
                true
            }
        }
    }

    fn keep(&mut self, record: AuditRecord) -> u64 {
        self.last_record += 1;
        self.records.insert(self.last_record, record);
        self.last_record
    }
}

impl State {
    fn is_last_admin(&self, user: UserId) -> bool {
        let is_enabled = |id: &UserId| !self.administration.disabled.contains_key(id);
        let mut admins = self.users.iter().filter(|user| user.is_admin);
        admins.clone().any(|admin| admin.id == user)
            && !admins.any(|admin| admin.id != user && is_enabled(&admin.id))
    }

    fn set_password(&mut self, user: UserId, hash: &str) -> bool {
        let user = self.users.iter_mut().find(|known| known.id == user);
        user.map(|user| hash.clone_into(&mut user.password_hash)).is_some()
    }

    fn logins_of(&self, user: UserId) -> Vec<LoginId> {
        let logins = self.identity.logins.values();
        logins.filter(|login| login.user == user).map(|login| login.id).collect()
    }

    fn personal_profile(&self, user: UserId) -> Bytes {
        let timeline = self.personal_timelines.get(&user);
        let timeline = timeline.and_then(|timeline| self.timelines.get(timeline));
        timeline.map(|timeline| timeline.summary().profile).unwrap_or_default()
    }

    fn known_users(&self) -> BTreeMap<UserId, KnownUser> {
        let disabled = |id: UserId| self.administration.disabled.get(&id).cloned();
        let nobody = |id: UserId| KnownUser {
            id,
            username: None,
            external: None,
            created: None,
            is_admin: false,
            disabled: disabled(id),
            personal: self.personal_profile(id),
        };
        let mut known: BTreeMap<_, _> =
            self.administration.disabled.keys().map(|id| (*id, nobody(*id))).collect();
        for (name, id) in &self.identity.external {
            let (external, created) =
                (Some(name.clone()), self.identity.external_since.get(id).copied());
            known.insert(*id, KnownUser { external, created, ..nobody(*id) });
        }
        for user in &self.users {
            let username = Some(user.username.clone());
            let (created, is_admin) = (Some(user.created), user.is_admin);
            let user = KnownUser { username, created, is_admin, ..nobody(user.id) };
            known.insert(user.id, user);
        }
        known
    }
}

#[async_trait]
impl AdministrationStore for MemoryStore {
    async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        record: AuditRecord,
    ) -> Result<UserChanged, StoreError> {
        let changed = match change {
            UserChange::Disable { reason, end } => {
                let state = &mut *self.state()?;
                if state.is_last_admin(user) {
                    UserChanged::LastAdmin
                } else if !state.administration.disable(user, record.at, reason) {
                    UserChanged::Already
                } else {
                    let logins = state.logins_of(user);
                    state.identity.ended.extend(logins.iter().map(|login| (*login, end)));
                    UserChanged::Done(logins)
                }
            }
            UserChange::Enable => {
                let state = &mut *self.state()?;
                if state.administration.disabled.remove(&user).is_none() {
                    UserChanged::Already
                } else {
                    state.identity.logins.retain(|_, login| login.user != user);
                    UserChanged::Done(Vec::new())
                }
            }
            UserChange::SetAdmin(admin) => {
                let state = &mut *self.state()?;
                let is_last = state.is_last_admin(user);
                match state.users.iter_mut().find(|known| known.id == user) {
                    None => UserChanged::Nobody,
                    Some(known) if known.is_admin == admin => UserChanged::Already,
                    Some(_) if !admin && is_last => UserChanged::LastAdmin,
                    Some(known) => {
                        known.is_admin = admin;
                        UserChanged::Done(Vec::new())
                    }
                }
            }
            UserChange::ResetPassword { code, expires, end } => {
                let is_somebody = self.state()?.set_password(user, "");
                if is_somebody {
                    self.state()?.administration.resets.insert(user, (code, expires));
                    UserChanged::Done(self.end_logins(user, WhichLogins::All, end).await?)
                } else {
                    UserChanged::Nobody
                }
            }
            UserChange::EndLogins(end) => {
                UserChanged::Done(self.end_logins(user, WhichLogins::All, end).await?)
            }
        };
        if matches!(changed, UserChanged::Done(_)) {
            self.state()?.administration.keep(record);
        }
        Ok(changed)
    }

    async fn known_user(&self, user: UserId) -> Result<Option<KnownUser>, StoreError> {
        Ok(self.state()?.known_users().remove(&user))
    }

    async fn users_after(
        &self,
        filter: UserFilter,
        after: UserId,
        limit: u32,
    ) -> Result<Found<KnownUser, UserId>, StoreError> {
        let users = self.state()?.known_users();
        let later = users.into_iter().filter(|(id, _)| *id > after).map(Ok);
        Found::among(later, limit, |user| filter.passes(user))
    }

    async fn disabled_users(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let state = self.state()?;
        let later = state.administration.disabled.keys().filter(|user| **user > after);
        Ok(later.take(limit as usize).copied().collect())
    }

    async fn redeem_password_reset(
        &self,
        user: UserId,
        code: Digest,
        password_hash: &str,
        end: LoginEnd,
        record: AuditRecord,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        {
            let state = &mut *self.state()?;
            let resets = &mut state.administration.resets;
            let is_good =
                |(good, expires): &(Digest, TimestampMs)| *good == code && *expires > record.at;
            if !resets.get(&user).is_some_and(is_good) {
                return Ok(None);
            }
            resets.remove(&user);
            if !state.set_password(user, password_hash) {
                return Ok(None);
            }
            state.administration.keep(record);
        }
        self.end_logins(user, WhichLogins::All, end).await.map(Some)
    }

    async fn replace_password(
        &self,
        user: UserId,
        expected: &str,
        password_hash: &str,
        kept: Option<LoginId>,
        end: LoginEnd,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        {
            let state = &mut *self.state()?;
            let known = state.users.iter_mut().find(|known| known.id == user);
            let Some(known) = known.filter(|known| known.password_hash == expected) else {
                return Ok(None);
            };
            password_hash.clone_into(&mut known.password_hash);
        }
        let which = kept.map_or(WhichLogins::All, WhichLogins::AllBut);
        self.end_logins(user, which, end).await.map(Some)
    }

    async fn keep_record(&self, record: AuditRecord) -> Result<u64, StoreError> {
        Ok(self.state()?.administration.keep(record))
    }

    async fn records_before(
        &self,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Found<KeptRecord, u64>, StoreError> {
        let state = self.state()?;
        let records = state.administration.records.iter().rev();
        let earlier = records.filter(|(number, _)| before.is_none_or(|before| **number < before));
        let earlier = earlier.map(|(number, record)| {
            Ok((*number, KeptRecord { number: *number, record: record.clone() }))
        });
        Found::among(earlier, limit, |kept: &KeptRecord| filter.passes(&kept.record))
    }

    async fn remove_records(&self, before: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        let records = &mut self.state()?.administration.records;
        let old =
            records.iter().filter(|(_, record)| record.at < before).map(|(number, _)| *number);
        let old: Vec<_> = old.take(limit as usize).collect();
        for number in &old {
            records.remove(number);
        }
        Ok(u32::try_from(old.len()).unwrap_or(limit))
    }

    async fn groups_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        let state = self.state()?;
        let later = state.timelines.iter().filter(|(id, timeline)| {
            **id > after && timeline.conversation.kind == ConversationKind::Group
        });
        Ok(later.take(limit as usize).map(|(_, timeline)| timeline.summary()).collect())
    }

    async fn put_system_entries(
        &self,
        list: u8,
        entries: Vec<(String, Option<Bytes>)>,
        record: Option<AuditRecord>,
    ) -> Result<(), StoreError> {
        let administration = &mut self.state()?.administration;
        for (key, value) in entries {
            match value {
                Some(value) => administration.entries.insert((list, key), value),
                None => administration.entries.remove(&(list, key)),
            };
        }
        if let Some(record) = record {
            administration.keep(record);
        }
        Ok(())
    }

    async fn system_entries_after(
        &self,
        list: u8,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        let state = self.state()?;
        let entries = state.administration.entries.iter();
        let later = entries
            .filter(|((of, key), _)| *of == list && after.is_none_or(|after| key.as_str() > after));
        let later = later.map(|((_, key), value)| (key.clone(), value.clone()));
        Ok(later.take(limit as usize).collect())
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        let state = self.state()?;
        let is_group = |kind| kind == ConversationKind::Group;
        Ok(Figures {
            users: (state.users.len() + state.identity.external.len()) as u64,
            disabled_users: state.administration.disabled.len() as u64,
            groups: state.timelines.values().filter(|it| is_group(it.conversation.kind)).count()
                as u64,
            logins: state.identity.logins.len() as u64,
            rows: state.last_row,
            bytes: 0,
            free_bytes: 0,
            files: state.files.complete().count() as u64,
            file_bytes: state.files.complete().sum(),
        })
    }
}
