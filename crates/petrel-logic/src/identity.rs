//! Who somebody is: registration, log-in and access tokens.
//!
//! Identity comes only from a token that one of the trusted issuers signed. The
//! system's own issuer vouches for registered users, the bench issuer (off unless
//! asked for) for the ids below them, so that neither can name a user of the other.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Credentials, LoggedIn, Profile};
use petrel_protocol::token::{
    BENCH_ISSUER, Claims, LOCAL_ISSUER, Secret, TokenError, claimed_issuer,
};
use petrel_store::{Store, StoreError, StoreErrorKind, User};
use petrel_types::{Clock, TimestampMs, UserId};
use tokio::sync::Semaphore;

use crate::Refusal;

/// How long an access token lasts, in seconds. There is no refresh token yet, so it
/// covers a working day.
pub const ACCESS_TOKEN_TTL_SECONDS: u64 = 12 * 60 * 60;

const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// How many password hashes are computed at once: each takes a core for some tens of
/// milliseconds and 19 MiB.
const PASSWORD_HASHES_AT_ONCE: usize = 2;

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Nobody.
    Closed,
}

/// The keys of the trusted issuers.
#[derive(Clone, Debug)]
pub struct Issuers {
    /// Signs tokens of registered users.
    pub local: Secret,
    /// Vouches for load-test users, if they are allowed.
    pub bench: Option<Secret>,
}

/// Somebody whose token was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The user.
    pub user: UserId,
    /// When the token expires.
    pub expires: TimestampMs,
}

/// Registers, logs in and recognises users.
pub struct Identity {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    issuers: Issuers,
    registration: Registration,
    hashing: Semaphore,
    /// Verified against when there is no such user, so that the answer takes as long.
    nobodys_hash: String,
}

impl Identity {
    /// Over a store. Computes one password hash.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        issuers: Issuers,
        registration: Registration,
    ) -> Self {
        Self {
            store,
            clock,
            issuers,
            registration,
            hashing: Semaphore::new(PASSWORD_HASHES_AT_ONCE),
            nobodys_hash: hash_password("nobody has this password"),
        }
    }

    /// Creates a user and logs them in.
    pub async fn register(&self, credentials: Credentials) -> Result<LoggedIn, Refusal> {
        if self.registration == Registration::Closed {
            return Err(Refusal::new(
                ErrorReason::RegistrationClosed,
                "this server does not take registrations",
            ));
        }
        check_username(&credentials.username)?;
        check_password(&credentials.password)?;
        let Credentials { username, password } = credentials;
        let hash = self.on_hashing_thread(move || hash_password(&password)).await;
        let user =
            self.store.create_user(&username, &hash, self.clock.now()).await.map_err(|error| {
                match error.kind() {
                    StoreErrorKind::Conflict => Refusal::new(
                        ErrorReason::UsernameTaken,
                        format!("the user name {username:?} is taken; choose another"),
                    ),
                    _ => Refusal::of_store(&error),
                }
            })?;
        tracing::info!(user = %user.id, "registered");
        Ok(self.logged_in(user))
    }

    /// Logs a registered user in.
    pub async fn login(&self, credentials: Credentials) -> Result<LoggedIn, Refusal> {
        let Credentials { username, password } = credentials;
        let user = self.store.user_by_name(&username).await.map_err(of_store)?;
        let hash = user.as_ref().map_or(&self.nobodys_hash, |user| &user.password_hash).clone();
        let verified = self.on_hashing_thread(move || verify_password(&password, &hash)).await;
        match user {
            Some(user) if verified => Ok(self.logged_in(user)),
            _ => Err(Refusal::new(
                ErrorReason::BadCredentials,
                "the user name or the password is wrong",
            )),
        }
    }

    /// Recognises the bearer of an access token.
    pub fn authenticate(&self, token: &str) -> Result<Authenticated, Refusal> {
        let claims = match claimed_issuer(token).as_deref() {
            Some(LOCAL_ISSUER) => self.verify(&self.issuers.local, token, LOCAL_ISSUER)?,
            Some(BENCH_ISSUER) => match &self.issuers.bench {
                Some(secret) => self.verify(secret, token, BENCH_ISSUER)?,
                None => return Err(invalid_token()),
            },
            _ => return Err(invalid_token()),
        };
        // Each issuer has its own range of ids and can't speak for the other's users.
        if claims.uid.is_local() != (claims.iss == LOCAL_ISSUER) {
            return Err(invalid_token());
        }
        let expires = TimestampMs::new(claims.exp.saturating_mul(1000));
        Ok(Authenticated { user: claims.uid, expires })
    }

    /// What a user may know about themself.
    pub async fn profile(&self, user: UserId) -> Result<Profile, Refusal> {
        let stored = self.store.user(user).await.map_err(of_store)?;
        Ok(Profile { user_id: user, username: stored.map(|stored| stored.username) })
    }

    fn verify(&self, secret: &Secret, token: &str, issuer: &str) -> Result<Claims, Refusal> {
        secret.verify(token, issuer, self.clock.now()).map_err(|error| match error {
            TokenError::Expired => Refusal::new(
                ErrorReason::TokenExpired,
                "the access token has expired; log in again",
            ),
            TokenError::Invalid => invalid_token(),
        })
    }

    fn logged_in(&self, user: User) -> LoggedIn {
        let now = self.clock.now();
        let claims = Claims::access(LOCAL_ISSUER, user.id, now, ACCESS_TOKEN_TTL_SECONDS);
        LoggedIn {
            user_id: user.id,
            username: user.username,
            access_token: self.issuers.local.sign(&claims),
            expires_in: ACCESS_TOKEN_TTL_SECONDS,
        }
    }

    /// Runs something slow off the async threads, a few at a time.
    async fn on_hashing_thread<T: Send + 'static>(
        &self,
        slow: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let _permit = self.hashing.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(slow).await.expect("hashing doesn't panic")
    }
}

fn check_username(username: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if USERNAME_CHARS.contains(&username.chars().count()) && username.chars().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorReason::BadUsername,
        format!(
            "a user name has {} to {} letters (a-z), digits, `_`, `-` or `.`",
            USERNAME_CHARS.start(),
            USERNAME_CHARS.end()
        ),
    ))
}

fn check_password(password: &str) -> Result<(), Refusal> {
    if PASSWORD_CHARS.contains(&password.chars().count()) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorReason::WeakPassword,
        format!("a password has {} to {} characters", PASSWORD_CHARS.start(), PASSWORD_CHARS.end()),
    ))
}

fn hash_password(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("the default parameters are valid and the length was checked")
        .to_string()
}

fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn invalid_token() -> Refusal {
    Refusal::new(
        ErrorReason::InvalidToken,
        "the access token is malformed, forged, or of an issuer this server does not trust",
    )
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
