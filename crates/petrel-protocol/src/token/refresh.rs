//! Refresh tokens: the text that a client keeps. What presenting one means, and what is
//! stored of it, is decided in `petrel-logic`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use petrel_types::LoginId;

/// What a token begins with, so that people and secret scanners recognise one.
const PREFIX: &str = "petrel_rt_";
const ID_BYTES: usize = 8;
const FAMILY_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const TOKEN_BYTES: usize = ID_BYTES + FAMILY_BYTES + SECRET_BYTES;

/// A refresh token in the clear, as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The log-in it belongs to.
    pub login: LoginId,
    /// What all tokens of the log-in share.
    pub family: [u8; FAMILY_BYTES],
    /// What is its own.
    pub secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// How many random bytes a new log-in takes.
    pub const SEED_BYTES: usize = FAMILY_BYTES + SECRET_BYTES;

    /// The first token of a log-in, made of random bytes.
    pub fn first(login: LoginId, seed: &[u8; Self::SEED_BYTES]) -> Self {
        let (family, secret) = seed.split_at(FAMILY_BYTES);
        Self {
            login,
            family: family.try_into().expect("split there"),
            secret: secret.try_into().expect("split there"),
        }
    }

    /// Reads what a client sent; `None` if it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        let mut bytes = [0; TOKEN_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
        let (id, seed) = bytes.split_at(ID_BYTES);
        let login = LoginId::new(u64::from_be_bytes(id.try_into().ok()?));
        (length == TOKEN_BYTES).then(|| Self::first(login, seed.try_into().expect("the rest")))
    }

    /// The text for the client.
    pub fn to_text(&self) -> String {
        let id = self.login.get().to_be_bytes();
        let bytes = [&id[..], &self.family, &self.secret].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Says nothing of its secrets.
impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefreshToken(of {})", self.login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_text() {
        let token = RefreshToken::first(LoginId::new(5), &[7; RefreshToken::SEED_BYTES]);
        let text = token.to_text();
        assert_eq!(RefreshToken::parse(&text), Some(token));
        for wrong in ["", "petrel_rt_", &text[1..], &text[..text.len() - 1], "a.b.c"] {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
        assert_eq!(RefreshToken::parse(&format!("{text}AA")), None);
    }
}
