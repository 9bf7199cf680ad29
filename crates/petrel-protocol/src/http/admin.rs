//! Bodies of `/api/admin/…`, and of what users do about their own passwords.

mod clearing;
mod limits;
mod notices;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use petrel_types::{ConversationId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

pub use self::clearing::{AdminAvatar, ClearGroup, ClearProfile, GroupPart, ProfilePart};
pub use self::limits::{
    AdminLimit, AdminLimits, AdminRegistration, Changed, LimitName, LimitsChange, RegistrationMode,
};
pub use self::notices::{AdminNotice, AdminNotices, NewNotice, NoticeSent};
use super::Device;
use crate::frame::Role;

/// Builds [`AuditAction`] from one table: name on the wire, meaning.
macro_rules! actions {
    ($( $variant:ident $wire:literal $meaning:literal; )*) => {
        /// What the audit log tells of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        pub enum AuditAction {
            $( #[doc = $meaning] #[serde(rename = $wire)] $variant, )*
        }

        impl AuditAction {
            /// Every action, in the order of the table.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $wire, )* }
            }

            /// What it means, as a sentence for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $meaning, )* }
            }
        }
    };
}

actions! {
    UserCreated "userCreated" "Somebody at the machine created a user.";
    UserDisabled "userDisabled" "A user was locked out.";
    UserEnabled "userEnabled" "A user was let in again.";
    UserLoggedOut "userLoggedOut" "All log-ins of a user were ended.";
    PasswordReset "passwordReset" "A user's password was taken away, and a code given for another.";
    PasswordRedeemed "passwordRedeemed" "A user chose another password with such a code.";
    UserProfileCleared "userProfileCleared" "A user's display name or picture was cleared.";
    UserChangeFailed "userChangeFailed" "The change of a user that was recorded before was refused.";
    AdminMade "adminMade" "A user was made an admin of the system.";
    AdminUnmade "adminUnmade" "A user is no longer an admin of the system.";
    AdminLoggedIn "adminLoggedIn" "An admin logged in.";
    AdminLoginFailed "adminLoginFailed" "Somebody tried to log in as an admin and failed.";
    InviteMade "inviteMade" "An invite was made.";
    GroupDissolved "groupDissolved" "A group was ended for everybody.";
    GroupMemberRemoved "groupMemberRemoved" "A member was taken out of a group.";
    GroupHandedOver "groupHandedOver" "A group was given another owner.";
    GroupProfileCleared "groupProfileCleared" "A group's title, description, announcement or picture was cleared.";
    GroupChangeFailed "groupChangeFailed" "The change of a group that was recorded before was refused.";
    NoticeSent "noticeSent" "A notice was sent to everybody.";
    NoticeWithdrawn "noticeWithdrawn" "A notice is no longer shown to those who come.";
    WordsChanged "wordsChanged" "Words were put into the word filter or taken out.";
    WordFlagged "wordFlagged" "A user sent something with a word that is to be told.";
    LimitsChanged "limitsChanged" "Operating limits were changed while the server ran.";
}

/// `GET /api/admin/users`: users by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminUsers {
    /// Those found.
    pub users: Vec<AdminUser>,
    /// Where to go on, as `after`; missing if everybody was looked at. There may be such a
    /// place although few were found, because one answer looks at so many only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
}

/// A user as an admin sees one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminUser {
    /// The user.
    pub user_id: UserId,
    /// The name a registered user logs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What others call the user, if the user has said so. It need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The user's picture, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AdminAvatar>,
    /// The external issuer that vouches for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What that issuer calls the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When the user registered or was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_ts: Option<TimestampMs>,
    /// Whether the user is an admin of the system.
    pub admin: bool,
    /// Since when the user is locked out, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_ts: Option<TimestampMs>,
    /// Why, as the admin said who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
}

