//! Tokens of other issuers: whom they name, and until when.

use petrel_types::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{TokenError, VerifyingKey};

/// Kinds of tokens that open a door, among those that issuers name in `typ`. Refresh and
/// id tokens are not.
const ACCESS_KINDS: [&str; 3] = ["access", "bearer", "at+jwt"];

/// Which claim names the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserClaim {
    /// `uid`.
    Uid,
    /// `sub`.
    #[default]
    Sub,
}

/// What is taken from a token of another issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalClaims {
    /// The issuer's own name for the user, never empty. A number is written in decimal.
    pub subject: String,
    /// When the token expires.
    pub expires: TimestampMs,
}

#[derive(Clone, Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    uid: Value,
    #[serde(default)]
    sub: Value,
}

impl VerifyingKey {
    /// Checks a token of the issuer whose key this is: signature, algorithm, `iss`, `exp`,
    /// `nbf` and `typ`, of which the first four must be there.
    pub fn verify_external(
        &self,
        token: &str,
        issuer: &str,
        user: UserClaim,
        now: TimestampMs,
    ) -> Result<ExternalClaims, TokenError> {
        let Claims { exp, nbf, typ, uid, sub } = self.claims(token, issuer)?;
        let is_access =
            typ.is_none_or(|typ| ACCESS_KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(&typ)));
        let subject = match if user == UserClaim::Uid { uid } else { sub } {
            Value::String(text) if !text.is_empty() => text,
            Value::Number(number) if number.is_u64() => number.to_string(),
            _ => return Err(TokenError::Invalid),
        };
        let seconds = now.seconds() as f64;
        if !is_access || nbf.is_some_and(|nbf| nbf > seconds) || !exp.is_finite() {
            return Err(TokenError::Invalid);
        }
        if exp <= seconds {
            return Err(TokenError::Expired);
        }
        // A number beyond the range becomes the end of the range: as good as for ever.
        Ok(ExternalClaims { subject, expires: TimestampMs::new((exp * 1000.0) as u64) })
    }
}
