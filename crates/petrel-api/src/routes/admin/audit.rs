//! The audit log.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::{Administration, AuditQuery};
use petrel_protocol::http::admin::{AuditAction, AuditLog};
use petrel_types::{ConversationId, TimestampMs, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, answer};
use crate::extract::{QueryOf, page_size};
use crate::operator::By;
use crate::route::Route;

/// Which records are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecordsFilter {
    /// What this user did.
    actor: Option<UserId>,
    /// What was done to this user.
    user: Option<UserId>,
    /// What was done to this group; not together with `user`.
    group: Option<ConversationId>,
    /// What is called so.
    action: Option<AuditAction>,
    /// From this time on, in milliseconds.
    from_ts: Option<TimestampMs>,
    /// Before this time, in milliseconds.
    until_ts: Option<TimestampMs>,
    /// Wanted are records with numbers below this one.
    before: Option<u64>,
    /// The most records wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    vec![
        Route::new(Method::GET, "/api/admin/audit", TAG, "Who did what, newest first", list)
            .query::<RecordsFilter>()
            .data::<AuditLog>(),
    ]
}

async fn list(
    State(administration): State<Arc<Administration>>,
    By(_): By,
    QueryOf(filter): QueryOf<RecordsFilter>,
) -> Answer<AuditLog> {
    let RecordsFilter { actor, user, group, action, from_ts, until_ts, before, limit } = filter;
    let (from, until) = (from_ts, until_ts);
    let query = AuditQuery { actor, user, group, action, from, until, before, limit };
    answer(administration.audit(query).await)
}
