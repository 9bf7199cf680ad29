//! Catching up: which conversations changed, and the events of one of them.
//!
//! Reads only, each authorised by membership. A sync token is opaque to clients; it
//! says up to which row the device has been told, and where in an unfinished pass it
//! is, so that no state is kept for it here.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Events, Pull, ServerFrame, Sync, SyncConversation, SyncState};
use petrel_store::{Conversation, EventPage, Store, StoreError, SyncEntry};
use petrel_types::limits::{PULL_EVENTS_MAX, SYNC_CONVERSATIONS_MAX};
use petrel_types::{ConversationId, Epoch, RowId, Seq, UserId};
use serde_json::value::RawValue;

use crate::Refusal;
use crate::refusal::not_a_member;
use crate::view::{frame_of, peer_of};

/// How many bytes of events one `EVENTS` frame carries at most, which leaves room for
/// the rest of the frame. One event always fits.
const EVENTS_BYTES_MAX: usize = 60 * 1024;

/// How many conversations or events a client gets that does not say how many.
const DEFAULT_LIMIT: u32 = 50;

/// Answers `SYNC` and `PULL`.
#[derive(Clone)]
pub struct Catchup {
    store: Arc<dyn Store>,
}

/// What a sync token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SyncToken {
    epoch: Epoch,
    /// Everything up to this row has been told.
    since: RowId,
    /// The pass under way: it tells what changed up to `until`, newest first, and
    /// continues below `before`.
    pass: Option<Pass>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass {
    until: RowId,
    before: RowId,
}

impl Catchup {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// What changed for a user since a token.
    ///
    /// The caller must already receive pushes for the user: what changes while a pass
    /// is under way is pushed now and told again by the next sync.
    pub async fn sync(&self, user: UserId, request: &Sync) -> Result<SyncState, Refusal> {
        let epoch = self.store.epoch();
        let given = request.token.as_deref().map(SyncToken::decode).transpose()?;
        let resync = given.is_some_and(|token| token.epoch != epoch);
        let start = SyncToken { epoch, since: RowId::new(0), pass: None };
        let token = given.filter(|token| token.epoch == epoch).unwrap_or(start);

        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, SYNC_CONVERSATIONS_MAX);
        let before = token.pass.map(|pass| pass.before);
        let page = self
            .store
            .sync_page(user, token.since, before, limit)
            .await
            .map_err(|error| Refusal::of_store(&error))?;

