//! From terms to what is stored of them.
//!
//! A token is a hash of 40 bits of a conversation and a term, keyed with a secret of the
//! index. Two terms of one conversation share a token about never; should they, a
//! candidate does not fit when it is looked at, and nothing is missed. It is written to
//! FTS5 as eight letters of the alphabet of RFC 4648's base 32, in lower case, which its
//! ASCII tokenizer takes for one word.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hasher;

use petrel_types::ConversationId;
use siphasher::sip::SipHasher13;

/// How many bytes a token has in `documents`.
pub(super) const TOKEN_BYTES: usize = 5;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The key of the hashes of an index.
#[derive(Clone, Copy)]
pub(super) struct Secret(pub(super) u64, pub(super) u64);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A term of a conversation as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token([u8; TOKEN_BYTES]);

impl Token {
    pub(super) fn new(secret: Secret, conversation: ConversationId, term: &str) -> Self {
        let mut hasher = SipHasher13::new_with_keys(secret.0, secret.1);
        hasher.write(&conversation.get().to_le_bytes());
        hasher.write(term.as_bytes());
        let hash = hasher.finish().to_le_bytes();
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(&hash[..TOKEN_BYTES]);
        Self(token)
    }

    /// Appends the word by which FTS5 knows it.
    pub(super) fn write_word(self, out: &mut String) {
        let bits = self.0.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for letter in (0..8).rev() {
            let index = usize::try_from(bits >> (5 * letter) & 31).unwrap_or(0);
            out.push(char::from(ALPHABET[index]));
        }
    }
}

/// The tokens of a message, each once, as they are kept in `documents`.
pub(super) fn pack(tokens: &BTreeSet<Token>) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.0).collect()
}

/// The words of what [`pack`] made, as FTS5 is given them.
pub(super) fn words_of(packed: &[u8]) -> String {
    let mut words = String::with_capacity(packed.len() / TOKEN_BYTES * 9);
    for token in packed.chunks_exact(TOKEN_BYTES) {
        if !words.is_empty() {
            words.push(' ');
        }
        let mut bytes = [0; TOKEN_BYTES];
        bytes.copy_from_slice(token);
        Token(bytes).write_word(&mut words);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_depends_on_secret_conversation_and_term() {
        let token = |secret, conversation, term| {
            Token::new(Secret(secret, 2), ConversationId::new(conversation), term)
        };
        let all = [token(1, 7, "a"), token(2, 7, "a"), token(1, 8, "a"), token(1, 7, "b")];
        assert_eq!(BTreeSet::from(all).len(), all.len());
        assert_eq!(token(1, 7, "a"), token(1, 7, "a"));
    }

    #[test]
    fn a_word_tells_all_bits_apart() {
        let word = |bytes| {
            let mut word = String::new();
            Token(bytes).write_word(&mut word);
            word
        };
        // As `base32` of RFC 4648 writes them.
        assert_eq!(word(*b"hello"), "nbswy3dp");
        assert_eq!(word([0; 5]), "aaaaaaaa");
        assert_eq!(word([255; 5]), "77777777");
        assert_eq!(words_of(b"hellohello"), "nbswy3dp nbswy3dp");
    }
}
