//! Searching one's own messages.
//!
//! The index (`petrel-search`) names candidates; whether one is shown is decided here by
//! the store alone: that the asker may read it, that it is not recalled, and that what was
//! asked for is in it as it is now. So an index that is behind may miss what is new, and
//! never shows what is not to be seen.
//!
//! Hits come newest first. A search looks at the conversations that changed last, one page
//! after the other, until no other could hold a newer hit.

mod excerpt;
mod indexer;
mod metrics;
mod pattern;
mod terms;
mod text;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Found, Hit, Search as SearchRequest};
use petrel_search::{Candidates, Lookup, SearchError, SearchErrorKind, SearchIndex};
use petrel_store::{ConversationKind, Store, StoreError, StoredEvent};
use petrel_types::limits::{
    SEARCH_CONVERSATIONS_MAX, SEARCH_HITS_MAX, SEARCH_TIME_MS, SYNC_CONVERSATIONS_MAX,
};
use petrel_types::{ConversationId, Epoch, RowId, UserId};
use tokio::time::{Instant, timeout_at};

pub use indexer::{IndexError, Indexer, Progress};
pub use metrics::Metrics;

use self::pattern::Pattern;
use self::text::Text;
use crate::Refusal;
use crate::event::{EventBody, MessageBody};
use crate::membership::Membership;
use crate::refusal::not_a_member;

/// How many hits a client gets that does not say how many.
const DEFAULT_LIMIT: u32 = 20;

/// How many candidates are looked at for one answer. More are left to the next page.
const CANDIDATES_MAX: usize = 1000;

/// How many candidates are asked for at once, at least.
const CANDIDATES_AT_ONCE_MIN: u32 = 16;

/// Answers `SEARCH`.
#[derive(Clone)]
pub struct Search {
    store: Arc<dyn Store>,
    /// `None` where searching is switched off.
    index: Option<Arc<dyn SearchIndex>>,
    metrics: Metrics,
}

/// A search that is under way.
struct Asked<'a> {
    user: UserId,
    request: &'a SearchRequest,
    pattern: Pattern,
    terms: Vec<String>,
    deadline: Instant,
}

/// What is searched of a message: its text or caption, the name of its file, and what its
/// place is called, a line each.
pub(crate) fn text_of(message: &MessageBody) -> Cow<'_, str> {
    let MessageBody { body, attachment, location, .. } = message;
    if attachment.is_none() && location.is_none() {
        return Cow::Borrowed(body);
    }
    let file = attachment.as_deref().map(|attachment| attachment.name.as_str());
    let place = location.as_deref();
    let name = place.and_then(|place| place.name.as_deref());
    let address = place.and_then(|place| place.address.as_deref());
    let lines = [Some(body.as_str()), file, name, address];
    let lines: Vec<&str> = lines.into_iter().flatten().filter(|line| !line.is_empty()).collect();
    Cow::Owned(lines.join("\n"))
}

impl Search {
    /// Over a store and an index of it, or none.
    pub fn new(
        store: Arc<dyn Store>,
        index: Option<Arc<dyn SearchIndex>>,
        metrics: Metrics,
    ) -> Self {
        Self { store, index, metrics }
    }

    /// What the user may read of what was asked for.
    pub async fn find(&self, user: UserId, request: &SearchRequest) -> Result<Found, Refusal> {
        let Some(index) = &self.index else {
            return Err(Refusal::new(
                ErrorReason::SearchOff,
                "this server does not search; look through the conversation instead",
            ));
        };
        let begin = Instant::now();
        let deadline = begin + Duration::from_millis(SEARCH_TIME_MS);
        let pattern = request.q.as_deref().map(Pattern::parse).transpose()?.unwrap_or_default();
        let terms = terms_of(request, &pattern)?;
        let asked = Asked { user, request, pattern, terms, deadline };
        let found = timeout_at(deadline, self.find_with(&**index, &asked)).await;
        self.metrics.seconds.observe(begin.elapsed().as_secs_f64());
        found.unwrap_or_else(|_| Err(too_broad()))
    }

