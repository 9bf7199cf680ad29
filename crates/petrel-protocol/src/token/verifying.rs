//! Keys that tokens are checked with: one way for all issuers.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{SECRET_BYTES_MIN, TOKEN_BYTES_MAX, TokenError};

/// A secret with fewer different bytes than this was typed, not drawn.
const SECRET_DISTINCT_BYTES_MIN: usize = 12;

/// The shortest RSA key that is trusted, in bits (NIST SP 800-131A).
const RSA_BITS_MIN: usize = 2048;

/// How an issuer signs. A key is good for one algorithm only, whatever a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// HMAC-SHA-256 with a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A key that can't be trusted, or is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too short, or not drawn at random.
    #[error("{0}")]
    Weak(String),
    /// It can't be read.
    #[error("it is not the PEM of a public key for {algorithm}: {why}")]
    Malformed {
        /// What it should be for.
        algorithm: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// A key and the one algorithm it is used with.
#[derive(Clone)]
pub struct VerifyingKey {
    key: DecodingKey,
    algorithm: Algorithm,
}

impl KeyAlgorithm {
    /// The name in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl VerifyingKey {
    /// An HMAC secret, however weak.
    pub fn secret(bytes: &[u8]) -> Self {
        Self { key: DecodingKey::from_secret(bytes), algorithm: Algorithm::HS256 }
    }

    /// An HMAC secret that was drawn at random, as far as one can tell.
    pub fn strong_secret(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut distinct = bytes.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if bytes.len() < SECRET_BYTES_MIN {
            let why = format!("it has {} bytes, and {SECRET_BYTES_MIN} are needed", bytes.len());
            return Err(KeyError::Weak(why));
        }
        if distinct.len() < SECRET_DISTINCT_BYTES_MIN || looks_like_words(bytes) {
            return Err(KeyError::Weak("it looks typed, not drawn at random".to_owned()));
        }
        Ok(Self::secret(bytes))
    }

    /// A public key in PEM, for any algorithm but HS256.
    pub fn public(algorithm: KeyAlgorithm, pem: &[u8]) -> Result<Self, KeyError> {
        let malformed = |why: String| KeyError::Malformed { algorithm: algorithm.as_str(), why };
        let (key, algorithm) = match algorithm {
            KeyAlgorithm::Hs256 => return Err(malformed("HS256 has no public keys".to_owned())),
            KeyAlgorithm::Rs256 => (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
            KeyAlgorithm::Es256 => (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
            KeyAlgorithm::EdDsa => (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        };
        if pem.windows(7).any(|window| window == b"PRIVATE") {
            return Err(malformed("that is a private key, which belongs to its issuer".to_owned()));
        }
        let key = key.map_err(|error| malformed(error.to_string()))?;
        // The DER of an RSA public key is little more than its modulus.
        let der_bits = key.try_get_as_bytes().map_or(0, |der| der.len() * 8);
        if algorithm == Algorithm::RS256 && der_bits < RSA_BITS_MIN {
            return Err(KeyError::Weak(format!("it has fewer than {RSA_BITS_MIN} bits")));
        }
        Ok(Self { key, algorithm })
    }

    /// Checks length, algorithm, signature and issuer, and reads the claims. Whether the
    /// token has expired is for the caller, who knows the time.
    pub(super) fn claims<C: DeserializeOwned + Clone>(
        &self,
        token: &str,
        issuer: &str,
    ) -> Result<C, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(self.algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        // Time is an argument here; the library would ask the system.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = jsonwebtoken::decode::<C>(token, &self.key, &validation);
        decoded.map(|data| data.claims).map_err(|_| TokenError::Invalid)
    }
}

/// Whether it repeats itself, or consists of words such as `change-me-please`.
fn looks_like_words(bytes: &[u8]) -> bool {
    let letters = bytes.iter().filter(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
    letters == bytes.len()
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC+tVLc1xnwigytDJepCW26jZM2\n\
        SYCtVVPZS8+qRvfxYyGKrMItYVPoZ4t4vtkDs/WZWMGBQ6eqOdRSZtY08Pya1I3g\n\
        /QbtWwHlA/b1pYDOCYNhr62GW5RSbcJ7yIZNDBIlE4ZLI7Ei8baUh2+nV/SswCCI\n\
        tZwgnfKW0qSQrjpuawIDAQAB\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn a_key_that_is_too_short_or_none_is_refused() {
        let public = |algorithm, pem: &str| VerifyingKey::public(algorithm, pem.as_bytes());
        let weak = public(KeyAlgorithm::Rs256, RSA_1024).unwrap_err();
        assert!(matches!(weak, KeyError::Weak(_)), "{weak}");
        for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::EdDsa, KeyAlgorithm::Hs256] {
            let wrong = public(algorithm, RSA_1024).unwrap_err();
            assert!(matches!(wrong, KeyError::Malformed { .. }), "{wrong}");
        }
        let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let refused = public(KeyAlgorithm::Rs256, private).unwrap_err().to_string();
        assert!(refused.contains("private key"), "{refused}");
        assert!(public(KeyAlgorithm::Rs256, "no PEM").is_err());
    }
}
