//! What can be seen of a text.

/// Whether there is nothing to be seen of a text: nothing but white space, control
/// characters and letters without a shape.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|it| it.is_whitespace() || it.is_control() || is_invisible(it))
}

/// What takes no room, or is an empty room of its own: joiners, marks of direction, soft
/// hyphens, variation selectors, tags and fillers (Unicode, `Default_Ignorable_Code_Point`, and
/// the empty pattern of Braille).
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether it changes what stands beside it: breaks a line, or turns the direction in which
/// letters follow each other, so that one name can be made to look like another.
pub(crate) fn is_disruptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_blank_if_nothing_of_it_can_be_seen() {
        for text in
            ["", " \n\t", "\0", "\u{200b}", "\u{200b} \u{feff}\0\u{2060}", "\u{3000}", "\u{3164}"]
        {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", "\0a", "\u{200b}.", "❤\u{fe0f}", "👩\u{200d}💻", "你", "\u{301}"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
