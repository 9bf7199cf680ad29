//! The part of the port that knows who users are: log-ins, users of external issuers,
//! invites and admins.
//!
//! What a token looks like and when a log-in is over is decided in `petrel-logic`. Here
//! secrets are digests: what is stored opens no door. Times are those of the caller.

use async_trait::async_trait;
use petrel_types::{LoginId, TimestampMs, UserId};

use crate::{StoreError, User};

/// A SHA-256 digest of a secret.
pub type Digest = [u8; 32];

/// The most bytes of an external issuer's name and of its own name for a user.
pub const SUBJECT_BYTES_MAX: usize = 255;

/// Durable state about who somebody is. Every change is on disk on return (`fsync` has
/// returned) and visible to reads; a call that fails has changed nothing, unless with
/// [`StoreErrorKind::Fatal`](crate::StoreErrorKind::Fatal).
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// Creates a user as [`create_user`](crate::Store::create_user) does, and uses an
    /// invite up by one. `None`, and no user, if there is no such invite, all its uses
    /// are taken, or its time is over. A taken name is
    /// [`StoreErrorKind::Conflict`](crate::StoreErrorKind::Conflict) and costs no use.
    async fn create_invited_user(
        &self,
        username: &str,
        password_hash: &str,
        invite: &Digest,
        now: TimestampMs,
    ) -> Result<Option<User>, StoreError>;

    /// Makes a registered user an admin of the system. Returns whether there is such a user.
    async fn make_admin(&self, user: UserId) -> Result<bool, StoreError>;

    /// Whether this user was ever created, by registration or for an external issuer.
    async fn has_user(&self, user: UserId) -> Result<bool, StoreError>;

    /// Whom an issuer calls `subject`; `None` if nobody was seen under that name.
    async fn external_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<UserId>, StoreError>;

    /// Whom an issuer calls `subject`: at the first call a new user with the next local
    /// id, the same user ever after, also when several calls come at once. Names compare
    /// byte by byte. Texts longer than [`SUBJECT_BYTES_MAX`] are
    /// [`StoreErrorKind::Invalid`](crate::StoreErrorKind::Invalid).
    async fn map_external_user(
        &self,
        issuer: &str,
        subject: &str,
        now: TimestampMs,
    ) -> Result<UserId, StoreError>;

    /// Begins a log-in. If its user has more than `kept_max` then, those seen longest ago
    /// are ended as by [`end_logins`](Self::end_logins), never the new one. Of a user who is
    /// disabled it is [`StoreErrorKind::Conflict`](crate::StoreErrorKind::Conflict).
    async fn begin_login(
        &self,
        login: NewLogin,
        kept_max: u32,
        end: LoginEnd,
    ) -> Result<BegunLogin, StoreError>;

    /// A log-in that was not ended or removed; it may have expired.
    async fn login(&self, login: LoginId) -> Result<Option<Login>, StoreError>;

    /// Up to `limit` log-ins of a user with ids below `before`, newest first, those that
    /// have expired and were not removed yet included.
    async fn logins_of(
        &self,
        user: UserId,
        before: Option<LoginId>,
        limit: u32,
    ) -> Result<Vec<Login>, StoreError>;

    /// Compare and set: gives a log-in other refresh tokens, if its current one still is
    /// `expected` and its user is not disabled. Returns whether that was so. Of several calls at once that expect the same,
    /// one succeeds.
    async fn replace_refresh_tokens(
        &self,
        login: LoginId,
        expected: &Digest,
        replacement: RefreshTokens,
        seen: TimestampMs,
        expires: TimestampMs,
    ) -> Result<bool, StoreError>;

    /// Ends log-ins of a user: they are gone, and their ids are among
    /// [`ended_logins`](Self::ended_logins) until `end.remembered_until`. Returns which
    /// there were.
    async fn end_logins(
        &self,
        user: UserId,
        which: WhichLogins,
        end: LoginEnd,
    ) -> Result<Vec<LoginId>, StoreError>;

    /// Up to `limit` log-ins that were ended and are still to be remembered, with ids
    /// above `after`, by id.
    async fn ended_logins(&self, after: LoginId, limit: u32)
    -> Result<Vec<EndedLogin>, StoreError>;

    /// Removes up to `limit` log-ins, invites and password resets that have expired, and as many ended
    /// log-ins that need not be remembered any longer. Returns how many of each at most:
    /// as long as it is `limit`, there may be more.
    async fn remove_expired_logins(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError>;

    /// Stores an invite. The same code twice is
    /// [`StoreErrorKind::Conflict`](crate::StoreErrorKind::Conflict).
    async fn create_invite(&self, invite: Invite) -> Result<(), StoreError>;
}

/// A log-in that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogin {
    /// Whose.
    pub user: UserId,
    /// What is known of the device.
    pub device: LoginDevice,
    /// Its refresh tokens.
    pub refresh: RefreshTokens,
    /// When it begins.
    pub created: TimestampMs,
    /// When it ends if it is not refreshed.
    pub expires: TimestampMs,
}

/// What a client says of the device that logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginDevice {
    /// The client's own name for the device.
    pub id: Option<String>,
    /// What kind of device it is.
    pub platform: Option<String>,
    /// Name and version of the client program.
    pub client: Option<String>,
}

/// The refresh tokens of a log-in, as digests.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshTokens {
    /// Of the part that all of them share.
    pub family: Digest,
    /// Of the one that is good.
    pub current: Digest,
    /// The one before, and how the current one came of it.
    pub previous: Option<PreviousToken>,
}

/// A refresh token that was traded for the current one.
#[derive(Clone, PartialEq, Eq)]
pub struct PreviousToken {
    /// Its digest.
    pub digest: Digest,
    /// What the current token was made of, together with the previous one's secret.
    pub nonce: [u8; 32],
    /// When it was traded.
    pub replaced: TimestampMs,
}

/// A log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its id.
    pub id: LoginId,
    /// Whose.
    pub user: UserId,
    /// What is known of the device.
    pub device: LoginDevice,
    /// Its refresh tokens.
    pub refresh: RefreshTokens,
    /// When it began.
    pub created: TimestampMs,
    /// When it was last refreshed, or began.
    pub seen: TimestampMs,
    /// When it ends if it is not refreshed.
    pub expires: TimestampMs,
}

/// What [`IdentityStore::begin_login`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunLogin {
    /// The new log-in.
    pub id: LoginId,
    /// Those that were ended for it.
    pub ended: Vec<LoginId>,
}

/// Which log-ins of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichLogins {
    /// This one, if it is the user's.
    One(LoginId),
    /// All but this one.
    AllBut(LoginId),
    /// All.
    All,
}

/// When log-ins are ended, and until when that has to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginEnd {
    /// When they end.
    pub at: TimestampMs,
    /// When their last access token expires.
    pub remembered_until: TimestampMs,
}

/// A log-in that was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedLogin {
    /// Which.
    pub id: LoginId,
    /// When, and until when it counts.
    pub end: LoginEnd,
}

/// A code that lets people register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Of the code.
    pub digest: Digest,
    /// How many may still register with it.
    pub uses_left: u32,
    /// When it was made.
    pub created: TimestampMs,
    /// When it ends.
    pub expires: TimestampMs,
}

impl std::fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshTokens(…)")
    }
}

impl std::fmt::Debug for PreviousToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreviousToken").field("replaced", &self.replaced).finish_non_exhaustive()
    }
}
