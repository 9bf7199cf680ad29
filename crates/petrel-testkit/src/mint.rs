//! Access tokens for tests, signed with the keys of a server's data directory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use petrel_protocol::token::{BENCH_ISSUER, Claims, LOCAL_ISSUER, Secret};
use petrel_types::{Clock, SystemClock, UserId};

/// How long a minted token lasts, in seconds. Longer than any test.
const TTL_SECONDS: u64 = 60 * 60;

/// One issuer and its key.
#[derive(Clone, Debug)]
pub struct Mint {
    issuer: &'static str,
    secret: Secret,
}

impl Mint {
    /// The issuer of load-test users, whose key `--bench-issuer` makes.
    pub fn bench(data_directory: &Path) -> Result<Self> {
        Self::from_file(BENCH_ISSUER, data_directory, "bench-issuer.key")
    }

    /// The server's own issuer, as if its key had been stolen.
    pub fn local(data_directory: &Path) -> Result<Self> {
        Self::from_file(LOCAL_ISSUER, data_directory, "token.key")
    }

    /// An issuer with a key that no server knows.
    pub fn foreign(issuer: &'static str) -> Self {
        let secret = Secret::new(&[7; 32]).expect("32 bytes are enough");
        Self { issuer, secret }
    }

    /// An issuer with a secret of a test's own, which servers may be told of.
    pub fn external(issuer: &'static str, secret: &[u8]) -> Result<Self> {
        Ok(Self { issuer, secret: Secret::new(secret)? })
    }

    fn from_file(issuer: &'static str, data_directory: &Path, name: &str) -> Result<Self> {
        let path = data_directory.join("secrets").join(name);
        let text =
            fs::read_to_string(&path).with_context(|| format!("no key at {}", path.display()))?;
        let secret = Secret::new(&STANDARD.decode(text.trim())?)?;
        Ok(Self { issuer, secret })
    }

    /// A good access token of a user.
    pub fn token(&self, user: UserId) -> String {
        self.sign(&self.claims(user))
    }

    /// The claims of a good access token, to be spoiled.
    pub fn claims(&self, user: UserId) -> Claims {
        Claims::access(self.issuer, user, SystemClock.now(), TTL_SECONDS)
    }

    /// Signs any claims.
    pub fn sign(&self, claims: &Claims) -> String {
        self.secret.sign(claims)
    }
}
