//! What somebody searches for, and where it stands in a text.
//!
//! A query is made of *pieces* with blanks between them, and a text fits if all of them are
//! in it, in any order. A piece is a row of atoms that must follow each other: `天气`, or
//! `foo-bar`. Its last word may go on in the text (`sto` finds `storm`), if it has two
//! letters or more. Between double quotes is one piece, blanks included, whose words are
//! whole.

use std::collections::BTreeSet;
use std::ops::Range;

use petrel_protocol::ErrorReason;
use petrel_types::limits::{SEARCH_ATOMS_MAX, SEARCH_QUERY_UTF16_UNITS_MAX};

use super::terms;
use super::text::{Atom, Text};
use crate::Refusal;

/// A word of so many letters may be the beginning of another.
const BEGINNING_LETTERS_MIN: usize = 2;

/// What is searched for. Without pieces everything fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    atoms: Vec<Atom>,
    /// The last word may go on.
    is_open: bool,
}

impl Pattern {
    /// Reads a query. One in which nothing can be searched for is refused, and so is one
    /// that is too long.
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let invalid = |story: String| Err(Refusal::new(ErrorReason::InvalidField, story));
        if query.encode_utf16().count() > SEARCH_QUERY_UTF16_UNITS_MAX {
            return invalid(format!(
                "`q` is longer than {SEARCH_QUERY_UTF16_UNITS_MAX} UTF-16 units"
            ));
        }
        let pieces: Vec<Piece> = quoted_and_not(query)
            .flat_map(|(is_quoted, text)| match is_quoted {
                true => vec![Piece { atoms: Text::new(text).atoms, is_open: false }],
                false => text.split_whitespace().map(Piece::open).collect(),
            })
            .filter(|piece| !piece.atoms.is_empty())
            .collect();
        if pieces.is_empty() {
            return invalid("`q` holds no letter, digit or sign to search for".to_owned());
        }
        if pieces.iter().map(|piece| piece.atoms.len()).sum::<usize>() > SEARCH_ATOMS_MAX {
            return invalid(format!("`q` has more than {SEARCH_ATOMS_MAX} words and signs"));
        }
        Ok(Self { pieces })
    }

    /// The terms that whatever fits has, each once.
    pub(super) fn terms(&self) -> BTreeSet<String> {
        self.pieces.iter().flat_map(|piece| &piece.atoms).map(terms::of_query).collect()
    }

    /// Where the pieces stand in a text, in bytes of what is shown, in order and without
    /// overlaps; `None` if one of them is not in it.
    pub(super) fn marks(&self, text: &Text) -> Option<Vec<Range<usize>>> {
        let mut marks = Vec::new();
        for piece in &self.pieces {
            let before = marks.len();
            marks.extend(piece.marks(&text.atoms));
            if marks.len() == before {
                return None;
            }
        }
        marks.sort_by_key(|mark| (mark.start, mark.end));
        marks.dedup_by(|next, kept| {
            let is_apart = next.start > kept.end;
            if !is_apart {
                kept.end = kept.end.max(next.end);
            }
            !is_apart
        });
        Some(marks)
    }
}

impl Piece {
    fn open(text: &str) -> Self {
        Self { atoms: Text::new(text).atoms, is_open: true }
    }

    /// Wherever the atoms follow each other.
    fn marks<'a>(&'a self, atoms: &'a [Atom]) -> impl Iterator<Item = Range<usize>> + 'a {
        atoms.windows(self.atoms.len()).filter(|window| self.is_at(window)).map(|window| {
            let (first, last) = (&window[0], &window[window.len() - 1]);
            first.range.start..last.range.end
        })
    }

    fn is_at(&self, window: &[Atom]) -> bool {
        let last = self.atoms.len() - 1;
        self.atoms.iter().zip(window).enumerate().all(|(index, (wanted, atom))| {
            wanted.folded == atom.folded || (index == last && self.begins(wanted, atom))
        })
    }

    fn begins(&self, wanted: &Atom, atom: &Atom) -> bool {
        self.is_open
            && wanted.is_word
            && atom.folded.starts_with(&wanted.folded)
            && wanted.folded.chars().count() >= BEGINNING_LETTERS_MIN
    }
}

/// The stretches of a query, and whether each stands between double quotes. A quote that is
/// not closed is none.
fn quoted_and_not(query: &str) -> impl Iterator<Item = (bool, &str)> {
    let stretches: Vec<&str> = query.split(['"', '“', '”', '＂']).collect();
    let closed = (stretches.len() - 1) / 2 * 2;
    stretches
        .into_iter()
        .enumerate()
        .map(move |(index, text)| (index % 2 == 1 && index < closed, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str, text: &str) -> Option<Vec<String>> {
        let text = Text::new(text);
        let marks = Pattern::parse(query).unwrap().marks(&text)?;
        Some(marks.into_iter().map(|mark| text.shown[mark].to_owned()).collect())
    }

    fn marked(query: &str, text: &str) -> Vec<String> {
        found(query, text).unwrap_or_else(|| panic!("{query:?} is not in {text:?}"))
    }

    #[test]
    fn two_characters_are_found_where_they_follow_each_other() {
        assert_eq!(marked("天气", "今天气温高，天气好"), ["天气", "天气"]);
        assert_eq!(found("天气", "气球上天"), None);
        assert_eq!(marked("天", "今天明天"), ["天", "天"]);
    }

    #[test]
    fn a_word_is_found_by_its_beginning_and_not_from_within() {
        assert_eq!(marked("sto", "The STORM stops"), ["STORM", "stops"]);
        assert_eq!(found("torm", "The storm"), None);
        assert_eq!(found("storms", "The storm"), None);
        assert_eq!(marked("s", "s storm"), ["s"], "one letter is a word of its own");
    }

    #[test]
    fn all_pieces_must_be_there_in_any_order() {
        assert_eq!(marked("over storm", "The storm is over"), ["storm", "over"]);
        assert_eq!(found("over calm", "The storm is over"), None);
        assert_eq!(marked("手机 iph", "我的iPhone手机"), ["iPhone手机"]);
    }

    #[test]
    fn what_is_quoted_stands_so_in_the_text() {
        assert_eq!(marked("\"storm is\"", "The storm, is over"), ["storm, is"]);
        assert_eq!(found("\"storm over\"", "The storm is over"), None);
        assert_eq!(found("\"the sto\"", "The storm"), None, "its words are whole");
        assert_eq!(marked("“storm is” ov", "The storm is over"), ["storm is", "over"]);
        assert_eq!(marked("\"storm", "The storms"), ["storms"], "not closed");
    }

    #[test]
    fn a_piece_with_punctuation_is_a_row_of_words() {
        assert_eq!(marked("foo-ba", "foo/bar foo baz"), ["foo/bar", "foo baz"]);
        assert_eq!(marked("don't", "I DON’T know"), ["DON’T"]);
    }

    #[test]
    fn queries_without_sense_or_end_are_refused() {
        for query in ["", "  ", "…!", "\"\"", "天".repeat(SEARCH_ATOMS_MAX + 1).as_str()] {
            let refusal = Pattern::parse(query).unwrap_err();
            assert_eq!(refusal.reason, ErrorReason::InvalidField, "{query:?}");
        }
        assert!(Pattern::parse(&"x".repeat(SEARCH_QUERY_UTF16_UNITS_MAX)).is_ok());
        assert!(Pattern::parse(&"x".repeat(SEARCH_QUERY_UTF16_UNITS_MAX + 1)).is_err());
    }
}
