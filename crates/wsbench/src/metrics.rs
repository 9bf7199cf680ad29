//! What a worker counts and times.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// The longest time that is told apart from longer ones: an hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;
/// Significant decimal digits of every recorded time.
const DIGITS: u8 = 3;
/// The most classes of errors that are told apart.
const ERROR_CLASSES_MAX: usize = 100;

macro_rules! timings {
    ($( $(#[$doc:meta])* $name:ident => $key:literal, )*) => {
        /// What is timed. *Corrected* times begin when the thing was meant to happen, *raw*
        /// ones when it did.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Timing { $( $(#[$doc])* #[serde(rename = $key)] $name, )* }

        impl Timing {
            /// All of them.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// The name in reports, thresholds and files.
            pub const fn key(self) -> &'static str {
                match self { $( Self::$name => $key, )* }
            }
        }
    };
}

impl Timing {
    /// Kinds that are told second by second; the others are told of the whole run only.
    pub const SECOND_BY_SECOND: &[Self] = &[
        Self::Connect,
        Self::Ping,
        Self::Ack,
        Self::EndToEnd,
        Self::SlowEndToEnd,
        Self::FanoutLast,
        Self::Reconnect,
    ];
}

timings! {
    /// From the time a connection was due to the end of its upgrade.
    Connect => "connect",
    /// From the first packet to the end of the upgrade.
    ConnectRaw => "connectRaw",
    /// From the end of the upgrade to the server's word that the login stands.
    Login => "login",
    /// From when a ping was due to its pong.
    Ping => "ping",
    /// From when a ping was written to its pong.
    PingRaw => "pingRaw",
    /// From when a message was due to its ack.
    Ack => "ack",
    /// From when a message was written to its ack.
    AckRaw => "ackRaw",
    /// From when a message was due to its delivery.
    EndToEnd => "e2e",
    /// From when a message was written to its delivery.
    EndToEndRaw => "e2eRaw",
    /// From a message's ack to its first delivery; 0 when the delivery came first.
    AckToDelivery => "ackToDelivery",
    /// End to end, corrected, to recipients that read slowly on purpose.
    SlowEndToEnd => "slowE2e",
    /// From when a group message was due to its first delivery.
    FanoutFirst => "fanoutFirst",
    /// From when a group message was due to its last delivery.
    FanoutLast => "fanoutLast",
    /// From losing a connection to being logged in again.
    Reconnect => "reconnect",
    /// From being logged in again to having everything that was missed.
    CatchUp => "catchUp",
    /// From a login to a follower's being told that the user is there.
    Arrival => "arrival",
    /// From the end of a connection to a follower's being told that the user is gone.
    Departure => "departure",
}

/// Times of one kind, to the microsecond and with three significant digits.
pub type Times = Histogram<u64>;

macro_rules! counters {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// What is counted. An older report does not count everything.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct Counters { $( $(#[$doc])* pub $name: u64, )* }

        impl Counters {
            /// Adds another worker's counts.
            pub fn add(&mut self, other: &Self) {
                $( self.$name += other.$name; )*
            }
        }
    };
}

counters! {
    /// Connections that were tried, each once however often it was tried again.
    connects_attempted,
    /// Connections that came to stand.
    connects_ok,
    /// Connections that did not come to stand, with all retries.
    connects_failed,
    /// Attempts after a failed one.
    connect_retries,
    /// Logins that the server confirmed.
    logins_ok,
    /// Logins that the server refused.
    logins_failed,
    /// Connections that ended though nobody here ended them.
    disconnects,
    /// Connections that were ended on purpose.
    hangups,
    /// Connections that came to stand again after one of these.
    reconnects,
    /// Connections that did not come back.
    reconnects_failed,
    /// Connections that stood at the end.
    connections_final,
    /// Pings that were sent.
    pings_sent,
    /// Pongs that answer one of them.
    pongs_received,
    /// Messages that were due.
    messages_due,
    /// Messages that were written.
    messages_sent,
    /// Messages that were written inside the measured time.
    messages_sent_measured,
    /// Messages that were due inside the measured time.
    messages_due_measured,
    /// Deliveries that were pushed, each once.
    deliveries,
    /// Deliveries inside the measured time.
    deliveries_measured,
    /// Acks inside the measured time.
    acks_measured,
    /// Messages that were never written, because too much waited already.
    messages_skipped,
    /// Messages that waited for an answer, or for the socket, before they were written.
    messages_held_back,
    /// Messages, pings and connects that left late (`lateAfter`) through this
    /// generator's own fault.
    late,
    /// Messages, pings and connects that were due, as the base of `late`.
    scheduled,
    /// Messages that were sent again after a broken connection.
    messages_retried,
    /// Acks that say that the message was known already.
    acks_duplicate,
    /// Acks, answers and pongs that answer nothing that was asked.
    unmatched_answers,
    /// Messages whose answer did not come in time.
    answer_timeouts,
    /// Deliveries out of the server's own numbering.
    places_out_of_order,
    /// Frames that are neither ours nor known.
    frames_unrecognised,
    /// Frames of kinds that need no attention.
    frames_other,
    /// Frames sent once connected: messages, receipts, pings, pongs, requests for history.
    frames_sent,
    /// Frames received.
    frames_received,
    /// Bytes received.
    bytes_received,
    /// Bytes sent.
    bytes_sent,
    /// Requests for history.
    history_requests,
    /// Gaps that the server announced.
    gaps_announced,
    /// Errors that the server answered with.
    server_errors,
    /// Receipts that were written: one for each message and kind, or one for many.
    receipts_sent,
    /// Receipts of recipients that reached a sender.
    receipts_received,
    /// Words to followers on whether somebody is there.
    presences_told,
    /// Followers who in the end did not know of somebody who is there.
    presences_wrong,
}

