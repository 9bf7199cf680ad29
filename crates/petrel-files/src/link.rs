//! Links that are good for a short time: who has one may have the file, whoever it is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use petrel_types::{FileId, TimestampMs};
use sha2::Sha256;

use crate::download::Variant;

/// A key that signs links with HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

/// A link that was signed, or that claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Until when it is good.
    pub expires: TimestampMs,
    /// The proof that it was made here, in base64url.
    pub signature: String,
}

impl LinkKey {
    /// Takes the raw bytes, which should be random and used for nothing else.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Signs a link that is good for `lasts_ms` at least, and at most twice as long. Within
    /// `lasts_ms` it is the same link, so that caches know it again.
    pub fn sign(&self, file: FileId, variant: Variant, now: TimestampMs, lasts_ms: u64) -> Link {
        let lasts_ms = lasts_ms.max(1);
        let expires = TimestampMs::new((now.get() / lasts_ms + 2).saturating_mul(lasts_ms));
        let mac = self.mac(file, variant, expires).finalize().into_bytes();
        Link { expires, signature: URL_SAFE_NO_PAD.encode(mac) }
    }

    /// Whether a link was made with this key for this file and is good still.
    pub fn allows(&self, file: FileId, variant: Variant, link: &Link, now: TimestampMs) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(&link.signature) else {
            return false;
        };
        // In constant time.
        self.mac(file, variant, link.expires).verify_slice(&signature).is_ok() && now < link.expires
    }

    fn mac(&self, file: FileId, variant: Variant, expires: TimestampMs) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("a key of any length is one");
        mac.update(format!("{file}\n{}\n{}", variant.as_str(), expires.get()).as_bytes());
        mac
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId::new(7);
    const NOW: TimestampMs = TimestampMs::new(1_000_500);

    #[test]
    fn a_link_is_good_for_one_file_for_a_time() {
        let key = LinkKey::new([1; 32]);
        let link = key.sign(FILE, Variant::Original, NOW, 1000);
        assert_eq!(link.expires, TimestampMs::new(1_002_000));
        let allows = |file, variant, link: &Link, now| {
            key.allows(FileId::new(file), variant, link, TimestampMs::new(now))
        };
        assert!(allows(7, Variant::Original, &link, 1_001_999));
        assert!(!allows(7, Variant::Original, &link, 1_002_000));
        assert!(!allows(8, Variant::Original, &link, 1_000_500));
        assert!(!allows(7, Variant::Thumbnail, &link, 1_000_500));
        let longer = Link { expires: TimestampMs::new(9_000_000), ..link.clone() };
        assert!(!allows(7, Variant::Original, &longer, 1_000_500));
        for signature in ["", "AAAA", "!", &link.signature[1..]] {
            let forged = Link { signature: signature.to_owned(), ..link.clone() };
            assert!(!allows(7, Variant::Original, &forged, 1_000_500), "{signature}");
        }
        assert!(!LinkKey::new([2; 32]).allows(FILE, Variant::Original, &link, NOW));
    }

    #[test]
    fn a_link_stays_the_same_for_a_while() {
        let key = LinkKey::new([1; 32]);
        let at = |now| key.sign(FILE, Variant::Original, TimestampMs::new(now), 1000);
        assert_eq!(at(1_000_000), at(1_000_999));
        assert_ne!(at(1_000_999), at(1_001_000));
    }
}
