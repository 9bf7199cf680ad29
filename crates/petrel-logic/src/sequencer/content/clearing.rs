//! What admins of the system clear: names, pictures and texts of users and groups that nobody
//! should have to see.
//!
//! Those whom it concerns are told by the same events as when they change it themselves, from
//! the system (user 0). They may give themselves another name: nothing is forbidden by this.

use petrel_log::{Command, SendRequest};
use petrel_protocol::frame::Change;
use petrel_protocol::http::admin::{GroupPart, ProfilePart};
use petrel_types::{ConversationId, UserId};

use super::{no_such_group, nothing_to_change};
use crate::Refusal;
use crate::profile::avatar_of;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    /// Clears a part of a user's profile. Nobody else asks for it: no frame leads here.
    pub(super) fn clear_profile(
        &mut self,
        command: &Command,
        send: &SendRequest,
        timeline: ConversationId,
        part: ProfilePart,
    ) -> Result<(), Refusal> {
        let own = self.model(timeline).and_then(|model| model.own.as_deref().cloned());
        let Some(before) = own.filter(|_| command.actor == UserId::SYSTEM) else {
            return Err(no_such_group());
        };
        let mut after = before.clone();
        match part {
            ProfilePart::DisplayName => after.display_name = None,
            ProfilePart::Avatar => after.avatar = None,
        }
        if after == before {
            return Err(nothing_to_change("the user has none"));
        }

        self.show(timeline, before.avatar, after.avatar);
        self.set_own(timeline, after.clone());
        let change = Change::SettingsChanged { settings: after.shown() };
        self.change(command, send, timeline, change);
        Ok(())
    }

    /// Clears what a group is called, says or looks like. Of one that was dissolved there is
    /// nobody whom that would reach: who was in it keeps what it was.
    pub(super) fn clear_group(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        part: GroupPart,
    ) -> Result<(), Refusal> {
        let model = self.group(group)?;
        if model.member_count() == 0 {
            return Err(nothing_to_change("the group was dissolved before"));
        }
        let before = model.profile.clone();
        let mut after = before.clone();
        match part {
            GroupPart::Title => after.title = group.to_string(),
            GroupPart::Description => after.info.description = None,
            GroupPart::Announcement => after.info.announcement = None,
            GroupPart::Avatar => after.info.avatar = None,
        }
        if after == before {
            return Err(nothing_to_change("there is nothing to clear"));
        }

        self.show(group, avatar_of(&before.info), avatar_of(&after.info));
        let change = match part {
            GroupPart::Title => Change::TitleChanged { title: after.title.clone() },
            _ => Change::GroupChanged { group: after.info.clone() },
        };
        self.set_profile(group, after);
        self.change(command, send, group, change);
        Ok(())
    }
}
