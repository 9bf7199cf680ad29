//! Bodies of the HTTP API.

pub mod admin;

use petrel_types::{ClientMessageId, ConversationId, FileId, LoginId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use crate::ErrorReason;
pub use crate::file_kind::FileKind;
use crate::frame::{
    AttachmentRef, ClientAckType, Custom, Forward, GroupAdds, History, Joining, Location,
    MessageType, Role, SendableMessageType,
};

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

/// `POST /api/auth/register` and `POST /api/auth/login`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The name to log in with: 3 to 32 letters, digits, `_`, `-` or `.`.
    pub username: String,
    /// 8 to 128 characters.
    pub password: String,
    /// For registering where that takes an invite: its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// The client's own stable name for this device, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What kind of device it is, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name and version of the client program, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// True to get the refresh token as a cookie that scripts can't read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cookie: bool,
}

/// The answer to registering, logging in and refreshing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// Who you are.
    pub user_id: UserId,
    /// The name you log in with.
    pub username: String,
    /// The log-in, as it is called among your devices.
    pub login_id: LoginId,
    /// For `Authorization: Bearer` and for `AUTH`.
    pub access_token: String,
    /// How long it lasts, in seconds.
    pub expires_in: u64,
    /// For the next access token; absent if it went out as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How long the log-in lasts if it is not refreshed, in seconds.
    pub refresh_expires_in: u64,
}

/// `POST /api/auth/refresh` and `POST /api/auth/logout`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// The refresh token, unless it comes as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// `POST /api/invites`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewInvite {
    /// How many people may register with it. One, if missing.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub uses: u32,
    /// How long it lasts, in days. A week, if missing.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 366))]
    pub days: u32,
}

/// The answer to making an invite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// What those who register give as `invite`. It is stored nowhere.
    pub code: String,
    /// When it ends.
    pub expires_ts: TimestampMs,
}

fn one() -> u32 {
    1
}

fn week() -> u32 {
    7
}

/// One log-in of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The log-in.
    pub login_id: LoginId,
    /// The client's own name for the device, as it was given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What kind of device it is, as it was given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name and version of the client program, as given at the log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// When it logged in.
    pub created_ts: TimestampMs,
    /// When it last got an access token.
    pub seen_ts: TimestampMs,
    /// When the log-in ends if it is not refreshed.
    pub expires_ts: TimestampMs,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `GET /api/devices`: newest log-ins first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Devices {
    /// The log-ins.
    pub devices: Vec<Device>,
    /// Whether there are older ones; the last `loginId`, given as `before`, continues.
    pub more: bool,
}

/// The answer to revoking several log-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// How many were ended.
    pub revoked: u64,
}

/// `GET /api/users/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The user.
    pub user_id: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What the user is called by others, if the user has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The user's picture, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
    /// Whether the user is an admin of the system; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
}

/// Somebody's picture, small enough to be shown beside the name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Avatar {
    /// Which file it is. Another one is another picture.
    pub file_id: FileId,
    /// Where a thumbnail of it is: a path on this server, or a URL elsewhere. Who has it may
    /// have the thumbnail, and nothing else of the file.
    pub url: String,
    /// Until when that is good.
    pub expires_ts: TimestampMs,
}

/// `PATCH /api/users/me`. What is missing stays as it is, and what is `null` goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What others call you: at most 64 UTF-16 code units, not blank, without control
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub display_name: Option<Option<String>>,
    /// A picture that you have uploaded, which the server could make a thumbnail of: at most
    /// 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub avatar: Option<Option<FileId>>,
}

/// Reads what is there, be it `null`, and so tells it from what is missing.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// `POST /api/messages`. Give either `to` or `groupId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// The sender's own name for the message. The same name again in the same
    /// conversation is the same message.
    pub client_msg_id: ClientMessageId,
    /// The other user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UserId>,
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<ConversationId>,
    /// What the message is. Text, if missing.
    #[serde(default)]
    #[schemars(with = "SendableMessageType")]
    pub msg_type: MessageType,
    /// The text: not blank, at most 4,096 UTF-16 code units and 16,384 bytes. For other kinds
    /// than `TEXT` a caption, which may be empty.
    #[serde(default)]
    pub body: String,
    /// With `IMAGE`, `FILE`, `AUDIO` and `VIDEO`: which file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Box<AttachmentRef>>,
    /// With `LOCATION`: where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Box<Location>>,
    /// With `CUSTOM`: what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// The place of the message to which this one replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// In the place of all that: a message to be sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,
    /// In a group: members whom it names, at most 50.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// In a group: it names everybody. For the owner and admins.
    #[serde(default)]
    pub mention_all: bool,
    /// True when this has been sent before and its outcome is unknown.
    #[serde(default)]
    pub retry: bool,
    /// On a retry: when it was first sent, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_ts: Option<TimestampMs>,
}

/// `PATCH /api/messages/{serverMsgId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The text from now on.
    pub body: String,
}

/// `POST /api/messages/{serverMsgId}/reactions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// With what: 1 to 32 bytes without white space.
    pub emoji: String,
    /// True to take one's own reaction back.
    #[serde(default)]
    pub remove: bool,
}

/// `POST /api/messages/{serverMsgId}/pin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// True to take it down.
    #[serde(default)]
    pub remove: bool,
}

