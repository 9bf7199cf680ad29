//! What devices need for calls.

use axum::extract::State;
use axum::http::Method;
use petrel_protocol::frame::TurnCredentials;

use crate::Api;
use crate::answer::{Answer, answer};
use crate::bearer::Bearer;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/api/calls/turn",
            "Calls",
            "The STUN and TURN servers, with a credential for a while",
            turn,
        )
        .data::<TurnCredentials>(),
    ]
}

async fn turn(State(api): State<Api>, Bearer(user): Bearer) -> Answer<TurnCredentials> {
    answer(Ok(api.turn.credentials(user, api.clock.now())))
}
