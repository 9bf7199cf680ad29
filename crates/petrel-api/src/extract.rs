//! What comes in a path or a query, with faults refused in our own form.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use crate::answer::{Refused, cause_of};

/// The named parts of a path.
pub(crate) struct PathOf<T>(pub(crate) T);

/// The parameters of a query.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid("path", &rejection.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid("query", &rejection.body_text())),
        }
    }
}

const NOTHING_WANTED: &str = "ask for 1 at least";

/// How many a client wants of a list. More than a page holds gets a page; none is no wish that
/// anybody has, and refused.
pub(crate) fn page_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(Error::custom(NOTHING_WANTED)),
        wanted => Ok(Some(wanted)),
    }
}

/// Why a page of nothing is refused, where [`page_size`] has not seen it.
pub(crate) fn nothing_wanted() -> Refusal {
    Refusal::new(ErrorReason::InvalidField, format!("the query: limit: {NOTHING_WANTED}"))
}

fn invalid(place: &str, why: &str) -> Refused {
    Refusal::new(ErrorReason::InvalidField, format!("the {place}: {}", cause_of(why))).into()
}
