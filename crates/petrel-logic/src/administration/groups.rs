//! Groups, as admins see and change them.

use petrel_log::{Content, GroupRuling};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::GroupInfo;
use petrel_protocol::http::admin::{
    AdminGroup, AdminGroupMember, AdminGroupShown, AdminGroups, AuditAction,
};
use petrel_store::{ConversationKind, Summary};
use petrel_types::{ConversationId, UserId};

use super::ruling::Ruling;
use super::{Administration, Operator, Target, of_store, page_size};
use crate::Refusal;
use crate::profile::{Attributes, Profile, avatar_of};

/// How many groups are read at once, and how often for one answer.
const READ_AT_ONCE: u32 = 1_000;
const READS_MAX: usize = 20;

impl Administration {
    /// Groups by id, those whose title has something in it if that is given.
    pub async fn groups(
        &self,
        search: Option<String>,
        after: Option<ConversationId>,
        limit: Option<u32>,
    ) -> Result<AdminGroups, Refusal> {
        let wanted = page_size(limit) as usize;
        let search = search.map(|text| text.to_lowercase());
        let (mut groups, mut after) = (Vec::new(), after.unwrap_or_default());
        for _ in 0..READS_MAX {
            let read = self.store.groups_after(after, READ_AT_ONCE).await.map_err(of_store)?;
            let is_last = read.len() < READ_AT_ONCE as usize;
            for summary in read {
                if groups.len() == wanted {
                    return Ok(AdminGroups { groups, next: Some(after) });
                }
                after = summary.conversation.id;
                let profile = Profile::decode(&summary.profile).map_err(of_store)?;
                let title = profile.title.to_lowercase();
                if search.as_ref().is_none_or(|text| title.contains(text)) {
                    groups.push(self.shown_group(&summary, &profile).await?);
                }
            }
            if is_last {
                return Ok(AdminGroups { groups, next: None });
            }
        }
        Ok(AdminGroups { groups, next: Some(after) })
    }

    /// A group with a page of its members.
    pub async fn group(
        &self,
        group: ConversationId,
        users_after: Option<UserId>,
        limit: Option<u32>,
    ) -> Result<AdminGroupShown, Refusal> {
        let after = users_after.unwrap_or_default();
        let page = self.store.members_after(group, after, page_size(limit)).await;
        let page = page.map_err(of_store)?.ok_or_else(no_such_group)?;
        if page.summary.conversation.kind != ConversationKind::Group {
            return Err(no_such_group());
        }
        let mut members = Vec::new();
        for member in page.members {
            let Attributes { role, nickname, .. } =
                Attributes::decode(&member.attributes).map_err(of_store)?;
            members.push(AdminGroupMember { user_id: member.user, role, nickname });
        }
        let next = members.last().filter(|_| page.more).map(|last| last.user_id);
        let profile = Profile::decode(&page.summary.profile).map_err(of_store)?;
        let group = self.shown_group(&page.summary, &profile).await?;
        let GroupInfo { description, announcement, avatar, .. } = profile.info;
        let avatar_address = avatar.filter(|_| group.avatar.is_none());
        Ok(AdminGroupShown { group, description, announcement, avatar_address, members, next })
    }

    /// Ends a group for everybody.
    pub async fn dissolve(
        &self,
        operator: &Operator,
        group: ConversationId,
    ) -> Result<(), Refusal> {
        self.rule(operator, group, AuditAction::GroupDissolved, GroupRuling::Dissolve, "").await
    }

    /// Takes a member out of a group.
    pub async fn remove_member(
        &self,
        operator: &Operator,
        group: ConversationId,
        user: UserId,
    ) -> Result<(), Refusal> {
        let (action, ruling) = (AuditAction::GroupMemberRemoved, GroupRuling::Remove(user));
        self.rule(operator, group, action, ruling, &format!("user {user}")).await
    }

    /// Makes a member the owner of a group; who was it is an admin of it then.
    pub async fn hand_over(
        &self,
        operator: &Operator,
        group: ConversationId,
        user: UserId,
    ) -> Result<(), Refusal> {
        let (action, ruling) = (AuditAction::GroupHandedOver, GroupRuling::HandOver(user));
        self.rule(operator, group, action, ruling, &format!("to user {user}")).await
    }

    async fn rule(
        &self,
        operator: &Operator,
        group: ConversationId,
        action: AuditAction,
        ruling: GroupRuling,
        detail: &str,
    ) -> Result<(), Refusal> {
        self.running()?;
        self.profile_of(group).await?;
        let (target, detail) = (Target::Group(group), detail.to_owned());
        let (timeline, content) = (group, Content::Rule(ruling));
        self.carry_out(operator, Ruling { target, action, detail, timeline, content }).await
    }

    async fn shown_group(
        &self,
        summary: &Summary,
        profile: &Profile,
    ) -> Result<AdminGroup, Refusal> {
        Ok(AdminGroup {
            group_id: summary.conversation.id,
            title: profile.title.clone(),
            avatar: self.avatar(avatar_of(&profile.info)).await?,
            members: summary.member_count,
            head_seq: summary.head.seq,
        })
    }
}

pub(super) fn no_such_group() -> Refusal {
    Refusal::new(ErrorReason::ConversationNotFound, "there is no such group")
}
