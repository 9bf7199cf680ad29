//! Very large groups: being told that there is something, and looking at it.

use std::collections::BTreeMap;
use std::time::Duration;

use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Focus, Focused, Head, ServerFrame};
use petrel_types::limits::FOCUS_CONVERSATIONS_MAX;
use petrel_types::{ConversationId, UserId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::End;
use crate::Gateway;

/// The capability of a client that takes `HEAD`.
pub(super) const CAPABILITY: &str = "head";

/// When a session was told of which heads.
#[derive(Debug)]
pub(super) struct Heads {
    interval: Duration,
    /// Those told within the last interval.
    told: BTreeMap<ConversationId, Instant>,
    /// When one is due that had to wait.
    next_due: Option<Instant>,
}

impl Heads {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, told: BTreeMap::new(), next_due: None }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// Begins to ask for what is due at a time.
    fn begin(&mut self, now: Instant) {
        self.next_due = None;
        self.told.retain(|_, told| *told + self.interval > now);
    }

    /// Whether a conversation's head is to be told now; if not, it is due later.
    fn is_due(&mut self, conversation: ConversationId, now: Instant) -> bool {
        if let Some(told) = self.told.get(&conversation) {
            let due = *told + self.interval;
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
            return false;
        }
        self.told.insert(conversation, now);
        true
    }
}

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Queues the heads that are due.
    pub(super) async fn write_heads(&mut self) -> Result<(), End> {
        let Some(heads) = &mut self.heads else { return Ok(()) };
        let now = Instant::now();
        heads.begin(now);
        for (conversation_id, head_seq) in self.outbox.take_heads(|id| heads.is_due(id, now)) {
            self.reply(ServerFrame::Head(Head { conversation_id, head_seq }), None).await?;
        }
        Ok(())
    }

    pub(super) async fn focus(&mut self, focus: Focus) -> Result<Focused, Refusal> {
        let Focus { conversation_id, conversation_ids: mut named, on } = focus;
        named.extend(conversation_id);
        named.sort_unstable();
        named.dedup();
        if on == Some(false) {
            self.outbox.look_away(&named);
            return Ok(Focused { heads: Vec::new() });
        }
        if named.is_empty() {
            let message = "name what to look at by conversationId or conversationIds";
            return Err(Refusal::new(ErrorReason::InvalidField, message));
        }
        let too_many = || {
            let message = format!("at most {FOCUS_CONVERSATIONS_MAX} conversations are in focus");
            Refusal::new(ErrorReason::InvalidField, message)
        };
        if named.len() > FOCUS_CONVERSATIONS_MAX {
            return Err(too_many());
        }
        // First the focus, then the heads: what comes between is pushed.
        let added = self.outbox.focus(&named, FOCUS_CONVERSATIONS_MAX).ok_or_else(too_many)?;
        let heads = heads_of(self.gateway, self.user(), &named).await;
        if heads.is_err() && !added.is_empty() {
            self.outbox.look_away(&added);
        }
        heads.map(|heads| Focused { heads })
    }
}

async fn heads_of(
    gateway: &Gateway,
    user: UserId,
    conversations: &[ConversationId],
) -> Result<Vec<Head>, Refusal> {
    let catchup = &gateway.shared.dependencies.catchup;
    let mut heads = Vec::with_capacity(conversations.len());
    for conversation_id in conversations.iter().copied() {
        let head_seq = gateway.shared.admission().read(catchup.head(user, conversation_id)).await?;
        heads.push(Head { conversation_id, head_seq });
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_told_at_once_and_then_once_an_interval() {
        let interval = Duration::from_secs(1);
        let start = Instant::now();
        let mut heads = Heads::new(interval);
        let id = ConversationId::new(7);
        heads.begin(start);
        assert!(heads.is_due(id, start));
        assert!(heads.is_due(ConversationId::new(8), start), "each for itself");
        assert_eq!(heads.next_due(), None);

        let later = start + interval / 2;
        heads.begin(later);
        assert!(!heads.is_due(id, later));
        assert_eq!(heads.next_due(), Some(start + interval), "and is not forgotten");
        heads.begin(start + interval);
        assert!(heads.is_due(id, start + interval));

        heads.begin(start + interval * 3);
        assert!(heads.told.is_empty(), "nothing is kept for long");
    }
}
