//! How much there is and how much happens.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::Administration;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{RecentFigures, RecentStep, SystemFigures};
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, answer};
use crate::extract::QueryOf;
use crate::operator::By;
use crate::route::Route;

/// Which days are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DaysBack {
    /// How many days back: 1 to 400, 30 if not given.
    days: Option<u32>,
}

/// Which numbers of late are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Recent {
    /// In which steps; the fine ones if not given.
    step: Option<RecentStep>,
    /// The names of series, with commas between them; all if not given.
    series: Option<String>,
}

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    vec![
        Route::new(
            Method::GET,
            "/api/admin/statistics",
            TAG,
            "How much there is, and how much happens in a day",
            statistics,
        )
        .query::<DaysBack>()
        .data::<SystemFigures>(),
        Route::new(
            Method::GET,
            "/api/admin/statistics/recent",
            TAG,
            "What the numbers of the server were of late, for plots",
            recent,
        )
        .query::<Recent>()
        .data::<RecentFigures>()
        .reasons(&[ErrorReason::NotFound]),
    ]
}

type Of = State<Arc<Administration>>;

async fn statistics(
    State(administration): Of,
    By(_): By,
    QueryOf(wanted): QueryOf<DaysBack>,
) -> Answer<SystemFigures> {
    answer(administration.statistics(wanted.days).await)
}

async fn recent(
    State(administration): Of,
    By(_): By,
    QueryOf(wanted): QueryOf<Recent>,
) -> Answer<RecentFigures> {
    let step = wanted.step.unwrap_or_default();
    answer(administration.recent(step, wanted.series.as_deref()))
}
