//! Groups and who is in them.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::requests::IntoSend;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    GroupAdd, GroupCreate, GroupDissolve, GroupLeave, GroupRemove, GroupRole, GroupTitle, SavedAck,
};
use petrel_protocol::http::{MembersChange, NamedChange, NewGroup, RoleChange, TitleChange};
use petrel_types::{ConversationId, UserId};

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::PathOf;
use crate::route::Route;

/// What a change to a group may be refused for.
const CHANGE_REASONS: &[ErrorReason] = &[
    ErrorReason::NotAllowed,
    ErrorReason::NotReachable,
    ErrorReason::BlockedByYou,
    ErrorReason::ConversationNotFound,
    ErrorReason::UserNotFound,
    ErrorReason::NothingToChange,
    ErrorReason::GroupFull,
    ErrorReason::BadTitle,
    ErrorReason::Timeout,
];

pub(super) fn routes() -> Vec<Route> {
    const TAG: &str = "Groups";
    let routes = [
        Route::new(Method::POST, "/api/groups", TAG, "Found a group", create).body::<NewGroup>(),
        Route::new(
            Method::POST,
            "/api/groups/{groupId}/members",
            TAG,
            "Bring users into a group",
            add,
        )
        .body::<MembersChange>(),
        Route::new(
            Method::POST,
            "/api/groups/{groupId}/members/remove",
            TAG,
            "Take members out of a group",
            remove,
        )
        .body::<MembersChange>(),
        Route::new(
            Method::PUT,
            "/api/groups/{groupId}/members/{userId}/role",
            TAG,
            "Give a member another role, or hand the group over",
            role,
        )
        .body::<RoleChange>(),
        Route::new(Method::PUT, "/api/groups/{groupId}/title", TAG, "Rename a group", title)
            .body::<TitleChange>(),
        Route::new(Method::POST, "/api/groups/{groupId}/leave", TAG, "Leave a group", leave)
            .body::<NamedChange>(),
        Route::new(
            Method::POST,
            "/api/groups/{groupId}/dissolve",
            TAG,
            "End a group for everybody",
            dissolve,
        )
        .body::<NamedChange>(),
    ];
    routes.into_iter().map(|route| route.data::<SavedAck>().reasons(CHANGE_REASONS)).collect()
}

async fn create(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(NewGroup { client_msg_id, title, members, history }): JsonBody<NewGroup>,
) -> Answer<SavedAck> {
    change(&api, user, GroupCreate { client_msg_id, title, members, history }).await
}

async fn add(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(MembersChange { client_msg_id, members }): JsonBody<MembersChange>,
) -> Answer<SavedAck> {
    change(&api, user, GroupAdd { client_msg_id, group_id, members }).await
}

async fn remove(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(MembersChange { client_msg_id, members }): JsonBody<MembersChange>,
) -> Answer<SavedAck> {
    change(&api, user, GroupRemove { client_msg_id, group_id, members }).await
}

async fn role(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf((group_id, user)): PathOf<(ConversationId, UserId)>,
    JsonBody(RoleChange { client_msg_id, role }): JsonBody<RoleChange>,
) -> Answer<SavedAck> {
    change(&api, actor, GroupRole { client_msg_id, group_id, user, role }).await
}

async fn title(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(TitleChange { client_msg_id, title }): JsonBody<TitleChange>,
) -> Answer<SavedAck> {
    change(&api, user, GroupTitle { client_msg_id, group_id, title }).await
}

async fn leave(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
) -> Answer<SavedAck> {
    change(&api, user, GroupLeave { client_msg_id, group_id }).await
}

async fn dissolve(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
) -> Answer<SavedAck> {
    change(&api, user, GroupDissolve { client_msg_id, group_id }).await
}

async fn change(api: &Api, user: UserId, change: impl IntoSend) -> Answer<SavedAck> {
    answer(api.calls.send(user, change.into_send()?).await)
}
