//! What each kind of content means: who may send it and what it changes.
//!
//! A new kind of change is a variant of [`Content`] and a function here. Each checks
//! everything before it writes anything.

mod attachment;
mod clearing;
mod compose;
mod contact;
mod group;
mod group_settings;
mod inviting;
mod joining;
mod message;
mod own_view;
mod pin;
mod reaction;
mod ruling;
mod user_profile;

use std::sync::Arc;

use petrel_log::{Command, Content, Destination, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Change;
use petrel_types::{ConversationId, UserId};

pub(super) use self::contact::pair_of;
pub(super) use self::inviting::expiry_of;
use super::draft::{Draft, NewEntry};
use super::recent::hash_of;
use crate::Refusal;
use crate::event::{EventBody, MessageBody, Said};
use crate::refusal::not_a_member;

impl Draft<'_> {
    /// Decides something that was not decided before.
    pub(super) fn decide_content(
        &mut self,
        command: &Command,
        send: &SendRequest,
    ) -> Result<(), Refusal> {
        let conversation = match send.to {
            Destination::Conversation(conversation) => conversation,
            Destination::User(to) => return self.say_to_user(command, send, to),
            Destination::NewGroup => return self.create_group(command, send),
            Destination::Pair(other) => return self.change_contact(command, send, other),
            Destination::Own => {
                return match &send.content {
                    Content::Profile(change) => self.change_profile(command, send, change),
                    _ => self.change_settings(command, send),
                };
            }
        };
        match &send.content {
            Content::Text(body) => {
                self.say_in_group(command, send, conversation, MessageBody::text(body.clone()))
            }
            Content::Message(message) => {
                let message = self.compose_in_group(command, conversation, message)?;
                self.say_in_group(command, send, conversation, message)
            }
            Content::ChangeGroup(change) => self.change_group(command, send, conversation, change),
            Content::ChangeMember { user, nickname, mute_ms } => {
                let change = (nickname.as_deref(), *mute_ms);
                self.change_member(command, send, conversation, *user, change)
            }
            Content::Join { code, message } => {
                self.join(command, send, conversation, code, message.as_deref())
            }
            Content::AnswerJoin { user, accept } => {
                self.answer_join(command, send, conversation, *user, *accept)
            }
            Content::AnswerInvitation { accept } => {
                self.answer_invitation(command, send, conversation, *accept)
            }
            Content::WithdrawInvitation { user } => {
                self.withdraw_invitation(command, send, conversation, *user)
            }
            Content::Recall { target } => self.recall(command, send, conversation, *target),
            Content::Edit { target, body } => self.edit(command, send, conversation, *target, body),
            Content::React { target, emoji, remove } => {
                self.react(command, send, conversation, *target, (emoji, *remove))
            }
            Content::Pin { target, remove } => {
                self.pin(command, send, conversation, *target, *remove)
            }
            Content::Hide { targets, up_to } => {
                self.hide(command, send, conversation, targets, *up_to)
            }
            Content::SetConversation { muted, pinned, archived } => {
                self.set_conversation(command, send, conversation, [*muted, *pinned, *archived])
            }
            Content::AddMembers(users) => self.add_members(command, send, conversation, users),
            Content::RemoveMembers(users) => {
                self.remove_members(command, send, conversation, users)
            }
            Content::Leave => self.leave(command, send, conversation),
            Content::SetRole { user, role } => {
                self.set_role(command, send, conversation, *user, *role)
            }
            Content::SetTitle(title) => self.set_title(command, send, conversation, title),
            Content::Dissolve => self.dissolve(command, send, conversation),
            Content::Rule(ruling) => self.rule(command, send, conversation, *ruling),
            Content::ClearProfile(part) => self.clear_profile(command, send, conversation, *part),
            Content::CreateGroup { .. }
            | Content::Contact { .. }
            | Content::Settings { .. }
            | Content::Call(_)
            | Content::Profile(_) => Err(misdirected()),
        }
    }

    /// What tells whether the same is said again; `None` where it is not compared.
    pub(super) fn content_hash(content: &Content) -> Option<u64> {
        match content {
            Content::Text(body) => {
                let (file_id, reply_to, location, custom) = (None, None, None, None);
                Some(hash_of(Said { body, file_id, reply_to, location, custom }))
            }
            // What is sent on is known only to the one who has looked it up.
            Content::Message(message) if message.forward.is_none() => Some(hash_of(Said {
                body: &message.body,
                file_id: message.attachment.as_deref().map(|it| it.file_id.as_str()),
                reply_to: message.reply_to,
                location: message.location.as_deref(),
                custom: message.custom.as_deref(),
            })),
            _ => None,
        }
    }

    /// An event that a command becomes, told to everybody who is in the conversation.
    fn entry(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        body: EventBody,
    ) -> NewEntry {
        let recipients = self.everybody(conversation);
        NewEntry {
            sender: command.actor,
            client_message_id: Some(send.client_message_id.clone()),
            body,
            recipients,
            except: Some(command.origin.session),
            founded: None,
        }
    }

    fn everybody(&mut self, conversation: ConversationId) -> Arc<[UserId]> {
        self.model(conversation).map_or_else(|| Arc::new([]) as Arc<[_]>, |model| model.everybody())
    }

    /// Appends a change as the answer to its command.
    fn change(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        change: Change,
    ) -> petrel_types::Seq {
        let entry = self.entry(command, send, conversation, EventBody::Change(change));
        self.answer_with(command, conversation, entry)
    }
}

fn misdirected() -> Refusal {
    Refusal::new(ErrorReason::InvalidField, "this can't be sent there")
}

fn nothing_to_change(message: &str) -> Refusal {
    Refusal::new(ErrorReason::NothingToChange, message)
}

fn not_allowed(message: &str) -> Refusal {
    Refusal::new(ErrorReason::NotAllowed, message)
}

/// Also what a member is told who asks something of a conversation that only a group
/// can do: to the asker there is no such group.
fn no_such_group() -> Refusal {
    not_a_member()
}
