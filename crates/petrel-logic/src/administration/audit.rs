//! The audit log: what is asked of it, and how long it is kept.

use std::time::Duration;

use petrel_protocol::http::admin::{AuditAction, AuditEntry, AuditLog};
use petrel_store::{AuditFilter, KeptRecord};
use petrel_types::{ConversationId, TimestampMs, UserId};

use super::{Administration, Target, of_store, page_size};
use crate::Refusal;

/// How often old records are removed, and how many at once.
const REMOVE_EVERY: Duration = Duration::from_secs(60 * 60);
const REMOVED_AT_ONCE: u32 = 1000;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// What this user did.
    pub actor: Option<UserId>,
    /// What was done to this user.
    pub user: Option<UserId>,
    /// What was done to this group.
    pub group: Option<ConversationId>,
    /// What is called so.
    pub action: Option<AuditAction>,
    /// From this time on.
    pub from: Option<TimestampMs>,
    /// Before this time.
    pub until: Option<TimestampMs>,
    /// Those with numbers below this one.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl Administration {
    /// Records, newest first.
    pub async fn audit(&self, query: AuditQuery) -> Result<AuditLog, Refusal> {
        let AuditQuery { actor, user, group, action, from, until, before, limit } = query;
        let target = user.map(Target::User).or(group.map(Target::Group)).map(Target::stored);
        let action = action.map(|action| action.as_str().to_owned());
        let filter = AuditFilter { actor, target, action, from, until };
        let found = self.store.records_before(filter, before, page_size(limit)).await;
        let found = found.map_err(of_store)?;
        let records = found.items.into_iter().filter_map(entry).collect();
        Ok(AuditLog { records, next: found.next })
    }

    /// Removes records that are older than `keep`, now and every so often, for ever.
    pub async fn remove_old_records(&self, keep: Duration) {
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        loop {
            let before = TimestampMs::new(self.clock.now().get().saturating_sub(keep_ms));
            match self.store.remove_records(before, REMOVED_AT_ONCE).await {
                Ok(REMOVED_AT_ONCE..) => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "old records can't be removed now"),
            }
            tokio::time::sleep(REMOVE_EVERY).await;
        }
    }
}

/// A record as it is told; none of an action that only a newer version knows.
fn entry(kept: KeptRecord) -> Option<AuditEntry> {
    let KeptRecord { number, record } = kept;
    let action = AuditAction::ALL.iter().find(|action| action.as_str() == record.action)?;
    let of_kind = |wanted: &str| {
        let target = record.target.as_ref().filter(|(kind, _)| kind == wanted);
        target.map(|(_, id)| *id)
    };
    Some(AuditEntry {
        number,
        ts: record.at,
        actor: record.actor,
        user: of_kind(Target::USER).map(UserId::new),
        group: of_kind(Target::GROUP).map(ConversationId::new),
        source: record.source,
        action: *action,
        detail: record.detail,
    })
}
