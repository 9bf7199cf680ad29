//! The ledger: for every message that the plan says somebody should get, what became of
//! it.
//!
//! Expected is what was sent, times the recipients that the plan names; what arrives is
//! only ever held against that. In the end
//! *expected = delivered + recovered + lost + not entitled + unconfirmed*:
//!
//! - *delivered*: pushed to the recipient;
//! - *recovered*: not pushed, but in the history that the recipient read;
//! - *lost*: neither, though the server took it (acked) or the connection it was sent on
//!   never broke;
//! - *not entitled*: sent while the recipient was away from a server that keeps nothing
//!   for the absent;
//! - *unconfirmed*: the sender's connection broke before an answer, and it did not arrive.
//!
//! What the server refused is not expected by anybody. Memory grows with connections and
//! with holes, not with messages: 16 bytes for each (sender, recipient) and about 64 for
//! each message under way.

mod cast;
mod ranges;
mod stream;
mod tally;
mod window;

use std::collections::BTreeMap;

pub use cast::Cast;
pub use ranges::Ranges;
pub use stream::{AckOutcome, Stream, Timed};
pub use tally::{LostMessage, Tally};
pub use window::{Seen, Window};

use crate::clock::Nanos;

/// The most holes that are kept. A run with more is broken beyond counting, and says so.
const HOLES_MAX: u64 = 4_000_000;

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Pushed.
    Live,
    /// Pushed, and marked by the server as a repeat of an unacknowledged push.
    Repeat,
    /// In an answer to a request for history.
    History,
}

/// What a message that arrived turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Arrival {
    /// It was expected here and is here for the first time.
    First(Option<Timed>),
    /// It had been here before, and nothing excuses that.
    Duplicate,
    /// It had been here before: a marked repeat, or read again in the history.
    Known,
    /// It is for somebody else.
    WrongRecipient,
    /// Nobody sent it.
    Invented,
}

/// The messages of one worker's connections.
#[derive(Debug)]
pub struct Ledger {
    cast: Cast,
    acked: bool,
    streams: Vec<Option<Box<Stream>>>,
    windows: Vec<Window>,
    /// By place, what was sent while the recipient could not get it.
    not_entitled: BTreeMap<usize, Ranges>,
    /// By place, what the recipient has read in its history and not been pushed: a push
    /// that was under way at that time is no second delivery.
    read_early: BTreeMap<usize, Ranges>,
    /// By place, the highest that a recipient had when it came back: what a server that
    /// delivers at least once may deliver again.
    had: BTreeMap<usize, u32>,
    holes: u64,
    tally: Tally,
}

impl Ledger {
    /// An empty ledger for so many connections. `acked` says whether the server
    /// acknowledges messages; if not, an echo is the answer.
    pub fn new(cast: Cast, connections: u32, acked: bool) -> Self {
        let mut streams = Vec::new();
        if cast.talks() {
            streams.resize_with(connections as usize, || None);
        }
        let windows = vec![Window::default(); cast.places(connections)];
        Self {
            cast,
            acked,
            streams,
            windows,
            not_entitled: BTreeMap::new(),
            read_early: BTreeMap::new(),
            had: BTreeMap::new(),
            holes: 0,
            tally: Tally::default(),
        }
    }

    /// Who talks to whom.
    pub fn cast(&self) -> Cast {
        self.cast
    }

    /// A sender's messages, if it has sent any.
    pub fn stream(&mut self, sender: u32) -> Option<&mut Stream> {
        self.streams.get_mut(sender as usize)?.as_deref_mut()
    }

    /// A sender's messages.
    pub fn stream_or_new(&mut self, sender: u32) -> &mut Stream {
        self.streams[sender as usize].get_or_insert_default()
    }

    /// Takes an ack to a sender.
    pub fn ack(&mut self, sender: u32, seq: u32, now: Nanos) -> AckOutcome {
        let audience = self.cast.audience();
        let Some(stream) = self.stream(sender) else {
            return AckOutcome::Unknown;
        };
        let outcome = stream.ack(seq, now);
        stream.forget_done(audience);
        outcome
    }

    /// Takes a message that arrived at a recipient.
    pub fn arrive(
        &mut self,
        sender: u32,
        recipient: u32,
        seq: u32,
        now: Nanos,
        how: How,
    ) -> Arrival {
        let Some(place) = self.cast.place(sender, recipient) else {
            // One's own message in one's own history is no leak.
            if how == How::History && sender == recipient {
                return Arrival::Known;
            }
            // Where nothing is acknowledged, a room may well include its speaker.
            if sender == recipient && !self.acked && matches!(self.cast, Cast::Groups { .. }) {
                self.tally.returned += 1;
                return Arrival::Known;
            }
            #[cfg(feature = "mutants")]
            if crate::mutants::is("bench-misses-strangers") {
                return Arrival::Known;
            }
            self.tally.wrong_recipient += 1;
            return Arrival::WrongRecipient;
        };
        let (audience, answers) = (self.cast.audience(), !self.acked);
        let stream = self.streams[sender as usize].as_deref_mut();
        let Some(stream) = stream.filter(|stream| seq > 0 && seq <= stream.sent) else {
            self.tally.invented += 1;
            return Arrival::Invented;
        };
        let window = &mut self.windows[place];
        let holes_before = window.holes().len();
        let seen = window.see(seq);
        self.holes = self.holes + window.holes().len() as u64 - holes_before as u64;
        match (seen, how) {
            (Seen::Again, How::Live)
                if self.read_early.get_mut(&place).is_some_and(|early| early.remove(seq)) =>
            {
                return Arrival::Known;
            }
            #[cfg(feature = "mutants")]
            (Seen::Again, How::Live) if crate::mutants::is("bench-believes-any-second-copy") => {
                self.tally.repeats += 1;
                return Arrival::Known;
            }
            (Seen::Again, How::Live) if self.had.get(&place).is_some_and(|had| seq <= *had) => {
                self.tally.repeats += 1;
                return Arrival::Known;
            }
            #[cfg(feature = "mutants")]
            (Seen::Again, How::Live) if crate::mutants::is("bench-misses-duplicates") => {
                return Arrival::Known;
            }
            (Seen::Again, How::Live) => {
                self.tally.duplicates += 1;
                return Arrival::Duplicate;
            }
            (Seen::Again, How::Repeat) => {
                self.tally.repeats += 1;
                return Arrival::Known;
            }
            (Seen::Again, How::History) => return Arrival::Known,
            (Seen::Late(depth), How::Live | How::Repeat) => self.tally.reordered(depth),
            (Seen::Late(_) | Seen::Next | Seen::Jump(_), _) => {}
        }
        if how == How::History {
            self.tally.recovered += 1;
            self.read_early.entry(place).or_default().add(seq..=seq);
        }
        let timed = stream.delivered(seq, now, answers);
        stream.forget_done(audience);
        Arrival::First(timed)
    }

