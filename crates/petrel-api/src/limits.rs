//! How many requests somebody may make: per address for everybody, per user for bearers of
//! a token.
//!
//! A request beyond is refused with 429 and a time to try again, and counts for nothing:
//! who goes on asking gets as much as somebody who waits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use petrel_logic::Refusal;
use petrel_logic::budget::{Budget, Budgets, Costs, Rates};
use petrel_logic::identity::network_of;
use petrel_protocol::ErrorReason;
use petrel_types::{OperatingLimits, UserId};

use crate::answer::Refused;
use crate::source::Proxies;

/// The budgets of addresses and users.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    addresses: Arc<Budgets<IpAddr>>,
    users: Arc<Budgets<UserId>>,
    admins: Arc<Budgets<UserId>>,
    proxies: Arc<Proxies>,
}

const REQUEST: Costs = Costs { frames: 0, sends: 0, reads: 0, requests: 1 };

impl RequestLimits {
    /// `users` is shared with whoever else acts for them. Behind one of `proxies` counts
    /// whom it names.
    pub fn new(
        limits: &OperatingLimits,
        users: Arc<Budgets<UserId>>,
        proxies: Arc<Proxies>,
        start: Instant,
    ) -> Self {
        let addresses = Arc::new(Budgets::new(Rates::of_address(limits), start));
        let admins = Arc::new(Budgets::new(Rates::of_admin(limits), start));
        Self { addresses, users, admins, proxies }
    }

    /// Has other limits of users and addresses in force from now on.
    pub fn set(&self, limits: &OperatingLimits) {
        self.users.set_rates(Rates::of_user(limits));
        self.addresses.set_rates(Rates::of_address(limits));
    }

    /// Puts the limit of addresses before a router.
    pub fn layer(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), within_limits))
    }

    /// Counts a request of a user.
    pub(crate) fn count_user(&self, user: UserId) -> Result<(), Refusal> {
        let now = self.users.moment(Instant::now());
        let budget = self.users.of(user, now);
        refuse_beyond(&self.users, &budget, "you make more requests than you may")
    }

    /// Counts a request of an admin for what only admins may ask for.
    pub(crate) fn count_admin(&self, user: UserId) -> Result<(), Refusal> {
        let now = self.admins.moment(Instant::now());
        let budget = self.admins.of(user, now);
        refuse_beyond(&self.admins, &budget, "you ask for more as an admin than you may")
    }

    fn count_address(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Ok(());
        }
        let now = self.addresses.moment(Instant::now());
        let budget = self.addresses.of(network_of(address), now);
        let message = "more requests come from your address than may";
        refuse_beyond(&self.addresses, &budget, message)
    }
}

async fn within_limits(
    State(limits): State<RequestLimits>,
    request: Request,
    next: Next,
) -> Response {
    // Without a peer there is no network between us.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let source = peer.map(|peer| limits.proxies.source(peer.0.ip(), request.headers()));
    match source.map_or(Ok(()), |address| limits.count_address(address)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => Refused::from(refusal).into_response(),
    }
}

fn refuse_beyond<K: Eq + std::hash::Hash>(
    budgets: &Budgets<K>,
    budget: &Budget,
    message: &str,
) -> Result<(), Refusal> {
    let now = budgets.moment(Instant::now());
    budgets.try_spend(budget, REQUEST, now).map_err(|retry_after_ms| {
        Refusal::new(ErrorReason::TooManyRequests, message).retry_after(retry_after_ms.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> RequestLimits {
        let limits = OperatingLimits {
            http_address_requests_per_second: 1,
            http_address_requests_burst: 2,
            http_user_requests_per_second: 1,
            http_user_requests_burst: 2,
            ..OperatingLimits::default()
        };
        let start = Instant::now();
        let users = Arc::new(Budgets::new(Rates::of_user(&limits), start));
        RequestLimits::new(&limits, users, Arc::default(), start)
    }

    fn count(limits: &RequestLimits, address: &str) -> usize {
        let address = address.parse().unwrap();
        (0..10).filter(|_| limits.count_address(address).is_ok()).count()
    }

    #[test]
    fn an_address_has_its_limit_and_loopback_has_none() {
        let limits = limits();
        assert_eq!(count(&limits, "192.0.2.1"), 2);
        assert_eq!(count(&limits, "192.0.2.2"), 2);
        assert_eq!(count(&limits, "::ffff:192.0.2.2"), 0, "the same address");
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(count(&limits, loopback), 10, "{loopback}");
        }
        assert_eq!(count(&limits, "2001:db8::1"), 2);
        assert_eq!(count(&limits, "2001:db8::ffff:0:0:1"), 0, "the same customer");
        assert_eq!(count(&limits, "2001:db8:0:1::1"), 2);
    }

    #[test]
    fn a_user_is_told_when_to_try_again() {
        let limits = limits();
        let user = UserId::new(7);
        assert!(limits.count_user(user).is_ok() && limits.count_user(user).is_ok());
        let refusal = limits.count_user(user).unwrap_err();
        assert_eq!(refusal.reason, ErrorReason::TooManyRequests);
        let retry_after_ms = refusal.retry_after_ms().unwrap();
        assert!((1..=1_000).contains(&retry_after_ms), "{retry_after_ms}");
        assert!(limits.count_user(UserId::new(8)).is_ok());
    }
}
