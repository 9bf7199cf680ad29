//! Users, as admins see and change them.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::Method;
use petrel_logic::administration::{Administration, UsersQuery};
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{
    AdminUser, AdminUserGroups, AdminUserShown, AdminUsers, ClearProfile, DisableUser, LoginsEnded,
    NewUser, PasswordReset, SetAdmin,
};
use petrel_protocol::http::{Done, Invite, NewInvite};
use petrel_types::UserId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::TAG;
use crate::answer::{Answer, JsonBody, answer};
use crate::extract::{PathOf, QueryOf, page_size};
use crate::operator::By;
use crate::route::Route;

/// Which users are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsersFilter {
    /// Those with this in their user names or display names, in either case; or the one with
    /// this id.
    search: Option<String>,
    /// The one with exactly this name, in either case.
    username: Option<String>,
    /// Only admins of the system, or only others.
    admin: Option<bool>,
    /// Only those who are locked out, or only others.
    disabled: Option<bool>,
    /// Wanted are users with ids above this one.
    after: Option<UserId>,
    /// The most users wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// Which of a user's groups are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GroupsOf {
    /// `next` of the page before.
    before: Option<u64>,
    /// The most groups wanted: 1 to 200, 50 if not given.
    #[serde(default, deserialize_with = "page_size")]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// What a change of a user may be refused for.
const CHANGE_REASONS: &[ErrorReason] = &[
    ErrorReason::NotFound,
    ErrorReason::UserNotFound,
    ErrorReason::NothingToChange,
    ErrorReason::NotAllowed,
    ErrorReason::LastAdmin,
    ErrorReason::Timeout,
];

pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Arc<Administration>: FromRef<S>,
{
    let reads = [
        Route::new(Method::GET, "/api/admin/users", TAG, "Users, by id", list)
            .query::<UsersFilter>()
            .data::<AdminUsers>(),
        Route::new(Method::GET, "/api/admin/users/{userId}", TAG, "A user and where", show)
            .data::<AdminUserShown>()
            .reasons(&[ErrorReason::NotFound, ErrorReason::UserNotFound]),
        Route::new(
            Method::GET,
            "/api/admin/users/{userId}/groups",
            TAG,
            "The groups that a user is in",
            groups,
        )
        .query::<GroupsOf>()
        .data::<AdminUserGroups>(),
    ];
    let changes = [
        Route::new(
            Method::POST,
            "/api/admin/users/{userId}/disable",
            TAG,
            "Lock a user out, at once and everywhere",
            disable,
        )
        .body::<DisableUser>()
        .data::<LoginsEnded>(),
        Route::new(
            Method::POST,
            "/api/admin/users/{userId}/enable",
            TAG,
            "Let a user in again",
            enable,
        )
        .data::<Done>(),
        Route::new(
            Method::POST,
            "/api/admin/users/{userId}/logout",
            TAG,
            "End all log-ins and sessions of a user",
            log_out,
        )
        .data::<LoginsEnded>(),
        Route::new(
            Method::POST,
            "/api/admin/users/{userId}/reset-password",
            TAG,
            "Take a user's password away, for a code with which to choose another",
            reset_password,
        )
        .data::<PasswordReset>(),
        Route::new(
            Method::PUT,
            "/api/admin/users/{userId}/admin",
            TAG,
            "Make a user an admin of the system, or an ordinary user",
            set_admin,
        )
        .body::<SetAdmin>()
        .data::<Done>(),
        Route::new(
            Method::POST,
            "/api/admin/users/{userId}/clear",
            TAG,
            "Clear a user's display name or picture",
            clear,
        )
        .body::<ClearProfile>()
        .data::<Done>(),
    ];
    let newcomers = [
        Route::new(
            Method::POST,
            "/api/admin/users",
            TAG,
            "Create a user, also where registration is closed",
            create,
        )
        .body::<NewUser>()
        .data::<AdminUser>()
        .reasons(&[
            ErrorReason::NotFound,
            ErrorReason::BadUsername,
            ErrorReason::WeakPassword,
            ErrorReason::UsernameTaken,
        ]),
        Route::new(Method::POST, "/api/admin/invites", TAG, "Invite people to register", invite)
            .body::<NewInvite>()
            .data::<Invite>(),
    ];
    let changes = changes.into_iter().map(|route| route.reasons(CHANGE_REASONS));
    reads.into_iter().chain(changes).chain(newcomers).collect()
}

type Of = State<Arc<Administration>>;

async fn list(
    State(administration): Of,
    By(_): By,
    QueryOf(filter): QueryOf<UsersFilter>,
) -> Answer<AdminUsers> {
    let UsersFilter { search, username, admin, disabled, after, limit } = filter;
    let query = UsersQuery { search, username, admin, disabled, after, limit };
    answer(administration.users(query).await)
}

async fn show(
    State(administration): Of,
    By(_): By,
    PathOf(user): PathOf<UserId>,
) -> Answer<AdminUserShown> {
    answer(administration.user(user).await)
}

async fn groups(
    State(administration): Of,
    By(_): By,
    PathOf(user): PathOf<UserId>,
    QueryOf(page): QueryOf<GroupsOf>,
) -> Answer<AdminUserGroups> {
    answer(administration.groups_of(user, page.before, page.limit).await)
}

async fn disable(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
    JsonBody(body): JsonBody<DisableUser>,
) -> Answer<LoginsEnded> {
    answer(administration.disable(&operator, user, body.reason).await)
}

async fn enable(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
) -> Answer<Done> {
    answer(administration.enable(&operator, user).await.map(|()| Done {}))
}

async fn log_out(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
) -> Answer<LoginsEnded> {
    answer(administration.log_out(&operator, user).await)
}

async fn reset_password(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
) -> Answer<PasswordReset> {
    answer(administration.reset_password(&operator, user).await)
}

async fn set_admin(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
    JsonBody(body): JsonBody<SetAdmin>,
) -> Answer<Done> {
    answer(administration.set_admin(&operator, user, body.admin).await.map(|()| Done {}))
}

async fn clear(
    State(administration): Of,
    By(operator): By,
    PathOf(user): PathOf<UserId>,
    JsonBody(body): JsonBody<ClearProfile>,
) -> Answer<Done> {
    answer(administration.clear_profile(&operator, user, body.part).await.map(|()| Done {}))
}

async fn create(
    State(administration): Of,
    By(operator): By,
    JsonBody(user): JsonBody<NewUser>,
) -> Answer<AdminUser> {
    answer(administration.create_user(&operator, user).await)
}

async fn invite(
    State(administration): Of,
    By(operator): By,
    JsonBody(invite): JsonBody<NewInvite>,
) -> Answer<Invite> {
    answer(administration.invite(&operator, invite).await)
}
