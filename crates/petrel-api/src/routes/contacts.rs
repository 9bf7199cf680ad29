//! What other users are to you, and finding them.

use axum::extract::State;
use axum::http::Method;
use petrel_logic::Refusal;
use petrel_logic::contacts::{Contacts, Person};
use petrel_logic::requests::IntoSend;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    ContactAction, ContactChange, ContactList, ContactState, ContactsRequest, DoneAck, SavedAck,
    UserSettings,
};
use petrel_protocol::http::{
    FoundUser, NamedChange, Names, NewApplication, ProfileChange, RemarkChange, SettingsChange,
};
use petrel_types::{ClientMessageId, ConversationId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{Answer, JsonBody, answer};
use crate::bearer::Bearer;
use crate::extract::{PathOf, QueryOf, page_size};
use crate::route::Route;

/// What a change between users may be refused for.
const CHANGE_REASONS: &[ErrorReason] = &[
    ErrorReason::CannotSendToSelf,
    ErrorReason::NotReachable,
    ErrorReason::BlockedByYou,
    ErrorReason::NotFriends,
    ErrorReason::UserNotFound,
    ErrorReason::ApplicationNotFound,
    ErrorReason::NothingToChange,
    ErrorReason::TooManyRequests,
    ErrorReason::Timeout,
];

/// Which page of which list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    /// Which list: friends, if not given.
    list: Option<ContactList>,
    /// Wanted are users with ids above this one.
    users_after: Option<UserId>,
    /// The most contacts wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Who is looked for. Give either of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SearchQuery {
    /// The exact user name, in either case.
    username: Option<String>,
    /// A friend code. Case, spaces and hyphens don't matter.
    code: Option<String>,
}

/// Whose names are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NamesQuery {
    /// Up to 100 ids, with commas between them.
    ids: String,
    /// The conversation in which they are met.
    conversation_id: Option<ConversationId>,
}

pub(super) fn routes() -> Vec<Route> {
    const TAG: &str = "Contacts";
    let changes = [
        Route::new(
            Method::POST,
            "/api/contacts/{userId}/apply",
            TAG,
            "Ask a user to be friends",
            apply,
        )
        .body::<NewApplication>(),
        Route::new(
            Method::PUT,
            "/api/contacts/{userId}/remark",
            TAG,
            "Name a friend for yourself",
            remark,
        )
        .body::<RemarkChange>(),
        Route::new(
            Method::POST,
            "/api/contacts/{userId}/accept",
            TAG,
            "Take an application",
            accept,
        )
        .body::<NamedChange>(),
        Route::new(
            Method::POST,
            "/api/contacts/{userId}/reject",
            TAG,
            "Refuse an application",
            reject,
        )
        .body::<NamedChange>(),
        Route::new(
            Method::POST,
            "/api/contacts/{userId}/withdraw",
            TAG,
            "Take your own application back",
            withdraw,
        )
        .body::<NamedChange>(),
        Route::new(Method::POST, "/api/contacts/{userId}/remove", TAG, "End a friendship", remove)
            .body::<NamedChange>(),
        Route::new(
            Method::POST,
            "/api/contacts/{userId}/block",
            TAG,
            "Let nothing more come from a user",
            block,
        )
        .body::<NamedChange>(),
        Route::new(Method::POST, "/api/contacts/{userId}/unblock", TAG, "Unblock a user", unblock)
            .body::<NamedChange>(),
    ];
    let changes = changes.into_iter().map(|route| route.data::<DoneAck>().reasons(CHANGE_REASONS));
    [
        Route::new(Method::GET, "/api/contacts", TAG, "A page of one of your lists", list)
            .query::<ListQuery>()
            .data::<ContactState>(),
        Route::new(Method::GET, "/api/users/search", TAG, "Find one user", search)
            .query::<SearchQuery>()
            .data::<FoundUser>()
            .reasons(&[ErrorReason::UserNotFound, ErrorReason::TooManyRequests]),
        Route::new(
            Method::GET,
            "/api/users",
            TAG,
            "The names and pictures of people whom you know",
            names,
        )
        .query::<NamesQuery>()
        .data::<Names>(),
        Route::new(
            Method::PATCH,
            "/api/users/me",
            TAG,
            "Change how you are shown to others",
            change_profile,
        )
        .body::<ProfileChange>()
        .data::<SavedAck>()
        .reasons(&[
            ErrorReason::NothingToChange,
            ErrorReason::WordRefused,
            ErrorReason::FileNotFound,
            ErrorReason::UploadUnfinished,
            ErrorReason::WrongFileKind,
            ErrorReason::FileTooLarge,
            ErrorReason::Timeout,
        ]),
        Route::new(Method::GET, "/api/users/me/settings", TAG, "Your settings", settings)
            .data::<UserSettings>(),
        Route::new(
            Method::PATCH,
            "/api/users/me/settings",
            TAG,
            "Change your settings",
            change_settings,
        )
        .body::<SettingsChange>()
        .data::<SavedAck>()
        .reasons(&[ErrorReason::NothingToChange, ErrorReason::Timeout]),
        Route::new(
            Method::POST,
            "/api/users/me/friend-code",
            TAG,
            "Get a friend code, or another one in the place of the old one",
            renew_code,
        )
        .body::<NamedChange>()
        .data::<SavedAck>()
        .reasons(&[ErrorReason::Timeout]),
    ]
    .into_iter()
    .chain(changes)
    .collect()
}

