//! Who somebody is: registration, log-ins and their tokens.
//!
//! Identity comes only from a token that one of the trusted issuers signed
//! ([`issuers`]). Our own issuer gives out two kinds: short-lived access tokens, which
//! are checked without asking the store, and refresh tokens, which are traded for the
//! next pair ([`refresh`]). Both belong to a *log-in*, which is what a user sees as a
//! device and can end ([`logins`]); its access tokens are refused from then on
//! ([`revocations`]). Passwords can't be guessed fast ([`throttle`]).

pub(crate) mod admin;
mod invites;
mod issuers;
mod lockout;
mod logins;
mod new_passwords;
mod passwords;
mod refresh;
mod revocations;
mod settings;
#[cfg(test)]
mod tests;
mod throttle;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::AuditAction;
use petrel_protocol::http::{Credentials, LoggedIn, Profile};
use petrel_protocol::token::{
    BENCH_ISSUER, Claims, LOCAL_ISSUER, Secret, TokenError, claimed_issuer,
};
use petrel_store::{LoginDevice, Store, StoreError, StoreErrorKind};
use petrel_types::limits::DEVICE_TEXT_BYTES_MAX;
use petrel_types::{Clock, LoginId, TimestampMs, UserId};

pub use self::issuers::{ExternalIssuers, IssuerError, Issuers, Surroundings};
use self::lockout::Disabled;
pub use self::logins::DEVICES_PAGE_MAX;
use self::new_passwords::known_hash;
pub(crate) use self::new_passwords::reset_code;
use self::passwords::{Hashing, check_password, check_username};
use self::revocations::{Revocations, Standing};
pub use self::settings::{
    ExternalIssuer, IdentitySettings, IssuerIds, Registration, Source, ThrottleSettings,
};
use self::throttle::Throttle;
pub use self::throttle::network_of;
use crate::Refusal;
use crate::activity::Activity;
use crate::words::WordFilter;

/// Somebody whose token was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The user.
    pub user: UserId,
    /// When the token expires.
    pub expires: TimestampMs,
    /// The log-in that the token belongs to; none if it is not one of ours, or was made
    /// by hand.
    pub login: Option<LoginId>,
}

/// What of a user has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// One log-in.
    Login(LoginId),
    /// All log-ins, and whatever belongs to none.
    All,
    /// The user is locked out.
    Account,
}

/// Is told what ends.
type Listener = Box<dyn Fn(UserId, Ended) + Send + Sync>;

/// Registers, logs in and recognises users.
pub struct Identity {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    issuers: Issuers,
    settings: IdentitySettings,
    registration: RwLock<Registration>,
    hashing: Hashing,
    revocations: Mutex<Revocations>,
    throttle: Mutex<Throttle>,
    disabled: RwLock<Disabled>,
    listener: OnceLock<Listener>,
    words: OnceLock<Arc<WordFilter>>,
    activity: OnceLock<Arc<Activity>>,
}

