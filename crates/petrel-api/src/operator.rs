//! Who may ask for `/api/admin/…`: an admin whose token is good, or somebody at the machine.
//!
//! The gate stands before all paths below it, those that are not there included. To anybody
//! else there is nothing at any of them, whatever is asked and however, so that nobody learns
//! by asking which users, groups or routes there are.

use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use petrel_logic::administration::Operator;

use crate::answer::{Refused, nothing_there};
use crate::bearer::Who;
use crate::source::From;
use crate::{Api, BODY_BYTES_MAX};

/// Below it everything is for admins.
const ADMIN_PATH: &str = "/api/admin";

/// Who asks, as the gate has found.
pub(crate) struct By(pub(crate) Operator);

/// Lets admins through to what is theirs, and everybody to the rest.
pub(crate) async fn gate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let is_admins = request
        .uri()
        .path()
        .strip_prefix(ADMIN_PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !is_admins {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match operator(&api, &mut parts).await {
        Ok(operator) => {
            let reads = parts.method == Method::GET;
            parts.extensions.insert(operator);
            let answer = next.run(Request::from_parts(parts, body));
            if !reads {
                return answer.await;
            }
            // What admins read waits its turn as everything does.
            let answer = api.admission.read(async { Ok(answer.await) }).await;
            answer.unwrap_or_else(|refusal| Refused::from(refusal).into_response())
        }
        Err(refused) => {
            // What was sent is read, or the connection could not be used again.
            let _ = to_bytes(body, BODY_BYTES_MAX).await;
            refused.into_response()
        }
    }
}

async fn operator(api: &Api, parts: &mut Parts) -> Result<Operator, Refused> {
    // Counts as any request of a user does: asking for what is not there costs the same.
    let Who(who) = Who::from_request_parts(parts, api).await?;
    if !api.admission.read(api.identity.is_admin(who.user)).await? {
        return Err(nothing_there().into());
    }
    api.limits.count_admin(who.user)?;
    let source = match From::from_request_parts(parts, api).await {
        Ok(From(source)) => source.0.to_string(),
        Err(never) => match never {},
    };
    Ok(Operator { user: Some(who.user), source })
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        // Without it the gate was passed by, which must open nothing.
        let operator = parts.extensions.get::<Operator>().cloned();
        operator.map(Self).ok_or_else(|| nothing_there().into())
    }
}
