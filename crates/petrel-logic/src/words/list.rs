//! A list of words, how it is written, and what it is compiled to.
//!
//! A word of a script with spaces is met as a whole word: `ass` is not in `class`. A `*` at
//! its beginning or end lets anything be there: `ass*` is in `assume`. Words of scripts
//! without spaces, Chinese ones for instance, are met anywhere.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use petrel_protocol::http::admin::WordMode;

use super::Verdict;
use super::folding::{Folded, is_spaced};

/// The longest word, in characters.
pub const WORD_CHARS_MAX: usize = 64;

/// What stands in the place of each letter of a word that is replaced.
const MASK: char = '*';

/// Why a list is no good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// One of its words is.
    #[error(
        "{0:?} is no word: it has 1 to {WORD_CHARS_MAX} characters, in one line, and not only `*`"
    )]
    Word(String),
    /// A line of a file.
    #[error("line {line}: {source}")]
    Line {
        /// Which, from 1 on.
        line: usize,
        /// What is wrong with it.
        source: Box<WordError>,
    },
    /// They are too many together.
    #[error("the words are too many to be compiled: {0}")]
    TooMany(String),
}

/// Words, ready to be looked for.
#[derive(Debug)]
pub struct Compiled {
    automaton: Option<AhoCorasick>,
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    as_written: String,
    mode: WordMode,
    begins_anywhere: bool,
    ends_anywhere: bool,
}

impl Compiled {
    /// Compiles words. Of the same word twice, the last counts.
    pub fn new(list: impl IntoIterator<Item = (String, WordMode)>) -> Result<Self, WordError> {
        let mut by_pattern: HashMap<String, Word> = HashMap::new();
        for (as_written, mode) in list {
            let (pattern, begins_anywhere, ends_anywhere) = pattern_of(&as_written)?;
            let word = Word { as_written, mode, begins_anywhere, ends_anywhere };
            by_pattern.insert(pattern, word);
        }
        let (patterns, words): (Vec<_>, Vec<_>) = by_pattern.into_iter().unzip();
        let automaton = (!patterns.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns));
        let automaton =
            automaton.transpose().map_err(|error| WordError::TooMany(error.to_string()))?;
        Ok(Self { automaton, words })
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// What comes of a text. Reads it once.
    pub fn look(&self, text: &str) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(automaton) = &self.automaton else { return verdict };
        let folded = Folded::of(text);
        let mut replaced = Vec::new();
        for found in automaton.find_overlapping_iter(&folded.text) {
            let word = &self.words[found.pattern().as_usize()];
            if !word.stands_alone(&folded.text, found.start(), found.end()) {
                continue;
            }
            match word.mode {
                WordMode::Refuse => {
                    verdict.refused = Some(word.as_written.clone());
                    return verdict;
                }
                WordMode::Replace => replaced.push(folded.original(found.start(), found.end())),
                WordMode::Flag if !verdict.flagged.contains(&word.as_written) => {
                    verdict.flagged.push(word.as_written.clone());
                }
                WordMode::Flag => {}
            }
        }
        if !replaced.is_empty() {
            verdict.replaced = Some(masked(text, replaced));
        }
        verdict
    }
}

impl Word {
    /// Whether what is found is a word of its own, as far as it has to be.
    fn stands_alone(&self, text: &str, start: usize, end: usize) -> bool {
        let (before, found, after) = (&text[..start], &text[start..end], &text[end..]);
        let joins = |one: Option<char>, other: Option<char>| {
            one.is_some_and(is_spaced) && other.is_some_and(is_spaced)
        };
        (self.begins_anywhere || !joins(before.chars().next_back(), found.chars().next()))
            && (self.ends_anywhere || !joins(found.chars().next_back(), after.chars().next()))
    }
}

/// The words of a file: one in a line, after `refuse:`, `replace:` or `flag:` if something else
/// is to be done about it than about the others. Empty lines, and those that begin with `#`,
/// say nothing.
pub fn parse_file(text: &str, default: WordMode) -> Result<Vec<(String, WordMode)>, WordError> {
    let mut words = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let named = line.split_once(':').and_then(|(mode, word)| {
            let mode = WordMode::ALL.iter().find(|known| known.as_str() == mode.trim())?;
            Some((word.trim(), *mode))
        });
        let (word, mode) = named.unwrap_or((line, default));
        pattern_of(word)
            .map_err(|error| WordError::Line { line: index + 1, source: Box::new(error) })?;
        words.push((word.to_owned(), mode));
    }
    Ok(words)
}

/// What is looked for, and whether anything may be before and after it.
fn pattern_of(word: &str) -> Result<(String, bool, bool), WordError> {
    let wrong = || WordError::Word(word.chars().take(WORD_CHARS_MAX).collect());
    let begins_anywhere = word.starts_with('*');
    let ends_anywhere = word.ends_with('*');
    let pattern = Folded::of(word.trim_matches('*').trim()).text;
    let is_good = !pattern.trim().is_empty()
        && pattern.chars().count() <= WORD_CHARS_MAX
        && !pattern.contains(char::is_control);
    if is_good { Ok((pattern, begins_anywhere, ends_anywhere)) } else { Err(wrong()) }
}

/// The text with a mask for each letter of some stretches.
fn masked(text: &str, mut stretches: Vec<(usize, usize)>) -> String {
    stretches.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, end) in stretches {
        let start = start.max(copied);
        if end <= start {
            continue;
        }
        out.push_str(&text[copied..start]);
        out.extend(text[start..end].chars().map(|_| MASK));
        copied = end;
    }
    out.push_str(&text[copied..]);
    out
}
