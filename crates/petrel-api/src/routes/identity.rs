//! Who somebody is.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use petrel_logic::Refusal;
use petrel_logic::administration::Operator;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{PasswordChange, RedeemReset};
use petrel_protocol::http::{
    Credentials, Done, FoundUser, Invite, LoggedIn, NewInvite, Profile, RefreshRequest, Revoked,
    Success,
};

use axum::response::Json;

use crate::Api;
use crate::answer::{Answer, JsonBody, Refused, answer};
use crate::bearer::{Bearer, MaybeWho, Who};
use crate::cookie;
use crate::route::Route;
use crate::routes::contacts::shown;
use crate::source::From;

pub(super) fn routes() -> [Route; 8] {
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
                ErrorReason::InvalidInvite,
                ErrorReason::ForbiddenOrigin,
                ErrorReason::UsernameTaken,
                ErrorReason::TooManyRequests,
            ]),
        Route::new(Method::POST, "/api/auth/login", TAG, "Log in", login)
            .public()
            .body::<Credentials>()
            .data::<LoggedIn>()
            .reasons(&[
                ErrorReason::BadCredentials,
                ErrorReason::AccountDisabled,
                ErrorReason::ForbiddenOrigin,
                ErrorReason::TooManyRequests,
            ]),
        Route::new(Method::POST, "/api/auth/refresh", TAG, "Get the next tokens", refresh)
            .public()
            .body::<RefreshRequest>()
            .data::<LoggedIn>()
            .reasons(&[
                ErrorReason::MissingToken,
                ErrorReason::InvalidRefreshToken,
                ErrorReason::AccountDisabled,
                ErrorReason::ForbiddenOrigin,
            ]),
        Route::new(Method::POST, "/api/auth/logout", TAG, "Log out", logout)
            .public()
            .body::<RefreshRequest>()
            .data::<Done>()
            .reasons(&[
                ErrorReason::MissingToken,
                ErrorReason::InvalidToken,
                ErrorReason::TokenExpired,
                ErrorReason::LoginRevoked,
                ErrorReason::InvalidRefreshToken,
                ErrorReason::ForbiddenOrigin,
            ]),
        Route::new(Method::GET, "/api/users/me", TAG, "Who you are", me)
            .data::<Profile>()
            .reasons(&[ErrorReason::UserNotFound]),
        Route::new(
            Method::POST,
            "/api/auth/reset",
            TAG,
            "Choose another password with a code of an admin, and log in",
            reset,
        )
        .public()
        .body::<RedeemReset>()
        .data::<LoggedIn>()
        .reasons(&[
            ErrorReason::WeakPassword,
            ErrorReason::InvalidResetCode,
            ErrorReason::AccountDisabled,
            ErrorReason::TooManyRequests,
        ]),
        Route::new(
            Method::PUT,
            "/api/users/me/password",
            TAG,
            "Choose another password; all other log-ins end",
            change_password,
        )
        .body::<PasswordChange>()
        .data::<Revoked>()
        .reasons(&[
            ErrorReason::WeakPassword,
            ErrorReason::BadCredentials,
            ErrorReason::UserNotFound,
            ErrorReason::TooManyRequests,
        ]),
        Route::new(Method::POST, "/api/invites", TAG, "Invite people to register", invite)
            .body::<NewInvite>()
            .data::<Invite>()
            .reasons(&[ErrorReason::NotAllowed]),
    ]
}

/// An answer that may set a cookie.
type CookieAnswer<T> = Result<(HeaderMap, Json<Success<T>>), Refused>;

async fn register(
    State(api): State<Api>,
    From(source): From,
    headers: HeaderMap,
    JsonBody(credentials): JsonBody<Credentials>,
) -> CookieAnswer<LoggedIn> {
    let by_cookie = credentials.cookie;
    check_origin(&api, &headers, by_cookie)?;
    let logged_in = api.identity.register(credentials, source).await?;
    Ok(hand_over(logged_in, by_cookie, &headers))
}

async fn login(
    State(api): State<Api>,
    From(source): From,
    headers: HeaderMap,
    JsonBody(credentials): JsonBody<Credentials>,
) -> CookieAnswer<LoggedIn> {
    let by_cookie = credentials.cookie;
    check_origin(&api, &headers, by_cookie)?;
    let logged_in = api.identity.login(credentials, source).await?;
    Ok(hand_over(logged_in, by_cookie, &headers))
}