/// `GET /api/admin/users/{userId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminUserShown {
    /// Who it is.
    pub user: AdminUser,
    /// The newest log-ins that go on, at most 100.
    pub logins: Vec<Device>,
    /// Whether there are more.
    pub more_logins: bool,
    /// How many sessions are open now; missing if the server does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// When a log-in of the user was last refreshed, or began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ts: Option<TimestampMs>,
}

/// `GET /api/admin/users/{userId}/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminUserGroups {
    /// The groups that the user is in, those with the newest events first.
    pub groups: Vec<AdminMembership>,
    /// Where to go on, as `before`; missing if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A user in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminMembership {
    /// The group.
    pub group_id: ConversationId,
    /// What it is called.
    pub title: String,
    /// What the user may do in it.
    pub role: Role,
}

/// `GET /api/admin/groups`: groups by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminGroups {
    /// Those found.
    pub groups: Vec<AdminGroup>,
    /// Where to go on, as `after`; missing if all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ConversationId>,
}

/// A group as an admin sees one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminGroup {
    /// The group.
    pub group_id: ConversationId,
    /// What it is called.
    pub title: String,
    /// Its picture, if there is one that was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AdminAvatar>,
    /// How many are in it; none if it was dissolved.
    pub members: u64,
    /// The last seq of its timeline.
    pub head_seq: Seq,
}

/// `GET /api/admin/groups/{groupId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminGroupShown {
    /// The group.
    pub group: AdminGroup,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What everybody should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
    /// An address in the place of a picture. Petrel's own clients load nothing from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_address: Option<String>,
    /// Members by id.
    pub members: Vec<AdminGroupMember>,
    /// Where to go on, as `usersAfter`; missing if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
}

/// A member as an admin sees one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminGroupMember {
    /// The user.
    pub user_id: UserId,
    /// What the user may do.
    pub role: Role,
    /// What the user is called in the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
}

/// `POST /api/admin/groups/{groupId}/hand-over`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandOver {
    /// The member who is the owner from now on.
    pub user: UserId,
}

/// `POST /api/admin/users/{userId}/disable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisableUser {
    /// Why, for other admins: at most 256 characters. The user is not told.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub reason: String,
}

/// `POST /api/admin/users`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewUser {
    /// The name to log in with: 3 to 32 letters, digits, `_`, `-` or `.`.
    pub username: String,
    /// 8 to 128 characters.
    pub password: String,
    /// Whether the user is an admin of the system.
    #[serde(default)]
    pub admin: bool,
}

/// `PUT /api/admin/users/{userId}/admin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetAdmin {
    /// Whether the user is an admin of the system from now on.
    pub admin: bool,
}

/// The answer to what ends log-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginsEnded {
    /// How many.
    pub logins_ended: u64,
}

/// The answer to `POST /api/admin/users/{userId}/reset-password`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordReset {
    /// Whose password it is.
    pub username: String,
    /// With it, and the user name, `POST /api/auth/reset` takes another password, once. It is
    /// stored nowhere.
    pub code: String,
    /// Until when.
    pub expires_ts: TimestampMs,
    /// How many log-ins were ended.
    pub logins_ended: u64,
}

/// `POST /api/auth/reset`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedeemReset {
    /// The name to log in with.
    pub username: String,
    /// The code that an admin gave. Case, spaces and hyphens don't matter.
    pub code: String,
    /// The password from now on: 8 to 128 characters.
    pub password: String,
}

/// `PUT /api/users/me/password`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChange {
    /// The present one.
    pub password: String,
    /// The one from now on: 8 to 128 characters.
    pub new_password: String,
}

/// What is done about a word.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum WordMode {
    /// What has it is refused.
    #[default]
    Refuse,
    /// Each of its letters is replaced by `*`.
    Replace,
    /// It goes through, and the audit log tells of it.
    Flag,
}

impl WordMode {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Refuse, Self::Replace, Self::Flag];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Replace => "replace",
            Self::Flag => "flag",
        }
    }
}

/// `GET /api/admin/words`: words by their letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterWords {
    /// Those that admins have put in.
    pub words: Vec<FilterWord>,
    /// Where to go on, as `after`; missing if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many words of the operator's file are in force beside them.
    pub words_of_file: u64,
}

