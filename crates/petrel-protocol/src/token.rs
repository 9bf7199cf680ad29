//! Tokens: access tokens, which are JWTs, and the texts of refresh and sync tokens, which
//! clients only keep.
//!
//! This module makes and checks the form. Which issuers are trusted, and for which users,
//! is decided in `petrel-logic`.

mod external;
mod refresh;
mod sync;
mod verifying;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use petrel_types::{LoginId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

pub use external::{ExternalClaims, UserClaim};
pub use refresh::RefreshToken;
pub use sync::{SyncPass, SyncToken};
pub use verifying::{KeyAlgorithm, KeyError, VerifyingKey};

/// The least length of a signing secret, in bytes: the block that HMAC-SHA-256
/// reduces a key to.
pub const SECRET_BYTES_MIN: usize = 32;

/// The longest token that is looked at, in bytes. The largest RSA signature and a page of
/// claims that nobody here reads fit in.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Who signs a node's own tokens.
pub const LOCAL_ISSUER: &str = "petrel";

/// Who signs the tokens of load-test users under `--bench-issuer`.
pub const BENCH_ISSUER: &str = "petrel-bench";

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued the token.
    pub iss: String,
    /// When it was issued, in seconds since the Unix epoch.
    pub iat: u64,
    /// When it expires, in seconds since the Unix epoch.
    pub exp: u64,
    /// The user. Written as a number, as mini-im's clients expect.
    #[serde(serialize_with = "as_number")]
    pub uid: UserId,
    /// Always `access`: a refresh token is never an access token.
    pub typ: String,
    /// A name for this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The log-in it belongs to. A token that names none ends only by expiring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<LoginId>,
}

/// A key that signs and checks tokens with HMAC-SHA-256.
#[derive(Clone)]
pub struct Secret {
    encoding: EncodingKey,
    verifying: VerifyingKey,
}

/// Why a token is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, wrong algorithm, wrong signature, wrong issuer or wrong kind.
    #[error("the token is malformed, forged, or not an access token of this issuer")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// A secret is too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret needs at least {SECRET_BYTES_MIN} bytes, this one has {bytes}")]
pub struct WeakSecret {
    /// Its length.
    pub bytes: usize,
}

impl Claims {
    /// The claims of an access token issued now.
    pub fn access(issuer: &str, user: UserId, now: TimestampMs, ttl_seconds: u64) -> Self {
        Self {
            iss: issuer.to_owned(),
            iat: now.seconds(),
            exp: now.seconds().saturating_add(ttl_seconds),
            uid: user,
            typ: "access".to_owned(),
            jti: None,
            sid: None,
        }
    }
}

impl Secret {
    /// Takes the raw bytes of a secret; refuses short ones.
    pub fn new(bytes: &[u8]) -> Result<Self, WeakSecret> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(WeakSecret { bytes: bytes.len() });
        }
        Ok(Self {
            encoding: EncodingKey::from_secret(bytes),
            verifying: VerifyingKey::secret(bytes),
        })
    }

    /// Signs a token.
    pub fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("HMAC signing of plain claims can't fail")
    }

    /// Another key, made of this one for one purpose: who knows it knows nothing of this one,
    /// nor of those for other purposes.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // No token: what is signed for one holds a dot, and no colon.
        let message = format!("petrel-key:{purpose}");
        let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, Algorithm::HS256)
            .expect("HMAC signing can't fail");
        let mut key = [0; 32];
        URL_SAFE_NO_PAD.decode_slice(mac, &mut key).expect("an HMAC-SHA-256 has 32 bytes");
        key
    }

    /// Checks signature, algorithm, issuer, kind and expiry, and returns the claims.
    pub fn verify(
        &self,
        token: &str,
        issuer: &str,
        now: TimestampMs,
    ) -> Result<Claims, TokenError> {
        let claims: Claims = self.verifying.claims(token, issuer)?;
        if claims.typ != "access" || claims.uid.get() == 0 {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= now.seconds() {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The issuer a token names, unverified: only for choosing the key to check with.
pub fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    jsonwebtoken::dangerous::insecure_decode::<Issuer>(token).ok().map(|data| data.claims.iss)
}

fn as_number<S: serde::Serializer>(user: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(user.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs::new(1_800_000_000_000);

    fn secret(fill: u8) -> Secret {
        Secret::new(&[fill; 32]).unwrap()
    }

    fn claims() -> Claims {
        Claims::access(LOCAL_ISSUER, UserId::new(42), NOW, 60)
    }

    #[test]
    fn a_token_comes_back_as_it_was_signed() {
        let token = secret(1).sign(&claims());
        assert_eq!(secret(1).verify(&token, LOCAL_ISSUER, NOW), Ok(claims()));
        assert_eq!(claimed_issuer(&token).as_deref(), Some(LOCAL_ISSUER));
    }

    #[test]
    fn a_token_ends_at_its_exp() {
        let token = secret(1).sign(&claims());
        let last = TimestampMs::new(NOW.get() + 59_999);
        let over = TimestampMs::new(NOW.get() + 60_000);
        assert!(secret(1).verify(&token, LOCAL_ISSUER, last).is_ok());
        assert_eq!(secret(1).verify(&token, LOCAL_ISSUER, over), Err(TokenError::Expired));
    }

    #[test]
    fn foreign_forged_and_refresh_tokens_are_invalid() {
        let sign = |claims: &Claims| secret(1).sign(claims);
        let verify = |token: &str| secret(1).verify(token, LOCAL_ISSUER, NOW);

        assert_eq!(verify(&secret(2).sign(&claims())), Err(TokenError::Invalid));
        assert_eq!(
            verify(&sign(&Claims { iss: BENCH_ISSUER.to_owned(), ..claims() })),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            verify(&sign(&Claims { typ: "refresh".to_owned(), ..claims() })),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            verify(&sign(&Claims { uid: UserId::new(0), ..claims() })),
            Err(TokenError::Invalid)
        );
        assert_eq!(verify("not.a.token"), Err(TokenError::Invalid));
    }

    #[test]
    fn the_algorithm_is_pinned() {
        let signed_with_another = jsonwebtoken::encode(
            &Header::new(Algorithm::HS512),
            &claims(),
            &EncodingKey::from_secret(&[1; 32]),
        )
        .unwrap();
        assert_eq!(
            secret(1).verify(&signed_with_another, LOCAL_ISSUER, NOW),
            Err(TokenError::Invalid)
        );
        // {"alg":"none","typ":"JWT"} with valid claims and no signature.
        let token = secret(1).sign(&claims());
        let payload = token.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert_eq!(secret(1).verify(&unsigned, LOCAL_ISSUER, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn short_secrets_are_refused() {
        assert_eq!(Secret::new(&[1; 31]).unwrap_err(), WeakSecret { bytes: 31 });
    }
}
