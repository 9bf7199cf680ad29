//! Refresh tokens: what presenting one means.
//!
//! A token is the id of its log-in, a part that all tokens of the log-in share, and a
//! secret. The store has digests of both parts only. The secret of a successor is
//! HMAC-SHA-256 of a random nonce under the secret before it: so the server, which keeps
//! the nonce but no secret, can give the *same* successor once more to whoever still
//! holds the token before it (an answer was lost, two tabs asked at once), and nobody
//! else can make it of what is stored.
//!
//! An old token whose shared part is right was once handed out: somebody kept a copy, so
//! the log-in ends (RFC 9700 §4.14.2). One whose shared part is wrong was made up, and
//! ends nothing.

use hmac::{Hmac, Mac};
use petrel_protocol::token::RefreshToken as Text;
use petrel_store::{Digest, Login, PreviousToken, RefreshTokens};
use petrel_types::{LoginId, TimestampMs};
use sha2::{Digest as _, Sha256};

/// Random bytes for a new log-in.
pub(super) type Seed = [u8; Text::SEED_BYTES];

/// A refresh token in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefreshToken(Text);

/// What is to be done with a token that was presented.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented {
    /// It is the current one: replace it, as long as it is.
    Rotate,
    /// It was replaced a moment ago, and its successor is unused: give that once more.
    Repeat {
        /// What the successor was made of.
        nonce: [u8; 32],
    },
    /// It was replaced before: the log-in must end.
    Reused,
    /// It was never handed out, or the log-in has expired.
    Invalid,
}

impl RefreshToken {
    /// The first token of a log-in whose digests are those of [`first_tokens`].
    pub(super) fn first(login: LoginId, seed: &Seed) -> Self {
        Self(Text::first(login, seed))
    }

    /// Reads what a client sent; `None` if it can't be one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Text::parse(text).map(Self)
    }

    /// The text for the client.
    pub(super) fn to_text(&self) -> String {
        self.0.to_text()
    }

    pub(super) fn login(&self) -> LoginId {
        self.0.login
    }

    /// The digest of its own part.
    pub(super) fn digest(&self) -> Digest {
        Sha256::digest(self.0.secret).into()
    }

    /// The token that a nonce makes of this one.
    pub(super) fn successor(&self, nonce: &[u8; 32]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.secret).expect("any length will do");
        mac.update(nonce);
        Self(Text { secret: mac.finalize().into_bytes().into(), ..self.0.clone() })
    }

    /// The digests that the store holds once this token was traded for its successor.
    pub(super) fn replaced(&self, nonce: [u8; 32], now: TimestampMs) -> RefreshTokens {
        RefreshTokens {
            family: Sha256::digest(self.0.family).into(),
            current: self.successor(&nonce).digest(),
            previous: Some(PreviousToken { digest: self.digest(), nonce, replaced: now }),
        }
    }

    /// What presenting it means.
    pub(super) fn presented(&self, login: &Login, now: TimestampMs, grace_ms: u64) -> Presented {
        let family: Digest = Sha256::digest(self.0.family).into();
        // Digests of random secrets: how long comparing takes tells nothing of use.
        if family != login.refresh.family || login.expires <= now {
            return Presented::Invalid;
        }
        let digest = self.digest();
        if digest == login.refresh.current {
            return Presented::Rotate;
        }
        match &login.refresh.previous {
            // A clock that was set back makes the time shorter, not longer.
            Some(previous)
                if previous.digest == digest
                    && now.get().abs_diff(previous.replaced.get()) < grace_ms =>
            {
                Presented::Repeat { nonce: previous.nonce }
            }
            _ => Presented::Reused,
        }
    }
}

/// The digests of a new log-in.
pub(super) fn first_tokens(seed: &Seed) -> RefreshTokens {
    let token = RefreshToken::first(LoginId::default(), seed);
    let (family, current) = (Sha256::digest(token.0.family).into(), token.digest());
    RefreshTokens { family, current, previous: None }
}

#[cfg(test)]
mod tests {
    use petrel_store::LoginDevice;
    use petrel_types::UserId;

    use super::*;

    const GRACE_MS: u64 = 60_000;

    fn at(ms: u64) -> TimestampMs {
        TimestampMs::new(1_000_000 + ms)
    }

    fn begin() -> (Login, RefreshToken) {
        let seed = [7; Text::SEED_BYTES];
        let login = Login {
            id: LoginId::new(5),
            user: UserId::new(9),
            device: LoginDevice::default(),
            refresh: first_tokens(&seed),
            created: at(0),
            seen: at(0),
            expires: at(1_000_000),
        };
        (login, RefreshToken::first(LoginId::new(5), &seed))
    }

    fn rotate(login: &mut Login, token: &RefreshToken, nonce: u8, now: u64) -> RefreshToken {
        assert_eq!(token.presented(login, at(now), GRACE_MS), Presented::Rotate);
        login.refresh = token.replaced([nonce; 32], at(now));
        token.successor(&[nonce; 32])
    }

    #[test]
    fn each_token_is_traded_for_the_next() {
        let (mut login, first) = begin();
        let second = rotate(&mut login, &first, 1, 0);
        let third = rotate(&mut login, &second, 2, 10);
        assert_ne!(first.to_text(), second.to_text());
        assert_eq!(third.presented(&login, at(20), GRACE_MS), Presented::Rotate);
    }

    #[test]
    fn within_the_grace_the_same_successor_is_given_once_more() {
        let (mut login, first) = begin();
        let second = rotate(&mut login, &first, 1, 0);
        let Presented::Repeat { nonce } = first.presented(&login, at(59_999), GRACE_MS) else {
            panic!("no repeat");
        };
        assert_eq!(first.successor(&nonce), second);
        // It made no branch: the successor is still the current one.
        assert_eq!(second.presented(&login, at(59_999), GRACE_MS), Presented::Rotate);
        assert_eq!(first.presented(&login, at(60_000), GRACE_MS), Presented::Reused);
    }

    #[test]
    fn once_the_successor_is_used_the_one_before_is_a_copy() {
        let (mut login, first) = begin();
        let second = rotate(&mut login, &first, 1, 0);
        let _third = rotate(&mut login, &second, 2, 1);
        assert_eq!(first.presented(&login, at(2), GRACE_MS), Presented::Reused);
    }

    #[test]
    fn what_was_never_handed_out_ends_nothing() {
        let (login, token) = begin();
        let made_up = RefreshToken(Text { family: [0; 16], ..token.0.clone() });
        assert_eq!(made_up.presented(&login, at(1), GRACE_MS), Presented::Invalid);
        assert_eq!(token.presented(&login, at(1_000_000), GRACE_MS), Presented::Invalid);
    }
}
