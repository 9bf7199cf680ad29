//! Users, as admins see and change them.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Role;
use petrel_protocol::http::admin::{
    AdminMembership, AdminUser, AdminUserGroups, AdminUserShown, AdminUsers, AuditAction,
    LoginsEnded, NewUser, PasswordReset,
};
use petrel_protocol::http::{Device, Invite, NewInvite};
use petrel_store::{ConversationKind, KnownUser, Login, UserChange, UserChanged, UserFilter};
use petrel_types::{ConversationId, LoginId, RowId, TimestampMs, UserId};

use super::{Administration, Operator, Target, check_reason, of_store, page_size};
use crate::Refusal;
use crate::identity::admin::{create_invite, create_user};
use crate::identity::{DEVICES_PAGE_MAX, reset_code};
use crate::own::Own;
use crate::profile::{Attributes, Profile};

/// How long a code for another password is good, in milliseconds.
const RESET_LASTS_MS: u64 = 24 * 60 * 60 * 1000;

/// Conversations of a user are looked through so many at a time for groups, and so often for
/// one page.
const CONVERSATIONS_AT_ONCE: u32 = 200;
const LOOKS_MAX: usize = 10;

/// Users are looked through so many at a time for a name, and so often for one page.
const READ_AT_ONCE: u32 = 1_000;
const READS_MAX: usize = 20;

/// Which users are wanted.
#[derive(Clone, Debug, Default)]
pub struct UsersQuery {
    /// Those with this in their user names or display names, or in the names that issuers have
    /// for them, in either case; or the one with this id.
    pub search: Option<String>,
    /// The one with exactly this name, ignoring ASCII case.
    pub username: Option<String>,
    /// Those who are admins, or are not.
    pub admin: Option<bool>,
    /// Those who are locked out, or are not.
    pub disabled: Option<bool>,
    /// Those with ids above this one.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl Administration {
    /// Users by id.
    pub async fn users(&self, query: UsersQuery) -> Result<AdminUsers, Refusal> {
        let UsersQuery { search, username, admin, disabled, after, limit } = query;
        if let Some(username) = username {
            let named = self.store.user_by_name(&username).await.map_err(of_store)?;
            let known = match named {
                Some(user) => self.store.known_user(user.id).await.map_err(of_store)?,
                None => None,
            };
            return self.page_of(known.into_iter().collect(), None).await;
        }
        let id = search.as_ref().and_then(|text| text.parse().ok()).map(UserId::new);
        if let Some(id) = id.filter(|_| after.is_none()) {
            let known = self.store.known_user(id).await.map_err(of_store)?;
            if let Some(user) = known {
                return self.page_of(vec![user], None).await;
            }
        }
        let filter = UserFilter { is_admin: admin, is_disabled: disabled };
        let (after, limit) = (after.unwrap_or_default(), page_size(limit));
        let Some(search) = search else {
            let found = self.store.users_after(filter, after, limit).await.map_err(of_store)?;
            return self.page_of(found.items, found.next).await;
        };
        let (users, next) = self.search(filter, &search.to_lowercase(), after, limit).await?;
        self.page_of(users, next).await
    }

    /// Users with a text in one of their names, which no store knows how to look for.
    async fn search(
        &self,
        filter: UserFilter,
        wanted: &str,
        mut after: UserId,
        limit: u32,
    ) -> Result<(Vec<KnownUser>, Option<UserId>), Refusal> {
        let mut users = Vec::new();
        for _ in 0..READS_MAX {
            let read = self.store.users_after(filter, after, READ_AT_ONCE).await;
            let read = read.map_err(of_store)?;
            let is_short = read.items.len() < READ_AT_ONCE as usize;
            for user in read.items {
                if users.len() == limit as usize {
                    return Ok((users, Some(after)));
                }
                after = user.id;
                if has_text(&user, wanted)? {
                    users.push(user);
                }
            }
            let Some(next) = read.next else { return Ok((users, None)) };
            after = next;
            // It has looked at as many as one search may.
            if is_short {
                break;
            }
        }
        Ok((users, Some(after)))
    }