/// Everything that one worker has counted and timed so far.
#[derive(Debug, Default)]
pub struct Metrics {
    /// What is counted.
    pub counters: Counters,
    /// Errors by class.
    pub errors: BTreeMap<String, u64>,
    /// What was timed up to the last [`Metrics::take_second`].
    times: BTreeMap<Timing, Times>,
    /// What was timed since.
    recent: BTreeMap<Timing, Times>,
}

impl Metrics {
    /// Records a time that ended now.
    pub fn time(&mut self, timing: Timing, from: Nanos, to: Nanos) {
        let us = to.saturating_sub(from).div_ceil(crate::clock::MICROSECOND).min(LONGEST_US);
        #[cfg(feature = "mutants")]
        let us = match us {
            0..2_000 | 8_000..1_000_000 => us,
            _ if us >= 1_000_000 && crate::mutants::is("bench-cuts-the-tail") => 1_000_000,
            _ if us < 1_000_000 && crate::mutants::is("bench-times-too-short") => us / 2,
            _ => us,
        };
        self.recent.entry(timing).or_insert_with(no_times).saturating_record(us);
    }

    /// Counts an error of a class.
    pub fn error(&mut self, class: impl Into<String>) {
        let class = class.into();
        if self.errors.len() >= ERROR_CLASSES_MAX && !self.errors.contains_key(&class) {
            return self.error("other");
        }
        *self.errors.entry(class).or_default() += 1;
    }

    /// Everything timed up to the last [`Metrics::take_second`].
    pub fn times(&self) -> &BTreeMap<Timing, Times> {
        &self.times
    }

    /// What was timed since the last call.
    pub fn take_second(&mut self) -> Vec<(Timing, Sparse)> {
        let mut second = Vec::new();
        for (timing, times) in &mut self.recent {
            if !times.is_empty() {
                let recent = Sparse::of(times);
                recent.add_to(self.times.entry(*timing).or_insert_with(no_times));
                second.push((*timing, recent));
                times.reset();
            }
        }
        second
    }
}

/// No times yet.
pub fn no_times() -> Times {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order")
}

/// A histogram's filled buckets: how it travels between processes. Merging is exact,
/// because all histograms here have the same buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sparse(Vec<(u64, u64)>);

impl Sparse {
    /// The filled buckets.
    pub fn of(times: &Times) -> Self {
        Self(
            times
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect(),
        )
    }

    /// The buckets: the highest value of each, and how many there are.
    pub fn into_buckets(self) -> Vec<(u64, u64)> {
        self.0
    }

    /// Adds them to a histogram.
    pub fn add_to(&self, times: &mut Times) {
        for (value, count) in &self.0 {
            times.saturating_record_n(*value, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_counts_of_an_older_report_can_be_read() {
        let counters: Counters = serde_json::from_str(r#"{"connectsOk": 3}"#).unwrap();
        assert_eq!(counters, Counters { connects_ok: 3, ..Counters::default() });
    }

    proptest! {
        #[test]
        fn merging_workers_is_exact(us in proptest::collection::vec(0u64..LONGEST_US * 2, 0..300), workers in 1usize..5) {
            let mut whole = no_times();
            let mut parts = vec![no_times(); workers];
            for (index, us) in us.iter().enumerate() {
                whole.saturating_record((*us).min(LONGEST_US));
                parts[index % workers].saturating_record((*us).min(LONGEST_US));
            }
            let mut merged = no_times();
            for part in &parts {
                let json = serde_json::to_string(&Sparse::of(part)).unwrap();
                serde_json::from_str::<Sparse>(&json).unwrap().add_to(&mut merged);
            }
            prop_assert_eq!(Sparse::of(&merged), Sparse::of(&whole));
            for quantile in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(merged.value_at_quantile(quantile), whole.value_at_quantile(quantile));
            }
        }
    }
}
