//! How much somebody may ask for: leaky buckets, of one session or of all that one user or
//! address does.
//!
//! A bucket fills with what was asked for and leaks at the allowed rate. Asking is never
//! refused here: a bucket may be *over*, and who is over is read from no further until it
//! has leaked. Time is an argument, and monotone, so a clock that jumps changes nothing.

mod in_force;
mod shared;

use petrel_types::OperatingLimits;

pub use in_force::RatesInForce;
pub use shared::{Budget, Budgets};

/// A time in milliseconds since some start, which wraps around after 49 days. Something that
/// nobody asked of for so long may count as asked of just now, and then leaks as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(pub u32);

/// How fast a bucket leaks, and how much it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// On average. 0 is no limit.
    per_second: u32,
    burst: u32,
}

/// The largest burst: a bucket counts in thousandths.
const BURST_MAX: u32 = 4_000_000;

/// What is counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Frames, each position of an `ACK` counting as one.
    pub frames: u32,
    /// Messages and changes.
    pub sends: u32,
    /// Reads of the store.
    pub reads: u32,
    /// HTTP requests.
    pub requests: u32,
}

/// The rate of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    each: [Rate; KINDS],
    /// How often they were changed while they were in force.
    generation: u32,
}

const KINDS: usize = 4;

/// A bucket for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    each: [Bucket; KINDS],
    /// The generation of rates that it has followed.
    generation: u32,
}

/// One leaky bucket, in 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// In thousandths.
    level: u32,
    at: Moment,
}

impl Moment {
    fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl Rate {
    /// So many a second on average, so many at once. A burst below one would let nothing
    /// through.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: per_second.min(BURST_MAX), burst: burst.clamp(1, BURST_MAX) }
    }

    /// How many a second on average. 0 is no limit.
    pub fn per_second(self) -> u32 {
        self.per_second
    }

    /// How many at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    fn times(self, factor: u32) -> Self {
        Self::new(self.per_second.saturating_mul(factor), self.burst.saturating_mul(factor))
    }

    fn is_unlimited(self) -> bool {
        self.per_second == 0
    }
}

impl Rates {
    /// What one session may do.
    pub fn of_session(limits: &OperatingLimits) -> Self {
        Self::of_each([
            Rate::new(limits.session_frames_per_second, limits.session_frames_burst),
            Rate::new(limits.session_sends_per_second, limits.session_sends_burst),
            Rate::new(limits.session_reads_per_second, limits.session_reads_burst),
            Rate::default(),
        ])
    }

    /// What all sessions of a user may do together.
    pub fn of_user(limits: &OperatingLimits) -> Self {
        let of_session = Self::of_session(limits).each;
        let mut each = of_session.map(|rate| rate.times(limits.user_sessions_worth.max(1)));
        each[3] = Rate::new(limits.http_user_requests_per_second, limits.http_user_requests_burst);
        Self::of_each(each)
    }

    /// What an admin may ask for as such.
    pub fn of_admin(limits: &OperatingLimits) -> Self {
        let (rate, burst) =
            (limits.http_admin_requests_per_second, limits.http_admin_requests_burst);
        Self::of_requests(rate, burst)
    }

    /// So many requests a second on average, so many at once, and nothing else.
    pub fn of_requests(per_second: u32, burst: u32) -> Self {
        let none = Rate::default();
        Self::of_each([none, none, none, Rate::new(per_second, burst)])
    }

    /// What may come from one address.
    pub fn of_address(limits: &OperatingLimits) -> Self {
        let (rate, burst) =
            (limits.http_address_requests_per_second, limits.http_address_requests_burst);
        Self::of_requests(rate, burst)
    }
}

impl Rates {
    fn of_each(each: [Rate; KINDS]) -> Self {
        Self { each, generation: 0 }
    }

    /// Whether they let the same through, whatever was in force between.
    pub fn are_those_of(&self, other: &Self) -> bool {
        self.each == other.each
    }

    /// That of frames.
    pub fn frames(&self) -> Rate {
        self.each[0]
    }

    /// That of messages and changes.
    pub fn sends(&self) -> Rate {
        self.each[1]
    }

    /// That of reads.
    pub fn reads(&self) -> Rate {
        self.each[2]
    }
}

impl Costs {
    fn each(self) -> [u32; KINDS] {
        [self.frames, self.sends, self.reads, self.requests]
    }
}

impl Meter {
    /// Something was asked for. True if any of it was more than there is room for.
    pub fn spend(&mut self, rates: &Rates, costs: Costs, now: Moment) -> bool {
        self.follow(rates);
        let mut over = false;
        for ((bucket, rate), cost) in self.each.iter_mut().zip(&rates.each).zip(costs.each()) {
            if cost != 0 {
                over |= bucket.spend(*rate, cost, now);
            }
        }
        over
    }

    /// What was asked for was not done.
    pub fn give_back(&mut self, rates: &Rates, costs: Costs, now: Moment) {
        self.follow(rates);
        for ((bucket, rate), cost) in self.each.iter_mut().zip(&rates.each).zip(costs.each()) {
            bucket.give_back(*rate, cost, now);
        }
    }

    /// How long until each bucket is at most this full, in percent, in milliseconds.
    pub fn until_ms(&self, rates: &Rates, percent: u32, now: Moment) -> u32 {
        let mut meter = *self;
        meter.follow(rates);
        let each = meter.each.iter().zip(&rates.each);
        each.map(|(bucket, rate)| bucket.until_ms(*rate, percent, now)).max().unwrap_or(0)
    }

    fn is_empty(&self, rates: &Rates, now: Moment) -> bool {
        self.until_ms(rates, 0, now) == 0
    }