    async fn page_of(
        &self,
        known: Vec<KnownUser>,
        next: Option<UserId>,
    ) -> Result<AdminUsers, Refusal> {
        let mut users = Vec::with_capacity(known.len());
        for user in known {
            users.push(self.shown(user).await?);
        }
        Ok(AdminUsers { users, next })
    }

    async fn shown(&self, user: KnownUser) -> Result<AdminUser, Refusal> {
        let (issuer, subject) = user.external.unzip();
        let (disabled_ts, reason) = user.disabled.unzip();
        let own = Own::decode(&user.personal).map_err(of_store)?;
        Ok(AdminUser {
            user_id: user.id,
            username: user.username,
            display_name: own.display_name,
            avatar: self.avatar(own.avatar).await?,
            issuer,
            subject,
            created_ts: user.created,
            admin: user.is_admin,
            disabled_ts,
            disabled_reason: reason.filter(|reason| !reason.is_empty()),
        })
    }

    /// A user with log-ins and sessions.
    pub async fn user(&self, user: UserId) -> Result<AdminUserShown, Refusal> {
        let known = self.known(user).await?;
        let (now, limit) = (self.clock.now(), DEVICES_PAGE_MAX);
        let mut logins = self.store.logins_of(user, None, limit + 1).await.map_err(of_store)?;
        let more_logins = logins.len() > limit as usize;
        logins.truncate(limit as usize);
        let seen_ts = logins.iter().map(|login| login.seen).max();
        // Those of a user who is locked out are kept, and none of them goes on.
        logins.retain(|login| login.expires > now && known.disabled.is_none());
        Ok(AdminUserShown {
            user: self.shown(known).await?,
            logins: logins.into_iter().map(device).collect(),
            more_logins,
            sessions: self.running.as_ref().map(|running| running.sessions.sessions_of(user)),
            seen_ts,
        })
    }

    /// The groups that a user is in, those that moved last first.
    pub async fn groups_of(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: Option<u32>,
    ) -> Result<AdminUserGroups, Refusal> {
        let wanted = page_size(limit) as usize;
        let mut before = before.map(RowId::new);
        let mut groups = Vec::new();
        for _ in 0..LOOKS_MAX {
            let look = self.store.sync_page(user, RowId::default(), before, CONVERSATIONS_AT_ONCE);
            let page = look.await.map_err(of_store)?;
            for entry in page.entries {
                if groups.len() == wanted {
                    return Ok(AdminUserGroups { groups, next: before.map(RowId::get) });
                }
                before = Some(entry.stamp);
                if entry.conversation.kind != ConversationKind::Group
                    || entry.interval.last.is_some()
                {
                    continue;
                }
                let group_id = entry.conversation.id;
                let title = Profile::decode(&entry.profile).map_err(of_store)?.title;
                let role = self.role(group_id, user).await?;
                groups.push(AdminMembership { group_id, title, role });
            }
            if !page.more {
                return Ok(AdminUserGroups { groups, next: None });
            }
        }
        Ok(AdminUserGroups { groups, next: before.map(RowId::get) })
    }

    /// Locks a user out: log-ins and sessions end, no token is good any more, and none is
    /// given. What others send is stored as ever. Returns how many log-ins were ended.
    pub async fn disable(
        &self,
        operator: &Operator,
        user: UserId,
        reason: String,
    ) -> Result<LoginsEnded, Refusal> {
        check_reason(&reason)?;
        if operator.user == Some(user) {
            let message = "you would lock yourself out; let another admin do it";
            return Err(Refusal::new(ErrorReason::NotAllowed, message));
        }
        self.check_somebody(user).await?;
        let record =
            self.record(operator, AuditAction::UserDisabled, Some(Target::User(user)), &reason);
        let end = self.end_now();
        let change = UserChange::Disable { reason, end };
        let changed = self.store.change_user(user, change, record).await.map_err(of_store)?;
        let ended = done(changed, user, "the user is locked out already")?;
        if let Some(running) = &self.running {
            running.identity.lock_out(user, &ended, end);
        }
        tracing::info!(by = ?operator.user, %user, "a user was locked out");
        Ok(LoginsEnded { logins_ended: ended.len() as u64 })
    }

