//! The part of the port that admins of the system work with: who is locked out, what was
//! done by whom, and entries that belong to the system as a whole.
//!
//! A change of a user and the record of it are one commit: nothing is done that is not
//! written down, and nothing is written down that was not done.

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{ConversationId, LoginId, TimestampMs, UserId};

use crate::{Digest, LoginEnd, StoreError, Summary};

/// The most users, or records, that one search looks at. Where it ends without having
/// found enough, it says where to go on.
pub const SEARCHED_MAX: usize = 20_000;

/// Durable state that admins change. Every change is on disk on return (`fsync` has
/// returned) and visible to reads; a call that fails has changed nothing, unless with
/// [`StoreErrorKind::Fatal`](crate::StoreErrorKind::Fatal).
#[async_trait]
pub trait AdministrationStore: Send + Sync {
    /// Changes what is known of a user, and keeps a record of it in the same commit. What
    /// comes out as something else than [`UserChanged::Done`] has changed nothing, and no
    /// record is kept.
    async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        record: AuditRecord,
    ) -> Result<UserChanged, StoreError>;

    /// What is known of a user; `None` if the user was never stored and is not disabled.
    async fn known_user(&self, user: UserId) -> Result<Option<KnownUser>, StoreError>;

    /// Users with ids above `after`, by id: registered ones, those of external issuers that
    /// were mapped, and whoever else is disabled. Up to `limit` that pass the filter, found
    /// among at most [`SEARCHED_MAX`].
    async fn users_after(
        &self,
        filter: UserFilter,
        after: UserId,
        limit: u32,
    ) -> Result<Found<KnownUser, UserId>, StoreError>;

    /// Up to `limit` users who are disabled, with ids above `after`, by id.
    async fn disabled_users(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError>;

    /// Gives a user another password, if `code` is that of a reset which is not over at
    /// `now`. The code is used up by it, and all log-ins end, which are returned; `None` if
    /// the code is no good.
    async fn redeem_password_reset(
        &self,
        user: UserId,
        code: Digest,
        password_hash: &str,
        end: LoginEnd,
        record: AuditRecord,
    ) -> Result<Option<Vec<LoginId>>, StoreError>;

    /// Gives a user another password and ends all log-ins but one, if the hash of the present
    /// one is still `expected`. Returns those ended; `None` if it is another one by now.
    async fn replace_password(
        &self,
        user: UserId,
        expected: &str,
        password_hash: &str,
        kept: Option<LoginId>,
        end: LoginEnd,
    ) -> Result<Option<Vec<LoginId>>, StoreError>;

    /// Keeps a record. Returns its number: they rise, and none is given twice.
    async fn keep_record(&self, record: AuditRecord) -> Result<u64, StoreError>;

    /// Records with numbers below `before`, newest first. Up to `limit` that pass the
    /// filter, found among at most [`SEARCHED_MAX`].
    async fn records_before(
        &self,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Found<KeptRecord, u64>, StoreError>;

    /// Removes up to `limit` records of before a time. Returns how many.
    async fn remove_records(&self, before: TimestampMs, limit: u32) -> Result<u32, StoreError>;

    /// Up to `limit` groups with ids above `after`, by id.
    async fn groups_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError>;

    /// Puts and removes entries of the system, all or nothing, and keeps a record of it.
    async fn put_system_entries(
        &self,
        list: u8,
        entries: Vec<(String, Option<Bytes>)>,
        record: Option<AuditRecord>,
    ) -> Result<(), StoreError>;

    /// Up to `limit` entries of a list of the system with keys above `after`, by the bytes of
    /// their keys.
    async fn system_entries_after(
        &self,
        list: u8,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Bytes)>, StoreError>;

    /// How much there is of what can be counted without reading all of it.
    async fn figures(&self) -> Result<Figures, StoreError>;
}

/// What is to be another way with a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// The user is locked out. The log-ins are ended; they stay, so that who refreshes one is
    /// told why it is over, and are gone when the user is enabled again.
    Disable {
        /// Why, for admins.
        reason: String,
        /// When the log-ins end.
        end: LoginEnd,
    },
    /// The user is let in again.
    Enable,
    /// Whether the user, who must be registered, is an admin of the system. One who is
    /// enabled is always left.
    SetAdmin(bool),
    /// The password of a registered user is no good any more, all log-ins end, and who has a
    /// code may choose another password.
    ResetPassword {
        /// Of the code.
        code: Digest,
        /// Until when it is good.
        expires: TimestampMs,
        /// When the log-ins end.
        end: LoginEnd,
    },
    /// All log-ins end.
    EndLogins(LoginEnd),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChanged {
    /// It is so now, and these log-ins were ended by it.
    Done(Vec<LoginId>),
    /// It was so already.
    Already,
    /// There is no such user, or none who is registered.
    Nobody,
    /// No admin who is enabled would be left.
    LastAdmin,
}

/// What is known of a user, for admins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The id.
    pub id: UserId,
    /// The name of a registered user.
    pub username: Option<String>,
    /// The external issuer of a mapped user, and its own name for the user.
    pub external: Option<(String, String)>,
    /// When the user was stored first.
    pub created: Option<TimestampMs>,
    /// Whether the user is an admin of the system.
    pub is_admin: bool,
    /// Since when the user is disabled, and why.
    pub disabled: Option<(TimestampMs, String)>,
    /// The profile of the user's personal timeline; empty if it has not begun.
    pub personal: Bytes,
}

