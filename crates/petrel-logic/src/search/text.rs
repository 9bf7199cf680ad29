//! What a text is to somebody who searches: atoms, in order.
//!
//! An *atom* is a word, or one sign of a script that is written without blanks between
//! words (Chinese characters, kana, Hangul, Thai and others), or one emoji. What stands
//! between atoms, blanks and punctuation, is passed over. Atoms are *folded*: case, width
//! and accents are taken off (Unicode's compatibility decomposition, without marks, in
//! lower case), so that `Ｃａｆé` and `cafe` are the same.
//!
//! Simplified and traditional characters are not the same, nor are hiragana and katakana.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text with its atoms.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The text as it is shown: composed, so that a mark and its letter are not parted.
    pub(super) shown: String,
    pub(super) atoms: Vec<Atom>,
}

/// One atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    /// Folded.
    pub(super) folded: String,
    /// Whether it is a word, which may be begun only, and not a single sign.
    pub(super) is_word: bool,
    /// Where it stands in `shown`, in bytes.
    pub(super) range: Range<usize>,
}

/// What a folded character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Word,
    Sign,
    Between,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let shown: String = text.nfc().collect();
        let mut atoms: Vec<Atom> = Vec::new();
        let mut is_open = false;
        for (start, character) in shown.char_indices() {
            let end = start + character.len_utf8();
            for folded in fold(character) {
                match part_of(folded) {
                    Part::Between => is_open = false,
                    Part::Word if is_open => {
                        if let Some(word) = atoms.last_mut() {
                            word.folded.push(folded);
                            word.range.end = end;
                        }
                    }
                    part => {
                        is_open = part == Part::Word;
                        let folded = folded.to_string();
                        atoms.push(Atom { folded, is_word: is_open, range: start..end });
                    }
                }
            }
        }
        Self { shown, atoms }
    }
}

/// A character without case, width and accents. A mark by itself is nothing.
fn fold(character: char) -> impl Iterator<Item = char> {
    // Hangul is decomposed into letters, which are no signs of their own to those who
    // search.
    let is_hangul = ('\u{AC00}'..='\u{D7A3}').contains(&character);
    let whole = is_hangul.then_some(character);
    let parts = (!is_hangul).then(|| std::iter::once(character).nfkd());
    let folded = whole.into_iter().chain(parts.into_iter().flatten());
    folded.filter(|part| !is_accent(*part)).flat_map(char::to_lowercase).flat_map(|part| {
        // What lower case leaves apart.
        let (first, second) = match part {
            'ß' => ('s', Some('s')),
            'ς' => ('σ', None),
            other => (other, None),
        };
        std::iter::once(first).chain(second)
    })
}

/// Marks that make a variant of a letter, and not those that are vowels of their own, as
/// in the scripts of India.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036F}' | '\u{3099}' | '\u{309A}' | '\u{FE00}'..='\u{FE0F}')
}

fn part_of(character: char) -> Part {
    match character {
        // Radicals, 々〆〇, kana, bopomofo, ideographs, Hangul.
        '\u{2E80}'..='\u{2FDF}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'
        | '\u{3105}'..='\u{312F}'
        | '\u{31A0}'..='\u{31FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}'
        | '\u{1100}'..='\u{11FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}'
        // Thai, Lao, Myanmar, Khmer, without their punctuation.
        | '\u{0E01}'..='\u{0E3A}'
        | '\u{0E40}'..='\u{0E4E}'
        | '\u{0E81}'..='\u{0ECD}'
        | '\u{1000}'..='\u{103F}'
        | '\u{1780}'..='\u{17D3}'
        // Emoji and dingbats.
        | '\u{2600}'..='\u{27BF}'
        | '\u{1F000}'..='\u{1FAFF}' => Part::Sign,
        _ if character.is_alphanumeric() || is_combining_mark(character) => Part::Word,
        _ => Part::Between,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(text: &str) -> Vec<String> {
        Text::new(text).atoms.into_iter().map(|atom| atom.folded).collect()
    }

    #[test]
    fn words_and_signs_are_told_apart() {
        assert_eq!(
            atoms("The storm, 是over。iPhone手机 don't"),
            ["the", "storm", "是", "over", "iphone", "手", "机", "don", "t"]
        );
        assert_eq!(atoms("foo_bar-2026 🐦🐦!"), ["foo", "bar", "2026", "🐦", "🐦"]);
        assert_eq!(atoms(" \n…—。、"), [""; 0]);
    }

    #[test]
    fn case_width_and_accents_are_folded() {
        assert_eq!(atoms("Ｃａｆé ÀÉÎ"), ["cafe", "aei"]);
        assert_eq!(atoms("cafe\u{301}"), ["cafe"]);
        assert_eq!(atoms("STRASSE Straße"), ["strasse", "strasse"]);
        assert_eq!(atoms("ΣΊΣΥΦΟΣ σίσυφος"), ["σισυφοσ", "σισυφοσ"]);
        assert_eq!(atoms("Ёлка İstanbul"), ["елка", "istanbul"]);
        // Half-width and voiced kana; a syllable of Hangul in one and in three parts.
        assert_eq!(atoms("ｶﾞ ガ カ"), ["カ", "カ", "カ"]);
        assert_eq!(atoms("한"), atoms("\u{1112}\u{1161}\u{11AB}"));
        assert_eq!(atoms("１２３ ﬁn"), ["123", "fin"]);
    }

    #[test]
    fn a_vowel_that_is_a_mark_belongs_to_its_word() {
        assert_eq!(atoms("हिन्दी"), ["हिन्दी"]);
    }

    #[test]
    fn an_atom_knows_where_it_stands() {
        let text = Text::new("The Cafe\u{301}, 天气");
        let shown: Vec<_> = text.atoms.iter().map(|atom| &text.shown[atom.range.clone()]).collect();
        assert_eq!(shown, ["The", "Café", "天", "气"]);
    }
}
