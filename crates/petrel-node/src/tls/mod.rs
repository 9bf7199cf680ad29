//! TLS for both listeners: which certificate is shown, and how it is replaced while the
//! node runs.
//!
//! The certificate is looked up at each handshake, so that a new one counts from the
//! next connection on and no session notices. A new one that can't be used is told in
//! the log, and the old one stays.

mod self_signed;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use petrel_types::Clock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. Programs that renew certificates do so days ahead.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsConfig {
    /// No TLS.
    #[default]
    Off,
    /// From files of the operator's.
    Files {
        /// The certificate and its chain, as PEM.
        certificate: PathBuf,
        /// The private key, as PEM.
        key: PathBuf,
    },
    /// Made by the node, kept in the data directory.
    SelfSigned,
}

/// A certificate can't be used. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or written.
    #[error("can't use {path} for TLS: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what} in PEM form: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        reason: String,
    },
    /// The certificate and the key are of no use together.
    #[error("the certificate {certificate} and the key {key} don't fit together: {reason}")]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A certificate can't be made.
    #[error("can't make a certificate: {0}")]
    Make(String),
}

/// The TLS of a node.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: Files,
}

/// The two files, which may be one.
#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What the next handshake shows.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// By which a changed file is recognised.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// As configured; `None` if it is off.
    pub(crate) fn new(
        config: &TlsConfig,
        data_directory: &Path,
        clock: &dyn Clock,
    ) -> Result<Option<Self>, TlsError> {
        let files = match config {
            TlsConfig::Off => return Ok(None),
            TlsConfig::Files { certificate, key } => {
                Files { certificate: certificate.clone(), key: key.clone() }
            }
            TlsConfig::SelfSigned => {
                let path = self_signed::load_or_create(data_directory, clock.now())?;
                Files { certificate: path.clone(), key: path }
            }
        };
        let provider = Arc::new(ring::default_provider());
        let shown = Arc::new(Shown(RwLock::new(Arc::new(files.load(&provider)?))));
        Ok(Some(Self { acceptor: acceptor(provider, Arc::clone(&shown))?, shown, files }))
    }

    /// Shakes hands with clients.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The SHA-256 of the certificate that is shown, as browsers write it.
    pub(crate) fn fingerprint(&self) -> String {
        self.shown.get().cert.first().map(fingerprint).unwrap_or_default()
    }

    /// Reads the files again whenever they have changed, and when told to.
    pub(crate) async fn keep_up(self, told: Arc<Notify>, stopping: CancellationToken) {
        let mut seen = self.files.stamp();
        loop {
            let was_told = tokio::select! {
                () = stopping.cancelled() => return,
                () = told.notified() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let stamp = self.files.stamp();
            if was_told || stamp != seen {
                seen = stamp;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        match self.files.load(&ring::default_provider()) {
            Ok(certificate) => {
                self.shown.set(certificate);
                tracing::info!(
                    fingerprint = self.fingerprint(),
                    "the TLS certificate was read again"
                );
            }
            Err(error) => tracing::error!(%error, "the TLS certificate stays as it was"),
        }
    }
}

fn acceptor(provider: Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<TlsAcceptor, TlsError> {
    let failed = |error: rustls::Error| TlsError::Make(error.to_string());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Devices that come back don't make the server sign again, and nothing is kept for
    // them.
    config.ticketer = crypto::ring::Ticketer::new().map_err(failed)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Files {
    fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(&self.certificate, "certificate", error))?;
        if chain.is_empty() {
            return Err(unreadable(&self.certificate, "certificate", pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unreadable(&self.key, "private key", error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            reason: error.to_string(),
        })
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

fn unreadable(path: &Path, what: &'static str, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => TlsError::File { path, source },
        pem::Error::NoItemsFound => {
            TlsError::Content { path, what, reason: "there is none in it".to_owned() }
        }
        other => TlsError::Content { path, what, reason: other.to_string() },
    }
}

impl Shown {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, certificate: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ::ring::digest::digest(&::ring::digest::SHA256, certificate);
    let mut text = String::new();
    for byte in digest.as_ref() {
        let colon = if text.is_empty() { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use petrel_types::SystemClock;

    use super::*;

    fn made() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = self_signed::load_or_create(directory.path(), SystemClock.now()).unwrap();
        (directory, path)
    }

    fn files(certificate: &Path, key: &Path) -> TlsConfig {
        TlsConfig::Files { certificate: certificate.to_owned(), key: key.to_owned() }
    }

    fn error_of(config: &TlsConfig) -> String {
        let error = Tls::new(config, Path::new("/nowhere"), &SystemClock).err();
        error.expect("it must be refused").to_string()
    }

    #[test]
    fn files_that_are_of_no_use_are_told_by_name() {
        let (directory, good) = made();
        let (_other_directory, other) = made();
        let empty = directory.path().join("empty.pem");
        fs::write(&empty, "nothing\n").unwrap();
        assert!(error_of(&files(&directory.path().join("none.pem"), &good)).contains("none.pem"));
        assert!(error_of(&files(&empty, &good)).contains("empty.pem holds no certificate"));
        assert!(error_of(&files(&good, &empty)).contains("empty.pem holds no private key"));
        assert!(error_of(&files(&good, &other)).contains("don't fit together"));
        assert!(Tls::new(&files(&good, &good), directory.path(), &SystemClock).is_ok());
    }

    #[test]
    fn a_new_certificate_is_shown_and_a_bad_one_is_not() {
        let (_directory, path) = made();
        let (_other_directory, other) = made();
        let config = files(&path, &path);
        let tls = Tls::new(&config, Path::new("/nowhere"), &SystemClock).unwrap().unwrap();
        let before = tls.fingerprint();
        assert_eq!(before.len(), 32 * 3 - 1);

        fs::write(&path, "broken").unwrap();
        tls.reload();
        assert_eq!(tls.fingerprint(), before);
        fs::copy(&other, &path).unwrap();
        tls.reload();
        assert_ne!(tls.fingerprint(), before);
    }
}