async fn list(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(ListQuery { list, users_after, limit }): QueryOf<ListQuery>,
) -> Answer<ContactState> {
    let list = list.unwrap_or(ContactList::Friends);
    let request = ContactsRequest { list, users_after, limit };
    answer(api.admission.read(api.contacts.list(user, &request)).await)
}

async fn search(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(query): QueryOf<SearchQuery>,
) -> Answer<FoundUser> {
    let found = match (query.username, query.code) {
        (Some(name), None) => api.admission.read(api.contacts.find_by_name(user, &name)).await,
        (None, Some(code)) => api.admission.read(api.contacts.find_by_code(user, &code)).await,
        _ => Err(Refusal::new(ErrorReason::InvalidField, "give either `username` or `code`")),
    };
    answer(shown(&api, found?).await)
}

async fn names(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(NamesQuery { ids, conversation_id }): QueryOf<NamesQuery>,
) -> Answer<Names> {
    let ids: Result<Vec<u64>, _> = ids.split(',').map(str::parse).collect();
    let ids = ids.map_err(|error| {
        Refusal::new(ErrorReason::InvalidField, format!("`ids`: an id is a number: {error}"))
    })?;
    let ids: Vec<_> = ids.into_iter().map(UserId::new).collect();
    let read = api.contacts.names(user, &ids, conversation_id, api.clock.now());
    let people = api.admission.read(read).await?;
    let mut users = Vec::with_capacity(people.len());
    for person in people {
        users.push(shown(&api, person).await?);
    }
    answer(Ok(Names { users }))
}

/// Somebody, with a link to the picture.
pub(super) async fn shown(api: &Api, person: Person) -> Result<FoundUser, Refusal> {
    let Person { user: user_id, username, display_name, avatar } = person;
    let avatar = match avatar {
        Some(file) => api.files.avatar(file).await?,
        None => None,
    };
    Ok(FoundUser { user_id, username, display_name, avatar })
}

async fn change_profile(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(change): JsonBody<ProfileChange>,
) -> Answer<SavedAck> {
    answer(api.requester.send(user, Contacts::change_profile(change)?).await)
}

async fn settings(State(api): State<Api>, Bearer(user): Bearer) -> Answer<UserSettings> {
    answer(api.admission.read(api.contacts.settings(user)).await)
}

async fn change_settings(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(change): JsonBody<SettingsChange>,
) -> Answer<SavedAck> {
    answer(api.requester.send(user, Contacts::change_settings(change)?).await)
}

async fn renew_code(
    State(api): State<Api>,
    Bearer(user): Bearer,
    JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
) -> Answer<SavedAck> {
    answer(api.requester.send(user, Contacts::renew_code(client_msg_id)?).await)
}

async fn apply(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf(user): PathOf<UserId>,
    JsonBody(NewApplication { client_msg_id, message }): JsonBody<NewApplication>,
) -> Answer<DoneAck> {
    let now = api.clock.now();
    let counted = api.contacts.count_application(actor, user, message.as_deref(), now);
    api.admission.read(counted).await?;
    let action = ContactAction::Apply;
    change(&api, actor, ContactChange { client_msg_id, user, action, message, remark: None }).await
}

async fn remark(
    State(api): State<Api>,
    Bearer(actor): Bearer,
    PathOf(user): PathOf<UserId>,
    JsonBody(RemarkChange { client_msg_id, remark }): JsonBody<RemarkChange>,
) -> Answer<DoneAck> {
    let action = ContactAction::Remark;
    change(&api, actor, ContactChange { client_msg_id, user, action, message: None, remark }).await
}

/// Changes that say nothing but their names.
macro_rules! named_changes {
    ($($handler:ident => $action:ident,)*) => { $(
        async fn $handler(
            State(api): State<Api>,
            Bearer(actor): Bearer,
            PathOf(user): PathOf<UserId>,
            JsonBody(NamedChange { client_msg_id }): JsonBody<NamedChange>,
        ) -> Answer<DoneAck> {
            change(&api, actor, named(client_msg_id, user, ContactAction::$action)).await
        }
    )* };
}

named_changes! {
    accept => Accept,
    reject => Reject,
    withdraw => Withdraw,
    remove => Remove,
    block => Block,
    unblock => Unblock,
}

fn named(client_msg_id: ClientMessageId, user: UserId, action: ContactAction) -> ContactChange {
    ContactChange { client_msg_id, user, action, message: None, remark: None }
}

async fn change(api: &Api, actor: UserId, change: ContactChange) -> Answer<DoneAck> {
    answer(api.requester.change(actor, change.into_send()?).await)
}
