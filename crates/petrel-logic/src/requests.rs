//! From what clients say to commands: what they put into timelines, by whatever way.
//!
//! Looks at what a frame says by itself (lengths, blanks, see `message_form`); what it may do
//! is decided by the sequencer.

use petrel_log::{Content, Destination, GroupChange, NewMessage, SendRequest};
use petrel_protocol::frame::{
    ContactAction, ContactChange, ConversationSettingsChange, GroupAdd, GroupAnswer, GroupChat,
    GroupCreate, GroupDissolve, GroupInvitation, GroupLeave, GroupMember, GroupRemove, GroupRole,
    GroupSettings, GroupTitle, GroupWithdraw, MessageHide, SingleChat,
};
use petrel_types::{ClientMessageId, ConversationId};

use crate::Refusal;
use crate::contacts::mint_code;
use crate::message_form::content_of;

pub use crate::message_form::check_body;

/// A frame that asks for an event in a timeline.
pub trait IntoSend {
    /// The sender's own name for it, for the answer if it is refused.
    fn client_message_id(&self) -> &ClientMessageId;

    /// The command.
    fn into_send(self) -> Result<SendRequest, Refusal>;
}

impl IntoSend for SingleChat {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let content = content_of(NewMessage {
            msg_type: self.msg_type,
            body: self.body,
            mentions: Vec::new(),
            mention_all: false,
            attachment: self.attachment,
            location: self.location,
            custom: self.custom,
            reply_to: self.reply_to,
            forward: self.forward,
        })?;
        Ok(SendRequest {
            to: Destination::User(self.to),
            client_message_id: self.client_msg_id,
            content,
            retry: self.retry,
            first_sent: self.first_sent_ts,
        })
    }
}

impl IntoSend for GroupChat {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let content = content_of(NewMessage {
            msg_type: self.msg_type,
            body: self.body,
            mentions: self.mentions,
            mention_all: self.mention_all,
            attachment: self.attachment,
            location: self.location,
            custom: self.custom,
            reply_to: self.reply_to,
            forward: self.forward,
        })?;
        Ok(SendRequest {
            to: Destination::Conversation(self.group_id),
            client_message_id: self.client_msg_id,
            content,
            retry: self.retry,
            first_sent: self.first_sent_ts,
        })
    }
}

impl IntoSend for GroupCreate {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let Self { client_msg_id, title, members, history } = self;
        let content = Content::CreateGroup { title, members, history };
        Ok(change(Destination::NewGroup, client_msg_id, content))
    }
}

/// Frames that change a group which exists.
macro_rules! group_changes {
    ($( $frame:ident => |$fields:pat_param| $content:expr, )*) => { $(
        impl IntoSend for $frame {
            fn client_message_id(&self) -> &ClientMessageId {
                &self.client_msg_id
            }

            fn into_send(self) -> Result<SendRequest, Refusal> {
                let group = Destination::Conversation(self.group_id);
                let client_message_id = self.client_msg_id.clone();
                let $fields = self;
                Ok(change(group, client_message_id, $content))
            }
        }
    )* };
}

group_changes! {
    GroupAdd => |GroupAdd { members, .. }| Content::AddMembers(members),
    GroupRemove => |GroupRemove { members, .. }| Content::RemoveMembers(members),
    GroupLeave => |GroupLeave { .. }| Content::Leave,
    GroupRole => |GroupRole { user, role, .. }| Content::SetRole { user, role },
    GroupTitle => |GroupTitle { title, .. }| Content::SetTitle(title),
    GroupDissolve => |GroupDissolve { .. }| Content::Dissolve,
    GroupMember => |GroupMember { user, nickname, mute_ms, .. }| {
        Content::ChangeMember { user, nickname, mute_ms }
    },
    GroupAnswer => |GroupAnswer { user, accept, .. }| Content::AnswerJoin { user, accept },
    GroupInvitation => |GroupInvitation { accept, .. }| Content::AnswerInvitation { accept },
    GroupWithdraw => |GroupWithdraw { user, .. }| Content::WithdrawInvitation { user },
}

impl IntoSend for MessageHide {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let Self { client_msg_id, conversation_id, msg_seqs, up_to_seq } = self;
        let content = Content::Hide { targets: msg_seqs, up_to: up_to_seq };
        Ok(change(Destination::Conversation(conversation_id), client_msg_id, content))
    }
}

impl IntoSend for ConversationSettingsChange {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let Self { client_msg_id, conversation_id, muted, pinned, archived } = self;
        let content = Content::SetConversation { muted, pinned, archived };
        Ok(change(Destination::Conversation(conversation_id), client_msg_id, content))
    }
}

impl IntoSend for ContactChange {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let Self { client_msg_id, user, action, message, remark } = self;
        let text = match action {
            ContactAction::Apply => message,
            ContactAction::Remark => remark,
            _ => None,
        };
        Ok(change(Destination::Pair(user), client_msg_id, Content::Contact { action, text }))
    }
}

impl IntoSend for GroupSettings {
    fn client_message_id(&self) -> &ClientMessageId {
        &self.client_msg_id
    }

    fn into_send(self) -> Result<SendRequest, Refusal> {
        let new_code = mint_code()?;
        let Self { client_msg_id, group_id, description, avatar, announcement, .. } = self;
        let Self { joining, member_limit, muted, members_pin, renew_code, .. } = self;
        let content = Content::ChangeGroup(GroupChange {
            description,
            avatar,
            announcement,
            joining,
            member_limit,
            muted,
            members_pin,
            renew_code,
            new_code,
        });
        Ok(change(Destination::Conversation(group_id), client_msg_id, content))
    }
}

/// Joining a group, once it is known to which one a code leads.
pub fn join_group(
    (group, code): (ConversationId, String),
    client_message_id: ClientMessageId,
    message: Option<String>,
) -> SendRequest {
    change(Destination::Conversation(group), client_message_id, Content::Join { code, message })
}

/// A change to a message, once it is known which one.
pub fn change_message(
    conversation: ConversationId,
    client_message_id: ClientMessageId,
    content: Content,
) -> SendRequest {
    change(Destination::Conversation(conversation), client_message_id, content)
}

/// Changes are recognised as retries whether they say so or not.
fn change(to: Destination, client_message_id: ClientMessageId, content: Content) -> SendRequest {
    SendRequest { to, client_message_id, content, retry: true, first_sent: None }
}
