//! Signing secrets in the data directory. There is no default secret: the first start
//! writes a random one that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use petrel_protocol::token::{BENCH_ISSUER, LOCAL_ISSUER, SECRET_BYTES_MIN, Secret};

/// Whose secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Signs the tokens of registered users.
    Local,
    /// Signs the tokens of load-test users.
    Bench,
}

/// A secret can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is none, and it was not to be made.
    #[error("there is no {name} at {path}: {hint}")]
    Missing {
        /// What it is.
        name: &'static str,
        /// Where it would be.
        path: PathBuf,
        /// How to get one.
        hint: &'static str,
    },
    /// It can't be read or written.
    #[error("can't use the secret {path}: {source}")]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no secret, or too short.
    #[error(
        "the secret {path} is not base64 of at least {SECRET_BYTES_MIN} bytes; restore it, or \
         delete it to have a new one made (every token signed with it ends)"
    )]
    Malformed {
        /// Where it is.
        path: PathBuf,
    },
}

impl Issuer {
    /// The name in the tokens' `iss`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => LOCAL_ISSUER,
            Self::Bench => BENCH_ISSUER,
        }
    }

    /// Where the secret lies within a data directory.
    pub fn path(self, data_directory: &Path) -> PathBuf {
        let file = match self {
            Self::Local => "token.key",
            Self::Bench => "bench-issuer.key",
        };
        data_directory.join("secrets").join(file)
    }
}

/// Reads an issuer's secret.
pub fn load(data_directory: &Path, issuer: Issuer) -> Result<Secret, SecretError> {
    let path = issuer.path(data_directory);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or(SecretError::Malformed { path }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(SecretError::Missing {
            name: "signing key",
            path,
            hint: match issuer {
                Issuer::Local => "start `petrel serve` once with this data directory",
                Issuer::Bench => {
                    "start `petrel serve --bench-issuer` once with this data directory"
                }
            },
        }),
        Err(source) => Err(SecretError::File { path, source }),
    }
}

/// Reads an issuer's secret, or makes one.
pub(crate) fn load_or_create(data_directory: &Path, issuer: Issuer) -> Result<Secret, SecretError> {
    match load(data_directory, issuer) {
        Err(SecretError::Missing { path, .. }) => {
            create(&path).map_err(|source| SecretError::File { path, source })?;
            load(data_directory, issuer)
        }
        other => other,
    }
}

fn parse(text: &str) -> Option<Secret> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    Secret::new(&bytes).ok()
}

fn create(path: &Path) -> io::Result<()> {
    let mut bytes = [0_u8; SECRET_BYTES_MIN];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    write(path, &format!("{}\n", STANDARD.encode(bytes)))
}

/// Writes a secret beside its place and moves it there, so that a crash leaves either
/// none or a whole one. Only its owner can read it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().expect("a secret lies in a directory");
    private(fs::DirBuilder::new().recursive(true)).create(directory)?;
    let draft = path.with_extension("new");
    let mut file = private_file(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(unix)]
fn private(builder: &mut fs::DirBuilder) -> &mut fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    builder.mode(0o700)
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use petrel_protocol::token::Claims;
    use petrel_types::{TimestampMs, UserId};

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let now = TimestampMs::new(1_800_000_000_000);
        let claims = Claims::access(LOCAL_ISSUER, UserId::new(1), now, 60);
        let made = load_or_create(directory.path(), Issuer::Local).unwrap();
        let read = load_or_create(directory.path(), Issuer::Local).unwrap();
        assert!(read.verify(&made.sign(&claims), LOCAL_ISSUER, now).is_ok());

        let path = Issuer::Local.path(directory.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let bench = load_or_create(directory.path(), Issuer::Bench).unwrap();
        assert!(bench.verify(&made.sign(&claims), LOCAL_ISSUER, now).is_err());
    }

    #[test]
    fn weak_and_missing_secrets_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(load(directory.path(), Issuer::Bench), Err(SecretError::Missing { .. })));
        let path = Issuer::Local.path(directory.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, STANDARD.encode(b"change-me")).unwrap();
        assert!(matches!(
            load_or_create(directory.path(), Issuer::Local),
            Err(SecretError::Malformed { .. })
        ));
    }
}