        let until = token.pass.map_or(page.last_row, |pass| pass.until);
        let next = match page.entries.last() {
            Some(last) if page.more => {
                SyncToken { pass: Some(Pass { until, before: last.stamp }), ..token }
            }
            _ => SyncToken { epoch, since: until, pass: None },
        };
        Ok(SyncState {
            epoch,
            resync,
            conversations: page.entries.iter().map(|entry| conversation(user, entry)).collect(),
            token: next.encode(),
            more: page.more,
        })
    }

    /// The place of a message, for an `ACK` that names it by `serverMsgId`.
    pub async fn place_of(
        &self,
        user: UserId,
        row: RowId,
    ) -> Result<(ConversationId, Seq), Refusal> {
        let event = self.store.event(row).await.map_err(|error| Refusal::of_store(&error))?;
        let Some(event) = event else {
            return Err(not_a_member());
        };
        self.check_member(user, event.conversation).await?;
        Ok((event.conversation, event.seq))
    }

    /// Events of one conversation that the user is a member of.
    pub async fn pull(&self, user: UserId, request: &Pull) -> Result<Events, Refusal> {
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, PULL_EVENTS_MAX);
        let id = request.conversation_id;
        let internal = |error: StoreError| Refusal::of_store(&error);
        self.check_member(user, id).await?;
        let state = self.store.conversation(id).await.map_err(internal)?;
        let conversation = state.ok_or_else(not_a_member)?.conversation;
        match (request.after_seq, request.before_seq) {
            (Some(_), Some(_)) => Err(Refusal::new(
                ErrorReason::InvalidField,
                "give either afterSeq or beforeSeq, not both",
            )),
            (after, None) => {
                let after = after.unwrap_or(Seq::ZERO);
                let page = self.store.events_after(id, after, limit).await.map_err(internal)?;
                forwards(&conversation, after, page)
            }
            (None, Some(before)) => {
                let page = self.store.events_before(id, before, limit).await.map_err(internal)?;
                backwards(&conversation, before, page)
            }
        }
    }

    /// Messages after `after` that a device was pushed and has not acknowledged, marked as
    /// redelivered: at most `limit` of them and, but for the first, `bytes_max` bytes.
    pub async fn repeat(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, ServerFrame)>, Refusal> {
        let frames = self.pushes_after(user, conversation, after, limit).await?;
        let mut bytes = 0;
        let fitting = frames.into_iter().enumerate().take_while(|(index, (_, frame))| {
            bytes += bytes_of(frame);
            *index == 0 || bytes <= bytes_max
        });
        Ok(fitting
            .map(|(_, (seq, mut frame))| {
                if let ServerFrame::SingleChat(push) = &mut frame {
                    push.redelivered = true;
                }
                (seq, frame)
            })
            .collect())
    }

    /// The oldest messages that no device of the user has acknowledged, in the order in
    /// which they were stored: what a client gets that knows no sync. Looks at the
    /// conversations that changed last.
    pub async fn undelivered(&self, user: UserId, limit: u32) -> Result<Vec<ServerFrame>, Refusal> {
        let start = RowId::new(0);
        let page = self
            .store
            .sync_page(user, start, None, SYNC_CONVERSATIONS_MAX)
            .await
            .map_err(|error| Refusal::of_store(&error))?;
        let mut frames = Vec::new();
        for entry in page.entries.iter().filter(|entry| entry.own.delivered < entry.head.seq) {
            let id = entry.conversation.id;
            frames.extend(self.pushes_after(user, id, entry.own.delivered, limit).await?);
            if frames.len() >= limit as usize {
                break;
            }
        }
        let row = |frame: &ServerFrame| match frame {
            ServerFrame::SingleChat(push) => push.server_msg_id,
            _ => RowId::default(),
        };
        frames.sort_by_key(|(_, frame)| row(frame));
        frames.truncate(limit as usize);
        Ok(frames.into_iter().map(|(_, frame)| frame).collect())
    }

    /// Events after `after` as they are pushed.
    async fn pushes_after(
        &self,
        user: UserId,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, ServerFrame)>, Refusal> {
        let internal = |error: StoreError| Refusal::of_store(&error);
        self.check_member(user, id).await?;
        let state = self.store.conversation(id).await.map_err(internal)?;
        let conversation = state.ok_or_else(not_a_member)?.conversation;
        let page = self.store.events_after(id, after, limit).await.map_err(internal)?;
        page.events
            .iter()
            .map(|event| Ok((event.seq, frame_of(&conversation, event)?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| unreadable(id, &error))
    }

    async fn check_member(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<(), Refusal> {
        match self.store.member(conversation, user).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(not_a_member()),
            Err(error) => Err(Refusal::of_store(&error)),
        }
    }
}

fn conversation(user: UserId, entry: &SyncEntry) -> SyncConversation {
    let total = entry.head.message_number.get();
    SyncConversation {
        conversation_id: entry.conversation.id,
        peer: peer_of(&entry.conversation, user),
        head_seq: entry.head.seq,
        head_msg_no: entry.head.message_number,
        read_seq: entry.own.read,
        delivered_seq: entry.own.delivered,
        peer_read_seq: entry.peer.read,
        peer_delivered_seq: entry.peer.delivered,
        unread: total.saturating_sub(entry.read_message_number.get()),
        ts: entry.timestamp,
    }
}

/// The answer to `afterSeq`: as many of the page's events from its start as fit.
fn forwards(conversation: &Conversation, after: Seq, page: EventPage) -> Result<Events, Refusal> {
    // A device that claims more than there is gets nothing, and sees the head.
    let after = after.min(page.head.seq);
    let encoded = encode(conversation, &page)?;
    let fitting = fitting(encoded.iter());
    let events: Vec<_> = encoded.into_iter().take(fitting).collect();
    let to_seq = Seq::new(after.get() + events.len() as u64);
    Ok(Events {
        conversation_id: conversation.id,
        from_seq: after.next(),
        to_seq,
        head_seq: page.head.seq,
        trimmed_before: Seq::new(1),
        has_more: to_seq < page.head.seq,
        events,
    })
}

/// The answer to `beforeSeq`: as many of the page's events from its end as fit.
fn backwards(conversation: &Conversation, before: Seq, page: EventPage) -> Result<Events, Refusal> {
    let encoded = encode(conversation, &page)?;
    let fitting = fitting(encoded.iter().rev());
    let skipped = encoded.len() - fitting;
    let events: Vec<_> = encoded.into_iter().skip(skipped).collect();
    let end = before.get().min(page.head.seq.get() + 1).max(1);
    let from_seq = Seq::new(end - events.len() as u64);
    Ok(Events {
        conversation_id: conversation.id,
        from_seq,
        to_seq: Seq::new(end - 1),
        head_seq: page.head.seq,
        trimmed_before: Seq::new(1),
        has_more: from_seq > Seq::new(1),
        events,
    })
}

fn encode(conversation: &Conversation, page: &EventPage) -> Result<Vec<Box<RawValue>>, Refusal> {
    page.events
        .iter()
        .map(|event| {
            let frame: ServerFrame = frame_of(conversation, event)?;
            serde_json::value::to_raw_value(&frame)
        })
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|error| unreadable(conversation.id, &error))
}

