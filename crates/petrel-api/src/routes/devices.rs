//! Where somebody is logged in.

use axum::extract::State;
use axum::http::Method;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Devices, Done, Revoked};
use petrel_types::LoginId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, answer};
use crate::bearer::Who;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

pub(super) fn routes() -> [Route; 3] {
    const TAG: &str = "Devices";
    [
        Route::new(Method::GET, "/api/devices", TAG, "Where you are logged in", list)
            .query::<Page>()
            .data::<Devices>(),
        Route::new(Method::DELETE, "/api/devices/{loginId}", TAG, "End a log-in", revoke)
            .data::<Done>()
            .reasons(&[ErrorReason::DeviceNotFound]),
        Route::new(
            Method::POST,
            "/api/devices/revoke-others",
            TAG,
            "End all log-ins but this one",
            revoke_others,
        )
        .data::<Revoked>(),
    ]
}

/// Which of them.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// Wanted are log-ins older than this one, newest first.
    before: Option<LoginId>,
    /// The most log-ins wanted in the answer, up to 100.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

async fn list(
    State(api): State<Api>,
    Who(who): Who,
    QueryOf(page): QueryOf<Page>,
) -> Answer<Devices> {
    answer(api.identity.devices(who, page.before, page.limit).await)
}

async fn revoke(
    State(api): State<Api>,
    Who(who): Who,
    PathOf(login): PathOf<LoginId>,
) -> Answer<Done> {
    answer(api.identity.revoke(who, login).await.map(|()| Done {}))
}

async fn revoke_others(State(api): State<Api>, Who(who): Who) -> Answer<Revoked> {
    answer(api.identity.revoke_others(who).await)
}
