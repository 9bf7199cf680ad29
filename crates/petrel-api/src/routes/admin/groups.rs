//! Groups, as admins see and change them.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::Administration;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{AdminGroupShown, AdminGroups, ClearGroup, HandOver};
use petrel_types::{ConversationId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, JsonBody, answer};
use crate::extract::{PathOf, QueryOf, page_size};
use crate::operator::By;
use crate::route::Route;

/// Which groups are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GroupsFilter {
    /// Those with this in their titles, in either case.
    search: Option<String>,
    /// Wanted are groups with ids above this one.
    after: Option<ConversationId>,
    /// The most groups wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Which members are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MembersAfter {
    /// Wanted are members with ids above this one.
    users_after: Option<UserId>,
    /// The most members wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// What a change of a group may be refused for.
const CHANGE_REASONS: &[ErrorReason] = &[
    ErrorReason::NotFound,
    ErrorReason::ConversationNotFound,
    ErrorReason::UserNotFound,
    ErrorReason::NotAllowed,
    ErrorReason::NothingToChange,
    ErrorReason::Timeout,
];

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    vec![
        Route::new(Method::GET, "/api/admin/groups", TAG, "Groups, by id", list)
            .query::<GroupsFilter>()
            .data::<AdminGroups>(),
        Route::new(
            Method::GET,
            "/api/admin/groups/{groupId}",
            TAG,
            "A group and who is in it",
            show,
        )
        .query::<MembersAfter>()
        .data::<AdminGroupShown>()
        .reasons(&[ErrorReason::NotFound, ErrorReason::ConversationNotFound]),
        Route::new(
            Method::POST,
            "/api/admin/groups/{groupId}/dissolve",
            TAG,
            "End a group for everybody",
            dissolve,
        )
        .data::<Done>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/admin/groups/{groupId}/members/{userId}/remove",
            TAG,
            "Take a member out of a group",
            remove,
        )
        .data::<Done>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/admin/groups/{groupId}/hand-over",
            TAG,
            "Make a member the owner of a group",
            hand_over,
        )
        .body::<HandOver>()
        .data::<Done>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/admin/groups/{groupId}/clear",
            TAG,
            "Clear a group's title, description, announcement or picture",
            clear,
        )
        .body::<ClearGroup>()
        .data::<Done>()
        .reasons(CHANGE_REASONS),
    ]
}

type Of = State<Arc<Administration>>;

async fn list(
    State(administration): Of,
    By(_): By,
    QueryOf(filter): QueryOf<GroupsFilter>,
) -> Answer<AdminGroups> {
    answer(administration.groups(filter.search, filter.after, filter.limit).await)
}

async fn show(
    State(administration): Of,
    By(_): By,
    PathOf(group): PathOf<ConversationId>,
    QueryOf(page): QueryOf<MembersAfter>,
) -> Answer<AdminGroupShown> {
    answer(administration.group(group, page.users_after, page.limit).await)
}

async fn dissolve(
    State(administration): Of,
    By(operator): By,
    PathOf(group): PathOf<ConversationId>,
) -> Answer<Done> {
    answer(administration.dissolve(&operator, group).await.map(|()| Done {}))
}

async fn remove(
    State(administration): Of,
    By(operator): By,
    PathOf((group, user)): PathOf<(ConversationId, UserId)>,
) -> Answer<Done> {
    answer(administration.remove_member(&operator, group, user).await.map(|()| Done {}))
}

async fn hand_over(
    State(administration): Of,
    By(operator): By,
    PathOf(group): PathOf<ConversationId>,
    JsonBody(body): JsonBody<HandOver>,
) -> Answer<Done> {
    answer(administration.hand_over(&operator, group, body.user).await.map(|()| Done {}))
}

async fn clear(
    State(administration): Of,
    By(operator): By,
    PathOf(group): PathOf<ConversationId>,
    JsonBody(body): JsonBody<ClearGroup>,
) -> Answer<Done> {
    answer(administration.clear_group(&operator, group, body.part).await.map(|()| Done {}))
}
