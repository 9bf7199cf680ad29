//! What an operator decides about who may come in.

use std::path::PathBuf;

use petrel_logic::identity::{IdentitySettings, Registration, ThrottleSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BenchIssuer;
use super::units::Span;

/// `[identity]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySection {
    /// Who may register: `open` (anybody), `invite` (whoever has a code that `petrel admin invite`
    /// made) or `closed` (nobody). If not set: open as long as all listeners are on loopback, closed otherwise.
    #[schemars(example = &"closed")]
    pub registration: Option<RegistrationSetting>,
    /// Whether tokens of a generated key for load-test users are trusted: `off`, `loopback` (as
    /// long as all listeners are on loopback) or `anywhere`. Whoever can read the key,
    /// secrets/bench-issuer.key in the data directory, can be any load-test user, never a
    /// registered one.
    pub bench_issuer: BenchIssuerSetting,
    /// How long an access token lasts: so often does a client ask for the next one, and so long
    /// can somebody use a stolen one.
    pub access_token_lasts: Span,
    /// How long a log-in lasts that is not refreshed.
    pub login_lasts: Span,
    /// The most log-ins of a user. The next one ends the one that was refreshed longest ago.
    pub logins_per_user_max: u32,
    /// How many users may be registered from one address in a row. Each further one within an
    /// hour has to wait, twice as long as the one before, up to a quarter of an hour.
    pub free_registrations_per_address: u32,
    /// Whether those who try passwords, or register many users, have to wait on loopback, too.
    pub throttle_loopback: bool,
    /// Other issuers whose tokens are believed: a file for each, in TOML, with `name`, `iss`,
    /// `algorithm` (HS256, RS256, ES256, EdDSA), `key_file` (the secret, or the public key as PEM),
    /// and optionally `user_claim` (sub, uid), `ids` (mapped, trusted), `first_id` and `last_id` (of
    /// trusted ids), and `allow_weak_secret` (on loopback only).
    #[schemars(example = ["/etc/petrel/company.toml"])]
    pub issuers: Vec<PathBuf>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationSetting {
    /// Anybody.
    Open,
    /// Whoever has a code.
    Invite,
    /// Nobody.
    Closed,
}

/// Where load-test users are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BenchIssuerSetting {
    /// Nowhere.
    #[default]
    Off,
    /// On loopback.
    Loopback,
    /// Everywhere.
    Anywhere,
}

impl Default for IdentitySection {
    fn default() -> Self {
        let settings = IdentitySettings::default();
        Self {
            registration: None,
            bench_issuer: BenchIssuerSetting::default(),
            access_token_lasts: Span(settings.access_token_ttl),
            login_lasts: Span(settings.login_ttl),
            logins_per_user_max: settings.logins_per_user_max,
            free_registrations_per_address: settings.throttle.free_registrations,
            throttle_loopback: settings.throttle.includes_loopback,
            issuers: Vec::new(),
        }
    }
}

impl IdentitySection {
    pub(super) fn registration(&self) -> Option<Registration> {
        self.registration.map(|registration| match registration {
            RegistrationSetting::Open => Registration::Open,
            RegistrationSetting::Invite => Registration::Invite,
            RegistrationSetting::Closed => Registration::Closed,
        })
    }

    pub(super) fn bench_issuer(&self) -> BenchIssuer {
        match self.bench_issuer {
            BenchIssuerSetting::Off => BenchIssuer::Off,
            BenchIssuerSetting::Loopback => BenchIssuer::LoopbackOnly,
            BenchIssuerSetting::Anywhere => BenchIssuer::Anywhere,
        }
    }

    pub(super) fn settings(&self) -> IdentitySettings {
        let defaults = IdentitySettings::default();
        IdentitySettings {
            access_token_ttl: self.access_token_lasts.0,
            login_ttl: self.login_lasts.0,
            logins_per_user_max: self.logins_per_user_max,
            throttle: ThrottleSettings {
                free_registrations: self.free_registrations_per_address,
                includes_loopback: self.throttle_loopback,
                ..defaults.throttle
            },
            ..defaults
        }
    }
}
