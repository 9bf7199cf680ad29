//! Events as frames: the same form whether pushed or pulled.

use petrel_protocol::frame::{
    Change, Contact, ContactAction, ConversationKind as WireKind, Direction, EventPush,
    GroupChatPush, Role, ServerFrame, SingleChatPush,
};
use petrel_store::{Conversation, ConversationKind, StoredEvent};
use petrel_types::{ClientMessageId, RowId, Seq, TimestampMs, UserId};

use crate::event::{EventBody, MessageBody};

/// An event apart from what it says.
pub(crate) struct Envelope {
    pub(crate) from: UserId,
    pub(crate) client_message_id: Option<ClientMessageId>,
    pub(crate) row: RowId,
    pub(crate) seq: Seq,
    pub(crate) timestamp: TimestampMs,
}

/// The other user of a single chat.
pub(crate) fn peer_of(conversation: &Conversation, user: UserId) -> Option<UserId> {
    match conversation.kind {
        ConversationKind::Single { low, high } => Some(if low == user { high } else { low }),
        ConversationKind::Group
        | ConversationKind::Personal { .. }
        | ConversationKind::Pair { .. } => None,
    }
}

fn is_personal(conversation: &Conversation) -> bool {
    matches!(conversation.kind, ConversationKind::Personal { .. })
}

/// What a conversation is, in the words of clients.
pub(crate) fn kind_of(conversation: &Conversation) -> WireKind {
    match conversation.kind {
        ConversationKind::Single { .. } => WireKind::Single,
        ConversationKind::Group => WireKind::Group,
        ConversationKind::Personal { .. } => WireKind::Personal,
        // Has no members, so it is shown to nobody.
        ConversationKind::Pair { .. } => WireKind::Unknown,
    }
}

/// The frame that shows a stored event to members of its conversation.
///
/// A payload that can't be read is an error of the store's kind `Corrupt`; it is
/// reported by the caller, who knows what was asked.
pub(crate) fn frame_of(
    conversation: &Conversation,
    event: &StoredEvent,
) -> Result<ServerFrame, serde_json::Error> {
    let envelope = Envelope {
        from: event.sender,
        client_message_id: event.client_message_id.clone(),
        row: event.row,
        seq: event.seq,
        timestamp: event.timestamp,
    };
    Ok(frame(conversation, envelope, EventBody::decode(&event.payload)?))
}

/// The frame that shows an event to members of its conversation.
pub(crate) fn frame(
    conversation: &Conversation,
    envelope: Envelope,
    body: EventBody,
) -> ServerFrame {
    match body {
        EventBody::Message(message) => message_frame(conversation, envelope, message),
        EventBody::Contact(_) => frame(conversation, envelope, EventBody::Change(Change::Unknown)),
        EventBody::Change(change) => ServerFrame::Event(EventPush {
            from: envelope.from,
            // In a personal timeline a name belongs to the founding of a group, and only
            // serves to recognise it.
            client_msg_id: envelope.client_message_id.filter(|_| !is_personal(conversation)),
            server_msg_id: envelope.row,
            conversation_id: conversation.id,
            msg_seq: envelope.seq,
            fallback: fallback(envelope.from, &change),
            change,
            ts: envelope.timestamp,
            redelivered: false,
        }),
    }
}

fn message_frame(
    conversation: &Conversation,
    envelope: Envelope,
    message: MessageBody,
) -> ServerFrame {
    let Envelope { from, client_message_id, row, seq, timestamp } = envelope;
    let client_msg_id = client_message_id
        .unwrap_or_else(|| ClientMessageId::new(row.to_string()).expect("a number is a valid id"));
    let edited = message.edit.is_some() && !message.recalled;
    let MessageBody { msg_type, body, rev, mentions, mention_all, recalled, .. } = message;
    let MessageBody { attachment, location, custom, call, reply_to, .. } = message;
    let MessageBody { forwarded_from, reactions, .. } = message;
    match peer_of(conversation, from) {
        Some(to) => ServerFrame::SingleChat(SingleChatPush {
            from,
            to,
            client_msg_id,
            server_msg_id: row,
            conversation_id: conversation.id,
            msg_seq: seq,
            msg_type,
            body,
            attachment,
            location,
            custom,
            call,
            reply_to,
            forwarded_from,
            reactions,
            ts: timestamp,
            rev,
            edited,
            recalled,
            redelivered: false,
        }),
        None => ServerFrame::GroupChat(GroupChatPush {
            from,
            group_id: conversation.id,
            client_msg_id,
            server_msg_id: row,
            conversation_id: conversation.id,
            msg_seq: seq,
            msg_type,
            body,
            mentions,
            mention_all,
            attachment,
            location,
            custom,
            reply_to,
            forwarded_from,
            reactions,
            ts: timestamp,
            rev,
            edited,
            recalled,
            redelivered: false,
        }),
    }
}

