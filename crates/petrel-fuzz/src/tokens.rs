//! What a client presents to say who it is, or where it was.

use std::sync::LazyLock;

use petrel_protocol::token::{
    LOCAL_ISSUER, RefreshToken, Secret, SyncToken, UserClaim, VerifyingKey, claimed_issuer,
};
use petrel_types::TimestampMs;

/// What tokens are made of.
pub(crate) const WORDS: &[&str] = &[
    ".",
    "=",
    "-_",
    "petrel_rt_",
    "AAAAAAAA",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJhbGciOiJub25lIn0.",
    // {"iss":"petrel"}, and the same as an array.
    "eyJpc3MiOiJwZXRyZWwifQ",
    "WyJwZXRyZWwiXQ",
];

/// The time by which tokens are judged.
const NOW: TimestampMs = TimestampMs::new(1_800_000_000_000);

/// The key that the seeds are signed with.
const KEY: [u8; 32] = [7; 32];

/// What is taken for a token of ours says what such a token has to say.
pub(crate) fn access(bytes: &[u8]) {
    static SECRET: LazyLock<Secret> =
        LazyLock::new(|| Secret::new(&KEY).expect("32 bytes are enough"));
    static EXTERNAL: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::secret(&KEY));
    let Ok(token) = str::from_utf8(bytes) else { return };
    let issuer = claimed_issuer(token);
    if let Ok(claims) = SECRET.verify(token, LOCAL_ISSUER, NOW) {
        assert_eq!(issuer.as_deref(), Some(LOCAL_ISSUER));
        assert_eq!((claims.iss.as_str(), claims.typ.as_str()), (LOCAL_ISSUER, "access"));
        assert!(claims.uid.get() != 0 && claims.exp > NOW.seconds());
    }
    for claim in [UserClaim::Uid, UserClaim::Sub] {
        if let Ok(claims) = EXTERNAL.verify_external(token, "elsewhere", claim, NOW) {
            assert_eq!(issuer.as_deref(), Some("elsewhere"));
            assert!(!claims.subject.is_empty() && claims.expires > NOW);
        }
    }
}

/// What is taken for a refresh token has one text.
pub(crate) fn refresh(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(token.to_text(), text);
        assert!(!format!("{token:?}").contains(&text[20..]), "a token shows itself");
    }
}

/// What is taken for a sync token has one text.
pub(crate) fn sync(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(token) = SyncToken::decode(text) {
        assert_eq!(token.encode(), text);
    }
}
