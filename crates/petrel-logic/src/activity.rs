//! How much happens in a day: messages, and users who do anything.
//!
//! Counted in memory where it happens, without locks, and written down by a task every
//! minute; what a killed server had counted since then is not in it. Days are those of UTC.
//!
//! Who has been there is kept as a sketch, from which nobody can be read: HyperLogLog
//! (Flajolet, Fusy, Gandouet, Meunier 2007) with 4,096 registers, so that a day is 4 KiB
//! however many users there are, the count is right within some 2 %, and days can be put
//! together to weeks and months without counting anybody twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use petrel_protocol::frame::ServerFrame;
use petrel_protocol::http::admin::DayFigures;
use petrel_store::{Store, StoreError};
use petrel_types::{Clock, UserId};
use tokio_util::sync::CancellationToken;

use crate::sequencer::{CommittedBatch, Effect};

/// Which list of the system's entries the days are.
const DAYS: u8 = 2;

/// How often the present day is written down.
const WRITE_EVERY: Duration = Duration::from_secs(60);

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The number of bits that choose a register, and of registers.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;

/// The most days that are read at once.
pub const DAYS_MAX: u32 = 400;

/// What is counted of the present day.
pub struct Activity {
    messages: AtomicU64,
    seen: Box<[AtomicU8]>,
}

/// A day that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Day {
    messages: u64,
    seen: Vec<u8>,
}

impl Activity {
    /// Of a day on which nothing has happened yet.
    pub fn new() -> Self {
        let seen = (0..REGISTERS).map(|_| AtomicU8::new(0)).collect();
        Self { messages: AtomicU64::new(0), seen }
    }

    /// A user did something.
    pub fn saw(&self, user: UserId) {
        let (register, rank) = place_of(user);
        // Most often it is there already, and nothing need be written.
        if self.seen[register].load(Ordering::Relaxed) < rank {
            self.seen[register].fetch_max(rank, Ordering::Relaxed);
        }
    }

