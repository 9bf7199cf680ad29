//! What two users are to each other, as each of them sees it.

use petrel_types::{ClientMessageId, ConversationId, FileId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::GroupAdds;
use super::client::Word;

/// `CONTACT`: a change of what you and another user are to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactChange {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The other user.
    pub user: UserId,
    /// What to do.
    pub action: ContactAction,
    /// With `apply`: what to say to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With `remark`: what to call the friend; missing to have no remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What changes between two users. Read ignoring ASCII case.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ContactAction {
    /// Ask to be friends. Of one who has asked the same, it accepts.
    Apply,
    /// Take an application.
    Accept,
    /// Refuse an application.
    Reject,
    /// Take one's own application back.
    Withdraw,
    /// End the friendship.
    Remove,
    /// Name a friend for oneself.
    Remark,
    /// Let nothing more come from the other.
    Block,
    /// Let the other's messages come again.
    Unblock,
}

/// What another user is to you.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The other.
    pub user: UserId,
    /// Since when you are friends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friend_since_ts: Option<TimestampMs>,
    /// What you call the friend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// You let nothing come from the other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// An application that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
}

/// An application to be friends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Who applies, the other user or you.
    pub direction: Direction,
    /// What the applicant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When.
    pub ts: TimestampMs,
    /// From when on it counts as none.
    pub expires_ts: TimestampMs,
}

/// Whose application it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The other's.
    Incoming,
    /// Your own.
    Outgoing,
}

/// `CONTACTS`: a page of one of your lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactsRequest {
    /// Which list.
    pub list: ContactList,
    /// Wanted are users with ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_after: Option<UserId>,
    /// The most contacts wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The lists of a user's contacts. Read ignoring ASCII case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContactList {
    /// Those who are friends.
    Friends,
    /// Those who have applied to you.
    Incoming,
    /// Those to whom you have applied.
    Outgoing,
    /// Those whom you have blocked.
    Blocked,
}

/// `CONTACT_STATE`: a page of a list of contacts at `asOfSeq` of your personal timeline.
/// Events after it apply on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactState {
    /// Which list.
    pub list: ContactList,
    /// Your personal timeline; missing if it has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Everything up to this event of it is in the answer.
    pub as_of_seq: Seq,
    /// The contacts, by user id.
    pub contacts: Vec<Contact>,
    /// There are more: ask with `usersAfter` set to the last one.
    pub more: bool,
}

/// What you have decided about yourself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSettings {
    /// Whether others find you by your user name.
    pub findable: bool,
    /// The code by which those find you to whom you give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friend_code: Option<String>,
    /// Whether you look offline to everybody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub presence_hidden: bool,
    /// Who takes you into groups at once; missing if everybody.
    #[serde(default, skip_serializing_if = "GroupAdds::is_default")]
    pub group_adds: GroupAdds,
    /// What you are called by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The file that is your picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<FileId>,
}

impl ContactAction {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Apply,
        Self::Accept,
        Self::Reject,
        Self::Withdraw,
        Self::Remove,
        Self::Remark,
        Self::Block,
        Self::Unblock,
    ];
}

impl ContactList {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Friends, Self::Incoming, Self::Outgoing, Self::Blocked];
}

impl Default for UserSettings {
    fn default() -> Self {
        Self {
            findable: true,
            friend_code: None,
            presence_hidden: false,
            group_adds: GroupAdds::default(),
            display_name: None,
            avatar: None,
        }
    }
}

impl<'de> Deserialize<'de> for ContactAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("apply", Self::Apply),
            ("accept", Self::Accept),
            ("reject", Self::Reject),
            ("withdraw", Self::Withdraw),
            ("remove", Self::Remove),
            ("remark", Self::Remark),
            ("block", Self::Block),
            ("unblock", Self::Unblock),
        ]))
    }
}

impl<'de> Deserialize<'de> for ContactList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("friends", Self::Friends),
            ("incoming", Self::Incoming),
            ("outgoing", Self::Outgoing),
            ("blocked", Self::Blocked),
        ]))
    }
}
