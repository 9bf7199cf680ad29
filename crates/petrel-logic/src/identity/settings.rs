//! What an operator decides about identity, with the defaults.

use std::net::IpAddr;
use std::time::Duration;

use petrel_protocol::http::admin::RegistrationMode;
use petrel_protocol::token::{KeyAlgorithm, UserClaim};
use petrel_types::UserId;

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Whoever has an invite code.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// As it is told to admins.
    pub fn mode(self) -> RegistrationMode {
        match self {
            Self::Open => RegistrationMode::Open,
            Self::Invite => RegistrationMode::Invite,
            Self::Closed => RegistrationMode::Closed,
        }
    }

    /// As an admin names it.
    pub fn of(mode: RegistrationMode) -> Self {
        match mode {
            RegistrationMode::Open => Self::Open,
            RegistrationMode::Invite => Self::Invite,
            RegistrationMode::Closed => Self::Closed,
        }
    }
}

/// Everything but the keys.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// Who may register.
    pub registration: Registration,
    /// How long an access token lasts: so long may somebody act on a stolen one, and so
    /// often does a client refresh.
    pub access_token_ttl: Duration,
    /// How long a log-in lasts that is not refreshed.
    pub login_ttl: Duration,
    /// How long a refresh token is still good that was traded for another, as long as
    /// that one is unused: the answer may have been lost, or two tabs asked at once.
    pub refresh_grace: Duration,
    /// The most log-ins of a user; beyond, the one seen longest ago ends.
    pub logins_per_user_max: u32,
    /// The most ended log-ins whose access tokens are remembered in memory, 16 bytes each;
    /// see [`revocations`](super::revocations).
    pub revocations_max: usize,
    /// How often somebody may try a password.
    pub throttle: ThrottleSettings,
}

/// How often somebody may try a password.
#[derive(Clone, Debug)]
pub struct ThrottleSettings {
    /// Wrong passwords for one account from one address that cost nothing.
    pub free_failures: u32,
    /// The wait after the next one. It doubles with each.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// Wrong passwords from one address for any accounts that cost nothing.
    pub free_failures_of_address: u32,
    /// Users that may be registered from one address in a row at no cost. The wait after
    /// further ones is that after wrong passwords.
    pub free_registrations: u32,
    /// How long after the last wrong password, or registration, an address starts anew.
    pub forget_after: Duration,
    /// The most addresses, and pairs of address and account, that are remembered.
    pub remembered_max: usize,
    /// Whether loopback addresses are throttled too.
    pub includes_loopback: bool,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            registration: Registration::Closed,
            access_token_ttl: Duration::from_secs(15 * 60),
            login_ttl: Duration::from_secs(30 * 24 * 60 * 60),
            refresh_grace: Duration::from_secs(60),
            logins_per_user_max: 50,
            revocations_max: 100_000,
            throttle: ThrottleSettings::default(),
        }
    }
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            free_failures: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(15 * 60),
            free_failures_of_address: 50,
            free_registrations: 20,
            forget_after: Duration::from_secs(60 * 60),
            remembered_max: 50_000,
            includes_loopback: false,
        }
    }
}

/// Another issuer of access tokens.
#[derive(Clone)]
pub struct ExternalIssuer {
    /// What it is called here. Its users are known under this name for ever.
    pub name: String,
    /// What `iss` says in its tokens.
    pub iss: String,
    /// How it signs.
    pub algorithm: KeyAlgorithm,
    /// The secret of HS256; for the others the public key in PEM.
    pub key: Vec<u8>,
    /// Trust a secret that is short or looks typed. Only while all listeners are on
    /// loopback.
    pub weak_secret: bool,
    /// The claim that names the user.
    pub user_claim: UserClaim,
    /// Whose ids these are.
    pub ids: IssuerIds,
}

/// What an issuer's names for users mean here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerIds {
    /// They are the issuer's own. Each gets a user id here at first sight.
    Mapped,
    /// They are user ids here, from the first to the last of a range.
    Trusted {
        /// The smallest that it may name.
        first: UserId,
        /// The largest that it may name.
        last: UserId,
    },
}

/// Where a request comes from, as far as throttling is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub IpAddr);

impl std::fmt::Debug for ExternalIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalIssuer")
            .field("name", &self.name)
            .field("iss", &self.iss)
            .field("algorithm", &self.algorithm)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}
