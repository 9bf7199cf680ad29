//! Pages of a timeline as `EVENTS`: which seqs an answer covers, and what fits into it.
//!
//! An answer covers a stretch in full: what it does not show of it is not for the user.
//! So the stretch must not reach into what was trimmed, nor past what was looked at.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Custom, Events, ServerFrame};
use petrel_store::{Conversation, EventPage};
use petrel_types::{ConversationId, Seq};
use serde_json::value::RawValue;

use crate::Refusal;
use crate::access::Access;
use crate::view::frame_of;

/// How many bytes of events one `EVENTS` frame carries at most, which leaves room for
/// the rest of the frame. One event always fits.
const EVENTS_BYTES_MAX: usize = 60 * 1024;

/// An event that may be read, as it goes out.
struct Shown {
    seq: Seq,
    text: Box<RawValue>,
}

/// The answer to `afterSeq`: as many of the page's events from its start as fit.
pub(super) fn forwards(
    conversation: &Conversation,
    access: Access<'_>,
    after: Seq,
    page: EventPage,
    limit: u32,
) -> Result<Events, Refusal> {
    let head_seq = access.end(page.head.seq);
    // A device that claims more than there is gets nothing, and sees the head.
    let from_seq = after.min(head_seq).next().max(page.trimmed_before);
    let shown = show(conversation, access, &page)?;
    let fitting = fitting(shown.iter());
    let to_seq = match shown.get(fitting) {
        // Up to the first one that has no room any more.
        Some(next) => Seq::new(next.seq.get() - 1),
        None if page.events.len() < limit as usize => head_seq,
        None => page.events.last().map_or(head_seq, |last| last.seq.min(head_seq)),
    };
    let to_seq = to_seq.max(Seq::new(from_seq.get() - 1));
    Ok(Events {
        conversation_id: conversation.id,
        from_seq,
        to_seq,
        head_seq,
        trimmed_before: page.trimmed_before,
        has_more: to_seq < head_seq,
        events: shown.into_iter().take(fitting).map(|event| event.text).collect(),
    })
}

/// The answer to `beforeSeq`: as many of the page's events from its end as fit.
pub(super) fn backwards(
    conversation: &Conversation,
    access: Access<'_>,
    before: Seq,
    page: EventPage,
    limit: u32,
) -> Result<Events, Refusal> {
    let head_seq = access.end(page.head.seq);
    let trimmed_before = page.trimmed_before;
    let end = before.min(head_seq.next()).max(trimmed_before);
    let shown = show(conversation, access, &page)?;
    let fitting = fitting(shown.iter().rev());
    let skipped = shown.len() - fitting;
    let from_seq = match skipped.checked_sub(1).and_then(|index| shown.get(index)) {
        // Down to the first one that has no room any more.
        Some(next) => next.seq.next(),
        None if page.events.len() < limit as usize => trimmed_before,
        None => page.events.first().map_or(trimmed_before, |first| first.seq),
    };
    let from_seq = from_seq.min(end);
    // Where nothing below may be read, the rest is covered too.
    let is_more = |last: Seq| last >= trimmed_before;
    let has_more = access.last_before(from_seq).is_some_and(is_more);
    let from_seq = if has_more { from_seq } else { trimmed_before.min(from_seq) };
    Ok(Events {
        conversation_id: conversation.id,
        from_seq,
        to_seq: Seq::new(end.get() - 1),
        head_seq,
        trimmed_before,
        has_more,
        events: shown.into_iter().skip(skipped).map(|event| event.text).collect(),
    })
}

pub(super) fn unreadable(conversation: ConversationId, error: &serde_json::Error) -> Refusal {
    tracing::error!(%error, %conversation, "a stored event can't be read");
    Refusal::new(ErrorReason::InternalError, "a stored event can't be read")
}

/// About how long a frame is on the wire.
pub(super) fn bytes_of(frame: &ServerFrame) -> usize {
    const FIELDS: usize = 256;
    match frame {
        ServerFrame::SingleChat(push) => FIELDS + push.body.len() + custom_bytes(&push.custom),
        ServerFrame::GroupChat(push) => FIELDS + push.body.len() + custom_bytes(&push.custom),
        _ => FIELDS,
    }
}

fn custom_bytes(custom: &Option<Box<Custom>>) -> usize {
    let Some(custom) = custom else { return 0 };
    serde_json::to_vec(custom).map_or(0, |text| text.len())
}

fn show(
    conversation: &Conversation,
    access: Access<'_>,
    page: &EventPage,
) -> Result<Vec<Shown>, Refusal> {
    page.events
        .iter()
        .filter(|event| access.allows(event.seq))
        .map(|event| {
            let frame: ServerFrame = frame_of(conversation, event)?;
            Ok(Shown { seq: event.seq, text: serde_json::value::to_raw_value(&frame)? })
        })
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|error| unreadable(conversation.id, &error))
}

/// How many of the events, in the order given, fit into one frame; at least one.
fn fitting<'a>(events: impl Iterator<Item = &'a Shown>) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for event in events {
        bytes += event.text.get().len() + 1;
        if count > 0 && bytes > EVENTS_BYTES_MAX {
            break;
        }
        count += 1;
    }
    count
}
