//! What an admin of the system does to a group, of which that admin need not be a member.
//!
//! Members see the events as those of the system (user 0), and not who the admin was: the
//! audit log tells that to other admins.

use std::collections::BTreeSet;

use petrel_log::{Command, GroupRuling, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Role};
use petrel_types::{ConversationId, UserId};

use super::{no_such_group, not_allowed, nothing_to_change};
use crate::Refusal;
use crate::membership::Membership;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    /// Carries out what an admin has done. Nobody else asks for it: no frame leads here.
    pub(super) fn rule(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        ruling: GroupRuling,
    ) -> Result<(), Refusal> {
        if command.actor != UserId::SYSTEM {
            return Err(no_such_group());
        }
        match ruling {
            GroupRuling::Dissolve => {
                let everybody: BTreeSet<_> =
                    self.group(group)?.members().iter().map(|member| member.user).collect();
                if everybody.is_empty() {
                    return Err(nothing_to_change("the group was dissolved before"));
                }
                self.end_info(group)?;
                let seq = self.change(command, send, group, Change::GroupDissolved);
                self.end_group(command.actor, group, everybody, seq);
            }
            GroupRuling::Remove(user) => {
                if self.member_role(group, user)? == Role::Owner {
                    return Err(not_allowed("the owner goes only after another member is made it"));
                }
                let change = Change::MembersRemoved { members: vec![user] };
                let seq = self.change(command, send, group, change);
                self.let_go(command.actor, group, BTreeSet::from([user]), seq);
            }
            GroupRuling::HandOver(user) => {
                if self.member_role(group, user)? == Role::Owner {
                    return Err(nothing_to_change("the member is the owner already"));
                }
                let is_owner = |member: &&Membership| member.attributes.role == Role::Owner;
                let owner = self.group(group)?.members().iter().find(is_owner).map(|it| it.user);
                if let Some(owner) = owner {
                    self.give_role(group, owner, Role::Admin);
                }
                self.give_role(group, user, Role::Owner);
                let change = Change::RoleChanged { user, role: Role::Owner };
                self.change(command, send, group, change);
            }
            GroupRuling::Clear(part) => self.clear_group(command, send, group, part)?,
        }
        Ok(())
    }

    fn member_role(&mut self, group: ConversationId, user: UserId) -> Result<Role, Refusal> {
        self.group(group)?.role(user).ok_or_else(|| {
            Refusal::new(ErrorReason::UserNotFound, format!("{user} is not a member of the group"))
        })
    }
}
