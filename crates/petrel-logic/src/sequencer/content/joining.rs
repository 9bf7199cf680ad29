//! Joining a group by its code: at once, or by asking those who may let others in.
//!
//! Who waits stands in a list of the group; that somebody asks, and what becomes of it, is
//! an event of the group's timeline.

use petrel_log::{Command, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Joining, Role};
use petrel_types::limits::{APPLICATION_UTF16_UNITS_MAX, JOIN_REQUESTS_MAX};
use petrel_types::{ConversationId, UserId};

use super::group::{added, check_room};
use super::{no_such_group, nothing_to_change};
use crate::Refusal;
use crate::lists::{JOIN_REQUESTS, ListedRequest};
use crate::pair::checked;
use crate::personal_entry::PersonalEntry;
use crate::profile::Profile;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    pub(super) fn join(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        code: &str,
        message: Option<&str>,
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        let model = self.group(group)?;
        let info = &model.profile.info;
        if info.code.as_deref() != Some(code) || info.joining == Joining::Closed {
            return Err(no_such_group());
        }
        if model.member(actor).is_some() {
            return Err(nothing_to_change("you are a member already"));
        }
        check_room(model, 1)?;
        // Who was muted does not get rid of it by going out and coming in.
        let now = self.now;
        let former = self.former(group, actor).and_then(|member| member.attributes.muted_until);
        if former.is_some_and(|until| until > now) {
            return Err(Refusal::new(ErrorReason::Muted, "you may not come back for a while"));
        }
        let model = self.group(group)?;
        let info = &model.profile.info;
        let needs_approval = info.joining == Joining::Approval;
        let profile = model.profile.clone();
        if !needs_approval {
            self.let_in(command, send, group, actor)?;
            return Ok(());
        }
        let message = checked("message", message, APPLICATION_UTF16_UNITS_MAX)?;
        if self.entry_of_list(group, JOIN_REQUESTS, actor.get()).is_some() {
            return Err(nothing_to_change("you have asked already; wait for the answer"));
        }
        if profile.waiting >= JOIN_REQUESTS_MAX {
            return Err(Refusal::new(
                ErrorReason::GroupFull,
                "too many wait to be let into the group; try again another day",
            ));
        }
        let request = ListedRequest { message, ts: self.now };
        self.set_entry(group, JOIN_REQUESTS, actor.get(), Some(request.encode()));
        self.set_profile(group, Profile { waiting: profile.waiting + 1, ..profile });
        self.change(command, send, group, Change::JoinRequested);
        Ok(())
    }

    pub(super) fn answer_join(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        user: UserId,
        accept: bool,
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Admin)?;
        if self.entry_of_list(group, JOIN_REQUESTS, user.get()).is_none() {
            return Err(Refusal::new(
                ErrorReason::UserNotFound,
                format!("{user} does not wait to be let in"),
            ));
        }
        if accept {
            check_room(self.group(group)?, 1)?;
            return self.let_in(command, send, group, user);
        }
        self.forget_request(group, user);
        let seq = self.change(command, send, group, Change::JoinRefused { user });
        let change = Change::ConversationRefused { conversation_id: group };
        self.derive(group, seq, [PersonalEntry { user, actor: command.actor, change }]);
        Ok(())
    }

    pub(super) fn let_in(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        user: UserId,
    ) -> Result<(), Refusal> {
        let first = self.group(group)?.head.seq.next();
        self.take_in(group, user, first, Role::Member);
        let joined = Change::MembersAdded { members: vec![user] };
        let seq = self.change(command, send, group, joined);
        self.mark_seen(group, std::iter::once(user), seq);
        self.derive(group, seq, [added(user, command.actor, group)]);
        Ok(())
    }

    /// Whoever has come in, or was refused, does not wait any more.
    pub(super) fn forget_request(&mut self, group: ConversationId, user: UserId) {
        if self.entry_of_list(group, JOIN_REQUESTS, user.get()).is_none() {
            return;
        }
        self.set_entry(group, JOIN_REQUESTS, user.get(), None);
        if let Some(profile) = self.model(group).map(|model| model.profile.clone()) {
            let waiting = profile.waiting.saturating_sub(1);
            self.set_profile(group, Profile { waiting, ..profile });
        }
    }
}
