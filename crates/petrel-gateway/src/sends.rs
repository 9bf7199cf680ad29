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
    /// What is stored is not what was sent.
    pub(crate) words_replaced: bool,
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
    receipts: BTreeMap<u64, Receipt>,
    refused: HashMap<Destination, Refused>,
}

/// A receipt whose refusal has to say which one it was. They are as many as commands of
/// the session wait in the queue, which is bounded and has a fair share for each user.
#[derive(Debug)]
struct Receipt {
    id: RequestId,
    /// How many of its commands have no answer yet.
    unanswered: u32,
}

/// The first send to somewhere that was refused.
#[derive(Debug)]
struct Refused {
    tag: u64,
    name: ClientMessageId,
    /// The first that was refused because of it.
    held_back: Option<ClientMessageId>,
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

    /// Refuses a send that would overtake a refused one. Who was told so, and yet sends the
    /// next one again, has given the refused one up.
    pub(crate) fn check_order(
        &mut self,
        to: Destination,
        client_message_id: &ClientMessageId,
    ) -> Result<(), Refusal> {
        let Some(refused) = self.refused.get_mut(&to) else { return Ok(()) };
        if refused.name == *client_message_id
            || refused.held_back.as_ref() == Some(client_message_id)
        {
            return Ok(());
        }
        refused.held_back.get_or_insert_with(|| client_message_id.clone());
        let first = &refused.name;
        Err(Refusal::new(
            ErrorReason::AfterRefused,
            format!("send {first} again first, to keep the order of your messages"),
        ))
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
        self.pending
            .insert(tag, Pending { id, client_message_id, words_replaced: false, to, deadline });
    }

    /// What was sent under a tag has other words than its sender wrote.
    pub(crate) fn words_replaced(&mut self, tag: u64) {
        if let Some(pending) = self.pending.get_mut(&tag) {
            pending.words_replaced = true;
        }
    }

    /// A send was refused for want of room: it must come again before others. What was
    /// sent first goes first, and it may be refused after what was sent later.
    pub(crate) fn refused(&mut self, tag: u64, to: Destination, name: ClientMessageId) {
        let is_first = self.refused.get(&to).is_none_or(|first| tag < first.tag);
        if is_first {
            self.refused.insert(to, Refused { tag, name, held_back: None });
        }
    }

    /// The answer to a send; `None` if it came too late or the command was untracked.
    pub(crate) fn answered(&mut self, tag: u64, frame: Option<&ServerFrame>) -> Option<Pending> {
        let pending = self.pending.remove(&tag)?;
        if let Some(ServerFrame::Error(error)) = frame
            && matches!(error.reason, ErrorReason::ServerBusy | ErrorReason::StorageFull)
        {
            self.refused(tag, pending.to, pending.client_message_id.clone());
        }
        Some(pending)
    }

    /// The commands of a receipt have entered the log, all under one tag.
    pub(crate) fn receipt_began(&mut self, tag: u64, id: RequestId, commands: u32) {
        if commands > 0 {
            self.receipts.insert(tag, Receipt { id, unanswered: commands });
        }
    }

    /// One command of a receipt is answered. Returns the `id` of the receipt; `None` if the
    /// tag is that of something else.
    pub(crate) fn receipt_answered(&mut self, tag: u64) -> Option<RequestId> {
        let receipt = self.receipts.get_mut(&tag)?;
        receipt.unanswered -= 1;
        if receipt.unanswered > 0 {
            return Some(receipt.id.clone());
        }
        self.receipts.remove(&tag).map(|receipt| receipt.id)
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
        sends.refused(8, BOB, name("b1"));
        sends.refused(9, BOB, name("b2"));
        assert!(sends.check_order(BOB, &name("b2")).is_err());
        assert!(sends.check_order(CAROL, &name("c1")).is_ok());
        assert!(sends.check_order(BOB, &name("b1")).is_ok());
        sends.began(1, BOB, name("b1"), None, Instant::now());
        assert!(sends.check_order(BOB, &name("b2")).is_ok());
    }

    #[test]
    fn who_gives_a_refused_send_up_sends_the_next_one_again() {
        let mut sends = Sends::default();
        sends.refused(1, BOB, name("given up"));
        assert!(sends.check_order(BOB, &name("b2")).is_err());
        assert!(sends.check_order(BOB, &name("b3")).is_err());
        assert!(sends.check_order(BOB, &name("b2")).is_ok());
    }

    #[test]
    fn what_was_sent_first_is_waited_for_also_if_it_was_refused_later() {
        let mut sends = Sends::default();
        // The first is in the queue when the second finds it full; then the disk is full, too.
        sends.began(1, BOB, name("b1"), None, Instant::now());
        sends.refused(2, BOB, name("b2"));
        let full = ServerFrame::Error(petrel_protocol::frame::Error::new(
            ErrorReason::StorageFull,
            "the disk is full",
        ));
        sends.answered(1, Some(&full));
        assert!(sends.check_order(BOB, &name("b2")).is_err());
        assert!(sends.check_order(BOB, &name("b1")).is_ok());
    }

    #[test]
    fn a_receipt_is_known_until_all_of_its_commands_are_answered() {
        let mut sends = Sends::default();
        let (first, second) = (RequestId::Number(1), RequestId::Text("two".into()));
        sends.receipt_began(1, first.clone(), 2);
        sends.receipt_began(2, second.clone(), 1);
        sends.receipt_began(3, RequestId::Number(3), 0);
        assert_eq!(sends.receipt_answered(1), Some(first.clone()));
        assert_eq!(sends.receipt_answered(2), Some(second));
        assert_eq!(sends.receipt_answered(1), Some(first));
        for over in [1, 2, 3, UNTRACKED] {
            assert_eq!(sends.receipt_answered(over), None);
        }
        assert!(sends.receipts.is_empty());
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