async fn refresh(
    State(api): State<Api>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<RefreshRequest>,
) -> CookieAnswer<LoggedIn> {
    let by_cookie = request.refresh_token.is_none();
    check_origin(&api, &headers, by_cookie)?;
    let token = request.refresh_token.or_else(|| cookie::refresh_token(&headers));
    let token = token.ok_or_else(|| {
        Refusal::new(
            ErrorReason::MissingToken,
            "give the refresh token as `refreshToken`, or as the cookie of a log-in",
        )
    })?;
    let logged_in = api.identity.refresh(&token).await?;
    Ok(hand_over(logged_in, by_cookie, &headers))
}

async fn logout(
    State(api): State<Api>,
    MaybeWho(who): MaybeWho,
    headers: HeaderMap,
    JsonBody(request): JsonBody<RefreshRequest>,
) -> CookieAnswer<Done> {
    let by_cookie = request.refresh_token.is_none() && who.is_none();
    check_origin(&api, &headers, by_cookie)?;
    let in_cookie = cookie::refresh_token(&headers);
    match (request.refresh_token, who, &in_cookie) {
        (Some(token), _, _) => api.identity.logout_by_refresh_token(&token).await?,
        (None, Some(who), _) => api.identity.logout(who?).await?,
        (None, None, Some(token)) => api.identity.logout_by_refresh_token(token).await?,
        (None, None, None) => {
            return Err(Refusal::new(
                ErrorReason::MissingToken,
                "give the access token, or the refresh token, of the log-in that is to end",
            )
            .into());
        }
    }
    let headers = if in_cookie.is_some() { cookie::take_away(&headers) } else { HeaderMap::new() };
    Ok((headers, Json(Success::new(Done {}))))
}

async fn reset(
    State(api): State<Api>,
    From(source): From,
    JsonBody(reset): JsonBody<RedeemReset>,
) -> Answer<LoggedIn> {
    answer(api.identity.redeem_reset(reset, source).await)
}

async fn change_password(
    State(api): State<Api>,
    Who(who): Who,
    From(source): From,
    JsonBody(change): JsonBody<PasswordChange>,
) -> Answer<Revoked> {
    let revoked = api.identity.change_password(who, change, source).await;
    answer(revoked.map(|revoked| Revoked { revoked }))
}

async fn me(State(api): State<Api>, Bearer(user): Bearer) -> Answer<Profile> {
    let profile = api.identity.profile(user).await?;
    let person = api.admission.read(api.contacts.person(user)).await?;
    let FoundUser { display_name, avatar, .. } = shown(&api, person).await?;
    answer(Ok(Profile { display_name, avatar, ..profile }))
}

async fn invite(
    State(api): State<Api>,
    Bearer(user): Bearer,
    From(source): From,
    JsonBody(invite): JsonBody<NewInvite>,
) -> Answer<Invite> {
    if !api.admission.read(api.identity.is_admin(user)).await? {
        let message = "only admins of the system invite; `petrel admin` makes one";
        return Err(Refusal::new(ErrorReason::NotAllowed, message).into());
    }
    let operator = Operator { user: Some(user), source: source.0.to_string() };
    answer(api.administration.invite(&operator, invite).await)
}

fn check_origin(api: &Api, headers: &HeaderMap, by_cookie: bool) -> Result<(), Refusal> {
    if by_cookie { cookie::check_origin(headers, &api.allowed_origins) } else { Ok(()) }
}

/// The tokens of a log-in: the refresh token in the body, or in a cookie.
fn hand_over(
    logged_in: LoggedIn,
    by_cookie: bool,
    request: &HeaderMap,
) -> (HeaderMap, Json<Success<LoggedIn>>) {
    match (&logged_in.refresh_token, by_cookie) {
        (Some(token), true) => {
            let headers = cookie::give(token, logged_in.refresh_expires_in, request);
            let without = LoggedIn { refresh_token: None, ..logged_in };
            (headers, Json(Success::new(without)))
        }
        _ => (HeaderMap::new(), Json(Success::new(logged_in))),
    }
}