fn unreadable(conversation: ConversationId, error: &serde_json::Error) -> Refusal {
    tracing::error!(%error, %conversation, "a stored event can't be read");
    Refusal::new(ErrorReason::InternalError, "a stored event can't be read")
}

/// About how long a frame is on the wire.
fn bytes_of(frame: &ServerFrame) -> usize {
    const FIELDS: usize = 256;
    match frame {
        ServerFrame::SingleChat(push) => FIELDS + push.body.len(),
        _ => FIELDS,
    }
}

/// How many of the events, in the order given, fit into one frame; at least one.
fn fitting<'a>(events: impl Iterator<Item = &'a Box<RawValue>>) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for event in events {
        bytes += event.get().len() + 1;
        if count > 0 && bytes > EVENTS_BYTES_MAX {
            break;
        }
        count += 1;
    }
    count
}

impl SyncToken {
    /// The version of the token's form, its first byte.
    const VERSION: u8 = 1;

    fn encode(&self) -> String {
        let mut bytes = vec![Self::VERSION];
        let mut put = |value: u64| bytes.extend_from_slice(&value.to_be_bytes());
        put(self.epoch.get());
        put(self.since.get());
        if let Some(pass) = self.pass {
            put(pass.until.get());
            put(pass.before.get());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        Self::read(text).ok_or_else(|| {
            Refusal::new(
                ErrorReason::BadSyncToken,
                "this sync token was not made by this system; sync without one",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (words, odd) = rest.as_chunks::<8>();
        if *version != Self::VERSION || !odd.is_empty() {
            return None;
        }
        let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (epoch, since, pass) = match words[..] {
            [epoch, since] => (epoch, since, None),
            [epoch, since, until, before] => {
                (epoch, since, Some(Pass { until: RowId::new(until), before: RowId::new(before) }))
            }
            _ => return None,
        };
        Some(Self { epoch: Epoch::new(epoch), since: RowId::new(since), pass })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_token_comes_back_as_it_was() {
        let pass = Pass { until: RowId::new(9), before: RowId::new(7) };
        for pass in [None, Some(pass)] {
            let token = SyncToken { epoch: Epoch::new(u64::MAX), since: RowId::new(3), pass };
            assert_eq!(SyncToken::decode(&token.encode()).unwrap(), token);
        }
    }

    #[test]
    fn anything_else_is_no_sync_token() {
        let good = SyncToken { epoch: Epoch::new(1), since: RowId::new(2), pass: None }.encode();
        for bad in ["", "AA", "%", &good[1..], &format!("{good}AAAA")] {
            let refusal = SyncToken::decode(bad).unwrap_err();
            assert_eq!(refusal.reason, ErrorReason::BadSyncToken, "{bad:?}");
        }
    }
}
