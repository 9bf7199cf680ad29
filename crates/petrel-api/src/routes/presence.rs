//! Who is online.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::PresenceState;
use petrel_types::UserId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, answer};
use crate::bearer::Bearer;
use crate::extract::QueryOf;
use crate::route::Route;

/// Who is asked about.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsersQuery {
    /// The users, separated by commas, at most 256.
    #[schemars(regex(pattern = "^[0-9]{1,19}(,[0-9]{1,19}){0,255}$"))]
    users: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/api/presence",
            "Contacts",
            "Who of some users is online",
            presence,
        )
        .query::<UsersQuery>()
        .data::<PresenceState>(),
    ]
}

async fn presence(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(UsersQuery { users }): QueryOf<UsersQuery>,
) -> Answer<PresenceState> {
    let id_of = |text: &str| text.trim().parse().ok().filter(|id| *id <= i64::MAX as u64);
    let users = users.split(',').map(|text| id_of(text).map(UserId::new));
    let users = users.collect::<Option<Vec<_>>>().ok_or_else(|| {
        let message = "`users`: give ids of users, separated by commas";
        Refusal::new(ErrorReason::InvalidField, message)
    })?;
    let items = api.admission.read(api.presence.query(user, users)).await?;
    answer(Ok(PresenceState { items }))
}
