//! Pins: the messages of a conversation that everybody should see.

use petrel_log::{Command, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Role};
use petrel_store::ConversationKind;
use petrel_types::limits::PINS_MAX;
use petrel_types::{ConversationId, Seq};

use super::{not_allowed, nothing_to_change};
use crate::Refusal;
use crate::profile::Profile;
use crate::refusal::not_a_member;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    pub(super) fn pin(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        target: Seq,
        remove: bool,
    ) -> Result<(), Refusal> {
        let (_, _, message) = self.message(command, conversation, target)?;
        self.check_may_pin(command, conversation)?;
        if message.recalled {
            return Err(Refusal::new(ErrorReason::TooLate, "the message was recalled"));
        }
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        let trimmed_before = model.trimmed_before;
        let mut profile = model.profile.clone();
        profile.pins.retain(|pinned| *pinned >= trimmed_before);
        match (remove, profile.pins.contains(&target)) {
            (false, true) => return Err(nothing_to_change("the message is pinned already")),
            (true, false) => return Err(nothing_to_change("the message is not pinned")),
            (true, true) => profile.pins.retain(|pinned| *pinned != target),
            (false, false) if profile.pins.len() >= PINS_MAX => {
                return Err(Refusal::new(
                    ErrorReason::LimitReached,
                    format!("at most {PINS_MAX} messages are pinned; take another one down first"),
                ));
            }
            (false, false) => profile.pins.push(target),
        }

        self.set_profile(conversation, profile);
        let pinned = Change::Pinned { target_seq: target, removed: remove };
        self.change(command, send, conversation, pinned);
        Ok(())
    }

    /// In a single chat both may pin; in a group the owner and admins, or all who are not
    /// muted, as the group has settled it.
    fn check_may_pin(
        &mut self,
        command: &Command,
        conversation: ConversationId,
    ) -> Result<(), Refusal> {
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        let role = model.role(command.actor).ok_or_else(not_a_member)?;
        let is_group = model.conversation.kind == ConversationKind::Group;
        if is_group && role < Role::Admin && !model.profile.info.members_pin {
            return Err(not_allowed("only the owner and admins of the group may pin messages"));
        }
        self.check_may_tell(command.actor, conversation)
    }

    /// What is taken back is no longer pinned.
    pub(super) fn forget_pin(&mut self, conversation: ConversationId, target: Seq) {
        #[cfg(feature = "mutants")]
        if petrel_store::mutants::is("pin-survives-recall") {
            return;
        }
        let Some(model) = self.model(conversation) else { return };
        if model.profile.pins.contains(&target) {
            let mut profile: Profile = model.profile.clone();
            profile.pins.retain(|pinned| *pinned != target);
            self.set_profile(conversation, profile);
        }
    }
}
