//! Who is invited into a group and has not answered.

use petrel_protocol::frame::{GroupInvited, GroupInvitedState, Invited, Role};
use petrel_types::limits::STATE_MEMBERS_MAX;
use petrel_types::{TimestampMs, UserId};

use super::{Catchup, DEFAULT_LIMIT, of_store};
use crate::Refusal;
use crate::lists::{INVITED, ListedInvited};
use crate::refusal::not_a_member;

impl Catchup {
    /// A page of those who are invited into a group, for its owner and admins; to everybody else
    /// there is no such group. Of invitations whose time is over at `now` nothing is told.
    pub async fn invited(
        &self,
        user: UserId,
        request: &GroupInvited,
        now: TimestampMs,
    ) -> Result<GroupInvitedState, Refusal> {
        let GroupInvited { group_id, users_after, limit } = *request;
        let member = self.member(user, group_id).await?;
        if !member.is_present() || member.attributes.role < Role::Admin {
            return Err(not_a_member());
        }
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, STATE_MEMBERS_MAX);
        let after = users_after.map(UserId::get);
        let page = self.store.entries_after(group_id, INVITED, after, limit).await;
        let page = page.map_err(of_store)?;
        let mut invited = Vec::with_capacity(page.entries.len());
        for entry in &page.entries {
            let ListedInvited { by, expires } =
                ListedInvited::decode(&entry.value).map_err(of_store)?;
            if expires > now {
                let user = UserId::new(entry.key);
                invited.push(Invited { user, by, expires_ts: expires });
            }
        }
        Ok(GroupInvitedState { group_id, as_of_seq: page.head.seq, invited, more: page.more })
    }
}
