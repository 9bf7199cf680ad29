//! Calls between two users: what their devices say to find each other.
//!
//! Names and values are those of WebRTC: session descriptions and candidates pass through
//! as they are.

use std::fmt;

use petrel_types::{ClientMessageId, UserId};
use serde::{Deserialize, Deserializer, Serialize};

use super::client::Word;

/// `CALL_OFFER`, as sent: somebody calls.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallOffer {
    /// The caller's name for the call, never used before by anybody.
    pub call_id: ClientMessageId,
    /// Who is called.
    pub to: UserId,
    /// What is to be sent.
    pub media: CallMedia,
    /// The caller's session description, at most 30 KiB.
    pub sdp: String,
    /// The first name of the call from which the two were cut off, and which goes on with
    /// this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<ClientMessageId>,
}

/// `CALL_OFFER`, as delivered: it rings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallRing {
    /// The call.
    pub call_id: ClientMessageId,
    /// Who calls.
    pub from: UserId,
    /// What is to be sent.
    pub media: CallMedia,
    /// The caller's session description.
    pub sdp: String,
    /// How much longer it rings, in milliseconds.
    pub rings_for_ms: u64,
    /// The call that goes on with this one, as the caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<ClientMessageId>,
}

/// `CALL_ANSWER`: the callee takes the call on this device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallAnswer {
    /// The call.
    pub call_id: ClientMessageId,
    /// The callee's session description, at most 30 KiB.
    pub sdp: String,
}

/// `CALL_ICE`: a way to reach one side.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallIce {
    /// The call.
    pub call_id: ClientMessageId,
    /// The candidate, as the devices agree to write it (a browser's `RTCIceCandidate` as
    /// JSON text), at most 2 KiB.
    pub candidate: String,
}

/// `CALL_HANGUP`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallHangup {
    /// The call.
    pub call_id: ClientMessageId,
}

/// `CALL_REJECT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallReject {
    /// The call.
    pub call_id: ClientMessageId,
}

/// `CALL_STATE`: what has become of a call for this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallState {
    /// The call.
    pub call_id: ClientMessageId,
    /// What it is.
    pub state: CallPhase,
    /// Why it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CallEnd>,
}

/// `TURN`: with what does this device reach others from behind NATs and firewalls?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Turn {}

/// `TURN_CREDENTIALS`. As it is, it is one of the `iceServers` of a browser's
/// `RTCPeerConnection`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnCredentials {
    /// The STUN and TURN servers; none if this system has none.
    pub urls: Vec<String>,
    /// The name by which the TURN servers know the credential; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// For how long it is good, in milliseconds.
    pub ttl_ms: u64,
}

/// What is sent besides sound. Read ignoring ASCII case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallMedia {
    /// Nothing.
    Audio,
    /// A picture.
    Video,
}

/// What a call is for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallPhase {
    /// It rings at the callee's.
    Ringing,
    /// It was answered, by this device or for it.
    Answered,
    /// It is over, or has nothing more to do with this device.
    Ended,
}

/// Why a call is over for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallEnd {
    /// One of both hung up after they had talked.
    HungUp,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// The callee does not want to.
    Rejected,
    /// Nobody answered in time.
    NoAnswer,
    /// The other side's device is gone.
    Disconnected,
    /// Another device of the same user took it.
    AnsweredElsewhere,
    /// The server is going down.
    ServerStopped,
}

/// What stays of a call: `call` of a message of the type `CALL`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// The call.
    pub call_id: ClientMessageId,
    /// What was sent.
    pub media: CallMedia,
    /// How it ended.
    pub outcome: CallOutcome,
    /// For how long they talked, in milliseconds, if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallOutcome {
    /// They talked.
    Answered,
    /// Nobody answered in time.
    Missed,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// The callee did not want to.
    Rejected,
    /// The callee was in another call.
    Busy,
}

impl CallOutcome {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::Missed, Self::Cancelled, Self::Rejected, Self::Busy];
}

impl<'de> Deserialize<'de> for CallMedia {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word(&[("audio", Self::Audio), ("video", Self::Video)]))
    }
}

/// Session descriptions tell the addresses of people's machines, and credentials are secret:
/// neither belongs into a log.
macro_rules! hidden_in_debug {
    ($($frame:ident($($shown:ident),*);)*) => {$(
        impl fmt::Debug for $frame {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($frame))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )*};
}

hidden_in_debug! {
    CallOffer(call_id, to, media, resumes);
    CallRing(call_id, from, media, rings_for_ms, resumes);
    CallAnswer(call_id);
    CallIce(call_id);
    TurnCredentials(urls, ttl_ms);
}
