//! Events as frames: the same form whether pushed or pulled.

use petrel_protocol::frame::{ServerFrame, SingleChatPush};
use petrel_store::{Conversation, StoredEvent};
use petrel_types::{ClientMessageId, UserId};

use crate::event::EventBody;

/// The other user of a single chat.
pub(crate) fn peer_of(conversation: &Conversation, user: UserId) -> UserId {
    if conversation.low == user { conversation.high } else { conversation.low }
}

/// The frame that shows an event to members of its conversation.
///
/// A payload that can't be read is an error of the store's kind `Corrupt`; it is
/// reported by the caller, who knows what was asked.
pub(crate) fn frame_of(
    conversation: &Conversation,
    event: &StoredEvent,
) -> Result<ServerFrame, serde_json::Error> {
    match EventBody::decode(&event.payload)? {
        EventBody::Message { msg_type, body } => Ok(ServerFrame::SingleChat(SingleChatPush {
            from: event.sender,
            to: peer_of(conversation, event.sender),
            client_msg_id: event.client_message_id.clone().unwrap_or_else(|| {
                ClientMessageId::new(event.row.to_string()).expect("a number is a valid id")
            }),
            server_msg_id: event.row,
            conversation_id: event.conversation,
            msg_seq: event.seq,
            msg_type,
            body,
            ts: event.timestamp,
            redelivered: false,
        })),
    }
}
