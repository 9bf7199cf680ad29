//! Which texts of a command others read, and so are looked at.

use petrel_log::{Content, GroupChange, NewMessage, SendRequest};
use petrel_types::UserId;
use serde_json::Value;

use super::WordFilter;
use crate::Refusal;

impl WordFilter {
    /// Looks at what a user sends: messages, edits, titles, descriptions, announcements,
    /// nicknames, display names, and what is said with a wish to join or to be friends. A remark is for the
    /// one who writes it, so nobody looks at it. Says whether any word was replaced.
    pub fn check(&self, actor: UserId, send: &mut SendRequest) -> Result<bool, Refusal> {
        // There are most often none; then nothing is looked at.
        if self.compiled().is_none() {
            return Ok(false);
        }
        let before = send.content.clone();
        self.check_content(actor, send)?;
        Ok(send.content != before)
    }

    fn check_content(&self, actor: UserId, send: &mut SendRequest) -> Result<(), Refusal> {
        match &mut send.content {
            Content::Message(message) => self.check_message(actor, message),
            Content::Text(body) | Content::Edit { body, .. } => {
                self.check_text(actor, "the message", body)
            }
            Content::CreateGroup { title, .. } | Content::SetTitle(title) => {
                self.check_text(actor, "the title", title)
            }
            Content::ChangeGroup(GroupChange { description, announcement, .. }) => {
                self.check_some(actor, "the description", description)?;
                self.check_some(actor, "the announcement", announcement)
            }
            Content::ChangeMember { nickname, .. } => {
                self.check_some(actor, "the nickname", nickname)
            }
            Content::Join { message, .. } => self.check_some(actor, "the message", message),
            Content::Contact { action, text } => match action {
                petrel_protocol::frame::ContactAction::Apply => {
                    self.check_some(actor, "the message", text)
                }
                _ => Ok(()),
            },
            Content::Profile(change) => {
                change.display_name.iter().flatten().try_for_each(|name| self.check_name(name))
            }
            Content::Recall { .. }
            | Content::React { .. }
            | Content::Pin { .. }
            | Content::Hide { .. }
            | Content::SetConversation { .. }
            | Content::AddMembers(_)
            | Content::RemoveMembers(_)
            | Content::Leave
            | Content::SetRole { .. }
            | Content::Dissolve
            | Content::Rule(_)
            | Content::ClearProfile(_)
            | Content::AnswerJoin { .. }
            | Content::AnswerInvitation { .. }
            | Content::WithdrawInvitation { .. }
            | Content::Settings { .. }
            | Content::Call(_) => Ok(()),
        }
    }

    /// Looks at what a user calls a file.
    pub fn check_file_name(&self, actor: UserId, name: &mut String) -> Result<(), Refusal> {
        self.check_text(actor, "the name of the file", name)
    }

    fn check_message(&self, actor: UserId, message: &mut NewMessage) -> Result<(), Refusal> {
        self.check_text(actor, "the message", &mut message.body)?;
        if let Some(location) = &mut message.location {
            self.check_some(actor, "the place", &mut location.name)?;
            self.check_some(actor, "the place", &mut location.address)?;
        }
        match &mut message.custom {
            Some(custom) => {
                custom.data.values_mut().try_for_each(|value| self.check_value(actor, value))
            }
            None => Ok(()),
        }
    }

    /// Every text in it: what only clients understand may be shown to people all the same. It
    /// is as deep as what the decoder takes.
    fn check_value(&self, actor: UserId, value: &mut Value) -> Result<(), Refusal> {
        match value {
            Value::String(text) => self.check_text(actor, "the message", text),
            Value::Array(values) => {
                values.iter_mut().try_for_each(|value| self.check_value(actor, value))
            }
            Value::Object(fields) => {
                fields.values_mut().try_for_each(|value| self.check_value(actor, value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn check_some(
        &self,
        actor: UserId,
        what: &str,
        text: &mut Option<String>,
    ) -> Result<(), Refusal> {
        text.as_mut().map_or(Ok(()), |text| self.check_text(actor, what, text))
    }
}
