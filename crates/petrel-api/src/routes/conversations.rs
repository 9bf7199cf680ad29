//! Which conversations there are, what they are, and what was said in them.

use axum::extract::State;
use axum::http::Method;
use petrel_log::{ReceiptKind, Request};
use petrel_logic::requests::IntoSend;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    ClientAckType, Conversation, ConversationSettingsChange, ConversationState, DoneAck, Events,
    MessageHide, Pull, Sync, SyncState,
};
use petrel_protocol::http::{Done, NewHiding, OwnSettingsChange, Receipt};
use petrel_types::{ConversationId, Seq, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

/// Where in the list to go on.
#[derive(Deserialize, JsonSchema)]
struct ListQuery {
    /// The `token` of the answer before. Without it, all conversations are told.
    token: Option<String>,
    /// The most conversations wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Where in the list of members to go on.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MembersQuery {
    /// Wanted are members with user ids above this one.
    members_after: Option<UserId>,
    /// The most members wanted: 1 to 500, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Where in the timeline to read.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EventsQuery {
    /// Wanted are events after this one, oldest first.
    after_seq: Option<Seq>,
    /// Wanted are events before this one, nearest first; they still come in order.
    before_seq: Option<Seq>,
    /// The most events wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

pub(super) fn routes() -> [Route; 6] {
    const TAG: &str = "Conversations";
    [
        Route::new(
            Method::GET,
            "/api/conversations",
            TAG,
            "Your conversations, those that changed last first, or what changed since a token",
            list,
        )
        .query::<ListQuery>()
        .data::<SyncState>()
        .reasons(&[ErrorReason::BadSyncToken]),
        Route::new(
            Method::GET,
            "/api/conversations/{conversationId}",
            TAG,
            "What a conversation is, and a page of its members",
            state,
        )
        .query::<MembersQuery>()
        .data::<ConversationState>()
        .reasons(&[ErrorReason::ConversationNotFound]),
        Route::new(
            Method::GET,
            "/api/conversations/{conversationId}/events",
            TAG,
            "Messages and other events of a conversation, in either direction",
            events,
        )
        .query::<EventsQuery>()
        .data::<Events>()
        .reasons(&[ErrorReason::ConversationNotFound]),
        Route::new(
            Method::POST,
            "/api/conversations/{conversationId}/receipts",
            TAG,
            "Say how far you have received or read",
            receipt,
        )
        .body::<Receipt>()
        .data::<Done>()
        .reasons(&[ErrorReason::ConversationNotFound, ErrorReason::Timeout]),
        Route::new(
            Method::POST,
            "/api/conversations/{conversationId}/hide",
            TAG,
            "Delete messages for yourself, one by one or everything up to one",
            hide,
        )
        .body::<NewHiding>()
        .data::<DoneAck>()
        .reasons(&[
            ErrorReason::ConversationNotFound,
            ErrorReason::MessageNotFound,
            ErrorReason::LimitReached,
            ErrorReason::Timeout,
        ]),
        Route::new(
            Method::PATCH,
            "/api/conversations/{conversationId}/settings",
            TAG,
            "Change what a conversation is to you",
            set,
        )
        .body::<OwnSettingsChange>()
        .data::<DoneAck>()
        .reasons(&[ErrorReason::ConversationNotFound, ErrorReason::Timeout]),
    ]
}

async fn list(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(ListQuery { token, limit }): QueryOf<ListQuery>,
) -> Answer<SyncState> {
    answer(api.admission.read(api.catchup.sync(user, &Sync { token, limit })).await)
}

async fn state(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(conversation_id): PathOf<ConversationId>,
    QueryOf(MembersQuery { members_after, limit }): QueryOf<MembersQuery>,
) -> Answer<ConversationState> {
    let request = Conversation { conversation_id, members_after, limit };
    answer(api.admission.read(api.catchup.conversation(user, &request)).await)
}

async fn events(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(conversation_id): PathOf<ConversationId>,
    QueryOf(EventsQuery { after_seq, before_seq, limit }): QueryOf<EventsQuery>,
) -> Answer<Events> {
    let request = Pull { conversation_id, after_seq, before_seq, limit };
    answer(api.admission.read(api.catchup.pull(user, &request)).await)
}

async fn receipt(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(conversation): PathOf<ConversationId>,
    JsonBody(Receipt { ack_type, msg_seq }): JsonBody<Receipt>,
) -> Answer<Done> {
    let kind = match ack_type {
        ClientAckType::Delivered => ReceiptKind::Delivered,
        ClientAckType::Read => ReceiptKind::Read,
    };
    let request = Request::AdvanceCursor { conversation, kind, seq: msg_seq };
    answer(api.requester.tell(user, request).await.map(|()| Done {}))
}

async fn hide(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(conversation_id): PathOf<ConversationId>,
    JsonBody(NewHiding { client_msg_id, msg_seqs, up_to_seq }): JsonBody<NewHiding>,
) -> Answer<DoneAck> {
    let frame = MessageHide { client_msg_id, conversation_id, msg_seqs, up_to_seq };
    answer(api.requester.change(user, frame.into_send()?).await)
}

async fn set(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(conversation_id): PathOf<ConversationId>,
    JsonBody(change): JsonBody<OwnSettingsChange>,
) -> Answer<DoneAck> {
    let OwnSettingsChange { client_msg_id, muted, pinned, archived } = change;
    let frame =
        ConversationSettingsChange { client_msg_id, conversation_id, muted, pinned, archived };
    answer(api.requester.change(user, frame.into_send()?).await)
}
