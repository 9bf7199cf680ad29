//! How often somebody may try a password, or register.
//!
//! What is slowed down is an address, and an address together with an account; never an
//! account by itself, or anybody could lock its owner out by failing on purpose. After
//! some failures that cost nothing each further one doubles the wait. A try during the
//! wait is refused without looking at the password. A success clears the pair, so that an
//! owner who mistyped is free again, but not the address, or an attacker could clear it
//! with an account of their own.
//!
//! Registering is slowed down by address alone: some users in a row cost nothing, as when a
//! class signs up, and then each further one doubles the wait.
//!
//! Memory is bounded: beyond the limit the entry used longest ago is forgotten. An IPv6
//! address counts as its /64, which is what one customer gets.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use petrel_types::TimestampMs;

use super::millis;
use super::settings::{Source, ThrottleSettings};

/// Who tries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pair {
    address: IpAddr,
    /// In lower case, as accounts are told apart.
    account: Box<str>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: TimestampMs,
    free_from: TimestampMs,
}

#[derive(Debug)]
pub(super) struct Throttle {
    settings: ThrottleSettings,
    pairs: LruCache<Pair, Failures>,
    addresses: LruCache<IpAddr, Failures>,
    /// Not of failures, but of users who came from there.
    registrations: LruCache<IpAddr, Failures>,
}

impl Throttle {
    pub(super) fn new(settings: ThrottleSettings) -> Self {
        let room = NonZeroUsize::new(settings.remembered_max).unwrap_or(NonZeroUsize::MIN);
        Self {
            pairs: LruCache::new(room),
            addresses: LruCache::new(room),
            registrations: LruCache::new(room),
            settings,
        }
    }

    /// So many register from one address in a row at no cost, from now on.
    pub(super) fn set_free_registrations(&mut self, free: u32) {
        self.settings.free_registrations = free;
    }

    /// Begins a try, which counts as a failure until [`succeeded`](Self::succeeded): so
    /// tries at the same time count, too. An error is how long to wait.
    pub(super) fn begin(
        &mut self,
        source: Source,
        account: &str,
        now: TimestampMs,
    ) -> Result<(), Duration> {
        let Some(address) = self.throttled(source) else { return Ok(()) };
        let pair = pair(address, account);
        wait(self.pairs.get(&pair), now)?;
        wait(self.addresses.get(&address), now)?;
        let settings = &self.settings;
        fail(&mut self.pairs, pair, settings.free_failures, settings, now);
        fail(&mut self.addresses, address, settings.free_failures_of_address, settings, now);
        Ok(())
    }

    /// Begins to register somebody, which counts whatever comes of it. An error is how long
    /// to wait.
    pub(super) fn begin_registration(
        &mut self,
        source: Source,
        now: TimestampMs,
    ) -> Result<(), Duration> {
        let Some(address) = self.throttled(source) else { return Ok(()) };
        wait(self.registrations.get(&address), now)?;
        let settings = &self.settings;
        fail(&mut self.registrations, address, settings.free_registrations, settings, now);
        Ok(())
    }

    /// The password was right.
    pub(super) fn succeeded(&mut self, source: Source, account: &str) {
        let Some(address) = self.throttled(source) else { return };
        self.pairs.pop(&pair(address, account));
        if let Some(failures) = self.addresses.get_mut(&address) {
            // This one was no failure.
            failures.count = failures.count.saturating_sub(1);
            if failures.count <= self.settings.free_failures_of_address {
                failures.free_from = TimestampMs::default();
            }
        }
    }

    fn throttled(&self, Source(address): Source) -> Option<IpAddr> {
        let address = address.to_canonical();
        let exempt = address.is_loopback() && !self.settings.includes_loopback;
        (!exempt).then(|| network_of(address))
    }
}

/// Refuses until it is free.
fn wait(failures: Option<&Failures>, now: TimestampMs) -> Result<(), Duration> {
    let free_from = failures.map_or(TimestampMs::default(), |failures| failures.free_from);
    match free_from.get().saturating_sub(now.get()) {
        0 => Ok(()),
        wait_ms => Err(Duration::from_millis(wait_ms)),
    }
}