    /// Lets a user in again, who has to log in anew.
    pub async fn enable(&self, operator: &Operator, user: UserId) -> Result<(), Refusal> {
        let record = self.record(operator, AuditAction::UserEnabled, Some(Target::User(user)), "");
        let changed = self.store.change_user(user, UserChange::Enable, record).await;
        done(changed.map_err(of_store)?, user, "the user is not locked out")?;
        if let Some(running) = &self.running {
            running.identity.let_in(user);
        }
        tracing::info!(by = ?operator.user, %user, "a user was let in again");
        Ok(())
    }

    /// Ends all log-ins and sessions of a user.
    pub async fn log_out(&self, operator: &Operator, user: UserId) -> Result<LoginsEnded, Refusal> {
        self.check_somebody(user).await?;
        let record =
            self.record(operator, AuditAction::UserLoggedOut, Some(Target::User(user)), "");
        let end = self.end_now();
        let changed = self.store.change_user(user, UserChange::EndLogins(end), record).await;
        let ended = done(changed.map_err(of_store)?, user, "")?;
        if let Some(running) = &self.running {
            running.identity.log_out(user, &ended, end);
        }
        Ok(LoginsEnded { logins_ended: ended.len() as u64 })
    }

    /// Takes a user's password away, ends all log-ins, and gives a code with which the user
    /// chooses another password within a day.
    pub async fn reset_password(
        &self,
        operator: &Operator,
        user: UserId,
    ) -> Result<PasswordReset, Refusal> {
        let known = self.known(user).await?;
        let Some(username) = known.username else { return Err(not_registered(user)) };
        let (code, digest) = reset_code()?;
        let record =
            self.record(operator, AuditAction::PasswordReset, Some(Target::User(user)), "");
        let expires_ts = TimestampMs::new(record.at.get().saturating_add(RESET_LASTS_MS));
        let end = self.end_now();
        let change = UserChange::ResetPassword { code: digest, expires: expires_ts, end };
        let changed = self.store.change_user(user, change, record).await.map_err(of_store)?;
        let ended = done(changed, user, "")?;
        if let Some(running) = &self.running {
            running.identity.log_out(user, &ended, end);
        }
        tracing::info!(by = ?operator.user, %user, "a password was reset");
        Ok(PasswordReset { username, code, expires_ts, logins_ended: ended.len() as u64 })
    }

    /// Makes a registered user an admin of the system, or an ordinary user.
    pub async fn set_admin(
        &self,
        operator: &Operator,
        user: UserId,
        admin: bool,
    ) -> Result<(), Refusal> {
        let action = if admin { AuditAction::AdminMade } else { AuditAction::AdminUnmade };
        let record = self.record(operator, action, Some(Target::User(user)), "");
        let changed = self.store.change_user(user, UserChange::SetAdmin(admin), record).await;
        let already = match admin {
            true => "the user is an admin already",
            false => "the user is no admin",
        };
        done(changed.map_err(of_store)?, user, already)?;
        tracing::info!(by = ?operator.user, %user, admin, "who is an admin was changed");
        Ok(())
    }

    /// Creates a user, also where registration is closed.
    pub async fn create_user(
        &self,
        operator: &Operator,
        user: NewUser,
    ) -> Result<AdminUser, Refusal> {
        let NewUser { username, password, admin } = user;
        let (store, clock) = (&*self.store, &*self.clock);
        let identity = self.running.as_ref().map(|running| &*running.identity);
        let user = create_user(store, clock, identity, &username, password).await?;
        let target = Some(Target::User(user.id));
        let record = self.record(operator, AuditAction::UserCreated, target, &username);
        self.store.keep_record(record).await.map_err(of_store)?;
        if admin {
            self.set_admin(operator, user.id, true).await?;
        }
        self.shown(self.known(user.id).await?).await
    }

