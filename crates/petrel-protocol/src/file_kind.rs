//! What sort of file it is, by which limits and messages go.

use serde::{Deserialize, Serialize};

/// What browsers may show in their place: pictures of dots, sounds and films. None of them can
/// run anything. Vector graphics can, and so are not among them.
const SHOWN: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/webm",
    "audio/wav",
    "audio/flac",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
];

/// What sort of file it is, told by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A picture made of dots that browsers can show.
    Image,
    /// A sound that browsers can play.
    Audio,
    /// A film that browsers can play.
    Video,
    /// Anything else.
    Other,
}

impl FileKind {
    /// That of a content type that the bytes of a file have shown.
    pub fn of(content_type: &str) -> Self {
        let shown = SHOWN.contains(&content_type);
        match content_type.split_once('/').filter(|_| shown) {
            Some(("image", _)) => Self::Image,
            Some(("audio", _)) => Self::Audio,
            Some(("video", _)) => Self::Video,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_run_is_not_shown() {
        for content_type in ["image/svg+xml", "text/html", "application/pdf", "", "image/"] {
            assert_eq!(FileKind::of(content_type), FileKind::Other, "{content_type}");
        }
        assert_eq!(FileKind::of("image/png"), FileKind::Image);
        assert_eq!(FileKind::of("audio/webm"), FileKind::Audio);
        assert_eq!(FileKind::of("video/webm"), FileKind::Video);
    }
}
