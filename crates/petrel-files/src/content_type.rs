//! What a file is, told by its first bytes.

/// How many bytes at the beginning are looked at.
pub const SNIFFED_BYTES: usize = 8 * 1024;

/// What is not known to be anything else.
pub const UNKNOWN: &str = "application/octet-stream";

/// Text that can be read as UTF-8.
const TEXT: &str = "text/plain; charset=utf-8";

/// What the first bytes of a file show it to be. `declared` is what its sender says, which
/// decides only between sound and film where both come in the same container.
pub fn sniff(beginning: &[u8], declared: &str) -> String {
    let Some(found) = infer::get(beginning) else {
        return if is_text(beginning) { TEXT } else { UNKNOWN }.to_owned();
    };
    let declares_audio = declared.trim_start().to_ascii_lowercase().starts_with("audio/");
    let name = match found.mime_type() {
        // Names of their own making for what is registered under others.
        "audio/x-wav" => "audio/wav",
        "audio/x-flac" => "audio/flac",
        "audio/m4a" | "audio/x-m4a" => "audio/mp4",
        "audio/opus" => "audio/ogg",
        "video/x-m4v" => "video/mp4",
        "video/webm" if declares_audio => "audio/webm",
        "video/mp4" if declares_audio => "audio/mp4",
        "video/ogg" if declares_audio => "audio/ogg",
        other => other,
    };
    name.to_owned()
}

fn is_text(beginning: &[u8]) -> bool {
    let valid = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        // A character may be cut where the beginning ends.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|it| it.is_control() && !"\t\n\r\u{c}".contains(it))
}

#[cfg(test)]
mod tests {
    use petrel_protocol::http::FileKind;

    use super::*;

    #[test]
    fn bytes_tell_what_a_file_is() {
        let webm = b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm";
        // Nobody looks at less.
        let webm = &[&webm[..], &[0; 300]].concat();
        for (bytes, declared, expected, kind) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "text/html", "image/png", FileKind::Image),
            (b"\xff\xd8\xff\xe0", "", "image/jpeg", FileKind::Image),
            (b"GIF89a", "image/png", "image/gif", FileKind::Image),
            (b"<!DOCTYPE html><script>", "image/png", "text/html", FileKind::Other),
            (b"<svg xmlns='x'/>", "image/svg+xml", TEXT, FileKind::Other),
            (b"%PDF-1.7", "", "application/pdf", FileKind::Other),
            (b"PK\x03\x04", "image/png", "application/zip", FileKind::Other),
            (b"ID3\x03", "audio/mpeg", "audio/mpeg", FileKind::Audio),
            (b"RIFF\0\0\0\0WAVEfmt ", "", "audio/wav", FileKind::Audio),
            (webm, "video/webm", "video/webm", FileKind::Video),
            (webm, "audio/webm;codecs=opus", "audio/webm", FileKind::Audio),
            ("grüße, 你好".as_bytes(), "", TEXT, FileKind::Other),
            (b"\x00\x01\x02", "image/png", UNKNOWN, FileKind::Other),
            (b"", "image/png", UNKNOWN, FileKind::Other),
        ] {
            let sniffed = sniff(bytes, declared);
            assert_eq!((sniffed.as_str(), FileKind::of(&sniffed)), (expected, kind), "{declared}");
        }
    }

    #[test]
    fn a_character_that_is_cut_does_not_make_text_something_else() {
        let text = "你".repeat(100);
        assert_eq!(sniff(&text.as_bytes()[..100], ""), TEXT);
        assert_eq!(sniff(b"\xe4text", ""), UNKNOWN);
    }
}