    async fn find_with(
        &self,
        index: &dyn SearchIndex,
        asked: &Asked<'_>,
    ) -> Result<Found, Refusal> {
        let limit = asked.request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, SEARCH_HITS_MAX);
        let epoch = self.store.epoch();
        let mut before = match asked.request.cursor.as_deref() {
            Some(cursor) => read_cursor(cursor, epoch)?,
            None => RowId::new(i64::MAX.cast_unsigned()),
        };
        if let Some(conversation) = asked.request.conversation_id {
            self.member(conversation, asked.user).await?.ok_or_else(not_a_member)?;
        }
        let mut hits = Vec::new();
        let mut looked_at = 0;
        loop {
            let missing = limit - u32::try_from(hits.len()).unwrap_or(limit);
            let at_once = (missing + missing / 2).max(CANDIDATES_AT_ONCE_MIN);
            let (candidates, last_row) = self.candidates(index, asked, before, at_once).await?;
            let mut more = candidates.more;
            for (row, hit) in self.look_at(asked, &candidates.rows).await? {
                before = row;
                hits.extend(hit);
                looked_at += 1;
                if hits.len() == limit as usize {
                    more |= candidates.rows.last() != Some(&row);
                    break;
                }
            }
            let is_full = hits.len() == limit as usize || looked_at >= CANDIDATES_MAX;
            if is_full || !more {
                return Ok(Found {
                    hits,
                    cursor: more.then(|| write_cursor(before, epoch)),
                    indexed_up_to: candidates.indexed_up_to,
                    behind: last_row.get().saturating_sub(candidates.indexed_up_to.get()),
                });
            }
        }
    }

    /// The newest candidates below a row in all conversations that are asked about, and the
    /// last row of the store.
    async fn candidates(
        &self,
        index: &dyn SearchIndex,
        asked: &Asked<'_>,
        before: RowId,
        limit: u32,
    ) -> Result<(Candidates, RowId), Refusal> {
        let lookup = |conversations, after| Lookup {
            conversations,
            terms: asked.terms.clone(),
            before,
            after,
            from_time: asked.request.after_ts,
            until_time: asked.request.before_ts,
            limit,
            time_max: asked.deadline.saturating_duration_since(Instant::now()),
        };
        let nothing = RowId::new(0);
        if let Some(conversation) = asked.request.conversation_id {
            let page = self.store.sync_page(asked.user, nothing, None, 1).await;
            let last_row = page.map_err(of_store)?.last_row;
            let found = index.candidates(lookup(vec![conversation], nothing)).await;
            return Ok((found.map_err(of_index)?, last_row));
        }
        let wanted = limit as usize;
        let mut found: Option<Candidates> = None;
        let mut next = None;
        let mut walked = 0;
        loop {
            let page = self.store.sync_page(asked.user, nothing, next, SYNC_CONVERSATIONS_MAX);
            let page = page.await.map_err(of_store)?;
            walked += page.entries.len();
            next = page.entries.last().map(|entry| entry.stamp);
            let is_chat =
                |kind| matches!(kind, ConversationKind::Single { .. } | ConversationKind::Group);
            let chats = page.entries.iter().map(|entry| entry.conversation);
            let chats = chats.filter(|conversation| is_chat(conversation.kind));
            let chats: Vec<ConversationId> = chats.map(|conversation| conversation.id).collect();
            let after = match &found {
                Some(found) if found.rows.len() == wanted => found.rows[wanted - 1],
                _ => nothing,
            };
            let newer = index.candidates(lookup(chats, after)).await.map_err(of_index)?;
            let merged = merge(found.take(), newer, wanted);
            // Nothing in a conversation is newer than the last change of it.
            let is_settled = merged.rows.len() == wanted
                && next.is_none_or(|stamp| merged.rows[wanted - 1] >= stamp);
            if is_settled || !page.more || walked >= SEARCH_CONVERSATIONS_MAX {
                // What has not been looked at may hold more.
                let more = merged.more || (is_settled && page.more);
                return Ok((Candidates { more, ..merged }, page.last_row));
            }
            found = Some(merged);
        }
    }

    /// Which of some rows are hits. First what was said, then who may read it: so that
    /// nobody is shown what was said after the end of the membership.
    async fn look_at(
        &self,
        asked: &Asked<'_>,
        rows: &[RowId],
    ) -> Result<Vec<(RowId, Option<Hit>)>, Refusal> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.push((*row, self.store.event(*row).await.map_err(of_store)?));
        }
        let mut members: HashMap<ConversationId, Option<Membership>> = HashMap::new();
        for (_, event) in &events {
            if let Some(StoredEvent { conversation, .. }) = event
                && !members.contains_key(conversation)
            {
                members.insert(*conversation, self.member(*conversation, asked.user).await?);
            }
        }
        let hit = |event: StoredEvent| {
            let member = members.get(&event.conversation)?.as_ref()?;
            // Present or former: what `PULL` would show.
            let may_read = member.access().allows(event.seq);
            #[cfg(feature = "mutants")]
            let may_read = may_read || petrel_store::mutants::is("search-shows-unreadable");
            may_read.then(|| asked.hit(event)).flatten()
        };
        Ok(events.into_iter().map(|(row, event)| (row, event.and_then(hit))).collect())
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, Refusal> {
        let member = self.store.member(conversation, user).await.map_err(of_store)?;
        member.map(Membership::load).transpose().map_err(of_store)
    }
}