/// A word of the filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterWord {
    /// The word: at most 64 characters. Case and width don't matter. One of a script with spaces
    /// is met as a whole word, unless a `*` at its beginning or end lets anything be there.
    pub word: String,
    /// What is done about it.
    #[serde(default)]
    pub mode: WordMode,
}

/// `PUT /api/admin/words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewFilterWords {
    /// At most 500. One that is there already gets another mode.
    #[schemars(length(min = 1, max = 500))]
    pub words: Vec<FilterWord>,
}

/// `POST /api/admin/words/remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedFilterWords {
    /// At most 500, as they were put in. One that is not there is gone already.
    #[schemars(length(min = 1, max = 500))]
    pub words: Vec<String>,
}

/// `POST /api/admin/words/try`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedText {
    /// What somebody might send.
    pub text: String,
}

/// What would come of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WordsMet {
    /// The word for which it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What would be sent in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The words of which the audit log would tell.
    pub flagged: Vec<String>,
}

/// `GET /api/admin/statistics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemFigures {
    /// When.
    pub ts: TimestampMs,
    /// Users that were ever registered or mapped.
    pub users: u64,
    /// Those of them who are locked out, and other users who are.
    pub disabled_users: u64,
    /// Groups that were ever founded.
    pub groups: u64,
    /// Log-ins that go on, with some that have just expired.
    pub logins: u64,
    /// The last row of the store: each event has one, and so have other changes.
    pub rows: u64,
    /// Bytes of the database.
    pub store_bytes: u64,
    /// Bytes of these that are free to be used again.
    pub store_free_bytes: u64,
    /// Files that were uploaded and are kept.
    pub files: u64,
    /// Bytes of what is in them, without thumbnails.
    pub file_bytes: u64,
    /// The last days on which something happened, oldest first.
    pub days: Vec<DayFigures>,
    /// Users who did anything on any of these days, within some 2 %.
    pub active_users: u64,
    /// The numbers of the last sample, by name; empty if the server does not run.
    pub now: BTreeMap<String, f64>,
}

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayFigures {
    /// When it began.
    pub ts: TimestampMs,
    /// Messages that were sent on it.
    pub messages: u64,
    /// Users who did anything, within some 2 %.
    pub active_users: u64,
}

/// In which steps recent numbers are told.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum RecentStep {
    /// Five seconds, for an hour.
    #[default]
    Fine,
    /// A minute, for a day.
    Coarse,
}

/// `GET /api/admin/statistics/recent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentFigures {
    /// The time between two numbers, in milliseconds.
    pub step_ms: u64,
    /// When the last sample was taken.
    pub end_ts: TimestampMs,
    /// The numbers of each series, oldest first.
    pub series: BTreeMap<String, Vec<f64>>,
}

/// `GET /api/admin/audit`: newest records first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    /// Those found.
    pub records: Vec<AuditEntry>,
    /// Where to go on, as `before`; missing if all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Who did what to whom, when, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// The number of the record. Numbers rise, and none comes twice.
    pub number: u64,
    /// When.
    pub ts: TimestampMs,
    /// Who; missing if it was somebody at the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// From where: an address, or whose shell it was.
    pub source: String,
    /// What.
    pub action: AuditAction,
    /// To which user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// To which group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<ConversationId>,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// An action that a newer server knows can't be read by an older client.
impl<'de> Deserialize<'de> for AuditAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|action| action.as_str() == name).copied();
        let all = || Self::ALL.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
        known.ok_or_else(|| serde::de::Error::custom(format!("{name:?} is none of {}", all())))
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl schemars::JsonSchema for AuditAction {
    fn schema_name() -> Cow<'static, str> {
        "AuditAction".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|action| action.as_str()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

impl fmt::Debug for PasswordReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordReset").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedeemReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedeemReset").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordChange(…)")
    }
}