    /// The recipient's place in a sender's stream, to see what it still misses.
    pub fn misses(&self, sender: u32, recipient: u32) -> bool {
        let (Some(place), Some(stream)) =
            (self.cast.place(sender, recipient), self.streams[sender as usize].as_deref())
        else {
            return false;
        };
        self.windows[place].missing(stream.sent).flatten().any(|seq| {
            let excused = self.not_entitled.get(&place).is_some_and(|them| them.contains(seq));
            !excused && !stream.refused.contains(seq)
        })
    }

    /// Whether anything that a recipient should get has not come.
    pub fn is_behind(&self, recipient: u32) -> bool {
        self.cast.senders(recipient).any(|sender| self.misses(sender, recipient))
    }

    /// A recipient of a server without history came back: what it has not got so far
    /// was not for it.
    pub fn excuse_absence(&mut self, recipient: u32) {
        for sender in self.cast.senders(recipient) {
            let Some(place) = self.cast.place(sender, recipient) else { continue };
            let Some(stream) = self.streams[sender as usize].as_deref() else { continue };
            for missing in self.windows[place].missing(stream.sent) {
                self.not_entitled.entry(place).or_default().add(missing);
            }
        }
    }

    /// A recipient came back to a server that delivers again what it does not know to have
    /// arrived: what it has so far is no fault when it comes once more.
    pub fn came_back(&mut self, recipient: u32) {
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-calls-repeats-duplicates") {
            return;
        }
        for sender in self.cast.senders(recipient) {
            if let Some(place) = self.cast.place(sender, recipient) {
                self.had.insert(place, self.windows[place].highest());
            }
        }
    }

    /// How many messages wait for an answer.
    pub fn in_flight(&self) -> u64 {
        self.streams.iter().flatten().map(|stream| u64::from(stream.in_flight)).sum()
    }

    /// Whether everything expected has arrived and everything sent is answered.
    pub fn is_complete(&self) -> bool {
        let answered = self.streams.iter().flatten().all(|stream| stream.in_flight == 0);
        answered && (0..self.streams.len() as u32).all(|recipient| !self.is_behind(recipient))
    }

    /// Counts a payload that was changed on its way.
    pub fn corrupt(&mut self) {
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-misses-corruption") {
            return;
        }
        self.tally.corrupt += 1;
    }

    /// Counts a message of another run.
    pub fn foreign(&mut self) {
        self.tally.foreign += 1;
    }

    /// Deliveries so far of what the recipient already had.
    pub fn duplicates(&self) -> u64 {
        self.tally.duplicates
    }

    /// Deliveries so far that came after a later message of the same sender.
    pub fn reordered(&self) -> u64 {
        self.tally.reordered
    }

    /// Whether there were more holes than are kept, so that the tally is not exact.
    pub fn has_overflowed(&self) -> bool {
        self.holes > HOLES_MAX
    }

    /// Gives up on answers to messages sent before `before`; how many there were.
    pub fn expire(&mut self, before: Nanos) -> u64 {
        self.streams.iter_mut().flatten().map(|stream| stream.expire(before)).sum()
    }

    /// Holds everything that arrived against everything that was sent. `first` is the
    /// index of the first connection, for the examples.
    pub fn settle(&self, first: u32) -> Tally {
        let mut tally = self.tally.clone();
        tally.overflowed = self.has_overflowed();
        for (sender, stream) in self.streams.iter().enumerate() {
            let Some(stream) = stream else { continue };
            let sender = sender as u32;
            tally.sent += u64::from(stream.sent);
            tally.acked += u64::from(stream.acks.highest())
                - stream.acks.holes().iter().map(|hole| hole.clone().count() as u64).sum::<u64>();
            tally.refused += stream.refused.count();
            for recipient in self.cast.recipients(sender) {
                if let Some(place) = self.cast.place(sender, recipient) {
                    let excused = self.not_entitled.get(&place);
                    let (window, sender) = (&self.windows[place], first + sender);
                    tally.settle(stream, window, excused, sender, first + recipient);
                }
            }
        }
        tally.delivered = tally.seen - tally.recovered;
        tally
    }
}

#[cfg(test)]
mod tests;