/// A line for clients that do not know the kind of change.
fn fallback(from: UserId, change: &Change) -> String {
    match change {
        Change::Recalled { .. } => format!("{from} recalled a message"),
        Change::Edited { .. } => format!("{from} edited a message"),
        Change::Reacted { emoji, removed: false, .. } => format!("{from} reacted with {emoji}"),
        Change::Reacted { .. } => format!("{from} took a reaction back"),
        Change::Pinned { removed: false, .. } => format!("{from} pinned a message"),
        Change::Pinned { .. } => format!("{from} took a pinned message down"),
        Change::MessagesHidden { .. } => "you have deleted messages for yourself".to_owned(),
        Change::ConversationSettingsChanged { .. } => {
            "you have changed what a conversation is to you".to_owned()
        }
        Change::GroupCreated { title, .. } => format!("{from} created the group {title}"),
        Change::MembersAdded { members } => format!("{from} added {}", people(members)),
        Change::MembersRemoved { members } => format!("{from} removed {}", people(members)),
        Change::MemberLeft => format!("{from} left the group"),
        Change::RoleChanged { user, role: Role::Owner } => {
            format!("{from} made {user} the owner")
        }
        Change::RoleChanged { user, role: Role::Admin } => format!("{from} made {user} an admin"),
        Change::RoleChanged { user, role: Role::Member } => {
            format!("{from} made {user} an ordinary member")
        }
        Change::TitleChanged { title } => format!("{from} named the group {title}"),
        Change::GroupChanged { .. } => format!("{from} changed the group"),
        Change::MemberChanged { user, muted_until_ts: Some(_), .. } => {
            format!("{user} may not speak for a while")
        }
        Change::MemberChanged { user, nickname: Some(name), .. } => {
            format!("{user} is called {name} here")
        }
        Change::MemberChanged { user, .. } => format!("{user} may speak"),
        Change::JoinRequested => format!("{from} would like to join the group"),
        Change::JoinRefused { user } => format!("{from} did not let {user} in"),
        Change::ConversationRefused { .. } => "you were not let into a group".to_owned(),
        Change::MembersInvited { members, .. } => format!("{from} invited {}", people(members)),
        Change::InvitationRefused => format!("{from} does not come into the group"),
        Change::InvitationWithdrawn { user } => {
            format!("{from} took the invitation of {user} back")
        }
        Change::GroupInvited { title, .. } => format!("{from} invites you into the group {title}"),
        Change::GroupInvitationEnded { .. } => "you are no longer invited into a group".to_owned(),
        Change::GroupDissolved => format!("{from} dissolved the group"),
        Change::ConversationAdded { .. } => format!("{from} added you to a conversation"),
        Change::ConversationRemoved { .. } => "you are no longer in a conversation".to_owned(),
        Change::ContactChanged { contact, action } => contact_fallback(from, contact, *action),
        Change::SettingsChanged { .. } if from == UserId::SYSTEM => {
            "an administrator has changed how you are shown".to_owned()
        }
        Change::SettingsChanged { .. } => "you have changed your settings".to_owned(),
        Change::Unknown => "something that this server does not know".to_owned(),
    }
}

fn contact_fallback(from: UserId, contact: &Contact, action: ContactAction) -> String {
    let user = contact.user;
    let applies = contact.application.as_ref().map(|application| application.direction);
    match (action, applies) {
        (ContactAction::Apply, Some(Direction::Incoming)) => {
            format!("{user} would like to be your friend")
        }
        (ContactAction::Apply, Some(Direction::Outgoing)) => {
            format!("you would like to be a friend of {user}")
        }
        (ContactAction::Apply | ContactAction::Accept, _) => {
            format!("you and {user} are friends now")
        }
        (ContactAction::Reject, _) => format!("{from} refused an application"),
        (ContactAction::Withdraw, _) => format!("{from} took an application back"),
        (ContactAction::Remove, _) => format!("you and {user} are no longer friends"),
        (ContactAction::Remark, _) => format!("you call {user} something else now"),
        (ContactAction::Block, _) => format!("you have blocked {user}"),
        (ContactAction::Unblock, _) => format!("you have unblocked {user}"),
    }
}

fn people(users: &[UserId]) -> String {
    match users {
        [user] => user.to_string(),
        users => format!("{} members", users.len()),
    }
}
