//! Who somebody is.

use axum::extract::State;
use axum::http::Method;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Credentials, LoggedIn, Profile};

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::route::Route;

pub(super) fn routes() -> [Route; 3] {
    const TAG: &str = "Identity";
    [
        Route::new(Method::POST, "/api/auth/register", TAG, "Register and log in", register)
            .public()
            .body::<Credentials>()
            .data::<LoggedIn>()
            .reasons(&[
                ErrorReason::BadUsername,
                ErrorReason::WeakPassword,
                ErrorReason::RegistrationClosed,
                ErrorReason::UsernameTaken,
            ]),
        Route::new(Method::POST, "/api/auth/login", TAG, "Log in", login)
            .public()
            .body::<Credentials>()
            .data::<LoggedIn>()
            .reasons(&[ErrorReason::BadCredentials]),
        Route::new(Method::GET, "/api/users/me", TAG, "Who you are", me)
            .data::<Profile>()
            .reasons(&[ErrorReason::UserNotFound]),
    ]
}

async fn register(
    State(api): State<Api>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Answer<LoggedIn> {
    answer(api.identity.register(credentials).await)
}

async fn login(
    State(api): State<Api>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Answer<LoggedIn> {
    answer(api.identity.login(credentials).await)
}

async fn me(State(api): State<Api>, Bearer(user): Bearer) -> Answer<Profile> {
    answer(api.identity.profile(user).await)
}
