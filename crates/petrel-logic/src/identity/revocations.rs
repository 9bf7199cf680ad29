//! Which log-ins were ended although their access tokens have not expired.
//!
//! A token is checked at every request, so the answer has to be in memory. The list is
//! short: an entry is of no use once the last access token of its log-in has expired.
//! Should it be full all the same, the oldest entry makes room for the new one, and in its
//! place *every* token counts as expired that was issued up to the moment its log-in
//! ended. That costs clients a refresh, and lets nobody in.

use std::collections::{BTreeMap, HashMap};

use petrel_protocol::token::Claims;
use petrel_store::{EndedLogin, LoginEnd};
use petrel_types::{LoginId, TimestampMs};

/// What is to be said to the bearer of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is known against it.
    Good,
    /// Its log-in was ended.
    Revoked,
    /// It may or may not have been; refreshing tells.
    Outdated,
}

#[derive(Debug)]
pub(super) struct Revocations {
    by_login: HashMap<LoginId, LoginEnd>,
    /// By the time of ending; the id only tells entries apart.
    by_time: BTreeMap<(TimestampMs, LoginId), TimestampMs>,
    entries_max: usize,
    /// Tokens issued up to this second are outdated.
    bar_seconds: Option<u64>,
}

impl Revocations {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            by_login: HashMap::new(),
            by_time: BTreeMap::new(),
            entries_max: entries_max.max(1),
            bar_seconds: None,
        }
    }

    /// Remembers a log-in that was ended.
    pub(super) fn add(&mut self, ended: EndedLogin, now: TimestampMs) {
        self.forget_past(now);
        let EndedLogin { id, end } = ended;
        if end.remembered_until <= now || self.by_login.insert(id, end).is_some() {
            return;
        }
        self.by_time.insert((end.at, id), end.remembered_until);
        if self.by_login.len() > self.entries_max
            && let Some(((at, oldest), _)) = self.by_time.pop_first()
        {
            self.by_login.remove(&oldest);
            self.bar_seconds = self.bar_seconds.max(Some(at.seconds()));
        }
    }

    /// What is known of a token.
    pub(super) fn standing(&self, claims: &Claims) -> Standing {
        match claims.sid {
            // Made by the operator's own hand: it belongs to no log-in.
            None => Standing::Good,
            Some(login) if self.by_login.contains_key(&login) => Standing::Revoked,
            Some(_) if self.bar_seconds.is_some_and(|bar| claims.iat <= bar) => Standing::Outdated,
            Some(_) => Standing::Good,
        }
    }

    /// Whether a log-in was ended.
    pub(super) fn contains(&self, login: LoginId) -> bool {
        self.by_login.contains_key(&login)
    }

    fn forget_past(&mut self, now: TimestampMs) {
        while let Some(entry) = self.by_time.first_entry() {
            if *entry.get() > now {
                break;
            }
            let ((_, login), _) = entry.remove_entry();
            self.by_login.remove(&login);
        }
    }
}

#[cfg(test)]
mod tests {
    use petrel_protocol::token::LOCAL_ISSUER;
    use petrel_types::UserId;

    use super::*;

    fn ended(id: u64, at: u64) -> EndedLogin {
        let (at, remembered_until) = (TimestampMs::new(at), TimestampMs::new(at + 900_000));
        EndedLogin { id: LoginId::new(id), end: LoginEnd { at, remembered_until } }
    }

    fn token(login: u64, issued_ms: u64) -> Claims {
        let issued = TimestampMs::new(issued_ms);
        let claims = Claims::access(LOCAL_ISSUER, UserId::new(1), issued, 900);
        Claims { sid: Some(LoginId::new(login)), ..claims }
    }

    #[test]
    fn an_ended_log_in_is_known_until_its_tokens_have_expired() {
        let mut revocations = Revocations::new(10);
        revocations.add(ended(1, 1_000_000), TimestampMs::new(1_000_000));
        assert_eq!(revocations.standing(&token(1, 900_000)), Standing::Revoked);
        assert_eq!(revocations.standing(&token(2, 900_000)), Standing::Good);
        let unbound = Claims { sid: None, ..token(1, 900_000) };
        assert_eq!(revocations.standing(&unbound), Standing::Good);
        revocations.add(ended(2, 1_900_000), TimestampMs::new(1_900_000));
        assert_eq!(revocations.by_login.len(), 1);
        // What is read at a start may be over by then.
        revocations.add(ended(3, 1_000_000), TimestampMs::new(1_900_000));
        assert!(!revocations.contains(LoginId::new(3)));
    }

    #[test]
    fn a_full_list_lets_nobody_in() {
        let mut revocations = Revocations::new(2);
        for (id, at) in [(1, 1_000_000), (2, 1_010_000), (3, 1_020_000)] {
            revocations.add(ended(id, at), TimestampMs::new(at));
        }
        assert_eq!(revocations.by_login.len(), 2);
        assert_eq!(revocations.standing(&token(1, 1_000_000)), Standing::Outdated);
        assert_eq!(revocations.standing(&token(9, 999_000)), Standing::Outdated);
        assert_eq!(revocations.standing(&token(9, 1_001_000)), Standing::Good);
        assert_eq!(revocations.standing(&token(2, 1_001_000)), Standing::Revoked);
    }
}
