//! Recognising a command that was decided before.

use petrel_log::{Command, Destination, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_store::ConversationKind;
use petrel_types::limits::RETRY_WINDOW_MS;
use petrel_types::{ConversationId, UserId};

use super::content::pair_of;
use super::draft::Draft;
use super::recent::MessageKey;
use crate::Refusal;

impl Draft<'_> {
    /// Answers a command that was decided before with its first ack; says whether it was.
    pub(super) fn is_decided(
        &mut self,
        command: &Command,
        send: &SendRequest,
    ) -> Result<bool, Refusal> {
        let Some(known) = self.known_destination(command.actor, send.to)? else {
            return Ok(false);
        };
        let client_message_id = send.client_message_id.clone();
        let key = MessageKey { conversation: known, sender: command.actor, client_message_id };
        if self.say_again(command, &key, Self::content_hash(&send.content)) {
            return Ok(true);
        }
        self.check_age(send)?;
        Ok(false)
    }

    /// The timeline in which a command is recognised when it comes again; `None` if it
    /// has yet to begin.
    fn known_destination(
        &mut self,
        actor: UserId,
        to: Destination,
    ) -> Result<Option<ConversationId>, Refusal> {
        match to {
            Destination::User(to) if to == actor => Err(Refusal::new(
                ErrorReason::CannotSendToSelf,
                "a single chat needs another user: `to` is yourself",
            )),
            Destination::User(to) => {
                let (low, high) = (actor.min(to), actor.max(to));
                let known = self.memory.by_kind.get(&ConversationKind::Single { low, high });
                if known.is_none() && self.lookups.unknown_users.contains(&to) {
                    return Err(self.unknown_user(to));
                }
                Ok(known.copied())
            }
            Destination::Conversation(conversation) => Ok(Some(conversation)),
            Destination::Pair(to) if to == actor => Err(Refusal::new(
                ErrorReason::CannotSendToSelf,
                "that takes another user: `user` is yourself",
            )),
            Destination::Pair(to) => {
                if self.lookups.unknown_users.contains(&to) {
                    return Err(self.unknown_user(to));
                }
                Ok(self.memory.by_kind.get(&pair_of(actor, to)).copied())
            }
            Destination::NewGroup | Destination::Own => {
                let kind = ConversationKind::Personal { user: actor };
                Ok(self.memory.by_kind.get(&kind).copied())
            }
        }
    }

    /// If the command was decided before, arranges for the first ack to be said again.
    fn say_again(&mut self, command: &Command, key: &MessageKey, body_hash: Option<u64>) -> bool {
        let differs = |first: Option<u64>| match (first, body_hash) {
            (Some(first), Some(second)) => first != second,
            _ => false,
        };
        if let Some(event) = self.named.get(key).copied() {
            let first = self.decisions.event(event);
            if let Some(group) = first.founded {
                let group = MessageKey { conversation: group, ..key.clone() };
                return self.say_again(command, &group, body_hash);
            }
            let body_differs = differs(first.body_hash);
            self.decisions.duplicate_in_batch(command.origin, event, body_differs);
            return true;
        }
        let earlier = self.memory.recent.get(key).or_else(|| self.lookups.earlier.get(key));
        let Some(earlier) = earlier.copied() else {
            return false;
        };
        if let Some(group) = earlier.founded {
            let group = MessageKey { conversation: group, ..key.clone() };
            return self.say_again(command, &group, body_hash);
        }
        let body_differs = differs(earlier.body_hash);
        self.decisions.duplicate(command.origin, key.clone(), earlier, body_differs);
        true
    }

    /// Refuses a retry that may have been stored before anybody remembers.
    fn check_age(&self, send: &SendRequest) -> Result<(), Refusal> {
        let Some(first_sent) = send.first_sent else {
            return Ok(());
        };
        if send.retry && self.now.get().saturating_sub(first_sent.get()) > RETRY_WINDOW_MS {
            return Err(Refusal::new(
                ErrorReason::RetryTooOld,
                "this was first sent too long ago to tell whether it was stored; look for it in \
                 the conversation, and send it under a new clientMsgId if it is not there",
            ));
        }
        Ok(())
    }
}
