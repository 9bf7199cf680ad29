//! The word filter.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::Administration;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{
    FilterWords, NewFilterWords, RemovedFilterWords, TriedText, WordsMet,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, JsonBody, answer};
use crate::extract::{QueryOf, page_size};
use crate::operator::By;
use crate::route::Route;

/// Which words are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WordsAfter {
    /// Wanted are words after this one.
    after: Option<String>,
    /// The most words wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    vec![
        Route::new(Method::GET, "/api/admin/words", TAG, "The words of the filter", list)
            .query::<WordsAfter>()
            .data::<FilterWords>(),
        Route::new(Method::PUT, "/api/admin/words", TAG, "Put words into the filter", put)
            .body::<NewFilterWords>()
            .data::<Done>(),
        Route::new(
            Method::POST,
            "/api/admin/words/remove",
            TAG,
            "Take words out of the filter",
            remove,
        )
        .body::<RemovedFilterWords>()
        .data::<Done>(),
        Route::new(
            Method::POST,
            "/api/admin/words/try",
            TAG,
            "What the filter would do about a text",
            attempt,
        )
        .body::<TriedText>()
        .data::<WordsMet>(),
    ]
}

type Of = State<Arc<Administration>>;

async fn list(
    State(administration): Of,
    By(_): By,
    QueryOf(page): QueryOf<WordsAfter>,
) -> Answer<FilterWords> {
    answer(administration.words(page.after, page.limit).await)
}

async fn put(
    State(administration): Of,
    By(operator): By,
    JsonBody(words): JsonBody<NewFilterWords>,
) -> Answer<Done> {
    answer(administration.put_words(&operator, words).await.map(|()| Done {}))
}

async fn remove(
    State(administration): Of,
    By(operator): By,
    JsonBody(removed): JsonBody<RemovedFilterWords>,
) -> Answer<Done> {
    answer(administration.remove_words(&operator, removed.words).await.map(|()| Done {}))
}

async fn attempt(
    State(administration): Of,
    By(_): By,
    JsonBody(tried): JsonBody<TriedText>,
) -> Answer<WordsMet> {
    answer(administration.try_words(&tried.text).await)
}
