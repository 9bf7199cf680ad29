//! What the server says.

use petrel_types::{
    ClientMessageId, ConversationId, Epoch, MessageNumber, RowId, Seq, SessionId, TimestampMs,
    UserId,
};
use serde::{Deserialize, Deserializer, Serialize};

use super::call::{CallAnswer, CallIce, CallRing, CallState, TurnCredentials};
use super::contact::ContactState;
use super::event::{EventPush, GroupChatPush, SingleChatPush};
use super::live::{PresenceChange, PresenceState, TypingPush};
use super::message::{ConversationSettings, ReaderState};
use super::{
    Found, GroupInfo, GroupInvitationState, GroupInvitedState, GroupRequestState, History, Notice,
    NoticeWithdrawn, Role, frames,
};
use crate::ErrorReason;

frames! {
    /// A frame from the server to a client.
    ServerFrame {
        /// The session stands.
        "AUTH_OK" => AuthOk(AuthOk),
        /// The token was refused; the connection closes with 4401.
        "AUTH_FAIL" => AuthFail(AuthFail),
        /// The answer to `REAUTH`: the session goes on with the new token.
        "REAUTH_OK" => ReauthOk(ReauthOk),
        /// The session's token expires soon.
        "AUTH_EXPIRING" => AuthExpiring(AuthExpiring),
        /// The session is about to be closed by the server.
        "KICK" => Kick(Kick),
        /// The answer to `PING`.
        "PONG" => Pong(Pong),
        /// A message of a single chat, pushed or inside `EVENTS`.
        "SINGLE_CHAT" => SingleChat(SingleChatPush),
        /// A message of a group, pushed or inside `EVENTS`.
        "GROUP_CHAT" => GroupChat(GroupChatPush),
        /// Another event of a timeline, pushed or inside `EVENTS`.
        "EVENT" => Event(EventPush),
        /// A message is on disk, or somebody's cursor moved.
        "ACK" => Ack(ServerAck),
        /// The answer to `SYNC`.
        "SYNC_STATE" => SyncState(SyncState),
        /// The answer to `PULL`.
        "EVENTS" => Events(Events),
        /// The answer to `CONVERSATION`.
        "CONVERSATION_STATE" => ConversationState(ConversationState),
        /// The answer to `READERS`.
        "READER_STATE" => ReaderState(ReaderState),
        /// The answer to `CONTACTS`.
        "CONTACT_STATE" => ContactState(ContactState),
        /// The answer to `GROUP_REQUESTS`.
        "GROUP_REQUEST_STATE" => GroupRequestState(GroupRequestState),
        /// The answer to `GROUP_INVITATIONS`.
        "GROUP_INVITATION_STATE" => GroupInvitationState(GroupInvitationState),
        /// The answer to `GROUP_INVITED`.
        "GROUP_INVITED_STATE" => GroupInvitedState(GroupInvitedState),
        /// A conversation moved on while this device read too slowly to be pushed to.
        "GAP" => Gap(Gap),
        /// A very large group, which this device does not have in focus, has moved on.
        "HEAD" => Head(Head),
        /// The answer to `SEARCH`.
        "FOUND" => Found(Found),
        /// The answer to `FOCUS`.
        "FOCUSED" => Focused(Focused),
        /// The answer to `PRESENCE_SUBSCRIBE` and `PRESENCE_QUERY`.
        "PRESENCE_STATE" => PresenceState(PresenceState),
        /// Somebody came or went.
        "PRESENCE" => Presence(PresenceChange),
        /// Somebody types.
        "TYPING" => Typing(TypingPush),
        /// Somebody calls.
        "CALL_OFFER" => CallOffer(CallRing),
        /// The callee has taken a call.
        "CALL_ANSWER" => CallAnswer(CallAnswer),
        /// A way to reach the other side of a call.
        "CALL_ICE" => CallIce(CallIce),
        /// What has become of a call for this device.
        "CALL_STATE" => CallState(CallState),
        /// The answer to `TURN`.
        "TURN_CREDENTIALS" => TurnCredentials(TurnCredentials),
        /// An admin of the system says something to everybody.
        "NOTICE" => Notice(Notice),
        /// A notice holds no longer.
        "NOTICE_WITHDRAWN" => NoticeWithdrawn(NoticeWithdrawn),
        /// How fast this session may send has changed.
        "LIMITS" => Limits(LimitsChanged),
        /// A request was refused.
        "ERROR" => Error(Error),
    }
}

/// `AUTH_OK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthOk {
    /// The protocol version of this session.
    pub v: u32,
    /// Who you are.
    pub from: UserId,
    /// The name of this session.
    pub session_id: SessionId,
    /// The epoch in which positions are valid. On another one than before, drop
    /// positions and cached events (not the unsent outbox) and start anew.
    pub epoch: Epoch,
    /// The server's clock.
    pub ts: TimestampMs,
    /// The capabilities in force: those of the client that this server knows.
    pub caps: Vec<String>,
    /// The bounds of this session.
    pub limits: Limits,
}

