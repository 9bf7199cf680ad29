//! Invitations into groups, of those who want to be asked before they are taken in.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::requests::IntoSend;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{GroupInvitation, GroupInvitationState, GroupInvitations};
use petrel_protocol::http::{JoinAnswer, Joined};
use petrel_types::ConversationId;
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
