//! From what a sender asks for to what is delivered: what a message refers to (whom it
//! names, what it replies to, what it sends on, which file goes with it) is looked up here,
//! and what the sender may not use is refused.

use std::collections::BTreeSet;

use petrel_log::{Command, NewMessage};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{ReplyTo, Role};
use petrel_types::limits::MENTIONS_MAX;
use petrel_types::{ConversationId, UserId};

use super::not_allowed;
use crate::Refusal;
use crate::event::MessageBody;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    /// A message to a group, which may name members. Who is none is passed over: a sender
    /// can't know who has left in this moment, and the message is no less true for it.
    pub(super) fn compose_in_group(
        &mut self,
        command: &Command,
        group: ConversationId,
        new: &NewMessage,
    ) -> Result<MessageBody, Refusal> {
        let role = self.check_role(command, group, Role::Member)?;
        if new.mention_all && role < Role::Admin {
            return Err(not_allowed("only the owner and admins of the group may name everybody"));
        }
        if new.mentions.len() > MENTIONS_MAX {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("`mentions` has more than {MENTIONS_MAX} entries"),
            ));
        }
        let model = self.group(group)?;
        let is_member = |user: &UserId| model.member(*user).is_some();
        let named: BTreeSet<_> = new.mentions.iter().copied().filter(is_member).collect();
        let message = self.compose(command, Some(group), new)?;
        let mentions = named.into_iter().collect();
        Ok(MessageBody { mentions, mention_all: new.mention_all, ..message })
    }

    /// A message, apart from whom it names. `conversation` is `None` if it has yet to begin.
    pub(super) fn compose(
        &mut self,
        command: &Command,
        conversation: Option<ConversationId>,
        new: &NewMessage,
    ) -> Result<MessageBody, Refusal> {
        if let Some(forward) = new.forward {
            let found = self.lookups.forwards.get(&(command.actor, forward));
            return found.cloned().ok_or_else(|| {
                let message = "there is no message to send on there, or you may not read it";
                Refusal::new(ErrorReason::MessageNotFound, message)
            });
        }
        let reply_to = match (new.reply_to, conversation) {
            (None, _) => None,
            (Some(msg_seq), Some(conversation)) => {
                let (from, _, _) = self.message(command, conversation, msg_seq)?;
                Some(ReplyTo { msg_seq, from })
            }
            (Some(msg_seq), None) => {
                let message = format!("there is no message at msgSeq {msg_seq}");
                return Err(Refusal::new(ErrorReason::MessageNotFound, message));
            }
        };
        let attach = |asked| self.attach(command, new.msg_type, asked);
        let attachment = new.attachment.as_deref().map(attach).transpose()?.map(Box::new);
        Ok(MessageBody {
            msg_type: new.msg_type,
            body: new.body.clone(),
            attachment,
            location: new.location.clone(),
            custom: new.custom.clone(),
            reply_to,
            ..MessageBody::default()
        })
    }
}
