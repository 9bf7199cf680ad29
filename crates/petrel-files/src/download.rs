//! Giving the bytes of a file to whoever has a link to it.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::FileKind;
use petrel_store::FileState;
use petrel_types::{FileId, TimestampMs};

use crate::Files;
use crate::link::Link;
use crate::upload::{not_found, of_store};

/// What of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The bytes as they were uploaded.
    Original,
    /// A small picture of it.
    Thumbnail,
}

/// A stretch of bytes, as a client asks for it (RFC 9110 §14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From the first to the last, or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// What is known of the bytes that a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub content_type: String,
    /// How many bytes there are.
    pub size: u64,
    /// Another one for other bytes (RFC 9110 §8.8.3), with its quotes.
    pub etag: String,
    /// Whether a browser may show it rather than save it.
    pub is_shown: bool,
    /// How long the link is good still, in seconds.
    pub lasts_seconds: u64,
    object: String,
    variant: Variant,
}

impl Variant {
    /// Its name in links.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Thumbnail => "thumbnail",
        }
    }
}

impl Range {
    /// The first byte and the one behind the last, within `size` bytes; `None` if there is
    /// nothing of it.
    pub fn within(self, size: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            Self::From(first, last) => {
                (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        (first < end).then_some((first, end))
    }
}

impl Files {
    /// What a link leads to.
    pub async fn content(
        &self,
        id: FileId,
        variant: Variant,
        link: &Link,
    ) -> Result<Content, Refusal> {
        let now = self.clock.now();
        if !self.links.allows(id, variant, link, now) {
            let message = "this link is over, or was not made here; ask for another one";
            return Err(Refusal::new(ErrorReason::InvalidLink, message));
        }
        let found = self.store.file(id).await.map_err(|error| of_store(&error))?;
        let file = found.ok_or_else(not_found)?;
        let FileState::Complete(facts) = file.state else { return Err(not_found()) };
        let digest: String = facts.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let lasts_seconds = seconds_between(now, link.expires);
        let (object, name) = (file.object, file.name);
        Ok(match variant {
            Variant::Original => Content {
                is_shown: FileKind::of(&facts.content_type) != FileKind::Other,
                content_type: facts.content_type,
                size: facts.size,
                etag: format!("\"{digest}\""),
                name,
                lasts_seconds,
                object,
                variant,
            },
            Variant::Thumbnail => {
                let content_type = facts.thumbnail.ok_or_else(not_found)?;
                let size = self.storage.thumbnail_size(&object).await;
                Content {
                    size: size.map_err(|error| self.storage_failed(&error))?,
                    is_shown: true,
                    content_type,
                    etag: format!("\"{digest}-thumbnail\""),
                    name,
                    lasts_seconds,
                    object,
                    variant,
                }
            }
        })
    }

    /// The bytes from `first` to before `end`, in pieces.
    pub async fn bytes(
        &self,
        content: &Content,
        first: u64,
        end: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, Refusal> {
        if first >= end {
            return Ok(futures_util::stream::empty().boxed());
        }
        let stream = self.storage.read(&content.object, content.variant, first, end).await;
        let sent = self.metrics.sent_bytes.clone();
        let stream = stream.map_err(|error| self.storage_failed(&error))?;
        Ok(stream
            .inspect_ok(move |piece| {
                sent.inc_by(piece.len() as u64);
            })
            .boxed())
    }
}

fn seconds_between(now: TimestampMs, later: TimestampMs) -> u64 {
    later.get().saturating_sub(now.get()) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_there_is_of_it() {
        for (range, within) in [
            (Range::From(0, None), Some((0, 10))),
            (Range::From(0, Some(0)), Some((0, 1))),
            (Range::From(9, Some(u64::MAX)), Some((9, 10))),
            (Range::From(10, None), None),
            (Range::From(5, Some(4)), None),
            (Range::Last(3), Some((7, 10))),
            (Range::Last(30), Some((0, 10))),
            (Range::Last(0), None),
        ] {
            assert_eq!(range.within(10), within, "{range:?}");
        }
        assert_eq!(Range::Last(1).within(0), None);
    }
}