/// The bounds of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The largest frame, in bytes.
    pub frame_bytes: u64,
    /// The longest body, in UTF-16 code units.
    pub body_units: u64,
    /// The longest body, in bytes.
    pub body_bytes: u64,
    /// How many sends may wait for their ack.
    pub sends_in_flight: u64,
    /// The most events of one `EVENTS`.
    pub pull_events: u32,
    /// The most members of a group.
    pub group_members: u64,
    /// The most users that one command brings into a group or takes out of it.
    pub change_members: u64,
    /// The longest title of a group, in UTF-16 code units.
    pub title_units: u64,
    /// The most members of one `CONVERSATION_STATE`.
    pub state_members: u32,
    /// The most conversations of one `SYNC_STATE`.
    pub sync_conversations: u32,
    /// The most positions of one `ACK`.
    pub ack_items: u64,
    /// A client says at most once in this time, in milliseconds, how far it has received a
    /// group's conversation.
    pub ack_interval_ms: u64,
    /// The most conversations that one session may have in focus.
    pub focus_conversations: u64,
    /// From as many members on a group is very large, and devices with the capability
    /// `head` get `HEAD`. 0 when no group is.
    pub head_members: u64,
    /// How long after sending a sender may recall a message, in milliseconds.
    pub recall_window_ms: u64,
    /// How long after sending a sender may edit a message, in milliseconds.
    pub edit_window_ms: u64,
    /// How long a message is recognised when it is sent again, in milliseconds.
    pub retry_window_ms: u64,
    /// Silence after which the server pings, in milliseconds.
    pub ping_interval_ms: u64,
    /// Silence after which the server drops the connection, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How fast this session may send.
    pub rates: Rates,
}

/// How fast a session may send. Where a rate is 0 there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// Frames a second on average. Each position of an `ACK` counts as one.
    pub frames_per_second: u32,
    /// Frames at once.
    pub frames_burst: u32,
    /// Messages and changes a second on average.
    pub sends_per_second: u32,
    /// Messages and changes at once.
    pub sends_burst: u32,
    /// `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` a second on average.
    pub reads_per_second: u32,
    /// `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` at once.
    pub reads_burst: u32,
}

/// `LIMITS`: from now on these hold, in the place of `limits.rates` of `AUTH_OK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitsChanged {
    /// How fast the session may send now.
    pub rates: Rates,
}

/// `AUTH_FAIL`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthFail {
    /// Why.
    pub reason: ErrorReason,
    /// Why, for people.
    pub message: String,
}

/// `REAUTH_OK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReauthOk {
    /// How long the new token lasts, in milliseconds.
    pub expires_in_ms: u64,
}

/// `AUTH_EXPIRING`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthExpiring {
    /// How long the token still lasts, in milliseconds; 0 if it has expired.
    pub in_ms: u64,
}

/// `KICK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kick {
    /// Why, for programs: the word of the close code that follows.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// `PONG`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pong {
    /// The server's clock.
    pub ts: TimestampMs,
}

/// `ACK`, from the server, told apart by `ackType`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ServerAck {
    /// Your message is on disk.
    Saved(SavedAck),
    /// What you asked for is done and on disk.
    Done(DoneAck),
    /// A member has received or read up to a message.
    Receipt(ReceiptAck),
}

/// `ACK saved`: the message is on disk, at this place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedAck {
    /// Always `saved`.
    pub ack_type: SavedTag,
    /// The sender's own name for the message.
    pub client_msg_id: ClientMessageId,
    /// The system's name for the message.
    pub server_msg_id: RowId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message's place in the conversation's timeline.
    pub msg_seq: Seq,
    /// What it would take to lose it.
    pub durability: Durability,
    /// When the server numbered it.
    pub ts: TimestampMs,
    /// The message had been stored before; nothing was stored now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The earlier message under this `clientMsgId` has another body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_differs: bool,
    /// Words in it were replaced: what is stored, and told to others, is not what was sent.
    /// Fetch it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub words_replaced: bool,
}

/// `ACK done`: the change is on disk. What follows from it comes as events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoneAck {
    /// Always `done`.
    pub ack_type: DoneTag,
    /// The sender's own name for the change.
    pub client_msg_id: ClientMessageId,
    /// When the server decided it.
    pub ts: TimestampMs,
    /// The change had been stored before; nothing was stored now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// The one value of `ackType` in a [`DoneAck`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DoneTag {
    /// On disk.
    #[default]
    Done,
}

/// The one value of `ackType` in a [`SavedAck`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SavedTag {
    /// On disk.
    #[default]
    Saved,
}

/// What an ack promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The transaction that holds it is on disk: `fsync` has returned.
    Fsync,
}

/// `ACK delivered` or `ACK read`: how far another member, or another device of
/// one's own, has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptAck {
    /// Received or read.
    pub ack_type: ReceiptKind,
    /// Whose cursor moved.
    pub from: UserId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Everything up to and including this.
    pub msg_seq: Seq,
    /// When.
    pub ts: TimestampMs,
}

/// Which cursor moved.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptKind {
    /// At least one device holds everything up to here.
    Delivered,
    /// The user has seen everything up to here.
    Read,
}