    /// When rates are lowered, what was asked for under the old ones makes nobody wait longer
    /// than a full bucket of the new ones does.
    fn follow(&mut self, rates: &Rates) {
        if self.generation == rates.generation {
            return;
        }
        self.generation = rates.generation;
        for (bucket, rate) in self.each.iter_mut().zip(&rates.each) {
            bucket.level = bucket.level.min(rate.burst * 1000);
        }
    }
}

impl Bucket {
    /// Fills the bucket. True if it is over. What is over leaks like the rest; it is at most
    /// what was asked for last.
    pub fn spend(&mut self, rate: Rate, cost: u32, now: Moment) -> bool {
        if rate.is_unlimited() {
            return false;
        }
        self.level = self.level_at(rate, now).saturating_add(cost.saturating_mul(1000));
        self.at = now;
        self.level > rate.burst * 1000
    }

    /// Takes out what was put in. What has leaked of it since stays leaked.
    pub fn give_back(&mut self, rate: Rate, cost: u32, now: Moment) {
        self.level = self.level_at(rate, now).saturating_sub(cost.saturating_mul(1000));
        self.at = now;
    }

    /// How long until the bucket is at most this full, in percent, in milliseconds.
    pub fn until_ms(&self, rate: Rate, percent: u32, now: Moment) -> u32 {
        if rate.is_unlimited() {
            return 0;
        }
        let wanted = u64::from(rate.burst) * 10 * u64::from(percent);
        let excess = u64::from(self.level_at(rate, now)).saturating_sub(wanted);
        u32::try_from(excess.div_ceil(u64::from(rate.per_second))).unwrap_or(u32::MAX)
    }

    fn level_at(&self, rate: Rate, now: Moment) -> u32 {
        // So many a second are as many thousandths a millisecond.
        self.level.saturating_sub(now.since(self.at).saturating_mul(rate.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Costs = Costs { frames: 1, sends: 0, reads: 0, requests: 0 };

    fn limits(per_second: u32, burst: u32) -> OperatingLimits {
        OperatingLimits {
            session_frames_per_second: per_second,
            session_frames_burst: burst,
            ..OperatingLimits::default()
        }
    }

    #[test]
    fn a_burst_goes_through_at_once_and_then_the_rate_holds() {
        let rates = Rates::of_session(&limits(100, 10));
        let mut meter = Meter::default();
        let start = Moment(5_000);
        for _ in 0..10 {
            assert!(!meter.spend(&rates, FRAME, start));
        }
        assert!(meter.spend(&rates, FRAME, start), "the eleventh");
        assert_eq!(meter.until_ms(&rates, 100, start), 10, "one in ten milliseconds");
        assert_eq!(meter.until_ms(&rates, 0, start), 110);
        assert!(!meter.spend(&rates, FRAME, Moment(5_020)));
        assert!(meter.spend(&rates, FRAME, Moment(5_020)));
    }

    #[test]
    fn over_a_long_time_exactly_the_rate_goes_through() {
        for (per_second, burst) in [(1, 1), (7, 3), (100, 1), (20_000, 40_000)] {
            let rate = Rate::new(per_second, burst);
            let mut bucket = Bucket::default();
            let mut through = 0_u64;
            // Ten seconds, a step a millisecond, as much as goes through in each.
            for now in 0..10_000 {
                while bucket.until_ms(rate, 100, Moment(now)) == 0
                    && !bucket.spend(rate, 1, Moment(now))
                {
                    through += 1;
                }
            }
            let most = u64::from(per_second) * 10 + u64::from(burst);
            assert!(through <= most + 1, "{through} of {most}");
            // In steps of a millisecond a fast rate loses at most one a step.
            assert!(through + 10_001 + u64::from(burst) >= most, "{through} of {most}");
        }
    }

    #[test]
    fn zero_is_no_limit() {
        let rates = Rates::of_session(&limits(0, 1));
        let mut meter = Meter::default();
        assert!((0..100_000).all(|_| !meter.spend(&rates, FRAME, Moment(1))));
        assert_eq!(meter.until_ms(&rates, 0, Moment(1)), 0);
    }

    #[test]
    fn time_may_wrap_around() {
        let rate = Rate::new(10, 1);
        let mut bucket = Bucket::default();
        let before = Moment(u32::MAX - 50);
        bucket.spend(rate, 1, before);
        assert!(bucket.spend(rate, 1, before));
        // 150 ms later, on the other side.
        assert_eq!(bucket.until_ms(rate, 100, Moment(99)), 0);
        assert!(!bucket.spend(rate, 1, Moment(249)));
    }

    #[test]
    fn absurd_settings_do_not_overflow() {
        let rate = Rate::new(u32::MAX, u32::MAX).times(u32::MAX);
        let mut bucket = Bucket::default();
        for now in [0, 1, u32::MAX, 7] {
            bucket.spend(rate, u32::MAX, Moment(now));
            bucket.until_ms(rate, 100, Moment(now));
        }
    }

    #[test]
    fn what_a_user_does_is_counted_by_kind() {
        let limits = OperatingLimits {
            session_sends_per_second: 1,
            session_sends_burst: 1,
            ..OperatingLimits::default()
        };
        let rates = Rates::of_session(&limits);
        let mut meter = Meter::default();
        let send = Costs { frames: 1, sends: 1, ..Costs::default() };
        assert!(!meter.spend(&rates, send, Moment(0)));
        assert!(meter.spend(&rates, send, Moment(0)));
        // What is over does not make other kinds be over.
        assert!(!meter.spend(&rates, FRAME, Moment(0)));
    }
}