impl Identity {
    /// Over a store, from which it learns whose tokens are revoked. Computes one password
    /// hash.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        issuers: Issuers,
        settings: IdentitySettings,
    ) -> Result<Self, StoreError> {
        let identity = Self {
            store,
            clock,
            issuers,
            hashing: Hashing::new(),
            revocations: Mutex::new(Revocations::new(settings.revocations_max)),
            throttle: Mutex::new(Throttle::new(settings.throttle.clone())),
            disabled: RwLock::default(),
            listener: OnceLock::new(),
            words: OnceLock::new(),
            activity: OnceLock::new(),
            registration: RwLock::new(settings.registration),
            settings,
        };
        identity.recall_ended_logins().await?;
        identity.recall_disabled_users().await?;
        Ok(identity)
    }

    /// Who may register now.
    pub fn registration(&self) -> Registration {
        *self.registration.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody may be let register at all: not while an issuer may name users by ids
    /// that those would get.
    pub fn may_take_registrations(&self) -> bool {
        !self.issuers.external.unstored_users().1
    }

    /// Has others register from now on, and so many in a row from one address.
    pub fn set_registration(&self, registration: Registration, free_registrations: u32) {
        *self.registration.write().unwrap_or_else(PoisonError::into_inner) = registration;
        self.throttle().set_free_registrations(free_registrations);
    }

    /// Tells from now on who is there. Only the first call counts.
    pub fn tell_activity(&self, activity: Arc<Activity>) {
        let _ = self.activity.set(activity);
    }

    /// Looks for words in the names of those who register from now on. Only the first call
    /// counts.
    pub fn look_for_words(&self, words: Arc<WordFilter>) {
        let _ = self.words.set(words);
    }

    /// Creates a user and logs them in. From one address only so many come in a row.
    pub async fn register(
        &self,
        credentials: Credentials,
        source: Source,
    ) -> Result<LoggedIn, Refusal> {
        let invite = match self.registration() {
            Registration::Open => None,
            Registration::Invite => Some(invites::digest(&invite_of(&credentials)?)),
            Registration::Closed => {
                return Err(Refusal::new(
                    ErrorReason::RegistrationClosed,
                    "this server does not take registrations",
                ));
            }
        };
        let device = device_of(&credentials)?;
        check_username(&credentials.username)?;
        self.words.get().map_or(Ok(()), |words| words.check_name(&credentials.username))?;
        check_password(&credentials.password)?;
        let begun = self.throttle().begin_registration(source, self.clock.now());
        begun.map_err(|wait| later(wait, "many users were registered from your address"))?;
        let Credentials { username, password, .. } = credentials;
        let hash = self.hashing.hash(password).await?;
        let now = self.clock.now();
        let created = match &invite {
            None => self.store.create_user(&username, &hash, now).await.map(Some),
            Some(invite) => self.store.create_invited_user(&username, &hash, invite, now).await,
        };
        let user = created
            .map_err(|error| match error.kind() {
                StoreErrorKind::Conflict => taken(&username),
                _ => of_store(error),
            })?
            .ok_or_else(|| {
                Refusal::new(
                    ErrorReason::InvalidInvite,
                    "the invite code is unknown, used up or over; ask for another one",
                )
            })?;
        tracing::info!(user = %user.id, "registered");
        self.begin_login(user, device).await
    }

    /// Logs a registered user in. Who fails too often from one address has to wait.
    pub async fn login(
        &self,
        credentials: Credentials,
        source: Source,
    ) -> Result<LoggedIn, Refusal> {
        let device = device_of(&credentials)?;
        let Credentials { username, password, .. } = credentials;
        self.throttle()
            .begin(source, &username, self.clock.now())
            .map_err(|wait| later(wait, "too many wrong passwords from your address"))?;
        let user = self.store.user_by_name(&username).await.map_err(of_store)?;
        let hash = user.as_ref().and_then(known_hash);
        let verified = self.hashing.verify(password, hash).await?;
        match user {
            Some(user) if verified => {
                self.throttle().succeeded(source, &username);
                self.check_enabled(user.id)?;
                if user.is_admin {
                    self.record_admin(&user, AuditAction::AdminLoggedIn, source).await?;
                }
                self.begin_login(user, device).await
            }
            user => {
                if let Some(admin) = user.filter(|user| user.is_admin) {
                    self.record_admin(&admin, AuditAction::AdminLoginFailed, source).await?;
                }
                let message = "the user name or the password is wrong";
                Err(Refusal::new(ErrorReason::BadCredentials, message))
            }
        }
    }

    /// Recognises the bearer of an access token.
    pub async fn authenticate(&self, token: &str) -> Result<Authenticated, Refusal> {
        let authenticated = self.recognise(token).await?;
        if let Some(activity) = self.activity.get() {
            activity.saw(authenticated.user);
        }
        Ok(authenticated)
    }

    async fn recognise(&self, token: &str) -> Result<Authenticated, Refusal> {
        let issuer = claimed_issuer(token).ok_or_else(invalid_token)?;
        let claims = match (issuer.as_str(), &self.issuers.bench) {
            (LOCAL_ISSUER, _) => self.verify(&self.issuers.local, token, LOCAL_ISSUER)?,
            (BENCH_ISSUER, Some(secret)) => self.verify(secret, token, BENCH_ISSUER)?,
            _ => return self.authenticate_external(&issuer, token).await,
        };
        // Each issuer has its own range of ids and can't speak for the other's users.
        if claims.uid.is_local() != (claims.iss == LOCAL_ISSUER) {
            return Err(invalid_token());
        }
        let login = claims.sid.filter(|_| claims.iss == LOCAL_ISSUER);
        let claims = Claims { sid: login, ..claims };
        self.check_enabled(claims.uid)?;
        let revocations = self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
        match revocations.standing(&claims) {
            Standing::Good => {
                let expires = TimestampMs::new(claims.exp.saturating_mul(1000));
                Ok(Authenticated { user: claims.uid, expires, login })
            }
            Standing::Revoked => Err(Refusal::new(
                ErrorReason::LoginRevoked,
                "the log-in of this token was ended; log in again",
            )),
            Standing::Outdated => Err(token_expired()),
        }
    }

    async fn authenticate_external(
        &self,
        issuer: &str,
        token: &str,
    ) -> Result<Authenticated, Refusal> {
        let external = &self.issuers.external;
        let issuer = external.find(issuer).ok_or_else(invalid_token)?;
        let now = self.clock.now();
        let claims = external.verify(issuer, token, now).map_err(of_token)?;
        let user = external.user(issuer, &claims.subject, &*self.store, now).await;
        let user = user.map_err(of_store)?.ok_or_else(invalid_token)?;
        self.check_enabled(user)?;
        Ok(Authenticated { user, expires: claims.expires, login: None })
    }

    /// Whether a user is an admin of the system, and not locked out.
    pub async fn is_admin(&self, user: UserId) -> Result<bool, Refusal> {
        let stored = self.store.user(user).await.map_err(of_store)?;
        Ok(stored.is_some_and(|stored| stored.is_admin) && !self.is_disabled(user))
    }

    /// What a user may know about themself, but for what others are shown of the user.
    pub async fn profile(&self, user: UserId) -> Result<Profile, Refusal> {
        let stored = self.store.user(user).await.map_err(of_store)?;
        let admin = stored.as_ref().is_some_and(|stored| stored.is_admin);
        let username = stored.map(|stored| stored.username);
        Ok(Profile { user_id: user, username, display_name: None, avatar: None, admin })
    }

    fn verify(&self, secret: &Secret, token: &str, issuer: &str) -> Result<Claims, Refusal> {
        secret.verify(token, issuer, self.clock.now()).map_err(of_token)
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is told of the device, within the limits of `AUTH`.
fn device_of(credentials: &Credentials) -> Result<LoginDevice, Refusal> {
    let Credentials { device_id, platform, client, .. } = credentials;
    for (name, text) in [("deviceId", device_id), ("platform", platform), ("client", client)] {
        if text.as_ref().is_some_and(|text| text.len() > DEVICE_TEXT_BYTES_MAX) {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("{name} is longer than {DEVICE_TEXT_BYTES_MAX} bytes"),
            ));
        }
    }
    let (id, platform, client) = (device_id.clone(), platform.clone(), client.clone());
    Ok(LoginDevice { id, platform, client })
}