fn fail<K: std::hash::Hash + Eq>(
    known: &mut LruCache<K, Failures>,
    key: K,
    free: u32,
    settings: &ThrottleSettings,
    now: TimestampMs,
) {
    let none = || Failures { count: 0, last: now, free_from: TimestampMs::default() };
    let failures = known.get_or_insert_mut(key, none);
    if now.get().abs_diff(failures.last.get()) >= millis(settings.forget_after) {
        *failures = none();
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
    if let Some(beyond) = failures.count.checked_sub(free + 1) {
        let doubled = settings.first_wait.saturating_mul(1 << beyond.min(20));
        let wait = doubled.min(settings.longest_wait);
        failures.free_from = TimestampMs::new(now.get().saturating_add(millis(wait)));
    }
}

fn pair(address: IpAddr, account: &str) -> Pair {
    // No account is longer than 32 letters; what is typed may be.
    let account: String = account.chars().take(33).collect();
    Pair { address, account: account.to_ascii_lowercase().into() }
}

/// What counts as one address: one of IPv4, or a network of IPv6 as it is given to one
/// customer.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source(text.parse().unwrap())
    }

    fn at(seconds: u64) -> TimestampMs {
        TimestampMs::new(1_000_000_000 + seconds * 1000)
    }

    fn throttle() -> Throttle {
        Throttle::new(ThrottleSettings::default())
    }

    #[test]
    fn the_wait_doubles_after_some_failures() {
        let mut throttle = throttle();
        let eve = source("192.0.2.1");
        for _ in 0..6 {
            assert_eq!(throttle.begin(eve, "ann", at(0)), Ok(()));
        }
        assert_eq!(throttle.begin(eve, "ANN", at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin(eve, "ann", at(1)), Ok(()));
        assert_eq!(throttle.begin(eve, "ann", at(1)), Err(Duration::from_secs(2)));
        // A refused try makes the wait no longer.
        assert_eq!(throttle.begin(eve, "ann", at(2)), Err(Duration::from_secs(1)));
        let mut now = 3;
        for _ in 0..40 {
            match throttle.begin(eve, "ann", at(now)) {
                Ok(()) => {}
                Err(wait) => now += wait.as_secs(),
            }
        }
        let _ = throttle.begin(eve, "ann", at(now));
        let longest = throttle.begin(eve, "ann", at(now)).unwrap_err();
        assert_eq!(longest, Duration::from_secs(15 * 60));
    }

    #[test]
    fn an_account_is_never_locked_for_another_address() {
        let mut throttle = throttle();
        for _ in 0..20 {
            let _ = throttle.begin(source("192.0.2.1"), "ann", at(0));
        }
        assert!(throttle.begin(source("192.0.2.1"), "ann", at(0)).is_err());
        assert_eq!(throttle.begin(source("192.0.2.2"), "ann", at(0)), Ok(()));
        // Nor is another account for this address, yet.
        assert_eq!(throttle.begin(source("192.0.2.1"), "ben", at(0)), Ok(()));
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits_too() {
        let mut throttle = throttle();
        for number in 0..51 {
            let account = format!("user-{number}");
            assert_eq!(throttle.begin(source("2001:db8::1"), &account, at(0)), Ok(()));
        }
        // The same customer by another address.
        assert!(throttle.begin(source("2001:db8::2"), "ann", at(0)).is_err());
        assert_eq!(throttle.begin(source("2001:db8:1::1"), "ann", at(0)), Ok(()));
    }

    #[test]
    fn who_gets_in_is_free_again_and_time_forgets() {
        let mut throttle = throttle();
        let owner = source("192.0.2.1");
        for _ in 0..6 {
            throttle.begin(owner, "ann", at(0)).unwrap();
        }
        throttle.succeeded(owner, "ann");
        assert_eq!(throttle.begin(owner, "ann", at(0)), Ok(()));

        for _ in 0..6 {
            let _ = throttle.begin(owner, "ben", at(0));
        }
        assert!(throttle.begin(owner, "ben", at(0)).is_err());
        for _ in 0..6 {
            assert_eq!(throttle.begin(owner, "ben", at(3600)), Ok(()));
        }
    }

    #[test]
    fn registering_is_slowed_down_by_address_and_nothing_else_is() {
        let mut throttle = throttle();
        let (school, other) = (source("192.0.2.1"), source("192.0.2.2"));
        for _ in 0..=ThrottleSettings::default().free_registrations {
            assert_eq!(throttle.begin_registration(school, at(0)), Ok(()));
        }
        assert_eq!(throttle.begin_registration(school, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin_registration(school, at(1)), Ok(()));
        assert_eq!(throttle.begin_registration(school, at(1)), Err(Duration::from_secs(2)));
        assert_eq!(throttle.begin_registration(other, at(1)), Ok(()));
        assert_eq!(throttle.begin(school, "ann", at(1)), Ok(()));
        // An hour later it begins anew.
        for _ in 0..10 {
            assert_eq!(throttle.begin_registration(school, at(3602)), Ok(()));
        }
    }

    #[test]
    fn log_ins_that_succeed_never_slow_an_address_down() {
        let mut throttle = throttle();
        for number in 0..500 {
            let account = format!("user-{number}");
            throttle.begin(source("192.0.2.1"), &account, at(0)).unwrap();
            throttle.succeeded(source("192.0.2.1"), &account);
        }
    }

    #[test]
    fn loopback_is_free_unless_told_otherwise_and_memory_is_bounded() {
        let mut free = throttle();
        for _ in 0..100 {
            assert_eq!(free.begin(source("::ffff:127.0.0.1"), "ann", at(0)), Ok(()));
        }
        let settings = ThrottleSettings {
            includes_loopback: true,
            remembered_max: 3,
            ..ThrottleSettings::default()
        };
        let mut told = Throttle::new(settings);
        for _ in 0..6 {
            told.begin(source("127.0.0.1"), "ann", at(0)).unwrap();
        }
        assert!(told.begin(source("127.0.0.1"), "ann", at(0)).is_err());
        for number in 0..100 {
            let _ = told.begin(source(&format!("192.0.2.{number}")), "ann", at(0));
        }
        assert_eq!((told.pairs.len(), told.addresses.len()), (3, 3));
    }
}