/// `POST /api/conversations/{conversationId}/hide`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewHiding {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// These messages: at most 100.
    #[serde(default)]
    pub msg_seqs: Vec<Seq>,
    /// Everything up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_seq: Option<Seq>,
}

/// `PATCH /api/conversations/{conversationId}/settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnSettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// True to be told of it without a sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// True to have it above the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// True to have it out of the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}

/// A change that says nothing but what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
}

/// `POST /api/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewGroup {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is called.
    pub title: String,
    /// Who is in it from the beginning, beside the owner.
    #[serde(default)]
    pub members: Vec<UserId>,
    /// What those may read who join later.
    #[serde(default)]
    pub history: History,
}

/// `POST /api/groups/{groupId}/members` and `…/members/remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembersChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Who joins or goes.
    pub members: Vec<UserId>,
}

/// `PUT /api/groups/{groupId}/members/{userId}/role`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The role from now on.
    pub role: Role,
}

/// `PUT /api/groups/{groupId}/title`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TitleChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is called from now on.
    pub title: String,
}

/// `PATCH /api/groups/{groupId}`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the group is for; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its picture: the id of one that you have uploaded, or an address; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What everybody should know; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
    /// Who may join by the group's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joining: Option<Joining>,
    /// The most members it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_limit: Option<u64>,
    /// True to let only the owner and admins speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// True to let every member pin messages, and not only the owner and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_pin: Option<bool>,
    /// True to have another code.
    #[serde(default)]
    pub renew_code: bool,
}

/// `PATCH /api/groups/{groupId}/members/{userId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What the member is called here; empty to have no name of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// For how long the member may not speak, in milliseconds; 0 to end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_ms: Option<u64>,
}

/// `POST /api/groups/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewJoin {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The code of the group. Case, spaces and hyphens don't matter.
    pub code: String,
    /// What to say to those who decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer to joining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The group, if you are a member now; missing while you wait to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<ConversationId>,
}

/// `POST /api/groups/{groupId}/requests/{userId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Whether the user is let in.
    pub accept: bool,
}

/// `POST /api/conversations/{conversationId}/receipts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Received or read.
    pub ack_type: ClientAckType,
    /// Everything up to and including this.
    pub msg_seq: Seq,
}

/// `POST /api/contacts/{userId}/apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewApplication {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What to say to the other: at most 256 UTF-16 code units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `PUT /api/contacts/{userId}/remark`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemarkChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// What to call the friend, at most 64 UTF-16 code units; missing to have no remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// `GET /api/users/search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundUser {
    /// The user.
    pub user_id: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What the user is called by others, if the user has said so. It need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The user's picture, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
}

/// How many names `GET /api/users` tells at once.
pub const NAMES_MAX: usize = 100;

/// `GET /api/users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Names {
    /// Those of the users asked for whom you know.
    pub users: Vec<FoundUser>,
}

/// `PATCH /api/users/me/settings`. What is missing stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// Whether others find you by your user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findable: Option<bool>,
    /// Whether you look offline to everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_hidden: Option<bool>,
    /// Who takes you into groups at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_adds: Option<GroupAdds>,
}

/// The answer to what has nothing to say but that it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Done {}

/// A file that was uploaded: `POST /api/files`, `GET /api/files/{fileId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedFile {
    /// Its id.
    pub file_id: FileId,
    /// What it is called. Never a path.
    pub name: String,
    /// Its length in bytes; of an upload, how long it is going to be.
    pub size: u64,
    /// What its bytes show it to be; of an upload, what it is said to be.
    pub content_type: String,
    /// The kind that messages and limits go by.
    pub kind: FileKind,
    /// The SHA-256 of its bytes, in hexadecimal; once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The width of a picture as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height of a picture as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether there is a thumbnail of it.
    pub thumbnail: bool,
    /// When its upload began.
    pub created_ts: TimestampMs,
    /// When it is deleted, unless a message refers to it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ts: Option<TimestampMs>,
}

/// `GET /api/files/{fileId}/link`: who has such a link may have the file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileLinks {
    /// Where the file is: a path on this server, or a URL elsewhere.
    pub url: String,
    /// Where its thumbnail is, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Until when both are good.
    pub expires_ts: TimestampMs,
}

/// `GET /api/files`: one's own files and unfinished uploads, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// A page of them. One without `sha256` is an unfinished upload.
    pub files: Vec<UploadedFile>,
    /// There are more; `before` the last one of these continues.
    pub more: bool,
    /// How much room there is.
    pub room: FileRoom,
}

/// How much a user has, and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileRoom {
    /// What is taken, in bytes; each file counts with 4,096 at least, an unfinished upload with
    /// what it is going to be.
    pub used_bytes: u64,
    /// What may be taken, in bytes.
    pub quota_bytes: u64,
    /// The largest file, in bytes. Some kinds have smaller limits.
    pub file_bytes_max: u64,
}

impl<T> Success<T> {
    /// Wraps an answer.
    pub fn new(data: T) -> Self {
        Self { code: 0, message: "ok".to_owned(), data }
    }
}

impl std::fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedIn")
            .field("user_id", &self.user_id)
            .field("login_id", &self.login_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshRequest(…)")
    }
}

impl std::fmt::Debug for Avatar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Avatar").field("file_id", &self.file_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FileLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileLinks").field("expires_ts", &self.expires_ts).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
