//! What a client says.

use std::fmt;

use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, TimestampMs, UserId};
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::call::{CallAnswer, CallHangup, CallIce, CallOffer, CallReject, Turn};
use super::contact::{ContactChange, ContactsRequest};
use super::content::{
    AttachmentRef, Custom, Forward, Location, MessageType, SendableMessageType, of_a_client,
};
use super::decode::null_as_default;
use super::group::{
    GroupAdd, GroupAnswer, GroupChat, GroupCreate, GroupDissolve, GroupJoin, GroupLeave,
    GroupMember, GroupRemove, GroupRequests, GroupRole, GroupSettings, GroupTitle,
};
use super::live::{PresenceQuery, PresenceSubscribe, Typing};
use super::message::{ConversationSettingsChange, MessageHide, MessagePin, MessageReact, Readers};
use super::{GroupInvitation, GroupInvitations, GroupInvited, GroupWithdraw, Search, frames};

frames! {
    /// A frame from a client to the server.
    ClientFrame {
        /// Who is there: the first frame, unless the token came with the upgrade.
        "AUTH" => Auth(Auth),
        /// Another token for this session. Answered by `REAUTH_OK` or `ERROR`.
        "REAUTH" => Reauth(Reauth),
        /// Is anybody there? Answered by `PONG`.
        "PING" => Ping(Ping),
        /// A message to one other user. Answered by `ACK saved` or `ERROR`.
        "SINGLE_CHAT" => SingleChat(SingleChat),
        /// A message to the members of a group. Answered by `ACK saved` or `ERROR`.
        "GROUP_CHAT" => GroupChat(GroupChat),
        /// Takes a message back. Answered by `ACK saved` or `ERROR`.
        "MESSAGE_REVOKE" => MessageRevoke(MessageRevoke),
        /// Gives a message another body. Answered by `ACK saved` or `ERROR`.
        "MESSAGE_EDIT" => MessageEdit(MessageEdit),
        /// Reacts to a message, or no longer. Answered by `ACK saved` or `ERROR`.
        "REACTION" => Reaction(MessageReact),
        /// Pins a message, or takes it down. Answered by `ACK saved` or `ERROR`.
        "MESSAGE_PIN" => MessagePin(MessagePin),
        /// Deletes messages for oneself. Answered by `ACK done` or `ERROR`.
        "MESSAGE_HIDE" => MessageHide(MessageHide),
        /// Changes what a conversation is to oneself. Answered by `ACK done` or `ERROR`.
        "CONVERSATION_SETTINGS" => ConversationSettings(ConversationSettingsChange),
        /// Who has read a message? Answered by `READER_STATE`.
        "READERS" => Readers(Readers),
        /// Founds a group. Answered by `ACK saved` or `ERROR`.
        "GROUP_CREATE" => GroupCreate(GroupCreate),
        /// Brings users into a group. Answered by `ACK saved` or `ERROR`.
        "GROUP_ADD" => GroupAdd(GroupAdd),
        /// Takes members out of a group. Answered by `ACK saved` or `ERROR`.
        "GROUP_REMOVE" => GroupRemove(GroupRemove),
        /// Leaves a group. Answered by `ACK saved` or `ERROR`.
        "GROUP_LEAVE" => GroupLeave(GroupLeave),
        /// Gives a member another role. Answered by `ACK saved` or `ERROR`.
        "GROUP_ROLE" => GroupRole(GroupRole),
        /// Gives a group another title. Answered by `ACK saved` or `ERROR`.
        "GROUP_TITLE" => GroupTitle(GroupTitle),
        /// Changes what a group is. Answered by `ACK saved` or `ERROR`.
        "GROUP_SETTINGS" => GroupSettings(GroupSettings),
        /// Names a member, or lets one not speak. Answered by `ACK saved` or `ERROR`.
        "GROUP_MEMBER" => GroupMember(GroupMember),
        /// Joins a group by its code, or asks to. Answered by `ACK saved`, `ACK done` or
        /// `ERROR`.
        "GROUP_JOIN" => GroupJoin(GroupJoin),
        /// Lets somebody in who has asked to join, or not. Answered by `ACK saved` or `ERROR`.
        "GROUP_ANSWER" => GroupAnswer(GroupAnswer),
        /// Who waits to be let in? Answered by `GROUP_REQUEST_STATE`.
        "GROUP_REQUESTS" => GroupRequests(GroupRequests),
        /// Accepts an invitation into a group, or refuses it. Answered by `ACK saved`, by `ACK
        /// done` if refused, or by `ERROR`.
        "GROUP_INVITATION" => GroupInvitation(GroupInvitation),
        /// Into which groups am I invited? Answered by `GROUP_INVITATION_STATE`.
        "GROUP_INVITATIONS" => GroupInvitations(GroupInvitations),
        /// Who is invited into a group? Answered by `GROUP_INVITED_STATE`.
        "GROUP_INVITED" => GroupInvited(GroupInvited),
        /// Takes an invitation into a group back. Answered by `ACK saved` or `ERROR`.
        "GROUP_WITHDRAW" => GroupWithdraw(GroupWithdraw),
        /// Ends a group for everybody. Answered by `ACK saved` or `ERROR`.
        "GROUP_DISSOLVE" => GroupDissolve(GroupDissolve),
        /// Changes what you and another user are to each other. Answered by `ACK done` or
        /// `ERROR`.
        "CONTACT" => Contact(ContactChange),
        /// Who are your contacts? Answered by `CONTACT_STATE`.
        "CONTACTS" => Contacts(ContactsRequest),
        /// How far this device has received or read. Not answered, unless wrong.
        "ACK" => Ack(Ack),
        /// What has changed since a token? Answered by `SYNC_STATE`.
        "SYNC" => Sync(Sync),
        /// Events of one conversation. Answered by `EVENTS`.
        "PULL" => Pull(Pull),
        /// What is a conversation now, and who is in it? Answered by
        /// `CONVERSATION_STATE`.
        "CONVERSATION" => Conversation(Conversation),
        /// Which messages say this? Answered by `FOUND`.
        "SEARCH" => Search(Search),
        /// What is this device looking at? Answered by `FOCUSED`.
        "FOCUS" => Focus(Focus),
        /// Whose comings and goings are to be told? Answered by `PRESENCE_STATE`.
        "PRESENCE_SUBSCRIBE" => PresenceSubscribe(PresenceSubscribe),
        /// Who is online? Answered by `PRESENCE_STATE`.
        "PRESENCE_QUERY" => PresenceQuery(PresenceQuery),
        /// The user is typing. Not answered, unless wrong.
        "TYPING" => Typing(Typing),
        /// Calls a user. Answered by `CALL_STATE` or `ERROR`.
        "CALL_OFFER" => CallOffer(CallOffer),
        /// Takes a call. Answered by `CALL_STATE` or `ERROR`.
        "CALL_ANSWER" => CallAnswer(CallAnswer),
        /// A way to reach this side of a call. Not answered, unless wrong.
        "CALL_ICE" => CallIce(CallIce),
        /// Ends a call. Answered by `CALL_STATE` or `ERROR`.
        "CALL_HANGUP" => CallHangup(CallHangup),
        /// Does not take a call. Answered by `CALL_STATE` or `ERROR`.
        "CALL_REJECT" => CallReject(CallReject),
        /// With what are others reached? Answered by `TURN_CREDENTIALS`.
        "TURN" => Turn(Turn),
    }
}

