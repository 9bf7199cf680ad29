//! Passwords and user names: which are allowed, and how passwords are kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use petrel_protocol::ErrorReason;
use tokio::sync::Semaphore;

use crate::Refusal;

const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// How many hashes are computed at once: each takes a core for some tens of milliseconds
/// and 19 MiB.
const HASHES_AT_ONCE: usize = 2;

/// How many may wait for their turn. At some 40 a second that is a few seconds; beyond,
/// people are told to come again.
const HASHES_WAITING_MAX: usize = 128;

/// Hashes passwords off the async threads, a few at a time.
#[derive(Debug)]
pub(super) struct Hashing {
    turns: Semaphore,
    waiting: AtomicUsize,
    /// Verified against when there is no such user, so that the answer takes as long.
    nobodys_hash: String,
}

impl Hashing {
    /// Computes one hash.
    pub(super) fn new() -> Self {
        Self {
            turns: Semaphore::new(HASHES_AT_ONCE),
            waiting: AtomicUsize::new(0),
            nobodys_hash: hash_password("nobody has this password"),
        }
    }

    pub(super) async fn hash(&self, password: String) -> Result<String, Refusal> {
        self.run(move || hash_password(&password)).await
    }

    /// Whether a password is the one of `hash`; it is not if there is no hash, which takes
    /// as long to find out.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Refusal> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys_hash.clone());
        Ok(self.run(move || verify_password(&password, &hash)).await? && is_somebody)
    }

    async fn run<T: Send + 'static>(
        &self,
        slow: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let waiting = Waiting::enter(&self.waiting)?;
        let turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(slow).await.expect("hashing doesn't panic");
        drop((turn, waiting));
        Ok(done)
    }
}

/// Counts one who waits, also if the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Result<Self, Refusal> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let entered = Self(waiting);
        if before < HASHES_AT_ONCE + HASHES_WAITING_MAX {
            Ok(entered)
        } else {
            Err(Refusal::new(
                ErrorReason::ServerBusy,
                "too many people log in right now; try again in a moment",
            ))
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn check_username(username: &str) -> Result<(), Refusal> {
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

pub(super) fn check_password(password: &str) -> Result<(), Refusal> {
    if PASSWORD_CHARS.contains(&password.chars().count()) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorReason::WeakPassword,
        format!("a password has {} to {} characters", PASSWORD_CHARS.start(), PASSWORD_CHARS.end()),
    ))
}

/// Slow on purpose; blocks.
pub(super) fn hash_password(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("the default parameters are valid and the length was checked")
        .to_string()
}

fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
