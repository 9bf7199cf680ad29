//! Calls that were cut off, and may go on.
//!
//! A session is the party of a call: whoever comes back is another, and calls again. What is
//! held is what would be written down of the call, until the two have found each other, or
//! nobody looks any more. So it is one call in the chat of the two, under its first name.

use std::collections::HashMap;
use std::time::Instant;

use petrel_types::{ClientMessageId, UserId};

use super::Record;

/// A call that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// What is written down if it does not go on.
    pub(super) record: Record,
    /// Since when they talked.
    pub(super) since: Instant,
    /// Until when it may go on.
    pub(super) until: Instant,
}

impl Held {
    pub(super) fn is_between(&self, one: UserId, other: UserId) -> bool {
        let Record { caller, callee, .. } = self.record;
        [(one, other), (other, one)].contains(&(caller, callee))
    }
}

/// All of them.
///
/// Bounded by the users: each is in at most one, because another call puts an end to it.
#[derive(Debug, Default)]
pub(super) struct AllHeld {
    calls: HashMap<ClientMessageId, Held>,
    of_user: HashMap<UserId, ClientMessageId>,
}

impl AllHeld {
    /// Holds a call of two users who are in no other.
    pub(super) fn hold(&mut self, held: Held) {
        let Record { call, caller, callee, .. } = &held.record;
        for user in [*caller, *callee] {
            self.of_user.insert(user, call.clone());
        }
        self.calls.insert(call.clone(), held);
    }

    pub(super) fn get(&self, call: &ClientMessageId) -> Option<&Held> {
        self.calls.get(call)
    }

    /// The call that `user` was cut off from.
    pub(super) fn of(&self, user: UserId) -> Option<&ClientMessageId> {
        self.of_user.get(&user)
    }

    /// It goes on, or nobody looks any more.
    pub(super) fn take(&mut self, call: &ClientMessageId) -> Option<Held> {
        let held = self.calls.remove(call)?;
        for user in [held.record.caller, held.record.callee] {
            self.of_user.remove(&user);
        }
        Some(held)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &ClientMessageId> {
        self.calls.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}