    /// Counts the messages of a batch.
    pub fn count(&self, batch: &CommittedBatch) {
        let is_message = |effect: &&Effect| {
            matches!(
                effect,
                Effect::Deliver {
                    frame: ServerFrame::SingleChat(_) | ServerFrame::GroupChat(_),
                    ..
                }
            )
        };
        let messages = batch.effects.iter().filter(is_message).count();
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Writes the present day down every so often, and a last time when it is told to stop.
    pub async fn keep(
        self: Arc<Self>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        stopping: CancellationToken,
    ) {
        let mut day = clock.now().get() / DAY_MS;
        loop {
            let stops = tokio::select! {
                () = tokio::time::sleep(WRITE_EVERY) => false,
                () = stopping.cancelled() => true,
            };
            if let Err(error) = self.write(&*store, day).await {
                tracing::warn!(%error, "what happened today could not be written down");
            }
            if stops {
                return;
            }
            let today = clock.now().get() / DAY_MS;
            if today != day {
                // What came in the last minute may be counted for the day before.
                day = today;
                self.seen.iter().for_each(|register| register.store(0, Ordering::Relaxed));
            }
        }
    }

    /// Adds what was counted to what is stored of the day.
    async fn write(&self, store: &dyn Store, day: u64) -> Result<(), StoreError> {
        let messages = self.messages.swap(0, Ordering::Relaxed);
        let seen = self.seen.iter().map(|register| register.load(Ordering::Relaxed)).collect();
        let mut counted = Day { messages, seen };
        if counted.messages == 0 && counted.seen.iter().all(|rank| *rank == 0) {
            return Ok(());
        }
        let result = async {
            if let Some(stored) = read(store, day).await? {
                counted.add(&stored);
            }
            let entry = (key_of(day), Some(counted.encode()));
            store.put_system_entries(DAYS, vec![entry], None).await
        };
        let result = result.await;
        if result.is_err() {
            self.messages.fetch_add(messages, Ordering::Relaxed);
        }
        result
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

/// The last days, oldest first, and how many users were there in all of them together.
pub(crate) async fn days(
    store: &dyn Store,
    now_day: u64,
    wanted: u32,
) -> Result<(Vec<DayFigures>, u64), StoreError> {
    let wanted = wanted.clamp(1, DAYS_MAX);
    let first = (now_day + 1).saturating_sub(u64::from(wanted));
    let after = first.checked_sub(1).map(key_of);
    let stored = store.system_entries_after(DAYS, after.as_deref(), wanted).await?;
    let mut together = Day { messages: 0, seen: vec![0; REGISTERS] };
    let mut days = Vec::new();
    for (key, value) in stored {
        let (Ok(day), Some(counted)) = (key.parse::<u64>(), Day::decode(&value)) else { continue };
        let (messages, active_users) = (counted.messages, counted.users());
        days.push(DayFigures {
            ts: petrel_types::TimestampMs::new(day * DAY_MS),
            messages,
            active_users,
        });
        together.add(&counted);
    }
    Ok((days, together.users()))
}

/// The day of a time.
pub(crate) fn day_of(now: petrel_types::TimestampMs) -> u64 {
    now.get() / DAY_MS
}

async fn read(store: &dyn Store, day: u64) -> Result<Option<Day>, StoreError> {
    let after = day.checked_sub(1).map(key_of);
    let stored = store.system_entries_after(DAYS, after.as_deref(), 1).await?;
    let of_day = stored.into_iter().find(|(key, _)| *key == key_of(day));
    Ok(of_day.and_then(|(_, value)| Day::decode(&value)))
}

/// Days since 1970, so that they are in order as texts.
fn key_of(day: u64) -> String {
    format!("{day:08}")
}

/// Which register a user is for, and what it must be at least.
fn place_of(user: UserId) -> (usize, u8) {
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014): ids are given in a row.
    let mut hash = user.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let register = usize::try_from(hash >> (64 - BITS)).unwrap_or(0);
    let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() + 1;
    (register, u8::try_from(rank).unwrap_or(u8::MAX))
}

impl Day {
    fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        for (own, rank) in self.seen.iter_mut().zip(&other.seen) {
            *own = (*own).max(*rank);
        }
    }

    /// The estimate, with linear counting for small numbers.
    fn users(&self) -> u64 {
        let registers = REGISTERS as f64;
        let sum: f64 = self.seen.iter().map(|rank| 2_f64.powi(-i32::from(*rank))).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.seen.iter().filter(|rank| **rank == 0).count() as f64;
        let users = if estimate <= 2.5 * registers && empty > 0.0 {
            registers * (registers / empty).ln()
        } else {
            estimate
        };
        users.round() as u64
    }

    fn encode(&self) -> Bytes {
        let mut bytes = self.messages.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.seen);
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (messages, seen) = bytes.split_first_chunk()?;
        let messages = u64::from_be_bytes(*messages);
        (seen.len() == REGISTERS).then(|| Self { messages, seen: seen.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use petrel_store::memory::MemoryStore;
    use petrel_types::{Epoch, TimestampMs};

    use super::*;

    fn of_users(ids: impl IntoIterator<Item = u64>) -> Day {
        let activity = Activity::new();
        ids.into_iter().for_each(|id| activity.saw(UserId::new(id)));
        let seen = activity.seen.iter().map(|register| register.load(Ordering::Relaxed)).collect();
        Day { messages: 0, seen }
    }

    #[test]
    fn few_users_are_counted_exactly_and_many_nearly() {
        let first = UserId::LOCAL_FIRST.get();
        for count in [0, 1, 3, 10] {
            assert_eq!(of_users(first..first + count).users(), count);
        }
        for count in [500_u64, 20_000, 300_000] {
            let users = of_users(first..first + count).users();
            assert!(users.abs_diff(count) * 100 <= count * 5, "{users} of {count}");
        }
    }

    #[test]
    fn who_is_there_on_two_days_is_one_user() {
        let (mut monday, tuesday) = (of_users(1..=100), of_users(51..=150));
        let same = of_users((1..=100).chain(1..=100));
        assert_eq!(same, monday);
        monday.add(&tuesday);
        assert_eq!(monday, of_users(1..=150));
    }

    #[tokio::test]
    async fn days_are_added_up_over_restarts() {
        let store = MemoryStore::new(Epoch::new(1));
        for users in [1..=2_u64, 2..=3] {
            let activity = Activity::new();
            users.for_each(|id| activity.saw(UserId::new(id)));
            activity.messages.fetch_add(5, Ordering::Relaxed);
            activity.write(&store, 20_000).await.unwrap();
            // What was written is not written again.
            activity.write(&store, 20_000).await.unwrap();
        }
        Activity::new().write(&store, 20_001).await.unwrap();
        let (days, together) = days(&store, 20_001, 7).await.unwrap();
        let ts = TimestampMs::new(20_000 * DAY_MS);
        assert_eq!(days, [DayFigures { ts, messages: 10, active_users: 3 }]);
        assert_eq!(together, 3);
        assert_eq!(super::days(&store, 20_001, 1).await.unwrap().0, []);
    }
}
