//! WebSocket frames: one JSON object per text frame, told apart by `type`.
//!
//! Decoding is two passes over the text. The first reads only `type`, `id` and
//! `clientMsgId`, so that even a frame that is wrong elsewhere gets an answer its
//! sender can match; the second reads the fields of that type. `type` is matched
//! ignoring ASCII case, and unknown fields are ignored.

mod ack;
mod call;
mod catchup;
mod client;
mod contact;
mod content;
mod decode;
mod event;
mod group;
mod invitation;
mod live;
mod message;
mod notice;
mod request_id;
mod schema;
mod search;
mod server;

pub use ack::{
    DoneAck, DoneTag, Durability, ReceiptAck, ReceiptKind, SavedAck, SavedTag, ServerAck,
};
pub use call::{
    CallAnswer, CallEnd, CallHangup, CallIce, CallMedia, CallOffer, CallOutcome, CallPhase,
    CallRecord, CallReject, CallRing, CallState, Turn, TurnCredentials,
};
pub use catchup::{
    ConversationKind, ConversationState, Events, Focused, Gap, Head, StateMember, SyncConversation,
    SyncState,
};
pub use client::{
    Ack, AckItem, Auth, ClientAckType, ClientFrame, Conversation, Focus, MessageEdit,
    MessageRevoke, Ping, Pull, Reauth, SingleChat, Sync,
};
pub use contact::{
    Application, Contact, ContactAction, ContactChange, ContactList, ContactState, ContactsRequest,
    Direction, UserSettings,
};
pub use content::{
    Attachment, AttachmentRef, Custom, Degrees, Forward, ForwardedFrom, Location, MessageType,
    Reaction, ReplyTo, SendableMessageType,
};
pub use decode::{DecodeError, Decoded};
pub use event::{Change, EventPush, GroupChatPush, SingleChatPush};
pub use group::{
    GroupAdd, GroupAnswer, GroupChat, GroupCreate, GroupDissolve, GroupInfo, GroupJoin, GroupLeave,
    GroupMember, GroupRemove, GroupRequestState, GroupRequests, GroupRole, GroupSettings,
    GroupTitle, History, JoinRequest, Joining, Role,
};
pub use invitation::{
    GroupAdds, GroupInvitation, GroupInvitationState, GroupInvitations, GroupInvited,
    GroupInvitedState, GroupWithdraw, Invitation, Invited,
};
pub use live::{
    PresenceChange, PresenceQuery, PresenceState, PresenceSubscribe, Typing, TypingPush,
    UserPresence,
};
pub use message::{
    ConversationSettings, ConversationSettingsChange, MessageHide, MessagePin, MessageReact,
    Reader, ReaderState, Readers,
};
pub use notice::{Notice, NoticeWithdrawn};
pub use request_id::RequestId;
pub use schema::json_schema;
pub use search::{Excerpt, Found, Hit, Mark, Search};
pub use server::{
    AuthExpiring, AuthFail, AuthOk, Error, Kick, Limits, LimitsChanged, Outcome, Pong, Rates,
    ReauthOk, ServerFrame,
};

/// Defines a frame enum with its decoder and encoder. Every variant's fields live
/// in a struct of their own.
macro_rules! frames {
    ($(#[$doc:meta])* $name:ident { $( $(#[$vdoc:meta])* $wire:literal => $variant:ident($body:ty), )* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(tag = "type")]
        pub enum $name {
            $( $(#[$vdoc])* #[serde(rename = $wire)] $variant($body), )*
        }

        impl $name {
            /// The `type` of every frame of this direction.
            pub const TYPES: &[&str] = &[$( $wire, )*];

            /// The `type` of this frame.
            pub const fn type_name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $wire, )* }
            }

            /// Reads one text frame.
            pub fn decode(text: &str) -> Result<$crate::frame::Decoded<Self>, $crate::frame::DecodeError> {
                let header = $crate::frame::decode::Header::read(text)?;
                $( if header.is($wire) {
                    return header.body(text).map(|(id, body)| $crate::frame::Decoded {
                        id,
                        frame: Self::$variant(body),
                    });
                } )*
                Err(header.unknown_type())
            }

            /// Writes one text frame, with the `id` of the request it answers, if any.
            pub fn encode(&self, id: Option<&$crate::frame::RequestId>) -> String {
                $crate::frame::request_id::encode(self, id)
            }
        }
    };
}
use frames;