fn invite_of(credentials: &Credentials) -> Result<String, Refusal> {
    credentials.invite.clone().ok_or_else(|| {
        Refusal::new(
            ErrorReason::InvalidInvite,
            "registering here takes an invite: give its code as `invite`",
        )
    })
}

fn later(wait: Duration, why: &str) -> Refusal {
    let seconds = wait.as_secs() + 1;
    let message = format!("{why}; try again in {seconds} s");
    Refusal::new(ErrorReason::TooManyRequests, message).retry_after(millis(wait))
}

fn taken(username: &str) -> Refusal {
    Refusal::new(
        ErrorReason::UsernameTaken,
        format!("the user name {username:?} is taken; choose another"),
    )
}

fn invalid_token() -> Refusal {
    Refusal::new(
        ErrorReason::InvalidToken,
        "the access token is malformed, forged, or of an issuer this server does not trust",
    )
}

fn token_expired() -> Refusal {
    Refusal::new(
        ErrorReason::TokenExpired,
        "the access token has expired; refresh it, or log in again",
    )
}

fn of_token(error: TokenError) -> Refusal {
    match error {
        TokenError::Expired => token_expired(),
        TokenError::Invalid => invalid_token(),
    }
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}

/// Random bytes of the system.
fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system has no random numbers");
        Refusal::new(ErrorReason::InternalError, "the server failed; its log says why")
    })?;
    Ok(bytes)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
