//! How many invitations into groups somebody may send out: each reaches somebody who has said
//! that not everybody may.
//!
//! Counted where it is decided who is invited, so that whoever is taken in at once, and what is
//! sent again, costs nothing. What was counted is in memory: a restart begins anew.

use std::time::Instant;

use petrel_protocol::ErrorReason;
use petrel_types::{OperatingLimits, TimestampMs, UserId};

use crate::Refusal;
use crate::budget::{Budgets, Costs, Moment, Rates};

/// Budgets leak a number a second; counted in sixtieths, they leak one a minute.
const SIXTIETHS: u32 = 60;

/// What everybody may invite, shared by all sequencers.
#[derive(Debug)]
pub struct InvitationPace {
    inviters: Budgets<UserId>,
}

impl InvitationPace {
    /// Nobody has invited anybody.
    pub fn new(limits: &OperatingLimits) -> Self {
        Self { inviters: Budgets::new(rates(limits), Instant::now()) }
    }

    /// Has other bounds in force from now on.
    pub fn set(&self, limits: &OperatingLimits) {
        self.inviters.set_rates(rates(limits));
    }

    /// Counts so many invitations; or refuses them, and counts nothing.
    pub(crate) fn count(
        &self,
        inviter: UserId,
        invitations: usize,
        now: TimestampMs,
    ) -> Result<(), Refusal> {
        if invitations == 0 {
            return Ok(());
        }
        let (now, costs) = (moment(now), costs(invitations));
        let budget = self.inviters.of(inviter, now);
        self.inviters.try_spend(&budget, costs, now).map_err(|wait_ms| {
            Refusal::new(
                ErrorReason::TooManyRequests,
                "you have invited too many of late; nobody was invited or taken in now, wait a \
                 little or name fewer",
            )
            .retry_after(wait_ms.into())
        })
    }

    /// Takes back what was counted for invitations that were not stored after all.
    pub(crate) fn give_back(&self, inviter: UserId, invitations: usize, now: TimestampMs) {
        let now = moment(now);
        self.inviters.give_back(&self.inviters.of(inviter, now), costs(invitations), now);
    }
}

fn moment(now: TimestampMs) -> Moment {
    // Wraps around, as moments do.
    Moment((now.get() & u64::from(u32::MAX)) as u32)
}

fn costs(invitations: usize) -> Costs {
    let sixtieths = u32::try_from(invitations).unwrap_or(u32::MAX).saturating_mul(SIXTIETHS);
    Costs { requests: sixtieths, ..Costs::default() }
}

fn rates(limits: &OperatingLimits) -> Rates {
    let burst = limits.user_invitations_burst.saturating_mul(SIXTIETHS);
    Rates::of_requests(limits.user_invitations_per_minute, burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> TimestampMs {
        TimestampMs::new(1_800_000_000_000 + ms)
    }

    fn limits(per_minute: u32, burst: u32) -> OperatingLimits {
        OperatingLimits {
            user_invitations_per_minute: per_minute,
            user_invitations_burst: burst,
            ..OperatingLimits::default()
        }
    }

    #[test]
    fn so_many_at_once_and_then_so_many_a_minute_for_each_inviter() {
        let pace = InvitationPace::new(&limits(2, 10));
        let (ann, ben) = (UserId::new(1), UserId::new(2));
        assert!(pace.count(ann, 8, at(0)).is_ok());
        let refused = pace.count(ann, 3, at(0)).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        assert_eq!(refused.retry_after_ms, Some(30_000), "one more, at two a minute");
        assert!(pace.count(ann, 2, at(0)).is_ok(), "what was refused counted for nothing");
        assert!(pace.count(ben, 10, at(0)).is_ok(), "others are not held up");
        assert!(pace.count(ann, 1, at(29_999)).is_err());
        assert!(pace.count(ann, 1, at(30_000)).is_ok());
        assert!(pace.count(ann, 0, at(30_000)).is_ok(), "who invites nobody is never refused");
    }

    #[test]
    fn what_was_not_stored_is_given_back_and_no_more() {
        let pace = InvitationPace::new(&limits(2, 10));
        let ann = UserId::new(1);
        assert!(pace.count(ann, 6, at(0)).is_ok());
        assert!(pace.count(ann, 4, at(0)).is_ok());
        pace.give_back(ann, 4, at(5));
        assert!(pace.count(ann, 5, at(5)).is_err(), "the six stay counted");
        assert!(pace.count(ann, 4, at(5)).is_ok());
        pace.give_back(ann, 100, at(5));
        assert!(pace.count(ann, 11, at(5)).is_err(), "nobody has more than a whole burst");
        assert!(pace.count(ann, 10, at(5)).is_ok());
    }

    #[test]
    fn bounds_change_at_once_and_zero_is_none() {
        let pace = InvitationPace::new(&limits(1, 500));
        let ann = UserId::new(1);
        assert!(pace.count(ann, 500, at(0)).is_ok());
        pace.set(&limits(60, 5));
        assert!(pace.count(ann, 1, at(0)).is_err());
        assert!(pace.count(ann, 1, at(1_000)).is_ok(), "nobody waits for more than a new burst");
        pace.set(&limits(0, 1));
        assert!((0..100).all(|_| pace.count(ann, 500, at(1_000)).is_ok()));
    }
}
