//! What an operator decides about encryption.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::TlsConfig;

/// `[tls]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// Whether both listeners speak TLS: `off`, `files` (a certificate of your own) or
    /// `self-signed` (made at the first start and kept in the data directory; for a LAN).
    pub mode: TlsMode,
    /// The certificate and its chain, as PEM. Read again when the file changes and on SIGHUP.
    #[schemars(example = &"/etc/petrel/fullchain.pem")]
    pub certificate: Option<PathBuf>,
    /// The private key, as PEM.
    #[schemars(example = &"/etc/petrel/privkey.pem")]
    pub key: Option<PathBuf>,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// No TLS.
    #[default]
    Off,
    /// From `tls.certificate` and `tls.key`.
    Files,
    /// Made by the node itself.
    SelfSigned,
}

impl TlsSection {
    pub(super) fn node(&self) -> TlsConfig {
        match (self.mode, &self.certificate, &self.key) {
            (TlsMode::Files, Some(certificate), Some(key)) => {
                TlsConfig::Files { certificate: certificate.clone(), key: key.clone() }
            }
            (TlsMode::SelfSigned, ..) => TlsConfig::SelfSigned,
            // Without both files it is a contradiction, and is told as that.
            (TlsMode::Off | TlsMode::Files, ..) => TlsConfig::Off,
        }
    }

    pub(super) fn contradiction(&self) -> Option<String> {
        let has_files = self.certificate.is_some() || self.key.is_some();
        let has_both = self.certificate.is_some() && self.key.is_some();
        match self.mode {
            TlsMode::Files if !has_both => Some(
                "tls.mode is `files`, so tls.certificate and tls.key (--tls-certificate, \
                 --tls-key) must both be given"
                    .to_owned(),
            ),
            TlsMode::Off | TlsMode::SelfSigned if has_files => Some(
                "tls.certificate and tls.key are used only with tls.mode = \"files\"; set that, or \
                 take them out"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
