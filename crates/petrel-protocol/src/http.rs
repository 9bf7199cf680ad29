//! Bodies of the HTTP API: here the frame of every answer, and a module for each part of it.

pub mod admin;
mod contact;
mod file;
mod group;
mod identity;
mod message;
mod profile;

use petrel_types::ClientMessageId;
use serde::{Deserialize, Serialize};

pub use contact::{NewApplication, RemarkChange};
pub use file::{FileLinks, FileList, FileRoom, UploadedFile};
pub use group::{
    GroupSettingsChange, JoinAnswer, Joined, MemberChange, MembersChange, NewGroup, NewJoin,
    RoleChange, TitleChange,
};
pub use identity::{
    Credentials, Device, Devices, Invite, LoggedIn, NewInvite, RefreshRequest, Revoked,
};
pub use message::{
    MessageChange, NewHiding, NewMessage, OwnSettingsChange, PinChange, ReactionChange, Receipt,
};
pub use profile::{Avatar, FoundUser, NAMES_MAX, Names, Profile, ProfileChange, SettingsChange};

use crate::ErrorReason;
pub use crate::file_kind::FileKind;

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

impl<T> Success<T> {
    /// Wraps an answer.
    pub fn new(data: T) -> Self {
        Self { code: 0, message: "ok".to_owned(), data }
    }
}

/// The body of every failed answer; the HTTP status says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A change that says nothing but what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
}

/// The answer to what has nothing to say but that it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Done {}