impl<'de> Deserialize<'de> for ServerAck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let ack = match value.get("ackType").and_then(serde_json::Value::as_str) {
            Some("saved") => SavedAck::deserialize(value).map(Self::Saved),
            Some("done") => DoneAck::deserialize(value).map(Self::Done),
            _ => ReceiptAck::deserialize(value).map(Self::Receipt),
        };
        ack.map_err(serde::de::Error::custom)
    }
}

/// `SYNC_STATE`: conversations that changed, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncState {
    /// The epoch in which the positions here are valid.
    pub epoch: Epoch,
    /// The token given was of another epoch: drop positions and cached events, and
    /// take this as a new device's first sync.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resync: bool,
    /// The conversations.
    pub conversations: Vec<SyncConversation>,
    /// For the next `SYNC`. Opaque.
    pub token: String,
    /// There is more: send `SYNC` with `token` at once.
    pub more: bool,
}

/// One conversation in `SYNC_STATE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncConversation {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// The other user of a single chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// The title of a group, unless you have left: it may be another one since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many members a group has, unless you have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_count: Option<u64>,
    /// You are no longer a member; `headSeq` is the last event that you may read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// The last event of the timeline.
    pub head_seq: Seq,
    /// The number of the last countable message.
    pub head_msg_no: MessageNumber,
    /// How far you have read, on any device.
    pub read_seq: Seq,
    /// How far any of your devices has received.
    pub delivered_seq: Seq,
    /// How far the peer of a single chat has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_read_seq: Option<Seq>,
    /// How far any device of the peer of a single chat has received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_delivered_seq: Option<Seq>,
    /// Messages after `readSeq`.
    pub unread: u64,
    /// How many of them name you or everybody, counted up to 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread_mentions: u64,
    /// When the last event was numbered.
    pub ts: TimestampMs,
    /// What it is to you, unless it is like every new conversation.
    #[serde(default, skip_serializing_if = "ConversationSettings::are_default")]
    pub settings: ConversationSettings,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Two users.
    Single,
    /// Members who come and go.
    Group,
    /// A user's own timeline.
    Personal,
    /// A kind that is newer than this program: pass over the conversation. It is only
    /// ever read; nothing of that name is on the wire, and so it is not in the schema.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `CONVERSATION_STATE`: what a conversation is at `asOfSeq`. Events after it apply on
/// top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// Everything up to this event is in the answer.
    pub as_of_seq: Seq,
    /// Events before this seq are no longer kept. 1 when nothing was trimmed.
    pub trimmed_before: Seq,
    /// The title of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What those may read who join a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What a group is beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupInfo>,
    /// The messages that are pinned, the last one that was pinned at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Seq>,
    /// How many members there are.
    pub member_count: u64,
    /// A page of the members, by user id.
    pub members: Vec<StateMember>,
    /// There are more members: ask with `membersAfter` set to the last one.
    pub more: bool,
}

/// A member in `CONVERSATION_STATE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateMember {
    /// Who.
    pub user: UserId,
    /// What the user may do.
    pub role: Role,
    /// What the member is called here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Until when the member may not speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until_ts: Option<TimestampMs>,
}

/// `EVENTS`: covers `fromSeq..=toSeq` of the timeline. Nothing is covered when
/// `fromSeq > toSeq`.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The first seq covered.
    pub from_seq: Seq,
    /// The last seq covered.
    pub to_seq: Seq,
    /// The last event of the timeline.
    pub head_seq: Seq,
    /// Events before this seq are no longer kept. 1 when nothing was trimmed.
    pub trimmed_before: Seq,
    /// There is more in the direction asked.
    pub has_more: bool,
    /// The events, in order, each in the form in which it is pushed.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub events: Vec<Box<serde_json::value::RawValue>>,
}

/// `GAP`: events up to `headSeq` were not pushed to this device. Pull them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last event that was not pushed.
    pub head_seq: Seq,
}

/// `HEAD`: there are events up to `headSeq` in a very large group. They are not pushed to
/// this device as long as it does not have the group in focus; it can pull them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last event of the timeline.
    pub head_seq: Seq,
}

/// `FOCUSED`: from here on these conversations' events are pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Focused {
    /// The conversations that were named, with what there is to pull. Empty after
    /// looking away.
    pub heads: Vec<Head>,
}

/// `ERROR`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    /// Why, for programs.
    pub reason: ErrorReason,
    /// Why, for people.
    pub message: String,
    /// The message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<ClientMessageId>,
    /// The call it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<ClientMessageId>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Present when the request may or may not have been carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What became of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Only a retry can tell.
    Unknown,
}

impl PartialEq for Events {
    fn eq(&self, other: &Self) -> bool {
        let range = |of: &Self| {
            (
                of.conversation_id,
                of.from_seq,
                of.to_seq,
                of.head_seq,
                of.trimmed_before,
                of.has_more,
            )
        };
        range(self) == range(other)
            && self
                .events
                .iter()
                .map(|event| event.get())
                .eq(other.events.iter().map(|event| event.get()))
    }
}

impl Error {
    /// An error without further fields.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            client_msg_id: None,
            call_id: None,
            retry_after_ms: None,
            outcome: None,
        }
    }
}