    /// Makes an invite. Its code is stored nowhere.
    pub async fn invite(&self, operator: &Operator, invite: NewInvite) -> Result<Invite, Refusal> {
        let (uses, days) = (invite.uses, invite.days);
        let made = create_invite(&*self.store, &*self.clock, invite).await?;
        let detail = format!("for {uses}, for {days} days");
        let record = self.record(operator, AuditAction::InviteMade, None, detail);
        self.store.keep_record(record).await.map_err(of_store)?;
        Ok(made)
    }

    async fn known(&self, user: UserId) -> Result<KnownUser, Refusal> {
        let known = self.store.known_user(user).await.map_err(of_store)?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.check_somebody(user).await?;
        let timeline = self.store.personal_timeline(user).await.map_err(of_store)?;
        let summary = match timeline {
            Some(timeline) => self.store.summary(timeline).await.map_err(of_store)?,
            None => None,
        };
        // Known to an issuer alone.
        Ok(KnownUser {
            id: user,
            username: None,
            external: None,
            created: None,
            is_admin: false,
            disabled: None,
            personal: summary.map(|summary| summary.profile).unwrap_or_default(),
        })
    }

    /// Refuses for a user of whom there is no trace. One whom an issuer vouches for may never
    /// have been stored as a user, but has conversations.
    pub(super) async fn check_somebody(&self, user: UserId) -> Result<(), Refusal> {
        if self.store.known_user(user).await.map_err(of_store)?.is_some() {
            return Ok(());
        }
        let page = self.store.sync_page(user, RowId::default(), None, 1).await.map_err(of_store)?;
        let sessions =
            self.running.as_ref().map_or(0, |running| running.sessions.sessions_of(user));
        if page.entries.is_empty() && sessions == 0 {
            let message = format!("there is no trace of a user {user}");
            return Err(Refusal::new(ErrorReason::UserNotFound, message));
        }
        Ok(())
    }

    async fn role(&self, group: ConversationId, user: UserId) -> Result<Role, Refusal> {
        let member = self.store.member(group, user).await.map_err(of_store)?;
        let attributes = member.map(|member| Attributes::decode(&member.attributes));
        Ok(attributes.transpose().map_err(of_store)?.unwrap_or_default().role)
    }
}

/// The log-ins that a change has ended, or why there was none.
fn done(changed: UserChanged, user: UserId, already: &str) -> Result<Vec<LoginId>, Refusal> {
    match changed {
        UserChanged::Done(ended) => Ok(ended),
        UserChanged::Already => Err(Refusal::new(ErrorReason::NothingToChange, already)),
        UserChanged::Nobody => Err(not_registered(user)),
        UserChanged::LastAdmin => Err(Refusal::new(
            ErrorReason::LastAdmin,
            "no admin who can act would be left; make another user an admin first",
        )),
    }
}

fn not_registered(user: UserId) -> Refusal {
    let message = format!("there is no registered user {user}, with a password of this server");
    Refusal::new(ErrorReason::UserNotFound, message)
}

/// Whether a text, in lower case, is in one of a user's names.
fn has_text(user: &KnownUser, wanted: &str) -> Result<bool, Refusal> {
    let display_name = Own::decode(&user.personal).map_err(of_store)?.display_name;
    let subject = user.external.as_ref().map(|(_, subject)| subject);
    let mut names = user.username.iter().chain(subject).chain(&display_name);
    Ok(names.any(|name| name.to_lowercase().contains(wanted)))
}

fn device(login: Login) -> Device {
    Device {
        login_id: login.id,
        device_id: login.device.id,
        platform: login.device.platform,
        client: login.device.client,
        created_ts: login.created,
        seen_ts: login.seen,
        expires_ts: login.expires,
        current: false,
    }
}
