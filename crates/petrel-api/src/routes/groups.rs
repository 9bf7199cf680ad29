//! Groups and who is in them.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::requests::{IntoSend, join_group};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    GroupAdd, GroupAnswer, GroupCreate, GroupDissolve, GroupLeave, GroupMember, GroupRemove,
    GroupRequestState, GroupRequests, GroupRole, GroupSettings, GroupTitle, SavedAck,
};
use petrel_protocol::http::{
    GroupSettingsChange, JoinAnswer, Joined, MemberChange, MembersChange, NamedChange, NewGroup,
    NewJoin, RoleChange, TitleChange,
};
use petrel_types::{ConversationId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
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
    ErrorReason::LimitReached,
    ErrorReason::BadTitle,
    ErrorReason::Timeout,
];

/// Where in the list of those who wait to go on.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RequestsQuery {
    /// Wanted are users with ids above this one.
    users_after: Option<UserId>,
    /// The most requests wanted: 1 to 500, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

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
    let more = [
        Route::new(
            Method::PATCH,
            "/api/groups/{groupId}",
            TAG,
            "Change what a group is, who may join and who may speak",
            settings,
        )
        .body::<GroupSettingsChange>(),
        Route::new(
            Method::PATCH,
            "/api/groups/{groupId}/members/{userId}",
            TAG,
            "Name a member, or let one not speak for a while",
            member,
        )
        .body::<MemberChange>(),
        Route::new(
            Method::POST,
            "/api/groups/{groupId}/requests/{userId}",
            TAG,
            "Let somebody in who has asked to join, or not",
            answer_join,
        )
        .body::<JoinAnswer>(),
    ];
    let changes = routes.into_iter().chain(more);
    let changes = changes.map(|route| route.data::<SavedAck>().reasons(CHANGE_REASONS));
    let others = [
        Route::new(
            Method::POST,
            "/api/groups/join",
            TAG,
            "Join a group by its code, or ask to",
            join,
        )
        .body::<NewJoin>()
        .data::<Joined>()
        .reasons(&[
            ErrorReason::Muted,
            ErrorReason::ConversationNotFound,
            ErrorReason::NothingToChange,
            ErrorReason::GroupFull,
            ErrorReason::TooManyRequests,
            ErrorReason::Timeout,
        ]),
        Route::new(
            Method::GET,
            "/api/groups/{groupId}/requests",
            TAG,
            "Who waits to be let into a group, for its owner and admins",
            requests,
        )
        .query::<RequestsQuery>()
        .data::<GroupRequestState>()
        .reasons(&[ErrorReason::NotAllowed, ErrorReason::ConversationNotFound]),
    ];
    changes.chain(others).collect()
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

async fn settings(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(body): JsonBody<GroupSettingsChange>,
) -> Answer<SavedAck> {
    let GroupSettingsChange { client_msg_id, description, avatar, announcement, .. } = body;
    let GroupSettingsChange { joining, member_limit, muted, members_pin, renew_code, .. } = body;
    let frame = GroupSettings {
        client_msg_id,
        group_id,
        description,
        avatar,
        announcement,
        joining,
        member_limit,
        muted,
        members_pin,
        renew_code,
    };
    change(&api, user, frame).await
}

async fn member(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf((group_id, user)): PathOf<(ConversationId, UserId)>,
    JsonBody(MemberChange { client_msg_id, nickname, mute_ms }): JsonBody<MemberChange>,
) -> Answer<SavedAck> {
    change(&api, actor, GroupMember { client_msg_id, group_id, user, nickname, mute_ms }).await
}

async fn answer_join(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf((group_id, user)): PathOf<(ConversationId, UserId)>,
    JsonBody(JoinAnswer { client_msg_id, accept }): JsonBody<JoinAnswer>,
) -> Answer<SavedAck> {
    change(&api, actor, GroupAnswer { client_msg_id, group_id, user, accept }).await
}

async fn join(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(NewJoin { client_msg_id, code, message }): JsonBody<NewJoin>,
) -> Answer<Joined> {
    let found = api.admission.read(api.contacts.find_group(user, &code)).await?;
    let send = join_group(found, client_msg_id, message);
    let joined = api.requester.send_or_wait(user, send).await;
    answer(joined.map(|ack| Joined { group_id: ack.map(|ack| ack.conversation_id) }))
}

async fn requests(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    QueryOf(RequestsQuery { users_after, limit }): QueryOf<RequestsQuery>,
) -> Answer<GroupRequestState> {
    let request = GroupRequests { group_id, users_after, limit };
    answer(api.admission.read(api.catchup.requests(user, &request)).await)
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
    answer(api.requester.send(user, change.into_send()?).await)
}
