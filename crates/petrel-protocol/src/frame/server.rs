//! What the server says: every frame, and the fields of those about the session itself.

use petrel_types::{ClientMessageId, Epoch, SessionId, TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use super::ack::ServerAck;
use super::call::{CallAnswer, CallIce, CallRing, CallState, TurnCredentials};
use super::catchup::{ConversationState, Events, Focused, Gap, Head, SyncState};
use super::contact::ContactState;
use super::event::{EventPush, GroupChatPush, SingleChatPush};
use super::live::{PresenceChange, PresenceState, TypingPush};
use super::message::ReaderState;
use super::{
    Found, GroupInvitationState, GroupInvitedState, GroupRequestState, Notice, NoticeWithdrawn,
    frames,
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
