//! One form for what people read as the same letters: without case, in usual width, and
//! without what can't be seen.

use crate::visible::is_invisible;

/// A text in that form, with the place in the original of each of its bytes.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: String,
    /// For each byte of `text` where its letter begins in the original.
    places: Vec<u32>,
    end: u32,
}

impl Folded {
    pub(super) fn of(original: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            places: Vec::with_capacity(original.len()),
            end: u32::try_from(original.len()).unwrap_or(u32::MAX),
        };
        for (place, letter) in original.char_indices() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            if letter.is_ascii() {
                folded.text.push(letter.to_ascii_lowercase());
            } else if !is_invisible(letter) {
                folded.text.extend(usual_width(letter).to_lowercase());
            }
            folded.places.resize(folded.text.len(), place);
        }
        folded
    }

    /// Where in the original a match is. What can't be seen within it is part of it.
    pub(super) fn original(&self, start: usize, end: usize) -> (usize, usize) {
        let at = |byte: usize| self.places.get(byte).copied().unwrap_or(self.end) as usize;
        (at(start), at(end))
    }
}

/// The letters of full width that East Asian keyboards make, as those of ASCII
/// (Unicode, "Halfwidth and Fullwidth Forms").
fn usual_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(letter) - 0xff01 + 0x21).unwrap_or(letter)
        }
        '\u{3000}' => ' ',
        other => other,
    }
}

/// Whether words of its script are told apart by spaces, so that a letter beside it makes
/// another word of it.
pub(super) fn is_spaced(letter: char) -> bool {
    letter.is_alphanumeric()
        && !matches!(u32::from(letter),
            // Thai, Lao; Myanmar; Khmer.
            0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff
            // From the radicals to the Hangul: Chinese, Japanese, Korean.
            | 0x1100..=0x11ff | 0x2e80..=0xa4cf | 0xac00..=0xd7ff
            | 0xf900..=0xfaff | 0xff66..=0xffdc | 0x2_0000..=0x3_ffff)
}