impl Asked<'_> {
    /// What is shown of a message, if it is what was asked for.
    fn hit(&self, event: StoredEvent) -> Option<Hit> {
        let request = self.request;
        let message = match EventBody::decode(&event.payload) {
            Ok(EventBody::Message(message)) if !message.recalled => message,
            _ => return None,
        };
        let fits = request.conversation_id.is_none_or(|id| id == event.conversation)
            && request.from.is_none_or(|from| from == event.sender)
            && request.msg_type.is_none_or(|kind| kind == message.msg_type)
            && request.after_ts.is_none_or(|after| event.timestamp >= after)
            && request.before_ts.is_none_or(|before| event.timestamp < before);
        if !fits {
            return None;
        }
        let text = Text::new(&text_of(&message));
        let marks = self.pattern.marks(&text)?;
        Some(Hit {
            conversation_id: event.conversation,
            msg_seq: event.seq,
            server_msg_id: event.row,
            from: event.sender,
            msg_type: message.msg_type,
            ts: event.timestamp,
            excerpt: excerpt::excerpt(&text, &marks),
        })
    }
}

/// What whatever fits has, in the index.
fn terms_of(request: &SearchRequest, pattern: &Pattern) -> Result<Vec<String>, Refusal> {
    let mut terms: Vec<String> = pattern.terms().into_iter().collect();
    terms.extend(request.from.map(terms::of_sender));
    terms.extend(request.msg_type.map(terms::of_kind));
    if terms.is_empty() {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            "say what to search for: give `q`, `from` or `msgType`",
        ));
    }
    Ok(terms)
}

/// The newest of both, each once.
fn merge(earlier: Option<Candidates>, newer: Candidates, wanted: usize) -> Candidates {
    let Some(earlier) = earlier else { return newer };
    let mut rows = earlier.rows;
    rows.extend(newer.rows);
    rows.sort_unstable_by(|one, other| other.cmp(one));
    rows.dedup();
    let more = earlier.more || newer.more || rows.len() > wanted;
    rows.truncate(wanted);
    let indexed_up_to = earlier.indexed_up_to.min(newer.indexed_up_to);
    Candidates { rows, more, indexed_up_to }
}

/// A cursor is the row below which to go on, and the epoch in which rows are valid.
fn write_cursor(before: RowId, epoch: Epoch) -> String {
    format!("{:x}.{:x}", before.get(), epoch.get())
}

fn read_cursor(cursor: &str, epoch: Epoch) -> Result<RowId, Refusal> {
    let number = |text| u64::from_str_radix(text, 16).ok();
    let parts = cursor.split_once('.');
    let parts = parts.and_then(|(row, epoch)| Some((number(row)?, number(epoch)?)));
    match parts {
        Some((row, of)) if of == epoch.get() => Ok(RowId::new(row)),
        _ => Err(Refusal::new(
            ErrorReason::InvalidField,
            "`cursor` is not one that this system has given, or from before a restore; search \
             without one",
        )),
    }
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}

fn of_index(error: SearchError) -> Refusal {
    match error.kind() {
        SearchErrorKind::TooSlow => too_broad(),
        SearchErrorKind::Unavailable => {
            Refusal::new(ErrorReason::ServerBusy, "the search index is busy; try again in a moment")
        }
        _ => {
            tracing::error!(%error, "the search index failed to answer");
            Refusal::new(ErrorReason::InternalError, "the server failed; its log says why")
        }
    }
}

fn too_broad() -> Refusal {
    Refusal::new(
        ErrorReason::SearchTooBroad,
        "the search takes too long: name a conversation, more words or a shorter time",
    )
}

#[cfg(test)]
mod tests;
