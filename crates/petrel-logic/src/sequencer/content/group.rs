//! Groups: who is in them and who may change that.
//!
//! The owner may do everything but leave; admins add and remove ordinary members and
//! change the title. A membership begins with the event that tells of it and ends with
//! the event that tells of its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use petrel_log::{Command, Content, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, History, Role};
use petrel_store::{ConversationKind, Cursors, Interval};
use petrel_types::limits::{
    GROUP_CHANGE_MEMBERS_MAX, GROUP_MEMBERS_MAX, GROUP_TITLE_UTF16_UNITS_MAX,
};
use petrel_types::{ConversationId, Seq, Slot, UserId};

use super::{misdirected, no_such_group, not_allowed, nothing_to_change};
use crate::Refusal;
use crate::event::EventBody;
use crate::membership::Membership;
use crate::personal_entry::PersonalEntry;
use crate::profile::{Attributes, Profile};
use crate::sequencer::draft::{Draft, NewEntry};
use crate::sequencer::model::Model;
use crate::visible::is_blank;

impl Draft<'_> {
    /// Founds a group. The founder's personal timeline remembers it under the founder's
    /// name for the command, because the group's own is not known to who asks again.
    pub(super) fn create_group(
        &mut self,
        command: &Command,
        send: &SendRequest,
    ) -> Result<(), Refusal> {
        let Content::CreateGroup { title, members, history } = &send.content else {
            return Err(misdirected());
        };
        let actor = command.actor;
        check_title(title)?;
        check_count(members)?;
        self.check_users(members)?;
        self.check_invitable(actor, members)?;
        let others: BTreeSet<_> = members.iter().copied().filter(|user| *user != actor).collect();
        let (others, asked) = self.ask_whom(actor, others);
        self.check_room_for_invitations(&asked)?;
        self.count_invitations(actor, &asked)?;

        let profile = Profile { title: title.clone(), history: *history, ..Profile::default() };
        let group = self.begin(Slot::of_pair(actor, actor), ConversationKind::Group, profile);
        let first = Seq::new(1);
        self.take_in(group, actor, first, Role::Owner);
        for user in &others {
            self.take_in(group, *user, first, Role::Member);
        }
        let created = Change::GroupCreated {
            title: title.clone(),
            members: others.iter().copied().collect(),
            history: *history,
        };
        let seq = self.change(command, send, group, created);
        self.mark_seen(group, std::iter::once(actor).chain(others.iter().copied()), seq);
        self.invite(command, None, group, asked);

        let timeline = self.find_or_begin(ConversationKind::Personal { user: actor });
        self.tell(
            timeline,
            NewEntry {
                sender: actor,
                client_message_id: Some(send.client_message_id.clone()),
                body: EventBody::Change(Change::ConversationAdded { conversation_id: group }),
                recipients: Arc::new([actor]),
                except: None,
                founded: Some(group),
            },
        );
        self.derive(group, seq, others.into_iter().map(|user| added(user, actor, group)));
        Ok(())
    }

    pub(super) fn add_members(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        users: &[UserId],
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Admin)?;
        check_some(users)?;
        self.check_users(users)?;
        let model = self.group(group)?;
        let joining: BTreeSet<_> =
            users.iter().copied().filter(|user| model.member(*user).is_none()).collect();
        let joiners: Vec<_> = joining.iter().copied().collect();
        self.check_invitable(command.actor, &joiners)?;
        let (joining, mut asked) = self.ask_whom(command.actor, joining);
        asked.retain(|user| !self.is_invited(group, *user));
        if joining.is_empty() && asked.is_empty() {
            return Err(nothing_to_change("they are all members already, or invited"));
        }
        self.check_room_for_invitations(&asked)?;
        check_room(self.group(group)?, joining.len())?;
        self.count_invitations(command.actor, &asked)?;
        if joining.is_empty() {
            self.invite(command, Some(send), group, asked);
            return Ok(());
        }

        let first = self.group(group)?.head.seq.next();
        for user in &joining {
            self.take_in(group, *user, first, Role::Member);
        }
        let change = Change::MembersAdded { members: joining.iter().copied().collect() };
        let seq = self.change(command, send, group, change);
        self.mark_seen(group, joining.iter().copied(), seq);
        let actor = command.actor;
        self.derive(group, seq, joining.into_iter().map(|user| added(user, actor, group)));
        self.invite(command, None, group, asked);
        Ok(())
    }

    pub(super) fn remove_members(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        users: &[UserId],
    ) -> Result<(), Refusal> {
        let role = self.check_role(command, group, Role::Admin)?;
        check_some(users)?;
        let model = self.group(group)?;
        let leaving: BTreeSet<_> =
            users.iter().copied().filter(|user| model.member(*user).is_some()).collect();
        if leaving.is_empty() {
            return Err(nothing_to_change("none of them is a member"));
        }
        if leaving.contains(&command.actor) {
            return Err(not_allowed("to go yourself, send GROUP_LEAVE"));
        }
        if leaving.iter().any(|user| model.role(*user) >= Some(role)) {
            return Err(not_allowed("you can remove only members whose role is below yours"));
        }

        let change = Change::MembersRemoved { members: leaving.iter().copied().collect() };
        let seq = self.change(command, send, group, change);
        self.let_go(command.actor, group, leaving, seq);
        Ok(())
    }

    pub(super) fn leave(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
    ) -> Result<(), Refusal> {
        let role = self.check_role(command, group, Role::Member)?;
        if role == Role::Owner {
            return Err(not_allowed(
                "the owner can't leave: make another member the owner, or dissolve the group",
            ));
        }
        let seq = self.change(command, send, group, Change::MemberLeft);
        self.let_go(command.actor, group, BTreeSet::from([command.actor]), seq);
        Ok(())
    }

    pub(super) fn set_role(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Owner)?;
        let model = self.group(group)?;
        let Some(before) = model.role(user) else {
            return Err(Refusal::new(
                ErrorReason::UserNotFound,
                format!("{user} is not a member of the group"),
            ));
        };
        if before == role {
            return Err(nothing_to_change("the member has that role already"));
        }
        if user == command.actor {
            return Err(not_allowed("the owner stays the owner until another member is made it"));
        }

        if role == Role::Owner {
            self.give_role(group, command.actor, Role::Admin);
        }
        self.give_role(group, user, role);
        self.change(command, send, group, Change::RoleChanged { user, role });
        Ok(())
    }

    pub(super) fn set_title(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        title: &str,
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Admin)?;
        check_title(title)?;
        let profile = self.group(group)?.profile.clone();
        if profile.title == title {
            return Err(nothing_to_change("that is the title already"));
        }
        self.set_profile(group, Profile { title: title.to_owned(), ..profile });
        self.change(command, send, group, Change::TitleChanged { title: title.to_owned() });
        Ok(())
    }

    pub(super) fn dissolve(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Owner)?;
        self.end_info(group)?;
        let everybody = self.group(group)?.members().iter().map(|member| member.user).collect();
        let seq = self.change(command, send, group, Change::GroupDissolved);
        self.end_group(command.actor, group, everybody, seq);
        Ok(())
    }

    pub(super) fn group(&mut self, group: ConversationId) -> Result<&mut Model, Refusal> {
        let is_group = |model: &&mut Model| model.conversation.kind == ConversationKind::Group;
        self.model(group).filter(is_group).ok_or_else(no_such_group)
    }

    /// The actor's role, which must be at least `least`.
    pub(super) fn check_role(
        &mut self,
        command: &Command,
        group: ConversationId,
        least: Role,
    ) -> Result<Role, Refusal> {
        let role = self.group(group)?.role(command.actor).ok_or_else(no_such_group)?;
        match (role >= least, least) {
            (true, _) => Ok(role),
            (false, Role::Owner) => Err(not_allowed("only the owner of the group may do that")),
            (false, _) => Err(not_allowed("only the owner and admins of the group may do that")),
        }
    }

    fn check_users(&self, users: &[UserId]) -> Result<(), Refusal> {
        match users.iter().find(|user| self.lookups.unknown_users.contains(user)) {
            Some(user) => Err(self.unknown_user(*user)),
            None => Ok(()),
        }
    }

    /// Makes a user a member from the event at `first` on.
    pub(super) fn take_in(&mut self, group: ConversationId, user: UserId, first: Seq, role: Role) {
        let history = self.model(group).map(|model| model.profile.history).unwrap_or_default();
        let first = if history == History::All { Seq::new(1) } else { first };
        let mut member = self.former(group, user).cloned().unwrap_or_else(|| Membership {
            user,
            cursors: Cursors::default(),
            attributes: Attributes::default(),
            intervals: Vec::new(),
        });
        member.attributes = member.attributes.of_returning(role);
        self.forget_request(group, user);
        self.forget_invitation(group, user);
        let joined = Interval { first, last: None };
        // With all of history open there is nothing left for earlier intervals to add.
        member.intervals.retain(|interval| interval.first < joined.first);
        member.intervals.push(joined);
        let superfluous = member.intervals.len().saturating_sub(INTERVALS_MAX);
        member.intervals.drain(..superfluous);
        self.set_member(group, member);
    }

    /// Whoever joins begins with the event that says so: nothing before it is unread.
    pub(super) fn mark_seen(
        &mut self,
        group: ConversationId,
        users: impl Iterator<Item = UserId>,
        seq: Seq,
    ) {
        for user in users {
            self.move_cursors(group, user, Cursors { delivered: seq, read: seq });
        }
    }

    pub(super) fn let_go(
        &mut self,
        actor: UserId,
        group: ConversationId,
        users: BTreeSet<UserId>,
        last: Seq,
    ) {
        self.let_go_and_derive(actor, group, users, last, Vec::new());
    }

    /// The same for everybody, with the event that ends the group. Nobody is invited into it
    /// any more.
    pub(super) fn end_group(
        &mut self,
        actor: UserId,
        group: ConversationId,
        everybody: BTreeSet<UserId>,
        last: Seq,
    ) {
        let ended = self.end_invitations(actor, group);
        self.let_go_and_derive(actor, group, everybody, last, ended);
    }

    fn let_go_and_derive(
        &mut self,
        actor: UserId,
        group: ConversationId,
        users: BTreeSet<UserId>,
        last: Seq,
        others: Vec<PersonalEntry>,
    ) {
        for user in &users {
            self.part(group, *user, last);
        }
        let removed = |user| PersonalEntry {
            user,
            actor,
            change: Change::ConversationRemoved { conversation_id: group },
        };
        self.derive(group, last, users.into_iter().map(removed).chain(others));
    }

    pub(super) fn give_role(&mut self, group: ConversationId, user: UserId, role: Role) {
        let member = self.model(group).and_then(|model| model.member(user)).cloned();
        if let Some(mut member) = member {
            member.attributes.role = role;
            self.set_member(group, member);
        }
    }
}

