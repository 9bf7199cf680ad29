//! The events of a timeline, as they are pushed and pulled.
//!
//! Messages have frames of their own kind; everything else that changes what members
//! see is an `EVENT` with a [`Change`]. A new kind of change is a variant there.

use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use super::call::CallRecord;
use super::contact::{Contact, ContactAction, UserSettings};
use super::content::{Attachment, Custom, ForwardedFrom, Location, MessageType, Reaction, ReplyTo};
use super::message::ConversationSettings;
use super::{GroupInfo, History, Role};

/// `SINGLE_CHAT`, as delivered to the receiver and to the sender's other devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SingleChatPush {
    /// The sender.
    pub from: UserId,
    /// The receiver.
    pub to: UserId,
    /// The sender's own name for the message.
    pub client_msg_id: ClientMessageId,
    /// The system's name for the message.
    pub server_msg_id: RowId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// What the message is.
    pub msg_type: MessageType,
    /// The text, or the caption of what is not a text; empty, if the message was recalled.
    pub body: String,
    /// The file that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Box<Attachment>>,
    /// The place that it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Box<Location>>,
    /// What only clients understand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// What stays of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallRecord>>,
    /// The message to which it replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Where it comes from, if it was sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_from: Option<ForwardedFrom>,
    /// What users think of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// When the server numbered it.
    pub ts: TimestampMs,
    /// The last change that is applied to what stands here: its seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Seq>,
    /// The body is not the one that was sent first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// The message was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// It was pushed to this device before and not acknowledged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redelivered: bool,
}

/// `GROUP_CHAT`, as delivered to the members and to the sender's other devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupChatPush {
    /// The sender.
    pub from: UserId,
    /// The group.
    pub group_id: ConversationId,
    /// The sender's own name for the message.
    pub client_msg_id: ClientMessageId,
    /// The system's name for the message.
    pub server_msg_id: RowId,
    /// The conversation: the same as the group.
    pub conversation_id: ConversationId,
    /// The message's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// What the message is.
    pub msg_type: MessageType,
    /// The text, or the caption of what is not a text; empty, if the message was recalled.
    pub body: String,
    /// Members whom it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// It names everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mention_all: bool,
    /// The file that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Box<Attachment>>,
    /// The place that it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Box<Location>>,
    /// What only clients understand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// The message to which it replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Where it comes from, if it was sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_from: Option<ForwardedFrom>,
    /// What users think of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// When the server numbered it.
    pub ts: TimestampMs,
    /// The last change that is applied to what stands here: its seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Seq>,
    /// The body is not the one that was sent first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// The message was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// It was pushed to this device before and not acknowledged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redelivered: bool,
}

/// `EVENT`: something other than a message happened in a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPush {
    /// Who caused it.
    pub from: UserId,
    /// The name that who caused it gave to the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<ClientMessageId>,
    /// The system's name for the event.
    pub server_msg_id: RowId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The event's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// What happened.
    pub change: Change,
    /// What to show instead, in English, for clients that don't know the kind.
    pub fallback: String,
    /// When the server numbered it.
    pub ts: TimestampMs,
    /// It was pushed to this device before and not acknowledged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redelivered: bool,
}

/// What happened in a timeline, told apart by `kind`. What it says holds from the
/// event's seq on, whatever a client held before; applying it twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Change {
    /// A message was taken back; its text is gone.
    Recalled {
        /// The message's place.
        target_seq: Seq,
    },
    /// A message has another text.
    Edited {
        /// The message's place.
        target_seq: Seq,
        /// The text from here on. Missing when a later change has made it void.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// `from` has reacted to a message, or no longer does.
    Reacted {
        /// The message's place.
        target_seq: Seq,
        /// With what.
        emoji: String,
        /// The reaction was taken back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    /// A message is pinned, or no longer.
    Pinned {
        /// The message's place.
        target_seq: Seq,
        /// It was taken down.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    /// The group begins; `from` is its owner.
    GroupCreated {
        /// What it is called.
        title: String,
        /// Who is in it, beside the owner.
        members: Vec<UserId>,
        /// What those may read who join later.
        history: History,
    },
    /// Users have joined.
    MembersAdded {
        /// Who.
        members: Vec<UserId>,
    },
    /// Members were taken out. For them it is the last event.
    MembersRemoved {
        /// Who.
        members: Vec<UserId>,
    },
    /// `from` has left. For `from` it is the last event.
    MemberLeft,
    /// A member has another role. If that is the owner's, `from` is an admin now.
    RoleChanged {
        /// Whose.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// The group has another title.
    TitleChanged {
        /// Which.
        title: String,
    },
    /// The group is something else than before, beside its title and members.
    GroupChanged {
        /// What it is now.
        group: GroupInfo,
    },
    /// A member is called something else, or may speak or not.
    MemberChanged {
        /// Which.
        user: UserId,
        /// What the member is called now; missing if nothing of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nickname: Option<String>,
        /// Until when the member may not speak.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        muted_until_ts: Option<TimestampMs>,
    },
    /// `from`, who is no member, asks to join.
    JoinRequested,
    /// Somebody who has asked to join is not let in.
    JoinRefused {
        /// Who.
        user: UserId,
    },
    /// Users were invited, because they want to be asked before they are taken in.
    MembersInvited {
        /// Who.
        members: Vec<UserId>,
        /// From when on the invitation counts as none.
        expires_ts: TimestampMs,
    },
    /// `from`, who was invited, does not come in.
    InvitationRefused,
    /// `from` took the invitation of a user back.
    InvitationWithdrawn {
        /// Whose.
        user: UserId,
    },
    /// The group is over for everybody. It is the last event.
    GroupDissolved,
    /// In a personal timeline: the user is a member of this conversation now.
    ConversationAdded {
        /// Which.
        conversation_id: ConversationId,
    },
    /// In a personal timeline: the user is no longer a member of this conversation.
    ConversationRemoved {
        /// Which.
        conversation_id: ConversationId,
    },
    /// In a personal timeline: the user has asked to join this group, and is not let in.
    ConversationRefused {
        /// Which.
        conversation_id: ConversationId,
    },
    /// In a personal timeline: `from` invites the user into this group.
    GroupInvited {
        /// Which.
        conversation_id: ConversationId,
        /// What it is called.
        title: String,
        /// From when on the invitation counts as none.
        expires_ts: TimestampMs,
    },
    /// In a personal timeline: the user is no longer invited into this group, and did not come
    /// in.
    GroupInvitationEnded {
        /// Which.
        conversation_id: ConversationId,
    },
    /// In a personal timeline: the user has deleted messages for himself or herself.
    MessagesHidden {
        /// Where.
        conversation_id: ConversationId,
        /// Which.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        msg_seqs: Vec<Seq>,
        /// Everything up to here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up_to_seq: Option<Seq>,
    },
    /// In a personal timeline: a conversation is something else to the user now.
    ConversationSettingsChanged {
        /// Which.
        conversation_id: ConversationId,
        /// What it is now.
        settings: ConversationSettings,
    },
    /// In a personal timeline: another user is something else to the user now.
    ContactChanged {
        /// What the other is now.
        contact: Contact,
        /// What `from` did.
        action: ContactAction,
    },
    /// In a personal timeline: the user has decided something about himself or herself.
    SettingsChanged {
        /// How it is now.
        settings: UserSettings,
    },
    /// A kind that is newer than this program: show the fallback. It is only ever read;
    /// nothing of that name is on the wire, and so it is not in the schema.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
