//! The names of files: what somebody wrote, made fit to be shown and to be saved under. Never
//! a path, here or anywhere.

use petrel_logic::visible::is_invisible;

/// The longest name, in bytes of UTF-8: what file systems allow.
pub const NAME_BYTES_MAX: usize = 255;

/// What a file is called that has no name.
const NAMELESS: &str = "file";

/// What of a name is fit to be shown: the part behind the last separator, without control
/// and direction characters, cut to [`NAME_BYTES_MAX`] bytes with its extension kept.
pub fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|character| !is_unfit(*character)).collect();
    // A leading dot hides a file, and two of them lead up.
    let kept = kept.trim().trim_start_matches('.').trim_end_matches(['.', ' ']).trim();
    if kept.is_empty() { NAMELESS.to_owned() } else { cut(kept) }
}

/// Control characters, and those that make a name look like another one.
fn is_unfit(character: char) -> bool {
    character.is_control()
        || is_invisible(character)
        || matches!(character, '\u{2028}'..='\u{2029}')
}

fn cut(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let extension = extension.filter(|extension| extension.len() <= 16);
    let tail = extension.map_or_else(String::new, |extension| format!(".{extension}"));
    let mut length = NAME_BYTES_MAX - tail.len();
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}{tail}", &name[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        for (written, shown) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\a b.txt", "a b.txt"),
            ("..", "file"),
            ("/", "file"),
            ("", "file"),
            (".htaccess", "htaccess"),
            ("a\0b\r\nc\".txt", "abc\".txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("文件 名.pdf", "文件 名.pdf"),
            ("end. . ", "end"),
        ] {
            assert_eq!(clean(written), shown, "{written:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let shown = clean(&format!("{}.tar", "名".repeat(200)));
        assert!(shown.len() <= NAME_BYTES_MAX && shown.ends_with("名.tar"), "{shown}");
        let bare = clean(&"x".repeat(1000));
        assert_eq!(bare.len(), NAME_BYTES_MAX);
        assert!(clean(&format!("a.{}", "b".repeat(400))).len() <= NAME_BYTES_MAX);
    }
}
