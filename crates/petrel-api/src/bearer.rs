//! Who asks: the bearer of an access token.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;
use petrel_logic::Refusal;
use petrel_logic::identity::Authenticated;
use petrel_protocol::ErrorReason;
use petrel_types::UserId;

use crate::Api;
use crate::answer::Refused;

/// The user whose token came in `Authorization: Bearer`.
pub(crate) struct Bearer(pub(crate) UserId);

/// The same, with what else the token says.
pub(crate) struct Who(pub(crate) Authenticated);

/// The same, where there may be no token.
pub(crate) struct MaybeWho(pub(crate) Option<Result<Authenticated, Refusal>>);

impl FromRequestParts<Api> for Bearer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let Who(who) = Who::from_request_parts(parts, api).await?;
        Ok(Self(who.user))
    }
}

impl FromRequestParts<Api> for Who {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let who = api.identity.authenticate(token(&parts.headers)?).await?;
        api.limits.count_user(who.user)?;
        Ok(Self(who))
    }
}

impl FromRequestParts<Api> for MaybeWho {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        Ok(Self(match token(&parts.headers) {
            Ok(token) => Some(api.identity.authenticate(token).await),
            Err(_) => None,
        }))
    }
}

fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Refusal::new(
                ErrorReason::MissingToken,
                "send an access token as `Authorization: Bearer <token>`",
            )
        })
}
