//! Being asked before one is taken into a group.

use petrel_types::{ClientMessageId, ConversationId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::client::Word;

/// Who takes a user into groups at once. With everybody else it becomes an invitation, which
/// the user may accept. Read ignoring ASCII case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupAdds {
    /// Whoever may add members to a group.
    #[default]
    Everybody,
    /// Friends of the user.
    Friends,
    /// Nobody.
    Ask,
}

impl GroupAdds {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Everybody, Self::Friends, Self::Ask];

    /// Whether it is what everybody has who never said anything.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `GROUP_INVITATION`: accepts an invitation into a group, or refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvitation {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Whether you come in.
    pub accept: bool,
}

/// `GROUP_INVITATIONS`: into which groups are you invited?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvitations {
    /// Wanted are groups with ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_after: Option<ConversationId>,
    /// The most invitations wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `GROUP_INVITATION_STATE`: a page of your invitations at `asOfSeq` of your personal
/// timeline. Events after it apply on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvitationState {
    /// Your personal timeline; missing if it has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Everything up to this event of it is in the answer.
    pub as_of_seq: Seq,
    /// The invitations, by the group's id.
    pub invitations: Vec<Invitation>,
    /// There are more: ask with `groupsAfter` set to the last one.
    pub more: bool,
}

/// An invitation into a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The group.
    pub group_id: ConversationId,
    /// What it was called then.
    pub title: String,
    /// Who invites.
    pub by: UserId,
    /// When.
    pub ts: TimestampMs,
    /// From when on it counts as none.
    pub expires_ts: TimestampMs,
}

/// `GROUP_INVITED`: who is invited into a group? For its owner and admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvited {
    /// The group.
    pub group_id: ConversationId,
    /// Wanted are users with ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_after: Option<UserId>,
    /// The most users wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `GROUP_INVITED_STATE`: a page of those who are invited, at `asOfSeq` of the group's
/// timeline. Events after it apply on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvitedState {
    /// The group.
    pub group_id: ConversationId,
    /// Everything up to this event is in the answer.
    pub as_of_seq: Seq,
    /// Who is invited, by user id.
    pub invited: Vec<Invited>,
    /// There are more: ask with `usersAfter` set to the last one.
    pub more: bool,
}

/// Somebody who is invited into a group and has not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    /// Who.
    pub user: UserId,
    /// Who invites.
    pub by: UserId,
    /// From when on it counts as none.
    pub expires_ts: TimestampMs,
}

/// `GROUP_WITHDRAW`: takes an invitation into a group back. For its owner and admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupWithdraw {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The group.
    pub group_id: ConversationId,
    /// Who is invited.
    pub user: UserId,
}

impl<'de> Deserialize<'de> for GroupAdds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("everybody", Self::Everybody),
            ("friends", Self::Friends),
            ("ask", Self::Ask),
        ]))
    }
}
