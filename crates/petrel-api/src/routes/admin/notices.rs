//! Notices to everybody.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::Administration;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{AdminNotices, NewNotice, NoticeSent};
use petrel_types::NoticeId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, JsonBody, answer};
use crate::extract::{PathOf, QueryOf, page_size};
use crate::operator::By;
use crate::route::Route;

/// Which notices are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NoticesBefore {
    /// Wanted are notices with ids below this one.
    before: Option<NoticeId>,
    /// The most notices wanted: 1 to 200, 50 if not given.
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
        Route::new(Method::GET, "/api/admin/notices", TAG, "The notices in force", list)
            .query::<NoticesBefore>()
            .data::<AdminNotices>(),
        Route::new(
            Method::POST,
            "/api/admin/notices",
            TAG,
            "Say something to everybody who is connected, and perhaps to those who come",
            send,
        )
        .body::<NewNotice>()
        .data::<NoticeSent>()
        .reasons(&[
            ErrorReason::NotFound,
            ErrorReason::LimitReached,
            ErrorReason::WordRefused,
        ]),
        Route::new(
            Method::POST,
            "/api/admin/notices/{noticeId}/withdraw",
            TAG,
            "Take a notice back",
            withdraw,
        )
        .data::<Done>()
        .reasons(&[ErrorReason::NotFound, ErrorReason::NoticeNotFound]),
    ]
}

type Of = State<Arc<Administration>>;

async fn list(
    State(administration): Of,
    By(_): By,
    QueryOf(page): QueryOf<NoticesBefore>,
) -> Answer<AdminNotices> {
    answer(administration.notices(page.before, page.limit).await)
}

async fn send(
    State(administration): Of,
    By(operator): By,
    JsonBody(notice): JsonBody<NewNotice>,
) -> Answer<NoticeSent> {
    answer(administration.send_notice(&operator, notice).await)
}

async fn withdraw(
    State(administration): Of,
    By(operator): By,
    PathOf(notice): PathOf<NoticeId>,
) -> Answer<Done> {
    answer(administration.withdraw_notice(&operator, notice).await.map(|()| Done {}))
}
