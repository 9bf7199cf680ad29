//! Saying something, and taking it back.

use axum::extract::State;
use axum::http::Method;
use petrel_log::Content;
use petrel_logic::Refusal;
use petrel_logic::requests::{IntoSend, change_message, check_body};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{GroupChat, ReaderState, Readers, SavedAck, SingleChat};
use petrel_protocol::http::{MessageChange, NamedChange, NewMessage, PinChange, ReactionChange};
use petrel_types::{RowId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

/// What a change to a message may be refused for.
const CHANGE_REASONS: &[ErrorReason] = &[
    ErrorReason::MissingBody,
    ErrorReason::BodyTooLong,
    ErrorReason::NotAllowed,
    ErrorReason::NotReachable,
    ErrorReason::BlockedByYou,
    ErrorReason::NotFriends,
    ErrorReason::Muted,
    ErrorReason::TooLate,
    ErrorReason::ConversationNotFound,
    ErrorReason::MessageNotFound,
    ErrorReason::NothingToChange,
    ErrorReason::LimitReached,
    ErrorReason::Timeout,
];

pub(super) fn routes() -> [Route; 6] {
    const TAG: &str = "Messages";
    [
        Route::new(Method::POST, "/api/messages", TAG, "Send a message", send)
            .body::<NewMessage>()
            .data::<SavedAck>()
            .reasons(&[
                ErrorReason::MissingBody,
                ErrorReason::BodyTooLong,
                ErrorReason::CannotSendToSelf,
                ErrorReason::NotReachable,
                ErrorReason::BlockedByYou,
                ErrorReason::NotFriends,
                ErrorReason::NotAllowed,
                ErrorReason::Muted,
                ErrorReason::ConversationNotFound,
                ErrorReason::UserNotFound,
                ErrorReason::MessageNotFound,
                ErrorReason::FileNotFound,
                ErrorReason::UploadUnfinished,
                ErrorReason::WrongFileKind,
                ErrorReason::RetryTooOld,
                ErrorReason::Timeout,
            ]),
        Route::new(
            Method::PATCH,
            "/api/messages/{serverMsgId}",
            TAG,
            "Give a message another text",
            edit,
        )
        .body::<MessageChange>()
        .data::<SavedAck>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/messages/{serverMsgId}/revoke",
            TAG,
            "Take a message back",
            revoke,
        )
        .body::<NamedChange>()
        .data::<SavedAck>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/messages/{serverMsgId}/reactions",
            TAG,
            "React to a message, or take a reaction back",
            react,
        )
        .body::<ReactionChange>()
        .data::<SavedAck>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::POST,
            "/api/messages/{serverMsgId}/pin",
            TAG,
            "Pin a message, or take it down",
            pin,
        )
        .body::<PinChange>()
        .data::<SavedAck>()
        .reasons(CHANGE_REASONS),
        Route::new(
            Method::GET,
            "/api/messages/{serverMsgId}/readers",
            TAG,
            "Who has read a message that you have sent",
            readers,
        )
        .query::<ReadersQuery>()
        .data::<ReaderState>()
        .reasons(&[
            ErrorReason::NotAllowed,
            ErrorReason::ConversationNotFound,
            ErrorReason::MessageNotFound,
        ]),
    ]
}

/// Where in the list of members to go on.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReadersQuery {
    /// Wanted are members with user ids above this one.
    users_after: Option<UserId>,
    /// The most members looked at: 1 to 500, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

async fn send(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(message): JsonBody<NewMessage>,
) -> Answer<SavedAck> {
    let NewMessage { client_msg_id, to, group_id, retry, first_sent_ts, .. } = message;
    let NewMessage { msg_type, body, mentions, mention_all, .. } = message;
    let NewMessage { attachment, location, custom, reply_to, forward, .. } = message;
    let send = match (to, group_id) {
        (Some(to), None) => {
            let frame = SingleChat {
                client_msg_id,
                to,
                msg_type,
                body,
                attachment,
                location,
                custom,
                reply_to,
                forward,
                retry,
                first_sent_ts,
            };
            frame.into_send()
        }
        (None, Some(group_id)) => {
            let frame = GroupChat {
                client_msg_id,
                group_id,
                msg_type,
                body,
                attachment,
                location,
                custom,
                reply_to,
                forward,
                mentions,
                mention_all,
                retry,
                first_sent_ts,
            };
            frame.into_send()
        }
        _ => Err(Refusal::new(ErrorReason::InvalidField, "give either `to` or `groupId`")),
    };
    answer(api.requester.send(user, send?).await)
}

async fn edit(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(row): PathOf<RowId>,
    JsonBody(MessageChange { client_msg_id, body }): JsonBody<MessageChange>,
) -> Answer<SavedAck> {
    check_body(&body)?;
    let (conversation, target) = api.admission.read(api.catchup.place_of(user, row)).await?;
    let send = change_message(conversation, client_msg_id, Content::Edit { target, body });
    answer(api.requester.send(user, send).await)
}

async fn revoke(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(row): PathOf<RowId>,
    JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
) -> Answer<SavedAck> {
    let (conversation, target) = api.admission.read(api.catchup.place_of(user, row)).await?;
    let send = change_message(conversation, client_msg_id, Content::Recall { target });
    answer(api.requester.send(user, send).await)
}

async fn react(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(row): PathOf<RowId>,
    JsonBody(ReactionChange { client_msg_id, emoji, remove }): JsonBody<ReactionChange>,
) -> Answer<SavedAck> {
    let (conversation, target) = api.admission.read(api.catchup.place_of(user, row)).await?;
    let content = Content::React { target, emoji, remove };
    answer(api.requester.send(user, change_message(conversation, client_msg_id, content)).await)
}

async fn pin(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(row): PathOf<RowId>,
    JsonBody(PinChange { client_msg_id, remove }): JsonBody<PinChange>,
) -> Answer<SavedAck> {
    let (conversation, target) = api.admission.read(api.catchup.place_of(user, row)).await?;
    let content = Content::Pin { target, remove };
    answer(api.requester.send(user, change_message(conversation, client_msg_id, content)).await)
}

async fn readers(
    State(api): State<Api>,
    Bearer(user): Bearer,
    PathOf(row): PathOf<RowId>,
    QueryOf(ReadersQuery { users_after, limit }): QueryOf<ReadersQuery>,
) -> Answer<ReaderState> {
    let (conversation_id, msg_seq) = api.admission.read(api.catchup.place_of(user, row)).await?;
    let request = Readers { conversation_id, msg_seq, users_after, limit };
    answer(api.admission.read(api.catchup.readers(user, &request)).await)
}
