//! JWTs with HMAC-SHA-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

fn signature(secret: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length will do");
    mac.update(text.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// A token with these claims.
pub(crate) fn sign(secret: &[u8], claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = signature(secret, &text);
    format!("{text}.{signature}")
}

/// The claims of a token that this secret signed.
pub(crate) fn verify(secret: &[u8], token: &str) -> Option<Value> {
    let (text, given) = token.rsplit_once('.')?;
    if signature(secret, text) != given {
        return None;
    }
    let (head, claims) = text.split_once('.')?;
    let read = |part: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    (read(head)?["alg"] == "HS256").then(|| read(claims))?
}

/// Seconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a server of its own, with a clock of its own")]
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
