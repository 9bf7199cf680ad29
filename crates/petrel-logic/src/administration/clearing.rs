//! What users and groups are called and look like: admins see all of it, and clear what
//! nobody should have to see. Who is cleared may choose another name or picture; who does that
//! again and again can be locked out.

use petrel_log::{Content, GroupRuling};
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{AdminAvatar, AuditAction, GroupPart, ProfilePart};
use petrel_store::{ConversationKind, Summary};
use petrel_types::{ConversationId, FileId, UserId};

use super::ruling::Ruling;
use super::{Administration, Operator, Target, of_store};
use crate::Refusal;
use crate::own::Own;
use crate::profile::Profile;

/// How much of what was cleared a record tells, in characters.
const TOLD_CHARS_MAX: usize = 256;

impl Administration {
    /// Clears a part of how a user is shown. The user's own devices are told, others see it
    /// when they ask for the name again, and the file goes if nothing else refers to it.
    pub async fn clear_profile(
        &self,
        operator: &Operator,
        user: UserId,
        part: ProfilePart,
    ) -> Result<(), Refusal> {
        self.running()?;
        self.check_somebody(user).await?;
        let timeline = self.store.personal_timeline(user).await.map_err(of_store)?;
        let nothing = || Refusal::new(ErrorReason::NothingToChange, "the user has none");
        let timeline = timeline.ok_or_else(nothing)?;
        let summary = self.store.summary(timeline).await.map_err(of_store)?.ok_or_else(nothing)?;
        let own = Own::decode(&summary.profile).map_err(of_store)?;
        let cleared = match part {
            ProfilePart::DisplayName => own.display_name,
            ProfilePart::Avatar => own.avatar.map(|file| format!("file {file}")),
        };
        let detail = told(part.as_str(), &cleared.ok_or_else(nothing)?);
        let (target, action) = (Target::User(user), AuditAction::UserProfileCleared);
        let content = Content::ClearProfile(part);
        self.carry_out(operator, Ruling { target, action, detail, timeline, content }).await
    }

    /// Clears what a group is called, says or looks like. Its members are told.
    pub async fn clear_group(
        &self,
        operator: &Operator,
        group: ConversationId,
        part: GroupPart,
    ) -> Result<(), Refusal> {
        self.running()?;
        let Profile { title, info, .. } = self.profile_of(group).await?;
        let cleared = match part {
            GroupPart::Title => Some(title).filter(|title| *title != group.to_string()),
            GroupPart::Description => info.description,
            GroupPart::Announcement => info.announcement,
            GroupPart::Avatar => info.avatar,
        };
        let nothing = || Refusal::new(ErrorReason::NothingToChange, "there is nothing to clear");
        let detail = told(part.as_str(), &cleared.ok_or_else(nothing)?);
        let (target, action) = (Target::Group(group), AuditAction::GroupProfileCleared);
        let (timeline, content) = (group, Content::Rule(GroupRuling::Clear(part)));
        self.carry_out(operator, Ruling { target, action, detail, timeline, content }).await
    }

    /// The profile of a group; refuses where there is none.
    pub(super) async fn profile_of(&self, group: ConversationId) -> Result<Profile, Refusal> {
        let summary = self.store.summary(group).await.map_err(of_store)?;
        let is_group = |it: &Summary| it.conversation.kind == ConversationKind::Group;
        let summary = summary.filter(is_group).ok_or_else(super::groups::no_such_group)?;
        Profile::decode(&summary.profile).map_err(of_store)
    }

    /// A picture, with a link to it if there is somebody to follow one.
    pub(super) async fn avatar(
        &self,
        file: Option<FileId>,
    ) -> Result<Option<AdminAvatar>, Refusal> {
        let Some(file_id) = file else { return Ok(None) };
        let link = match &self.running {
            Some(running) => running.pictures.link_to(file_id).await?,
            None => None,
        };
        let (url, expires_ts) = link.map(|link| (link.url, link.expires_ts)).unzip();
        Ok(Some(AdminAvatar { file_id, url, expires_ts }))
    }
}

/// What a record tells of what was cleared: one line, and not too long a one.
fn told(part: &str, cleared: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut told: String = cleared.chars().map(plain).take(TOLD_CHARS_MAX).collect();
    if cleared.chars().nth(TOLD_CHARS_MAX).is_some() {
        told.push('…');
    }
    format!("{part}: {told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_what_was_cleared_in_one_line() {
        assert_eq!(told("displayName", "Eve 🐦"), "displayName: Eve 🐦");
        assert_eq!(told("announcement", "a\nb\u{1b}[31m\u{85}"), "announcement: a b [31m ");
        let long = told("description", &"字".repeat(TOLD_CHARS_MAX + 1));
        assert!(long.ends_with("字…") && long.chars().count() == 13 + TOLD_CHARS_MAX + 1, "{long}");
        assert!(!told("description", &"字".repeat(TOLD_CHARS_MAX)).contains('…'));
    }
}
