//! The sums of the ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use super::stream::Stream;
use super::window::Window;

/// The most lost messages that are named.
const EXAMPLES_MAX: usize = 10;

/// What became of the messages.
/// *expected = delivered + recovered + lost + notEntitled + unconfirmed*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Messages that were written.
    pub sent: u64,
    /// Messages that the server acknowledged.
    pub acked: u64,
    /// Messages that the server said it did not take.
    pub refused: u64,
    /// Deliveries that the plan asks for: each message that was not refused, for each of
    /// its recipients.
    pub expected: u64,
    /// Deliveries that were pushed.
    pub delivered: u64,
    /// Deliveries that came only in the history that the recipient read.
    pub recovered: u64,
    /// Deliveries that never came.
    pub lost: u64,
    /// Of the lost, those whose message the server had acknowledged.
    pub acked_but_lost: u64,
    /// Deliveries to recipients that were away from a server that keeps nothing for them.
    pub not_entitled: u64,
    /// Deliveries that never came, of messages whose sender was cut off before an answer.
    pub unconfirmed: u64,
    /// Deliveries of what the recipient already had, and that nothing excuses.
    pub duplicates: u64,
    /// Repeats that the server marked as such, of what had not been acknowledged.
    pub repeats: u64,
    /// Deliveries that came after a later message of the same sender.
    pub reordered: u64,
    /// How many later messages at most had come before one.
    pub reorder_depth_max: u32,
    /// Runs of consecutive lost messages.
    pub gaps: u64,
    /// The longest run of consecutive lost messages.
    pub gap_length_max: u32,
    /// Deliveries to somebody they are not for.
    pub wrong_recipient: u64,
    /// Group messages that came back to the connection that had sent them.
    pub returned: u64,
    /// Payloads that were changed on the way.
    pub corrupt: u64,
    /// Deliveries of messages that nobody sent.
    pub invented: u64,
    /// Messages that the server had refused and delivered all the same.
    pub refused_but_delivered: u64,
    /// Deliveries of messages of another run.
    pub foreign: u64,
    /// There were more holes than are counted exactly.
    pub overflowed: bool,
    /// The first lost messages, as examples.
    pub examples: Vec<LostMessage>,
    /// Delivered or recovered.
    #[serde(skip)]
    pub(super) seen: u64,
}

/// A message that somebody never got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LostMessage {
    /// The index of the connection that sent it.
    pub sender: u32,
    /// The index of the connection that should have got it.
    pub recipient: u32,
    /// Its place in the sender's stream, from 1.
    pub seq: u32,
    /// The server had acknowledged it.
    pub acked: bool,
}

impl Tally {
    pub(super) fn reordered(&mut self, depth: u32) {
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-misses-reordering") {
            return;
        }
        self.reordered += 1;
        self.reorder_depth_max = self.reorder_depth_max.max(depth);
    }

    /// Adds what became of one sender's messages at one recipient.
    /// `excused` is what was not for the recipient.
    pub(super) fn settle(
        &mut self,
        stream: &Stream,
        window: &Window,
        excused: Option<&Ranges>,
        sender: u32,
        recipient: u32,
    ) {
        let mut missing = 0;
        let mut run = 0;
        for hole in window.missing(stream.sent) {
            for seq in hole {
                missing += 1;
                if excused.is_some_and(|excused| excused.contains(seq)) {
                    if !stream.refused.contains(seq) {
                        self.not_entitled += 1;
                    }
                    run = 0;
                } else if self.miss(stream, seq, sender, recipient) {
                    run += 1;
                    self.gaps += u64::from(run == 1);
                    self.gap_length_max = self.gap_length_max.max(run);
                } else {
                    run = 0;
                }
            }
            run = 0;
        }
        let refused_and_missing =
            stream.refused.iter().filter(|seq| !window.has(*seq)).count() as u64;
        self.refused_but_delivered += stream.refused.count() - refused_and_missing;
        self.expected += u64::from(stream.sent) - refused_and_missing;
        self.seen += u64::from(stream.sent) - missing;
    }

    /// Puts one message that did not come under its heading; true if it is lost.
    fn miss(&mut self, stream: &Stream, seq: u32, sender: u32, recipient: u32) -> bool {
        let acked = stream.acks.has(seq);
        if stream.refused.contains(seq) {
            return false;
        }
        if stream.unconfirmed.contains(seq) {
            self.unconfirmed += 1;
            return false;
        }
        #[cfg(feature = "mutants")]
        let acked = acked && !crate::mutants::is("bench-misses-acked-loss");
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-misses-loss") {
            self.not_entitled += 1;
            return false;
        }
        self.lost += 1;
        self.acked_but_lost += u64::from(acked);
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(LostMessage { sender, recipient, seq, acked });
        }
        true
    }

    /// Adds another worker's sums.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.sent, other.sent),
            (&mut self.acked, other.acked),
            (&mut self.refused, other.refused),
            (&mut self.expected, other.expected),
            (&mut self.delivered, other.delivered),
            (&mut self.recovered, other.recovered),
            (&mut self.lost, other.lost),
            (&mut self.acked_but_lost, other.acked_but_lost),
            (&mut self.not_entitled, other.not_entitled),
            (&mut self.unconfirmed, other.unconfirmed),
            (&mut self.duplicates, other.duplicates),
            (&mut self.repeats, other.repeats),
            (&mut self.reordered, other.reordered),
            (&mut self.gaps, other.gaps),
            (&mut self.wrong_recipient, other.wrong_recipient),
            (&mut self.returned, other.returned),
            (&mut self.corrupt, other.corrupt),
            (&mut self.invented, other.invented),
            (&mut self.refused_but_delivered, other.refused_but_delivered),
            (&mut self.foreign, other.foreign),
        ] {
            *mine += theirs;
        }
        self.reorder_depth_max = self.reorder_depth_max.max(other.reorder_depth_max);
        self.gap_length_max = self.gap_length_max.max(other.gap_length_max);
        self.overflowed |= other.overflowed;
        let room = EXAMPLES_MAX - self.examples.len();
        self.examples.extend(other.examples.iter().take(room).cloned());
    }

    /// Whether every message is where it belongs, once, in order and unchanged.
    pub fn is_clean(&self) -> bool {
        self.faults() == 0 && !self.overflowed
    }

    /// What arrived, pushed or in the history, of what should have, in percent.
    pub fn delivered_percent(&self) -> f64 {
        match self.expected {
            0 => 0.0,
            expected => 100.0 * (self.delivered + self.recovered) as f64 / expected as f64,
        }
    }

    /// Deliveries that went wrong, in whatever way.
    pub fn faults(&self) -> u64 {
        self.lost
            + self.duplicates
            + self.reordered
            + self.wrong_recipient
            + self.corrupt
            + self.invented
            + self.refused_but_delivered
    }

    /// Whether the sums add up, as they must.
    pub fn adds_up(&self) -> bool {
        self.expected
            == self.delivered + self.recovered + self.lost + self.not_entitled + self.unconfirmed
    }
}
