//! What admins of the system may do. The gate has looked at who asks: [`crate::operator::By`].

mod audit;
mod groups;
mod limits;
mod notices;
mod statistics;
mod users;
mod words;

use std::sync::Arc;

use axum::extract::FromRef;
use petrel_logic::administration::Administration;
use petrel_protocol::ErrorReason;

use crate::route::Route;

const TAG: &str = "Administration";

/// What every one of these may be refused for: to who is no admin there is nothing.
const REASONS: &[ErrorReason] = &[ErrorReason::NotFound];

/// The routes, for whatever state has an administration in it.
pub(crate) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    let all = users::routes().into_iter().chain(audit::routes()).chain(words::routes());
    let all = all.chain(statistics::routes()).chain(groups::routes()).chain(notices::routes());
    let all = all.chain(limits::routes());
    all.map(|route| match route.reasons.is_empty() {
        true => route.reasons(REASONS),
        false => route,
    })
    .collect()
}
