//! How often somebody may call, and send candidates.
//!
//! Each user has so much at once, and so much a second then. Time is an argument.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use petrel_types::UserId;

/// How many calls somebody may begin at once, and how long it takes until there is room for
/// one more: each may ring on all devices of a stranger.
const OFFERS_BURST: u32 = 10;
const OFFER_INTERVAL: Duration = Duration::from_secs(6);

/// How many candidates somebody may send at once, and how many a second then. A browser has
/// some 20 for each call, and again when its network changes.
const CANDIDATES_BURST: u32 = 256;
const CANDIDATE_INTERVAL: Duration = Duration::from_millis(50);

/// How many users' offers and candidates are remembered. Who is forgotten, because so many
/// others called, begins anew.
const USERS_REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("not zero");

/// What users did of late.
pub(super) struct Paces {
    /// Times are counted from here.
    begin: Instant,
    paid: Mutex<Paid>,
}

/// Until when, counted from the beginning, what users did would have taken at the pace that
/// is allowed.
struct Paid {
    offers: LruCache<UserId, Duration>,
    candidates: LruCache<UserId, Duration>,
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    /// The beginning of a call.
    Offer,
    /// A candidate.
    Candidate,
}

impl Paces {
    /// Nobody did anything before `now`.
    pub(super) fn new(now: Instant) -> Self {
        let remembered = || LruCache::new(USERS_REMEMBERED_MAX);
        let paid = Paid { offers: remembered(), candidates: remembered() };
        Self { begin: now, paid: Mutex::new(paid) }
    }

    /// Counts what somebody does; or says how long to wait, and counts nothing.
    pub(super) fn count(&self, user: UserId, what: Counted, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.begin);
        let (burst, interval) = what.allowed();
        let mut paid = self.paid();
        let paid = paid.of(what);
        let until = paid.peek(&user).copied().unwrap_or_default().max(elapsed) + interval;
        let most = elapsed + burst * interval;
        if until > most {
            return Err(until - most);
        }
        paid.put(user, until);
        Ok(())
    }

    /// Whether [`count`](Self::count) would let it pass.
    pub(super) fn has_room(&self, user: UserId, what: Counted, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.begin);
        let (burst, interval) = what.allowed();
        let mut paid = self.paid();
        let until = paid.of(what).peek(&user).copied().unwrap_or_default().max(elapsed);
        until + interval <= elapsed + burst * interval
    }

    fn paid(&self) -> MutexGuard<'_, Paid> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Paid {
    fn of(&mut self, what: Counted) -> &mut LruCache<UserId, Duration> {
        match what {
            Counted::Offer => &mut self.offers,
            Counted::Candidate => &mut self.candidates,
        }
    }
}

impl Counted {
    fn allowed(self) -> (u32, Duration) {
        match self {
            Self::Offer => (OFFERS_BURST, OFFER_INTERVAL),
            Self::Candidate => (CANDIDATES_BURST, CANDIDATE_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_at_once_and_then_one_each_time_there_is_room() {
        let start = Instant::now();
        let (one, other) = (UserId::new(1), UserId::new(2));
        for (what, burst, interval) in [
            (Counted::Offer, 10, Duration::from_secs(6)),
            (Counted::Candidate, 256, Duration::from_millis(50)),
        ] {
            let paces = Paces::new(start);
            for _ in 0..burst {
                assert!(paces.has_room(one, what, start));
                assert_eq!(paces.count(one, what, start), Ok(()));
            }
            assert!(!paces.has_room(one, what, start));
            assert_eq!(paces.count(one, what, start), Err(interval), "{what:?}");
            assert_eq!(paces.count(other, what, start), Ok(()), "others are not held up");
            let later = start + interval;
            assert_eq!(paces.count(one, what, later), Ok(()));
            assert_eq!(paces.count(one, what, later), Err(interval), "{what:?}");
            let much_later = start + Duration::from_secs(3_600);
            for _ in 0..burst {
                assert_eq!(paces.count(one, what, much_later), Ok(()));
            }
            assert_eq!(paces.count(one, what, much_later), Err(interval), "{what:?}");
        }
    }
}
