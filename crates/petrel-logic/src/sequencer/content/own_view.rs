//! What a conversation is to one of its members alone: what the member has deleted for
//! himself or herself, and how it is to be shown.
//!
//! It is no event of the conversation, which is everybody's. It stands in the member's
//! attributes, where every read looks that is authorised by the membership, and the member's
//! devices are told in the personal timeline.

use petrel_log::{Command, ReceiptKind, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, DoneAck, ServerAck, ServerFrame};
use petrel_store::ConversationKind;
use petrel_types::limits::{HIDDEN_MESSAGES_MAX, HIDE_MESSAGES_MAX};
use petrel_types::{ConversationId, Seq};

use super::misdirected;
use crate::Refusal;
use crate::event::EventBody;
use crate::lists::SETTINGS_TOLD;
use crate::membership::Membership;
use crate::profile::Attributes;
use crate::refusal::not_a_member;
use crate::sequencer::Effect;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    /// Deletes messages for the actor. What is deleted already is passed over, so that asking
    /// again does no harm.
    pub(super) fn hide(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        targets: &[Seq],
        up_to: Option<Seq>,
    ) -> Result<(), Refusal> {
        let member = self.membership(command, conversation)?;
        if targets.is_empty() && up_to.is_none() || targets.len() > HIDE_MESSAGES_MAX {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("give 1 to {HIDE_MESSAGES_MAX} of `msgSeqs`, or `upToSeq`"),
            ));
        }
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        let trimmed_before = model.trimmed_before;
        let end = member.access().end(model.head.seq);
        if let Some(up_to) = up_to.filter(|up_to| *up_to > end) {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("upToSeq {up_to} is beyond the last event, {end}"),
            ));
        }
        let before = member.attributes.hidden.as_deref().cloned().unwrap_or_default();
        let mut mentions = Vec::new();
        let mut naming_everybody = Vec::new();
        let mut uncounted = Vec::new();
        for target in targets.iter().filter(|target| !before.contains(**target)) {
            let is_visible = member.access().allows(*target) && *target >= trimmed_before;
            let found = if is_visible { self.target(conversation, *target) } else { None };
            let counts = found.as_ref().is_some_and(|(_, _, body)| body.counts());
            let Some((_, _, EventBody::Message(message))) = found else {
                let why = format!("there is no message at msgSeq {target}");
                return Err(Refusal::new(ErrorReason::MessageNotFound, why));
            };
            mentions.extend(message.mentions.contains(&command.actor).then_some(*target));
            naming_everybody.extend(message.mention_all.then_some(*target));
            uncounted.extend((!counts).then_some(*target));
        }
        let up_to_seq = up_to.unwrap_or_default();
        let after = before.with(targets.iter().copied(), naming_everybody, uncounted, up_to_seq);
        let Some(after) = after else {
            return Err(Refusal::new(
                ErrorReason::LimitReached,
                format!(
                    "of one conversation at most {HIDDEN_MESSAGES_MAX} messages are deleted one by \
                     one; delete everything up to one of them with `upToSeq`"
                ),
            ));
        };
        let is_news = after != before;
        if is_news {
            let hidden = Some(Box::new(after));
            let attributes = Attributes { hidden, ..member.attributes.clone() };
            self.set_attributes(conversation, command.actor, attributes);
            for target in mentions {
                self.set_mentions(conversation, target, (&[command.actor], false), false);
            }
            self.derive_own(
                conversation,
                command.actor,
                Change::MessagesHidden {
                    conversation_id: conversation,
                    msg_seqs: targets.to_vec(),
                    up_to_seq: up_to,
                },
            );
        }
        self.done(command, send, !is_news);
        // Nobody reads what is deleted.
        match up_to.filter(|up_to| *up_to > member.cursors.read) {
            Some(up_to) => self.advance(command, conversation, ReceiptKind::Read, up_to),
            None => Ok(()),
        }
    }

    /// Changes how a conversation is shown to the actor.
    pub(super) fn set_conversation(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        [muted, pinned, archived]: [Option<bool>; 3],
    ) -> Result<(), Refusal> {
        let member = self.membership(command, conversation)?;
        let before = member.attributes.settings;
        let mut settings = before;
        settings.muted = muted.unwrap_or(settings.muted);
        settings.pinned = pinned.unwrap_or(settings.pinned);
        settings.archived = archived.unwrap_or(settings.archived);
        let is_news = settings != before;
        if is_news {
            let attributes = Attributes { settings, ..member.attributes };
            self.set_attributes(conversation, command.actor, attributes);
            let change =
                Change::ConversationSettingsChanged { conversation_id: conversation, settings };
            self.derive_own(conversation, command.actor, change);
        }
        self.done(command, send, !is_news);
        Ok(())
    }

    /// Says in a personal timeline what a conversation is to its user, unless something later
    /// was said already.
    pub(in crate::sequencer) fn tell_settings(
        &mut self,
        timeline: ConversationId,
        about: ConversationId,
        rev: u64,
    ) -> bool {
        let known = self.entry_of_list(timeline, SETTINGS_TOLD, about.get());
        let known = known.and_then(|known| <[u8; 8]>::try_from(known.as_ref()).ok());
        if known.is_some_and(|known| u64::from_be_bytes(known) >= rev) {
            return false;
        }
        let told = rev.to_be_bytes().to_vec().into();
        self.set_entry(timeline, SETTINGS_TOLD, about.get(), Some(told));
        true
    }

    /// A message that named everybody does so no longer: those who have deleted it need not
    /// leave it out any more.
    pub(super) fn forget_hidden_mention(&mut self, conversation: ConversationId, target: Seq) {
        let Some(model) = self.model(conversation) else { return };
        let is_among = |member: &&Membership| {
            let hidden = member.attributes.hidden.as_deref();
            hidden.is_some_and(|hidden| hidden.naming_everybody.contains(&target))
        };
        let members: Vec<_> = model.members().iter().filter(is_among).cloned().collect();
        for mut member in members {
            if let Some(hidden) = &mut member.attributes.hidden {
                hidden.naming_everybody.retain(|seq| *seq != target);
            }
            self.set_member(conversation, member);
        }
    }

    /// The actor's membership, present or former: what was read may be deleted.
    fn membership(
        &mut self,
        command: &Command,
        conversation: ConversationId,
    ) -> Result<Membership, Refusal> {
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        match model.conversation.kind {
            ConversationKind::Single { .. } | ConversationKind::Group => {}
            ConversationKind::Personal { user } if user == command.actor => {
                return Err(misdirected());
            }
            ConversationKind::Personal { .. } | ConversationKind::Pair { .. } => {
                return Err(not_a_member());
            }
        }
        let present = model.member(command.actor).cloned();
        let former = || self.former(conversation, command.actor).cloned();
        present.or_else(former).ok_or_else(not_a_member)
    }

    /// Answers a command that has become no event.
    fn done(&mut self, command: &Command, send: &SendRequest, duplicate: bool) {
        let ack = DoneAck {
            ack_type: Default::default(),
            client_msg_id: send.client_message_id.clone(),
            ts: self.now,
            duplicate,
        };
        let frame = Some(ServerFrame::Ack(ServerAck::Done(ack)));
        self.decisions.say(Effect::Answer { origin: command.origin, frame });
    }
}
