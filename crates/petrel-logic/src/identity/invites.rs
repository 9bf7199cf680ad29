//! Invite codes: twenty letters and digits that a person can read out.

use petrel_store::Digest;
use sha2::{Digest as _, Sha256};

/// Crockford's base 32: no letter is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS: usize = 20;
const LETTERS_PER_GROUP: usize = 5;

/// The code that random bytes make, as `K7Q2M-…`; 100 bits.
pub(super) fn code(random: &[u8; LETTERS]) -> String {
    let letters: Vec<u8> = random.iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect();
    let groups = letters.chunks(LETTERS_PER_GROUP).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("-")
}

/// The digest of a code, however it was typed.
pub(super) fn digest(code: &str) -> Digest {
    let letters = code.chars().filter(|letter| letter.is_ascii_alphanumeric());
    let plain: String = letters
        .take(LETTERS + 1)
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    Sha256::digest(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let random = std::array::from_fn(|index| index as u8 + 30);
        let code = code(&random);
        assert_eq!(code, "YZ012-34567-89ABC-DEFGH");
        for typed in ["yz012 34567 89abc defgh", "YZOL234567-89ABC-DEFGH", &code] {
            assert_eq!(digest(typed), digest(&code), "{typed}");
        }
        assert_ne!(digest("YZ012-34567-89ABC-DEFGJ"), digest(&code));
        assert_ne!(digest(&format!("{code}0")), digest(&code));
    }
}
