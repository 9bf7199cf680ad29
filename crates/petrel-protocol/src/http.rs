//! Bodies of the HTTP API.

use petrel_types::UserId;
use serde::{Deserialize, Serialize};

use crate::ErrorReason;

/// The body of every successful answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success<T> {
    /// Always 0.
    pub code: u32,
    /// Always `ok`.
    pub message: String,
    /// The answer proper.
    pub data: T,
}

/// The body of every failed answer; the HTTP status says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// [`ErrorReason::code`].
    pub code: u32,
    /// [`ErrorReason`], by name.
    pub reason: ErrorReason,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Names this request in the server's log.
    pub request_id: String,
}

/// `POST /api/auth/register` and `POST /api/auth/login`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The name to log in with: 3 to 32 letters, digits, `_`, `-` or `.`.
    pub username: String,
    /// 8 to 128 characters.
    pub password: String,
}

/// The answer to registering and to logging in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// Who you are.
    pub user_id: UserId,
    /// The name you log in with.
    pub username: String,
    /// For `Authorization: Bearer` and for `AUTH`.
    pub access_token: String,
    /// How long it lasts, in seconds.
    pub expires_in: u64,
}

/// `GET /api/users/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The user.
    pub user_id: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl<T> Success<T> {
    /// Wraps an answer.
    pub fn new(data: T) -> Self {
        Self { code: 0, message: "ok".to_owned(), data }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
