//! Rates that may be changed while they are in force.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{KINDS, Rate, Rates};

/// Rates in force. Reading them takes no lock: a few loads of memory that is hardly ever
/// written. Who reads while they are changed may see some of the old ones.
#[derive(Debug)]
pub struct RatesInForce {
    /// The rate a second above, the burst below.
    each: [AtomicU64; KINDS],
    generation: AtomicU32,
}

impl RatesInForce {
    /// These, until they are changed.
    pub fn new(rates: Rates) -> Self {
        let each = rates.each.map(|rate| AtomicU64::new(packed(rate)));
        Self { each, generation: AtomicU32::new(0) }
    }

    /// As they are now.
    pub fn get(&self) -> Rates {
        // First: new rates with an old generation are followed at the next look, old rates
        // with a new one never.
        let generation = self.generation.load(Ordering::Acquire);
        let each = std::array::from_fn(|kind| unpacked(self.each[kind].load(Ordering::Relaxed)));
        Rates { each, generation }
    }

    /// Has others in force from now on.
    pub fn set(&self, rates: Rates) {
        if self.get().each == rates.each {
            return;
        }
        for (kept, rate) in self.each.iter().zip(rates.each) {
            kept.store(packed(rate), Ordering::Relaxed);
        }
        self.generation.fetch_add(1, Ordering::Release);
    }
}

fn packed(rate: Rate) -> u64 {
    u64::from(rate.per_second) << 32 | u64::from(rate.burst)
}

fn unpacked(packed: u64) -> Rate {
    // Each half has 32 bits.
    Rate { per_second: (packed >> 32) as u32, burst: packed as u32 }
}

#[cfg(test)]
mod tests {
    use petrel_types::OperatingLimits;

    use super::*;
    use crate::budget::{Costs, Meter, Moment};

    const FRAME: Costs = Costs { frames: 1, sends: 0, reads: 0, requests: 0 };

    fn rates(per_second: u32, burst: u32) -> Rates {
        Rates::of_session(&OperatingLimits {
            session_frames_per_second: per_second,
            session_frames_burst: burst,
            ..OperatingLimits::default()
        })
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        let in_force = RatesInForce::new(rates(7, 9));
        assert_eq!(in_force.get(), rates(7, 9));
        in_force.set(rates(u32::MAX, u32::MAX));
        let now = in_force.get();
        assert_eq!(now.each, rates(u32::MAX, u32::MAX).each);
        assert_eq!(now.generation, 1);
        in_force.set(rates(u32::MAX, u32::MAX));
        assert_eq!(in_force.get().generation, 1, "nothing has changed");
    }

    #[test]
    fn a_lowered_rate_holds_at_once_and_forgives_what_was_asked_for_before() {
        let in_force = RatesInForce::new(rates(40_000, 80_000));
        let mut meter = Meter::default();
        let spend = |meter: &mut Meter, now| meter.spend(&in_force.get(), FRAME, Moment(now));
        for _ in 0..50_000 {
            assert!(!spend(&mut meter, 0));
        }
        in_force.set(rates(1, 10));
        assert_eq!(meter.until_ms(&in_force.get(), 0, Moment(0)), 10_000, "not fifty thousand");
        assert!(spend(&mut meter, 0), "the bucket is full");
        assert!(!spend(&mut meter, 2_000));
        // And raised again, at once.
        in_force.set(rates(40_000, 80_000));
        assert!((0..1_000).all(|_| !spend(&mut meter, 2_000)));
    }
}
