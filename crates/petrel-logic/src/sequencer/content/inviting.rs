//! Asking those before they are taken into a group who want to be asked.
//!
//! What a user has decided stands in the user's personal timeline, which may be another
//! sequencer's; this goes by what was committed when the batch began. That somebody is
//! invited stands in a list of the group, where it is decided what an answer does, and by
//! derivation in one of the invited user, who is shown it.

use std::collections::BTreeSet;

use petrel_log::{Command, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, GroupAdds, Invitation, Role};
use petrel_types::limits::{INVITATION_LIFETIME_MS, INVITATIONS_MAX};
use petrel_types::{ConversationId, TimestampMs, UserId};

use super::group::check_room;
use super::{no_such_group, nothing_to_change};
use crate::Refusal;
use crate::event::EventBody;
use crate::lists::{INVITATIONS, INVITED, ListedInvited, decode_invitation, encode_invitation};
use crate::pair::Pair;
use crate::personal_entry::PersonalEntry;
use crate::sequencer::draft::{Draft, NewEntry};

impl Draft<'_> {
    /// Those of some users whom `actor` takes in at once, and those who are to be asked.
    pub(super) fn ask_whom(
        &self,
        actor: UserId,
        users: BTreeSet<UserId>,
    ) -> (BTreeSet<UserId>, BTreeSet<UserId>) {
        users.into_iter().partition(|user| {
            #[cfg(feature = "mutants")]
            if petrel_store::mutants::is("taken-in-unasked") {
                return true;
            }
            match self.lookups.group_adds.get(user).copied().unwrap_or_default() {
                GroupAdds::Everybody => true,
                GroupAdds::Friends => {
                    self.lookups.pairs.get(&(actor, *user)).is_some_and(Pair::are_friends)
                }
                GroupAdds::Ask => false,
            }
        })
    }

    /// Refuses to invite somebody for whose answer too many invitations wait.
    pub(super) fn check_room_for_invitations(
        &self,
        users: &BTreeSet<UserId>,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let waiting = |user: &UserId| {
            let expiries = self.lookups.invitations_of.get(user);
            expiries.map_or(0, |all| all.iter().filter(|(_, expires)| *expires > now).count())
        };
        match users.iter().find(|user| waiting(user) >= INVITATIONS_MAX) {
            Some(user) => Err(Refusal::new(
                ErrorReason::LimitReached,
                format!("{user} has too many invitations to answer; try again another day"),
            )),
            None => Ok(()),
        }
    }

    /// Counts those who are about to be invited, or refuses. To be asked last: what it has
    /// counted stays counted, unless the batch is not stored.
    pub(super) fn count_invitations(
        &mut self,
        inviter: UserId,
        users: &BTreeSet<UserId>,
    ) -> Result<(), Refusal> {
        let Some(pace) = self.invitation_pace else { return Ok(()) };
        #[cfg(feature = "mutants")]
        if petrel_store::mutants::is("invitations-unpaced") {
            return Ok(());
        }
        pace.count(inviter, users.len(), self.now)?;
        self.invitations_counted.push((inviter, users.len()));
        Ok(())
    }

    pub(super) fn is_invited(&self, group: ConversationId, user: UserId) -> bool {
        self.invited(group, user).is_some()
    }

    /// The invitation of a user that is in force.
    fn invited(&self, group: ConversationId, user: UserId) -> Option<ListedInvited> {
        let listed = self.entry_of_list(group, INVITED, user.get())?;
        ListedInvited::decode(&listed).ok().filter(|invited| invited.expires > self.now)
    }

    /// Invites users into a group, if there are any. With `answered` the event answers the
    /// command; without, it follows another one that does.
    pub(super) fn invite(
        &mut self,
        command: &Command,
        answered: Option<&SendRequest>,
        group: ConversationId,
        users: BTreeSet<UserId>,
    ) {
        if users.is_empty() {
            return;
        }
        self.forget_expired_invited(group);
        let (actor, expires_ts) = (command.actor, self.expiry());
        let invited = ListedInvited { by: actor, expires: expires_ts };
        for user in &users {
            self.set_entry(group, INVITED, user.get(), Some(invited.encode()));
        }
        let members = users.iter().copied().collect();
        let change = Change::MembersInvited { members, expires_ts };
        let seq = match answered {
            Some(send) => self.change(command, send, group, change),
            None => {
                let entry = NewEntry {
                    sender: actor,
                    client_message_id: None,
                    body: EventBody::Change(change),
                    recipients: self.everybody(group),
                    except: None,
                    founded: None,
                };
                self.tell(group, entry)
            }
        };
        let title = self.model(group).map(|model| model.profile.title.clone()).unwrap_or_default();
        let invite = |user| PersonalEntry {
            user,
            actor,
            change: Change::GroupInvited {
                conversation_id: group,
                title: title.clone(),
                expires_ts,
            },
        };
        self.derive(group, seq, users.into_iter().map(invite));
    }

    /// One who was invited comes in, or does not. To everybody else there is no such group.
    pub(super) fn answer_invitation(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        accept: bool,
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        let model = self.group(group)?;
        if model.member(actor).is_some() {
            return Err(nothing_to_change("you are a member already"));
        }
        let is_over = model.member_count() == 0;
        if is_over || !self.is_invited(group, actor) {
            return Err(no_such_group());
        }
        if accept {
            check_room(self.group(group)?, 1)?;
            return self.let_in(command, send, group, actor);
        }
        self.forget_invitation(group, actor);
        let seq = self.change(command, send, group, Change::InvitationRefused);
        self.derive(group, seq, [ended(actor, actor, group)]);
        Ok(())
    }

    /// An invitation that was not answered ends. To who is neither owner nor admin of the group
    /// there is no such group.
    pub(super) fn withdraw_invitation(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        user: UserId,
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        if self.group(group)?.role(actor) < Some(Role::Admin) {
            return Err(no_such_group());
        }
        if !self.is_invited(group, user) {
            let message = format!("{user} is not invited");
            return Err(Refusal::new(ErrorReason::UserNotFound, message));
        }
        #[cfg(feature = "mutants")]
        let is_forgotten = !petrel_store::mutants::is("withdrawn-stays-invited");
        #[cfg(not(feature = "mutants"))]
        let is_forgotten = true;
        if is_forgotten {
            self.forget_invitation(group, user);
        }
        let seq = self.change(command, send, group, Change::InvitationWithdrawn { user });
        self.derive(group, seq, [ended(user, actor, group)]);
        Ok(())
    }

    /// Whoever has come in, or does not want to, is not invited any more.
    pub(super) fn forget_invitation(&mut self, group: ConversationId, user: UserId) {
        if self.entry_of_list(group, INVITED, user.get()).is_some() {
            self.set_entry(group, INVITED, user.get(), None);
        }
    }

    /// Nobody is invited any more; what follows from that for those who were.
    pub(super) fn end_invitations(
        &mut self,
        actor: UserId,
        group: ConversationId,
    ) -> Vec<PersonalEntry> {
        let stored = self.lookups.invited.get(&group).into_iter().flatten().copied();
        // Those who were invited by what is decided together with this are not stored yet.
        let listed = self.entries.keys().filter(|(of, list, _)| (*of, *list) == (group, INVITED));
        let new = listed.map(|(_, _, user)| UserId::new(*user));
        #[cfg(feature = "mutants")]
        let new = new.filter(|_| !petrel_store::mutants::is("invitation-outlives-its-group"));
        let users: BTreeSet<_> = stored.chain(new).collect();
        let invited = |user: &UserId| self.is_invited(group, *user);
        let invited: Vec<_> = users.into_iter().filter(invited).collect();
        for user in &invited {
            self.set_entry(group, INVITED, user.get(), None);
        }
        invited.into_iter().map(|user| ended(user, actor, group)).collect()
    }

    /// Writes down in a personal timeline what has become of an invitation, and returns whether
    /// the user is to be told.
    ///
    /// What follows from different changes of a group comes in any order. So an invitation is
    /// told only if it stands in the group's list, and its end only if no newer one does.
    pub(in crate::sequencer) fn note_invitation(
        &mut self,
        timeline: ConversationId,
        user: UserId,
        entry: &PersonalEntry,
    ) -> bool {
        match &entry.change {
            Change::GroupInvited { conversation_id, title, expires_ts } => {
                let invited = self.invited(*conversation_id, user);
                let is_over = invited.is_none_or(|it| it.expires != *expires_ts);
                #[cfg(feature = "mutants")]
                let is_over =
                    is_over && !petrel_store::mutants::is("invitation-told-after-its-end");
                if is_over {
                    return false;
                }
                self.forget_expired(timeline, user);
                let invitation = Invitation {
                    group_id: *conversation_id,
                    title: title.clone(),
                    by: entry.actor,
                    ts: self.now,
                    expires_ts: *expires_ts,
                };
                let listed = Some(encode_invitation(&invitation));
                self.set_entry(timeline, INVITATIONS, conversation_id.get(), listed);
                true
            }
            Change::GroupInvitationEnded { conversation_id } => {
                let is_over = self.invited(*conversation_id, user).is_none();
                if is_over {
                    self.drop_invitation(timeline, *conversation_id);
                }
                is_over
            }
            Change::ConversationAdded { conversation_id } => {
                if self.invited(*conversation_id, user).is_none() {
                    self.drop_invitation(timeline, *conversation_id);
                }
                true
            }
            _ => true,
        }
    }

    fn drop_invitation(&mut self, timeline: ConversationId, group: ConversationId) {
        if self.entry_of_list(timeline, INVITATIONS, group.get()).is_some() {
            self.set_entry(timeline, INVITATIONS, group.get(), None);
        }
    }

    /// What nobody can accept any more need not be kept.
    fn forget_expired(&mut self, timeline: ConversationId, user: UserId) {
        let listed = self.lookups.invitations_of.get(&user).cloned().unwrap_or_default();
        for (group, expires) in listed {
            if expires <= self.now && !self.entries.contains_key(&(timeline, INVITATIONS, group)) {
                self.set_entry(timeline, INVITATIONS, group, None);
            }
        }
    }

    /// The same of the group's list, as far as it was looked at. Nobody is told: an invitation
    /// ends by itself.
    fn forget_expired_invited(&mut self, group: ConversationId) {
        let listed = self.lookups.listed_invited.get(&group).cloned().unwrap_or_default();
        for user in listed {
            let stored = self.entry_of_list(group, INVITED, user.get());
            let stored = stored.and_then(|stored| ListedInvited::decode(&stored).ok());
            if stored.is_some_and(|invited| invited.expires <= self.now) {
                self.set_entry(group, INVITED, user.get(), None);
            }
        }
    }

    fn expiry(&self) -> TimestampMs {
        TimestampMs::new(self.now.get().saturating_add(INVITATION_LIFETIME_MS))
    }
}

fn ended(user: UserId, actor: UserId, group: ConversationId) -> PersonalEntry {
    PersonalEntry { user, actor, change: Change::GroupInvitationEnded { conversation_id: group } }
}

/// The group and the end of an invitation as it is stored.
pub(in crate::sequencer) fn expiry_of(stored: &[u8]) -> Option<(u64, TimestampMs)> {
    let invitation = decode_invitation(stored).ok()?;
    Some((invitation.group_id.get(), invitation.expires_ts))
}
