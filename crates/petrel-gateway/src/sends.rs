//! The sends of one session that wait for their ack, and those that were refused.
//!
//! Two promises are kept here. A session has a bounded number of sends under way;
//! beyond it the socket is not read. And a sender's order is never inverted: after a
//! send was refused for want of room, later sends to the same destination are refused
//! until that one has been sent again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use petrel_log::Destination;
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{RequestId, ServerFrame};
use petrel_types::ClientMessageId;
use petrel_types::limits::SENDS_IN_FLIGHT_MAX;
use tokio::time::Instant;

/// How long a send may wait for its ack before its outcome is called unknown.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How many conversations may have a refused send. A session that reaches it is
/// sending to everybody at a busy server; it is sent away to come back later.
const REFUSED_MAX: usize = 1024;

/// The tag of commands whose answer needs no matching.
pub(crate) const UNTRACKED: u64 = 0;

/// A send under way.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: Option<RequestId>,
    pub(crate) client_message_id: ClientMessageId,
    to: Destination,
    deadline: Instant,
}

impl Pending {
    /// How long it has waited.
    pub(crate) fn waited(&self) -> Duration {
        (Instant::now() + ANSWER_TIMEOUT).saturating_duration_since(self.deadline)
    }
}

/// A session's sends. Tags are given in order, so the least tag has the first deadline.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    last_tag: u64,
    pending: BTreeMap<u64, Pending>,
    refused: HashMap<Destination, ClientMessageId>,
}

impl Sends {
    /// Whether another send may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < SENDS_IN_FLIGHT_MAX
    }

    /// Whether too many conversations wait for a retry to go on.
    pub(crate) fn is_overwhelmed(&self) -> bool {
        self.refused.len() >= REFUSED_MAX
    }

    /// Refuses a send that would overtake a refused one.
    pub(crate) fn check_order(
        &self,
        to: Destination,
        client_message_id: &ClientMessageId,
    ) -> Result<(), Refusal> {
        match self.refused.get(&to) {
            Some(first) if first != client_message_id => Err(Refusal::new(
                ErrorReason::AfterRefused,
                format!("send {first} again first, to keep the order of your messages"),
            )),
            _ => Ok(()),
        }
    }

    /// A tag for a send that is about to begin.
    pub(crate) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// A send has entered the log.
    pub(crate) fn began(
        &mut self,
        tag: u64,
        to: Destination,
        client_message_id: ClientMessageId,
        id: Option<RequestId>,
        now: Instant,
    ) {
        self.refused.remove(&to);
        let deadline = now + ANSWER_TIMEOUT;
        self.pending.insert(tag, Pending { id, client_message_id, to, deadline });
    }

    /// A send was refused for want of room: it must come again before others.
    pub(crate) fn refused(&mut self, to: Destination, client_message_id: ClientMessageId) {
        self.refused.entry(to).or_insert(client_message_id);
    }

    /// The answer to a send; `None` if it came too late or the command was untracked.
    pub(crate) fn answered(&mut self, tag: u64, frame: Option<&ServerFrame>) -> Option<Pending> {
        let pending = self.pending.remove(&tag)?;
        if let Some(ServerFrame::Error(error)) = frame
            && matches!(error.reason, ErrorReason::ServerBusy | ErrorReason::StorageFull)
        {
            self.refused(pending.to, pending.client_message_id.clone());
        }
        Some(pending)
    }

    /// Takes out the sends whose answer is overdue, oldest first.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<Pending> {
        let mut overdue = Vec::new();
        while let Some(first) = self.pending.first_entry()
            && first.get().deadline <= now
        {
            overdue.push(first.remove());
        }
        overdue
    }

    /// When the next answer is overdue.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(_, pending)| pending.deadline)
    }
}

#[cfg(test)]
mod tests {
    use petrel_types::UserId;

    use super::*;

    const BOB: Destination = Destination::User(UserId::new(2));
    const CAROL: Destination = Destination::User(UserId::new(3));

    fn name(text: &str) -> ClientMessageId {
        ClientMessageId::new(text).unwrap()
    }

    #[test]
    fn after_a_refusal_only_its_retry_goes_through() {
        let mut sends = Sends::default();
        sends.refused(BOB, name("b1"));
        sends.refused(BOB, name("b2"));
        assert!(sends.check_order(BOB, &name("b2")).is_err());
        assert!(sends.check_order(CAROL, &name("c1")).is_ok());
        assert!(sends.check_order(BOB, &name("b1")).is_ok());
        sends.began(1, BOB, name("b1"), None, Instant::now());
        assert!(sends.check_order(BOB, &name("b2")).is_ok());
    }

    #[test]
    fn room_is_bounded_and_comes_back_with_answers() {
        let mut sends = Sends::default();
        for _ in 0..SENDS_IN_FLIGHT_MAX {
            assert!(sends.has_room());
            let tag = sends.next_tag();
            sends.began(tag, BOB, name("m"), None, Instant::now());
        }
        assert!(!sends.has_room());
        assert!(sends.answered(7, None).is_some());
        assert!(sends.has_room());
        assert!(sends.answered(7, None).is_none());
    }

    #[test]
    fn overdue_sends_come_out_in_order_and_once() {
        let mut sends = Sends::default();
        let start = Instant::now();
        for tag in [1, 2, 3] {
            sends.began(tag, BOB, name(&format!("m{tag}")), None, start);
        }
        sends.began(4, BOB, name("m4"), None, start + Duration::from_secs(1));
        assert_eq!(sends.next_deadline(), Some(start + ANSWER_TIMEOUT));
        let overdue: Vec<_> = sends
            .take_overdue(start + ANSWER_TIMEOUT)
            .into_iter()
            .map(|pending| pending.client_message_id)
            .collect();
        assert_eq!(overdue, [name("m1"), name("m2"), name("m3")]);
        assert!(sends.take_overdue(start + ANSWER_TIMEOUT).is_empty());
    }
}
