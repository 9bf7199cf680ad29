//! What was pushed to one session and not yet acknowledged by it.
//!
//! Delivery to a device that is online but silent is tried again a few times, each time
//! with a little of the oldest, and then given up with one `GAP`: the device can always
//! pull. So a client that never acknowledges costs at most a fixed number of repeats per
//! conversation, however much is pushed to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petrel_types::{ConversationId, Seq};
use tokio::time::Instant;

/// How long a session may take to acknowledge before the first repeat. Each further one
/// waits twice as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often the oldest unacknowledged events are repeated.
const REPEATS_MAX: u32 = 3;

/// How many conversations are repeated in one round, and the pause until the next, so
/// that a device that is silent in all of them is not flooded.
const ROUND_CONVERSATIONS_MAX: usize = 8;
const ROUND_PAUSE: Duration = Duration::from_secs(1);

/// How many conversations are watched at once. Events of others are pushed, too, but not
/// repeated.
const CONVERSATIONS_MAX: usize = 1024;

/// The unacknowledged events of a session, by conversation.
#[derive(Debug, Default)]
pub(crate) struct Unacked {
    waiting: BTreeMap<ConversationId, Waiting>,
    /// Conversations whose repeats came to nothing; watched again after an ack.
    given_up: BTreeSet<ConversationId>,
    /// No repeat is due before this.
    next_due: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    acked: Seq,
    pushed: Seq,
    repeats: u32,
    due: Instant,
}

/// What to do about a silent session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Push the oldest events after this one again.
    Repeat { conversation: ConversationId, after: Seq },
    /// Say once that there is something to pull.
    GiveUp { conversation: ConversationId, head: Seq },
}

impl Unacked {
    /// An event was written to the session.
    pub(crate) fn pushed(&mut self, conversation: ConversationId, seq: Seq, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&conversation) {
            waiting.pushed = waiting.pushed.max(seq);
        } else if !self.given_up.contains(&conversation) && self.has_room() {
            let due = now + PATIENCE;
            let acked = Seq::new(seq.get().saturating_sub(1));
            self.waiting.insert(conversation, Waiting { acked, pushed: seq, repeats: 0, due });
            self.next_due.get_or_insert(due);
        }
    }

    /// The session has everything up to an event.
    pub(crate) fn acked(&mut self, conversation: ConversationId, seq: Seq, now: Instant) {
        self.given_up.remove(&conversation);
        if let Some(waiting) = self.waiting.get_mut(&conversation) {
            if seq >= waiting.pushed {
                self.waiting.remove(&conversation);
            } else if seq > waiting.acked {
                *waiting = Waiting { acked: seq, repeats: 0, due: now + PATIENCE, ..*waiting };
            }
        }
    }

    /// When to ask for what is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// Takes what is due by now, one round of it.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Due> {
        if self.next_due.is_none_or(|next_due| now < next_due) {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.waiting.retain(|conversation, waiting| {
            if now < waiting.due || due.len() == ROUND_CONVERSATIONS_MAX {
                return true;
            }
            let conversation = *conversation;
            if waiting.repeats == REPEATS_MAX {
                due.push(Due::GiveUp { conversation, head: waiting.pushed });
                self.given_up.insert(conversation);
                return false;
            }
            due.push(Due::Repeat { conversation, after: waiting.acked });
            waiting.repeats += 1;
            waiting.due = now + PATIENCE * 2_u32.pow(waiting.repeats);
            true
        });
        let next_due = self.waiting.values().map(|waiting| waiting.due).min();
        self.next_due = next_due.map(|next_due| next_due.max(now + ROUND_PAUSE));
        due
    }

    fn has_room(&self) -> bool {
        self.waiting.len() + self.given_up.len() < CONVERSATIONS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConversationId = ConversationId::new(1);
    const TWO: ConversationId = ConversationId::new(2);

    fn repeat(conversation: ConversationId, after: u64) -> Due {
        Due::Repeat { conversation, after: Seq::new(after) }
    }

    #[test]
    fn what_is_acknowledged_in_time_is_never_repeated() {
        let start = Instant::now();
        let mut unacked = Unacked::default();
        for seq in 5..8 {
            unacked.pushed(ONE, Seq::new(seq), start);
        }
        unacked.acked(ONE, Seq::new(7), start);
        assert_eq!(unacked.take_due(start + PATIENCE), []);
        assert_eq!(unacked.next_due(), None);
    }

    #[test]
    fn the_oldest_are_repeated_three_times_with_growing_patience_and_then_given_up() {
        let start = Instant::now();
        let mut unacked = Unacked::default();
        unacked.pushed(ONE, Seq::new(5), start);
        unacked.pushed(ONE, Seq::new(6), start);
        let mut now = start;
        for factor in [1, 2, 4] {
            let almost = now + PATIENCE * factor - Duration::from_millis(1);
            assert_eq!(unacked.take_due(almost), []);
            now += PATIENCE * factor;
            assert_eq!(unacked.take_due(now), [repeat(ONE, 4)]);
        }
        now += PATIENCE * 8;
        let gap = Due::GiveUp { conversation: ONE, head: Seq::new(6) };
        assert_eq!(unacked.take_due(now), [gap]);

        // Not an amplifier: further pushes are not repeated, until the device speaks.
        unacked.pushed(ONE, Seq::new(7), now);
        assert_eq!(unacked.next_due(), None);
        unacked.acked(ONE, Seq::new(7), now);
        unacked.pushed(ONE, Seq::new(8), now);
        assert_eq!(unacked.take_due(now + PATIENCE), [repeat(ONE, 7)]);
    }

    #[test]
    fn progress_earns_new_patience_and_conversations_wait_apart() {
        let start = Instant::now();
        let later = start + PATIENCE / 2;
        let mut unacked = Unacked::default();
        unacked.pushed(ONE, Seq::new(1), start);
        unacked.pushed(ONE, Seq::new(2), start);
        unacked.pushed(TWO, Seq::new(9), start);
        unacked.acked(ONE, Seq::new(1), later);
        assert_eq!(unacked.take_due(start + PATIENCE), [repeat(TWO, 8)]);
        assert_eq!(unacked.take_due(later + PATIENCE), [repeat(ONE, 1)]);
    }

    #[test]
    fn the_number_of_watched_conversations_is_bounded() {
        let start = Instant::now();
        let mut unacked = Unacked::default();
        for conversation in 0..2 * CONVERSATIONS_MAX as u64 {
            unacked.pushed(ConversationId::new(conversation), Seq::new(1), start);
        }
        let mut repeated = 0;
        let mut now = start + PATIENCE;
        loop {
            let due = unacked.take_due(now);
            assert!(due.len() <= ROUND_CONVERSATIONS_MAX);
            repeated += due.len();
            if due.is_empty() || repeated == CONVERSATIONS_MAX {
                break;
            }
            now = unacked.next_due().unwrap();
        }
        assert_eq!(repeated, CONVERSATIONS_MAX);
        assert_eq!(unacked.waiting.len(), CONVERSATIONS_MAX);
    }
}