/// `AUTH`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The access token.
    pub token: String,
    /// The protocol version the client speaks. Without it the session is a legacy
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<u32>,
    /// Optional capabilities the client has. The server ignores those it does not
    /// know.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// The client's own stable name for this device, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What kind of device it is: `web`, `ios`, `android`, `desktop`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name and version of the client program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// `REAUTH`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reauth {
    /// An access token of the same user.
    pub token: String,
}

/// `PING`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ping {}

/// `SINGLE_CHAT`, as sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SingleChat {
    /// The sender's own name for the message. The same name again in the same
    /// conversation is the same message.
    pub client_msg_id: ClientMessageId,
    /// The other user.
    pub to: UserId,
    /// What the message is. Text, if missing.
    #[serde(default, deserialize_with = "of_a_client")]
    #[schemars(with = "SendableMessageType")]
    pub msg_type: MessageType,
    /// The text, not blank, within the limits of `AUTH_OK`. For other kinds than `TEXT` a
    /// caption, which may be empty.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
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
    /// True when this has been sent before and its outcome is unknown.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub retry: bool,
    /// On a retry: when it was first sent, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_ts: Option<TimestampMs>,
}

/// `MESSAGE_REVOKE`. The message is named by conversation and seq, or by `serverMsgId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageRevoke {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation, together with `msgSeq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<Seq>,
    /// Instead of conversation and seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<RowId>,
}

/// `MESSAGE_EDIT`. The message is named by conversation and seq, or by `serverMsgId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageEdit {
    /// The sender's own name for this change.
    pub client_msg_id: ClientMessageId,
    /// The conversation, together with `msgSeq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<Seq>,
    /// Instead of conversation and seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<RowId>,
    /// The text from now on, within the limits of `AUTH_OK`.
    pub body: String,
}

/// `ACK`, from a client: one position, or several in `items`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// Received or read.
    pub ack_type: ClientAckType,
    /// The conversation, together with `msgSeq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Everything up to and including this is received or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<Seq>,
    /// Instead of conversation and seq: the message they belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<RowId>,
    /// Several positions at once, at most 256.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<AckItem>,
}

/// Which cursor an `ACK` moves. Read ignoring ASCII case; `ack_read` is `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAckType {
    /// This device holds everything up to here.
    Delivered,
    /// The user has seen everything up to here.
    Read,
}

/// One position of an `ACK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AckItem {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Everything up to and including this is received or read.
    pub msg_seq: Seq,
}

/// `SYNC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// The `token` of the last `SYNC_STATE`. A device that has none starts anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The most conversations wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `PULL`. Either `afterSeq` (forwards) or `beforeSeq` (backwards), not both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Wanted are events after this one, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    /// Wanted are events before this one, nearest first; they still come in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<Seq>,
    /// The most events wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `CONVERSATION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Wanted are members with user ids above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_after: Option<UserId>,
    /// The most members wanted in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `FOCUS`. The conversations are named by `conversationId` or `conversationIds`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Focus {
    /// One conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Several conversations.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conversation_ids: Vec<ConversationId>,
    /// False to look away. True, if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
}

impl SingleChat {
    /// A plain text.
    pub fn text(client_msg_id: ClientMessageId, to: UserId, body: String) -> Self {
        Self {
            client_msg_id,
            to,
            msg_type: MessageType::Text,
            body,
            attachment: None,
            location: None,
            custom: None,
            reply_to: None,
            forward: None,
            retry: false,
            first_sent_ts: None,
        }
    }
}

impl<'de> Deserialize<'de> for ClientAckType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[
            ("delivered", Self::Delivered),
            ("read", Self::Read),
            ("ack_read", Self::Read),
        ]))
    }
}

/// Reads one of a few words, ignoring ASCII case.
pub(super) struct Word<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
        write!(f, "one of {}", words.join(", "))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        let known = self.0.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, value)| *value).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}
