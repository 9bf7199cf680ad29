//! Users who are locked out: nothing that they show is good any more, whoever issued it.
//!
//! Every request asks, so the answer is in memory: the ids of all who are disabled, 8 bytes
//! and a little each. The store keeps them, and refuses log-ins of theirs by itself, so that
//! none begins in the moment in which its user is disabled.

use std::collections::HashSet;
use std::sync::PoisonError;

use petrel_protocol::ErrorReason;
use petrel_store::{LoginEnd, StoreError, StoreErrorKind};
use petrel_types::{LoginId, UserId};

use super::{Ended, Identity, of_store};
use crate::Refusal;

/// Users who are disabled are read in pages of this size at a start.
const DISABLED_PER_PAGE: u32 = 1000;

pub(super) type Disabled = HashSet<UserId>;

impl Identity {
    /// Whether a user is locked out.
    pub fn is_disabled(&self, user: UserId) -> bool {
        self.disabled.read().unwrap_or_else(PoisonError::into_inner).contains(&user)
    }

    /// A user is disabled on disk; now also here.
    pub(crate) fn lock_out(&self, user: UserId, logins: &[LoginId], end: LoginEnd) {
        self.disabled.write().unwrap_or_else(PoisonError::into_inner).insert(user);
        // First why, and then that the log-ins have ended: the first word counts for a session.
        self.tell(user, Ended::Account);
        self.ended(user, logins, end);
    }

    /// A user is enabled on disk; now also here.
    pub(crate) fn let_in(&self, user: UserId) {
        self.disabled.write().unwrap_or_else(PoisonError::into_inner).remove(&user);
    }

    /// All log-ins of a user are ended on disk; now also here, and with them the sessions
    /// that belong to no log-in.
    pub(crate) fn log_out(&self, user: UserId, logins: &[LoginId], end: LoginEnd) {
        self.ended(user, logins, end);
        self.tell(user, Ended::All);
    }

    /// Refuses whoever is locked out.
    pub(super) fn check_enabled(&self, user: UserId) -> Result<(), Refusal> {
        if self.is_disabled(user) { Err(account_disabled()) } else { Ok(()) }
    }

    /// Learns at a start who is locked out.
    pub(super) async fn recall_disabled_users(&self) -> Result<(), StoreError> {
        let mut after = UserId::default();
        loop {
            let page = self.store.disabled_users(after, DISABLED_PER_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = *last;
            self.disabled.write().unwrap_or_else(PoisonError::into_inner).extend(page);
        }
    }
}

/// Why a log-in could not begin.
pub(super) fn of_begun(error: StoreError) -> Refusal {
    match error.kind() {
        StoreErrorKind::Conflict => account_disabled(),
        _ => of_store(error),
    }
}

fn account_disabled() -> Refusal {
    Refusal::new(
        ErrorReason::AccountDisabled,
        "an admin of this server has locked the account out; ask there what to do",
    )
}
