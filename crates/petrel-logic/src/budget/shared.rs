//! Budgets by user or address, shared by all who act for them.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Costs, Meter, Moment, Rates, RatesInForce};

/// How many locks the budgets are spread over.
const SHARDS: usize = 64;

/// How many budgets a shard may hold before it looks for those that are not needed.
const SWEEP_FROM: usize = 64;

/// The budgets of many. One is made when it is asked for, and given up when nobody holds it
/// and it is as good as new: who goes and comes back finds what was left.
#[derive(Debug)]
pub struct Budgets<K> {
    rates: RatesInForce,
    start: Instant,
    hasher: RandomState,
    shards: Box<[Mutex<Shard<K>>]>,
}

/// The budget of one.
#[derive(Debug, Default)]
pub struct Budget(Mutex<Meter>);

#[derive(Debug)]
struct Shard<K> {
    budgets: HashMap<K, Arc<Budget>>,
    /// How many there may be before the next sweep.
    sweep_at: usize,
}

impl<K: Eq + Hash> Budgets<K> {
    /// With the same rates for all. Moments are counted from `start`.
    pub fn new(rates: Rates, start: Instant) -> Self {
        let shard = || Mutex::new(Shard { budgets: HashMap::new(), sweep_at: SWEEP_FROM });
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { rates: RatesInForce::new(rates), start, hasher: RandomState::new(), shards }
    }

    /// Has other rates in force, for all, from now on.
    pub fn set_rates(&self, rates: Rates) {
        self.rates.set(rates);
    }

    /// The moment of a time.
    pub fn moment(&self, now: Instant) -> Moment {
        let milliseconds = now.saturating_duration_since(self.start).as_millis();
        // Wraps around, as moments do.
        Moment((milliseconds & u128::from(u32::MAX)) as u32)
    }

    /// The budget of one, to be kept by whoever acts for them.
    pub fn of(&self, key: K, now: Moment) -> Arc<Budget> {
        let shard = usize::try_from(self.hasher.hash_one(&key) % SHARDS as u64).unwrap_or(0);
        let mut shard = lock(&self.shards[shard]);
        if shard.budgets.len() >= shard.sweep_at && !shard.budgets.contains_key(&key) {
            shard.sweep(&self.rates.get(), now);
        }
        Arc::clone(shard.budgets.entry(key).or_default())
    }

    /// Something was asked for. True if any of it was more than there is room for.
    pub fn spend(&self, budget: &Budget, costs: Costs, now: Moment) -> bool {
        lock(&budget.0).spend(&self.rates.get(), costs, now)
    }

    /// Asks for something that is refused when there is no room, and counts for nothing then.
    /// The error is when there will be, in milliseconds.
    pub fn try_spend(&self, budget: &Budget, costs: Costs, now: Moment) -> Result<(), u32> {
        let rates = self.rates.get();
        let mut meter = lock(&budget.0);
        let mut after = *meter;
        if after.spend(&rates, costs, now) {
            return Err(after.until_ms(&rates, 100, now));
        }
        *meter = after;
        Ok(())
    }

    /// What was spent was not used.
    pub fn give_back(&self, budget: &Budget, costs: Costs, now: Moment) {
        lock(&budget.0).give_back(&self.rates.get(), costs, now);
    }

    /// How long until a budget is at most this much used, in percent, in milliseconds.
    pub fn until_ms(&self, budget: &Budget, percent: u32, now: Moment) -> u32 {
        lock(&budget.0).until_ms(&self.rates.get(), percent, now)
    }

    /// How many budgets are kept.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).budgets.len()).sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash> Shard<K> {
    fn sweep(&mut self, rates: &Rates, now: Moment) {
        self.budgets.retain(|_, budget| {
            Arc::strong_count(budget) > 1 || !lock(&budget.0).is_empty(rates, now)
        });
        // What is left is in use: look again when it has doubled.
        self.sweep_at = SWEEP_FROM.max(2 * self.budgets.len());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use petrel_types::OperatingLimits;

    use super::*;

    fn budgets() -> Budgets<u64> {
        let limits = OperatingLimits {
            session_frames_per_second: 10,
            session_frames_burst: 10,
            user_sessions_worth: 2,
            ..OperatingLimits::default()
        };
        Budgets::new(Rates::of_user(&limits), Instant::now())
    }

    const TEN: Costs = Costs { frames: 10, sends: 0, reads: 0, requests: 0 };

    #[test]
    fn sessions_of_one_user_share_and_another_user_does_not() {
        let budgets = budgets();
        let now = Moment(0);
        let (phone, laptop, other) = (budgets.of(1, now), budgets.of(1, now), budgets.of(2, now));
        assert!(!budgets.spend(&phone, TEN, now));
        assert!(!budgets.spend(&laptop, TEN, now));
        assert!(budgets.spend(&phone, TEN, now));
        assert!(!budgets.spend(&other, TEN, now));
    }

    #[test]
    fn who_comes_back_finds_what_was_left_and_is_forgotten_in_time() {
        let budgets = budgets();
        let now = Moment(0);
        let overdrawn = |key| {
            let budget = budgets.of(key, now);
            budgets.spend(&budget, Costs { frames: 30, ..Costs::default() }, now)
        };
        assert!(overdrawn(7));
        assert!(overdrawn(7), "a new connection is no new budget");

        let live: Vec<_> = (100..200).map(|key| budgets.of(key, now)).collect();
        for key in 1_000..100_000 {
            budgets.spend(&budgets.of(key, Moment(1_000_000)), TEN, Moment(1_000_000));
        }
        let late = Moment(2_000_000);
        for key in 200_000..300_000 {
            drop(budgets.of(key, late));
        }
        assert!(budgets.len() < 2 * SHARDS * SWEEP_FROM + 2 * live.len(), "{}", budgets.len());
        for (key, budget) in (100..200).zip(&live) {
            assert!(Arc::ptr_eq(budget, &budgets.of(key, late)), "what is held is kept");
        }
    }
}
