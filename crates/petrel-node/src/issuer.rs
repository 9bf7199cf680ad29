//! An external issuer as an operator writes it down, and its key as it lies in a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use petrel_logic::identity::{ExternalIssuer, IssuerIds};
use petrel_protocol::token::{KeyAlgorithm, UserClaim};
use petrel_types::UserId;
use serde::Deserialize;

/// An external issuer. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What it is called here. Mapped users are known under this name: never change it.
    pub name: String,
    /// What `iss` says in its tokens.
    pub iss: String,
    /// How it signs: `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: KeyAlgorithm,
    /// A file with the secret of `HS256`, or with the public key in PEM. A relative path
    /// begins where the configuration is. White space at the end of a secret is not part
    /// of it.
    pub key_file: PathBuf,
    /// The claim that names the user: `uid` or `sub`.
    #[serde(default)]
    pub user_claim: UserClaim,
    /// `mapped`: its names for users are its own, and each user gets an id here.
    /// `trusted`: they are the ids of users here.
    #[serde(default)]
    pub ids: IdsConfig,
    /// The smallest id that is trusted.
    #[serde(default = "first_id")]
    pub first_id: u64,
    /// The largest id that is trusted.
    #[serde(default = "last_id")]
    pub last_id: u64,
    /// Trust a secret that is short or looks typed; on loopback only.
    #[serde(default)]
    pub allow_weak_secret: bool,
}

/// What an issuer's names for users mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdsConfig {
    /// Its own.
    #[default]
    Mapped,
    /// Ids of users here.
    Trusted,
}

/// An issuer can't be read.
#[derive(Debug, thiserror::Error)]
pub enum IssuerConfigError {
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A description has the wrong form.
    #[error("{path} does not describe an issuer: {source}")]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
}

impl IssuerConfig {
    /// Reads a description in TOML, and the key that it names.
    pub fn read(path: &Path) -> Result<ExternalIssuer, IssuerConfigError> {
        let text = read(path)?;
        let config: Self = toml::from_str(&String::from_utf8_lossy(&text)).map_err(|source| {
            IssuerConfigError::Form { path: path.to_owned(), source: Box::new(source) }
        })?;
        config.load(path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads the key. A relative path begins in `directory`.
    pub fn load(self, directory: &Path) -> Result<ExternalIssuer, IssuerConfigError> {
        let mut key = read(&directory.join(&self.key_file))?;
        if self.algorithm == KeyAlgorithm::Hs256 {
            key.truncate(key.trim_ascii_end().len());
        }
        let (first, last) = (UserId::new(self.first_id), UserId::new(self.last_id));
        Ok(ExternalIssuer {
            name: self.name,
            iss: self.iss,
            algorithm: self.algorithm,
            key,
            weak_secret: self.allow_weak_secret,
            user_claim: self.user_claim,
            ids: match self.ids {
                IdsConfig::Mapped => IssuerIds::Mapped,
                IdsConfig::Trusted => IssuerIds::Trusted { first, last },
            },
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, IssuerConfigError> {
    fs::read(path).map_err(|source| IssuerConfigError::File { path: path.to_owned(), source })
}

const fn first_id() -> u64 {
    1
}

const fn last_id() -> u64 {
    i64::MAX as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_read_with_its_key() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("key"), "a secret \n").unwrap();
        let path = place.path().join("issuer.toml");
        let text = "name = 'mini-im'\niss = 'mini-im'\nalgorithm = 'HS256'\nkey_file = 'key'\n\
                    user_claim = 'uid'\nids = 'trusted'\nlast_id = 9\n";
        fs::write(&path, text).unwrap();
        let issuer = IssuerConfig::read(&path).unwrap();
        assert_eq!(issuer.key, b"a secret");
        let (first, last) = (UserId::new(1), UserId::new(9));
        assert_eq!(issuer.ids, IssuerIds::Trusted { first, last });

        fs::write(&path, format!("{text}surprise = 1\n")).unwrap();
        let error = IssuerConfig::read(&path).unwrap_err().to_string();
        assert!(error.contains("surprise"), "{error}");
        fs::remove_file(place.path().join("key")).unwrap();
        fs::write(&path, text).unwrap();
        assert!(IssuerConfig::read(&path).unwrap_err().to_string().contains("key"));
    }
}
