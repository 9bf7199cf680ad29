//! Who asks: the bearer of an access token.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_types::UserId;

use crate::Api;
use crate::answer::Refused;

/// The user whose token came in `Authorization: Bearer`.
pub(crate) struct Bearer(pub(crate) UserId);

impl FromRequestParts<Api> for Bearer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let token = parts
            .headers
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
            })?;
        let user = api.identity.authenticate(token)?.user;
        api.limits.count_user(user)?;
        Ok(Self(user))
    }
}
