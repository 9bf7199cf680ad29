//! Invitations into groups, of those who want to be asked before they are taken in: as they
//! who are invited see them, and the owner and admins of a group.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::requests::IntoSend;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    GroupInvitation, GroupInvitationState, GroupInvitations, GroupInvited, GroupInvitedState,
    GroupWithdraw, SavedAck,
};
use petrel_protocol::http::{JoinAnswer, Joined, NamedChange};
use petrel_types::{ConversationId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

const TAG: &str = "Groups";

/// Which invitations are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InvitationsQuery {
    /// Wanted are groups with ids above this one.
    groups_after: Option<ConversationId>,
    /// The most invitations wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Where in the list of those who are invited to go on.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InvitedQuery {
    /// Wanted are users with ids above this one.
    users_after: Option<UserId>,
    /// The most users wanted: 1 to 500, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/api/invitations", TAG, "Groups into which you are invited", list)
            .query::<InvitationsQuery>()
            .data::<GroupInvitationState>(),
        Route::new(
            Method::POST,
            "/api/invitations/{groupId}",
            TAG,
            "Accept an invitation into a group, or refuse it",
            respond,
        )
        .body::<JoinAnswer>()
        .data::<Joined>()
        .reasons(&[
            ErrorReason::ConversationNotFound,
            ErrorReason::NothingToChange,
            ErrorReason::GroupFull,
            ErrorReason::Timeout,
        ]),
        Route::new(
            Method::GET,
            "/api/groups/{groupId}/invitations",
            TAG,
            "Who is invited into a group, for its owner and admins",
            invited,
        )
        .query::<InvitedQuery>()
        .data::<GroupInvitedState>()
        .reasons(&[ErrorReason::ConversationNotFound]),
        Route::new(
            Method::POST,
            "/api/groups/{groupId}/invitations/{userId}/withdraw",
            TAG,
            "Take an invitation into a group back, for its owner and admins",
            withdraw,
        )
        .body::<NamedChange>()
        .data::<SavedAck>()
        .reasons(&[
            ErrorReason::ConversationNotFound,
            ErrorReason::UserNotFound,
            ErrorReason::Timeout,
        ]),
    ]
}

async fn list(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(InvitationsQuery { groups_after, limit }): QueryOf<InvitationsQuery>,
) -> Answer<GroupInvitationState> {
    let request = GroupInvitations { groups_after, limit };
    answer(api.admission.read(api.contacts.invitations(user, &request)).await)
}

async fn respond(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    JsonBody(JoinAnswer { client_msg_id, accept }): JsonBody<JoinAnswer>,
) -> Answer<Joined> {
    let send = GroupInvitation { client_msg_id, group_id, accept }.into_send()?;
    let joined = api.requester.send_or_wait(user, send).await;
    answer(joined.map(|ack| Joined { group_id: ack.map(|ack| ack.conversation_id) }))
}

async fn invited(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(group_id): PathOf<ConversationId>,
    QueryOf(InvitedQuery { users_after, limit }): QueryOf<InvitedQuery>,
) -> Answer<GroupInvitedState> {
    let request = GroupInvited { group_id, users_after, limit };
    answer(api.admission.read(api.catchup.invited(user, &request, api.clock.now())).await)
}

async fn withdraw(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf((group_id, user)): PathOf<(ConversationId, UserId)>,
    JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
) -> Answer<SavedAck> {
    let send = GroupWithdraw { client_msg_id, group_id, user }.into_send()?;
    answer(api.requester.send(actor, send).await)
}
