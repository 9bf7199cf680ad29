//! The part of a text around what was found in it.

use std::ops::Range;

use petrel_protocol::frame::{Excerpt, Mark};

use super::text::Text;

/// How long an excerpt is at most, in characters.
const CHARACTERS_MAX: usize = 120;

/// How much of it comes before the first mark.
const CHARACTERS_BEFORE: usize = 30;

/// Cuts out what surrounds the first of the marks, and says where those in it are.
pub(super) fn excerpt(text: &Text, marks: &[Range<usize>]) -> Excerpt {
    let shown = text.shown.as_str();
    let first = marks.first().map_or(0, |mark| mark.start);
    let before = shown[..first].char_indices().rev().nth(CHARACTERS_BEFORE - 1);
    let rest = shown[first..].chars().count();
    // A text that ends soon shows more of what is before.
    let spare = CHARACTERS_MAX.saturating_sub(CHARACTERS_BEFORE + rest);
    let start = before.map_or(0, |(start, _)| start);
    let start = match spare.checked_sub(1) {
        Some(spare) => shown[..start].char_indices().rev().nth(spare).map_or(0, |(at, _)| at),
        None => start,
    };
    let end = shown[start..].char_indices().nth(CHARACTERS_MAX);
    let end = end.map_or(shown.len(), |(at, _)| start + at);
    let units = |range: Range<usize>| shown[range].encode_utf16().count() as u64;
    let marks = marks
        .iter()
        .map(|mark| mark.start..mark.end.min(end))
        .filter(|mark| mark.start < mark.end)
        .map(|mark| Mark { start: units(start..mark.start), length: units(mark) })
        .collect();
    Excerpt {
        text: shown[start..end].to_owned(),
        marks,
        cut_start: start > 0,
        cut_end: end < shown.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    fn cut(query: &str, text: &str) -> Excerpt {
        let text = Text::new(text);
        let marks = Pattern::parse(query).unwrap().marks(&text).unwrap();
        excerpt(&text, &marks)
    }

    fn marked(excerpt: &Excerpt) -> Vec<String> {
        let units: Vec<u16> = excerpt.text.encode_utf16().collect();
        let part = |mark: &Mark| {
            String::from_utf16(&units[mark.start as usize..(mark.start + mark.length) as usize])
        };
        excerpt.marks.iter().map(|mark| part(mark).unwrap()).collect()
    }

    #[test]
    fn a_short_text_is_shown_as_it_is() {
        let excerpt = cut("storm", "🐦 The storm is over, storm!");
        assert_eq!(excerpt.text, "🐦 The storm is over, storm!");
        assert_eq!(marked(&excerpt), ["storm", "storm"]);
        assert!(!excerpt.cut_start && !excerpt.cut_end);
        assert_eq!(excerpt.marks[0].start, 7, "in UTF-16 units");
    }

    #[test]
    fn a_long_text_is_cut_around_the_first_mark() {
        for (before, after) in [(500, 500), (500, 3), (3, 500), (29, 200), (31, 200), (200, 0)] {
            let text = format!("{}鸟群{}", "🐦 ".repeat(before), " x".repeat(after));
            let excerpt = cut("鸟群", &text);
            assert_eq!(marked(&excerpt), ["鸟群"], "{before} {after}");
            let characters = excerpt.text.chars().count();
            assert_eq!(characters, CHARACTERS_MAX.min(text.chars().count()), "{before} {after}");
            assert!(text.contains(&excerpt.text));
            assert_eq!(excerpt.cut_start, !text.starts_with(&excerpt.text));
            assert_eq!(excerpt.cut_end, !text.ends_with(&excerpt.text));
        }
    }

    #[test]
    fn a_mark_that_is_too_long_is_cut_too() {
        let long = "x".repeat(500);
        let excerpt = cut("xx", &long);
        assert_eq!(excerpt.marks, [Mark { start: 0, length: CHARACTERS_MAX as u64 }]);
        assert!(excerpt.cut_end);
    }
}