/// How many intervals a membership has at most. Who comes and goes more often loses
/// sight of the oldest.
const INTERVALS_MAX: usize = 64;

pub(super) fn added(user: UserId, actor: UserId, group: ConversationId) -> PersonalEntry {
    PersonalEntry { user, actor, change: Change::ConversationAdded { conversation_id: group } }
}

/// Refuses more members than a group, or this one, may have.
pub(super) fn check_room(model: &Model, joining: usize) -> Result<(), Refusal> {
    let own = model.profile.info.member_limit.and_then(|limit| usize::try_from(limit).ok());
    let most = own.map_or(GROUP_MEMBERS_MAX, |own| own.min(GROUP_MEMBERS_MAX));
    if model.member_count() + joining > most {
        let message = format!("the group has at most {most} members");
        return Err(Refusal::new(ErrorReason::GroupFull, message));
    }
    Ok(())
}

fn check_title(title: &str) -> Result<(), Refusal> {
    let units = title.encode_utf16().count();
    let is_printable = !is_blank(title) && !title.contains(char::is_control);
    if !is_printable || units > GROUP_TITLE_UTF16_UNITS_MAX {
        let message = format!(
            "`title` must not be blank, nor longer than {GROUP_TITLE_UTF16_UNITS_MAX} UTF-16 units, \
             and must have no control characters"
        );
        return Err(Refusal::new(ErrorReason::BadTitle, message));
    }
    Ok(())
}

fn check_some(users: &[UserId]) -> Result<(), Refusal> {
    if users.is_empty() {
        return Err(Refusal::new(ErrorReason::InvalidField, "`members` is empty"));
    }
    check_count(users)
}

fn check_count(users: &[UserId]) -> Result<(), Refusal> {
    if users.len() > GROUP_CHANGE_MEMBERS_MAX {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!("`members` has more than {GROUP_CHANGE_MEMBERS_MAX} entries"),
        ));
    }
    Ok(())
}
