//! The terms under which an index keeps a message, and those by which it is asked.
//!
//! A sign is a term. Of a word, the terms are its first two and its first four letters: a
//! query for the beginning of a word asks for the longer one that it has, and whether a
//! candidate really begins so is seen when it is looked at. Phrases are found by their
//! terms alone, and looked at likewise. So the index needs neither the order of terms nor
//! that of letters, and is small.
//!
//! Who sent a message and what kind it is are terms as well.

use petrel_protocol::frame::MessageType;
use petrel_types::UserId;

use super::text::Atom;

const SHORT_LETTERS: usize = 2;
const LONG_LETTERS: usize = 4;

/// The terms of a message by who sent it and what it is.
pub(super) fn of_envelope(sender: UserId, msg_type: MessageType) -> [String; 2] {
    [of_sender(sender), of_kind(msg_type)]
}

pub(super) fn of_sender(sender: UserId) -> String {
    format!("from:{sender}")
}

pub(super) fn of_kind(msg_type: MessageType) -> String {
    format!("kind:{msg_type:?}")
}

/// The terms of an atom of a message.
pub(super) fn of_atom(atom: &Atom) -> impl Iterator<Item = String> {
    let word = [beginning(atom, SHORT_LETTERS), beginning(atom, LONG_LETTERS)];
    let whole = word.iter().all(Option::is_none).then(|| whole(atom));
    word.into_iter().flatten().chain(whole)
}

/// The term that tells most of an atom of a query.
pub(super) fn of_query(atom: &Atom) -> String {
    beginning(atom, LONG_LETTERS)
        .or_else(|| beginning(atom, SHORT_LETTERS))
        .unwrap_or_else(|| whole(atom))
}

/// The first letters of a word that has so many.
fn beginning(atom: &Atom, letters: usize) -> Option<String> {
    let mut ends = atom.folded.char_indices().map(|(start, letter)| start + letter.len_utf8());
    let end = ends.nth(letters - 1).filter(|_| atom.is_word)?;
    Some(format!("w{letters}:{}", &atom.folded[..end]))
}

/// A sign, or a word of one letter.
fn whole(atom: &Atom) -> String {
    format!("a:{}", atom.folded)
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    #[test]
    fn whatever_begins_a_word_asks_for_a_term_of_the_word() {
        for word in ["a", "at", "cat", "boat", "storm", "стокгольм", "天", "🐦"] {
            let atoms = Text::new(word).atoms;
            let terms: Vec<_> = of_atom(&atoms[0]).collect();
            assert!(terms.len() <= 2, "{terms:?}");
            let letters: Vec<char> = word.chars().collect();
            let shortest = letters.len().min(2);
            for length in shortest..=letters.len() {
                let begun: String = letters[..length].iter().collect();
                let asked = of_query(&Text::new(&begun).atoms[0]);
                assert!(terms.contains(&asked), "{begun} of {word}: {asked} not in {terms:?}");
            }
        }
    }
}
