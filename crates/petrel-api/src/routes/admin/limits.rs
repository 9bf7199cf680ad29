//! Limits that are changed while the server runs.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::Administration;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{AdminLimits, LimitsChange};

use super::TAG;
use crate::answer::{Answer, JsonBody, answer};
use crate::operator::By;
use crate::route::Route;

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    vec![
        Route::new(Method::GET, "/api/admin/limits", TAG, "Limits, as they are now", show)
            .data::<AdminLimits>(),
        Route::new(
            Method::PATCH,
            "/api/admin/limits",
            TAG,
            "Change limits while the server runs",
            change,
        )
        .body::<LimitsChange>()
        .data::<AdminLimits>()
        .reasons(&[ErrorReason::NotFound, ErrorReason::NothingToChange]),
    ]
}

type Of = State<Arc<Administration>>;

async fn show(State(administration): Of, By(_): By) -> Answer<AdminLimits> {
    answer(administration.limits().await)
}

async fn change(
    State(administration): Of,
    By(operator): By,
    JsonBody(change): JsonBody<LimitsChange>,
) -> Answer<AdminLimits> {
    answer(administration.change_limits(&operator, change).await)
}