/// Which users are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those who are admins, or are not.
    pub is_admin: Option<bool>,
    /// Those who are disabled, or are not.
    pub is_disabled: Option<bool>,
}

/// What a search has found, and with which key it goes on if it did not look at everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T, K> {
    /// What passed.
    pub items: Vec<T>,
    /// The last that was looked at, if there may be more.
    pub next: Option<K>,
}

/// Who did what to whom, when, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: TimestampMs,
    /// Who; none if it was somebody at the machine itself.
    pub actor: Option<UserId>,
    /// From where: an address, or whose shell it was.
    pub source: String,
    /// What, by a name of a closed list.
    pub action: String,
    /// To what: its kind, of a closed list, and its id.
    pub target: Option<(String, u64)>,
    /// More about it.
    pub detail: String,
}

/// A record and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// The number.
    pub number: u64,
    /// What it says.
    pub record: AuditRecord,
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// What this user did.
    pub actor: Option<UserId>,
    /// What was done to this.
    pub target: Option<(String, u64)>,
    /// What is called so.
    pub action: Option<String>,
    /// From this time on.
    pub from: Option<TimestampMs>,
    /// Before this time.
    pub until: Option<TimestampMs>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Users that were ever stored.
    pub users: u64,
    /// Users who are disabled.
    pub disabled_users: u64,
    /// Groups that were ever founded.
    pub groups: u64,
    /// Log-ins that were not ended, those that have expired of late included.
    pub logins: u64,
    /// The last row: every event and every other change of a conversation has one.
    pub rows: u64,
    /// Bytes that the data takes.
    pub bytes: u64,
    /// Bytes of these that are free to be used again.
    pub free_bytes: u64,
    /// Files that are complete.
    pub files: u64,
    /// Bytes of what is in them, without thumbnails.
    pub file_bytes: u64,
}

impl UserFilter {
    pub(crate) fn passes(&self, user: &KnownUser) -> bool {
        self.is_admin.is_none_or(|wanted| user.is_admin == wanted)
            && self.is_disabled.is_none_or(|wanted| user.disabled.is_some() == wanted)
    }
}

impl AuditFilter {
    pub(crate) fn passes(&self, record: &AuditRecord) -> bool {
        self.actor.is_none_or(|actor| record.actor == Some(actor))
            && self.target.as_ref().is_none_or(|target| record.target.as_ref() == Some(target))
            && self.action.as_ref().is_none_or(|action| record.action == *action)
            && self.from.is_none_or(|from| record.at >= from)
            && self.until.is_none_or(|until| record.at < until)
    }
}

impl<T, K> Found<T, K> {
    /// Takes what passes of candidates in order, each with its key.
    pub(crate) fn among<E>(
        candidates: impl Iterator<Item = Result<(K, T), E>>,
        limit: u32,
        passes: impl Fn(&T) -> bool,
    ) -> Result<Self, E> {
        let mut found = Self { items: Vec::new(), next: None };
        for (searched, candidate) in candidates.enumerate() {
            if found.items.len() >= limit as usize || searched >= SEARCHED_MAX {
                return Ok(found);
            }
            let (key, item) = candidate?;
            found.next = Some(key);
            if passes(&item) {
                found.items.push(item);
            }
        }
        found.next = None;
        Ok(found)
    }
}
