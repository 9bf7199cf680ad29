//! A device's copy of one conversation, kept as docs/protocol.md tells a client to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use petrel_protocol::frame::{
    Change, ConversationSettings, ConversationState, GroupInfo, History, Role,
};
use petrel_types::{TimestampMs, UserId};

use crate::held::{Held, Message, What};

/// What a device knows of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// Everything up to here is complete, from `from` on.
    pub(crate) position: u64,
    /// The first seq that the copy covers.
    pub(crate) from: u64,
    pub(crate) events: BTreeMap<u64, Held>,
    /// Each known member's (delivered, read).
    pub(crate) cursors: BTreeMap<UserId, (u64, u64)>,
    /// How far the server says there is more to pull.
    pub(crate) wanted: u64,
    pub(crate) group: Group,
    /// Whether it is a group at all, which only an event, or a sync, tells.
    pub(crate) is_group: bool,
    /// Whether it is the user's own timeline, which only an event, or a sync, tells.
    pub(crate) is_personal: bool,
    /// Whether the user is a member now, as far as the device knows.
    pub(crate) present: bool,
    /// What it is to the user.
    pub(crate) settings: ConversationSettings,
    /// Up to here the user has deleted everything,
    cleared: u64,
    /// and these messages, whenever they come.
    hidden: BTreeSet<u64>,
}

/// What a device knows of a group as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Group {
    /// Nothing, or nothing that can be relied on.
    Unknown,
    /// Some pages of its members.
    Fetching(State, UserId),
    Known(State),
}

/// A group at some seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    as_of: u64,
    pub(crate) title: String,
    pub(crate) history: History,
    pub(crate) members: BTreeMap<UserId, Role>,
    pub(crate) info: GroupInfo,
    pub(crate) pins: Vec<u64>,
    /// What members are called, and until when they may not speak.
    pub(crate) attributes: BTreeMap<UserId, (Option<String>, Option<TimestampMs>)>,
}

impl Default for Copy {
    fn default() -> Self {
        Self {
            position: 0,
            from: 1,
            events: BTreeMap::new(),
            cursors: BTreeMap::new(),
            wanted: 0,
            group: Group::Unknown,
            cleared: 0,
            hidden: BTreeSet::new(),
            is_group: false,
            is_personal: false,
            present: true,
            settings: ConversationSettings::default(),
        }
    }
}

impl Copy {
    /// An event arrives, by whatever way: known, next, or beyond a hole.
    pub(crate) fn place(&mut self, user: UserId, seq: u64, held: Held) -> Result<()> {
        self.wanted = self.wanted.max(seq);
        if seq == self.position + 1 {
            self.append(user, seq, held);
        } else if let Some(known) = self.events.get(&seq) {
            ensure!(known.is_same_event(&held), "an event changes: {known:?} and {held:?}");
        }
        Ok(())
    }

    /// The next event that is for this device.
    pub(crate) fn append(&mut self, user: UserId, seq: u64, held: Held) {
        self.position = seq;
        match &held.what {
            // Whoever calls need not have read what was said before.
            What::Message(message) if message.call.is_some() => {}
            What::Message(_) => self.move_cursors(held.from, (seq, seq)),
            What::Change(
                Change::Recalled { target_seq }
                | Change::Edited { target_seq, .. }
                | Change::Reacted { target_seq, .. },
            ) => {
                let target = self.events.get_mut(&target_seq.get());
                if let Some(message) = target.and_then(Held::message_mut)
                    && seq > message.rev
                    && let What::Change(change) = &held.what
                {
                    message.change(seq, held.from, change);
                }
                if let What::Change(change) = &held.what
                    && let Group::Known(state) = &mut self.group
                {
                    state.apply(seq, held.from, change);
                }
            }
            What::Change(change) => self.change_group(user, seq, held.from, change),
        }
        if seq > self.cleared && !self.hidden.contains(&seq) {
            self.events.insert(seq, held);
        }
    }

    fn change_group(&mut self, user: UserId, seq: u64, from: UserId, change: &Change) {
        if matches!(
            change,
            Change::ConversationAdded { .. }
                | Change::ConversationRemoved { .. }
                | Change::ContactChanged { .. }
                | Change::SettingsChanged { .. }
                | Change::MessagesHidden { .. }
                | Change::ConversationSettingsChanged { .. }
        ) {
            self.is_personal = true;
        }
        let joins = joins(user, from, change);
        if joins {
            (self.is_group, self.present) = (true, true);
            self.move_cursors(user, (seq, seq));
        }
        match &mut self.group {
            // What happened before this user came back is hidden.
            Group::Known(state) if joins && state.as_of < seq => self.group = Group::Unknown,
            Group::Known(state) => state.apply(seq, from, change),
            Group::Unknown if matches!(change, Change::GroupCreated { .. }) => {
                let mut state = State::nothing();
                state.apply(seq, from, change);
                self.group = Group::Known(state);
            }
            // Applied when all pages are there.
            Group::Fetching(..) | Group::Unknown => {}
        }
        if parts(user, from, change) {
            self.present = false;
        }
    }

    /// A page of the members arrives.
    pub(crate) fn take_state(&mut self, user: UserId, page: ConversationState) {
        let last = page.members.last().map(|member| member.user);
        let members: Vec<_> = page.members;
        let attributes = members
            .iter()
            .map(|it| (it.user, (it.nickname.clone(), it.muted_until_ts)))
            .collect::<Vec<_>>();
        let members = members.iter().map(|member| (member.user, member.role));
        let mut state = match std::mem::replace(&mut self.group, Group::Unknown) {
            // The title and the seq of the first page; later events say what changed.
            Group::Fetching(state, _) => state,
            _ => State {
                as_of: page.as_of_seq.get(),
                title: page.title.unwrap_or_default(),
                history: page.history.unwrap_or_default(),
                members: BTreeMap::new(),
                info: page.group.unwrap_or_default(),
                pins: page.pins.iter().map(|seq| seq.get()).collect(),
                attributes: BTreeMap::new(),
            },
        };
        state.members.extend(members);
        state.attributes.extend(attributes);
        if let Some(last) = last.filter(|_| page.more) {
            self.group = Group::Fetching(state, last);
            return;
        }
        let as_of = state.as_of;
        if as_of < self.cleared {
            return;
        }
        for (seq, held) in self.events.range(as_of + 1..) {
            let What::Change(change) = &held.what else { continue };
            if joins(user, held.from, change) {
                return;
            }
            state.apply(*seq, held.from, change);
        }
        self.group = Group::Known(state);
    }

    /// The user has deleted some of it. What changed a group up to there is not shown to
    /// this device any more, if it had not come so far.
    pub(crate) fn hide(&mut self, seqs: &[u64], up_to: u64) {
        self.events.retain(|seq, _| *seq > up_to && !seqs.contains(seq));
        self.cleared = self.cleared.max(up_to);
        self.hidden.extend(seqs);
        if up_to > 0 {
            self.group = Group::Unknown;
        }
    }

    /// Events up to `before` are gone, and this device has missed some of them.
    pub(crate) fn forget_before(&mut self, before: u64) {
        self.events = self.events.split_off(&before);
        self.from = self.from.max(before);
        self.position = self.position.max(before - 1);
        self.group = Group::Unknown;
    }

    pub(crate) fn move_cursors(&mut self, user: UserId, (delivered, read): (u64, u64)) {
        let cursors = self.cursors.entry(user).or_default();
        *cursors = (cursors.0.max(delivered).max(read), cursors.1.max(read));
    }

    /// Messages after the read cursor, among those that are kept.
    pub(crate) fn unread(&self, user: UserId, trimmed_before: u64) -> u64 {
        let read = self.cursors.get(&user).map_or(0, |cursors| cursors.1);
        let unread = self.events.range(trimmed_before.max(read + 1)..);
        unread.filter(|(_, held)| held.message().is_some_and(Message::counts)).count() as u64
    }

    /// Those among them that name a user.
    pub(crate) fn unread_mentions(&self, user: UserId, trimmed_before: u64) -> u64 {
        let read = self.cursors.get(&user).map_or(0, |cursors| cursors.1);
        let unread = self.events.range(trimmed_before.max(read + 1)..);
        let names = |held: &Held| held.message().is_some_and(|message| message.names(user));
        unread.filter(|(_, held)| names(held)).count() as u64
    }
}

impl State {
    fn nothing() -> Self {
        Self {
            as_of: 0,
            title: String::new(),
            history: History::default(),
            members: BTreeMap::new(),
            info: GroupInfo::default(),
            pins: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    fn apply(&mut self, seq: u64, from: UserId, change: &Change) {
        if seq <= self.as_of {
            return;
        }
        self.as_of = seq;
        let members = &mut self.members;
        match change {
            Change::GroupCreated { title, members: others, history } => {
                (self.title, self.history) = (title.clone(), *history);
                *members = others.iter().map(|user| (*user, Role::Member)).collect();
                members.insert(from, Role::Owner);
            }
            Change::MembersAdded { members: users } => {
                members.extend(users.iter().map(|user| (*user, Role::Member)));
                for user in users {
                    self.attributes.remove(user);
                }
            }
            Change::MembersRemoved { members: users } => {
                users.iter().for_each(|user| {
                    members.remove(user);
                });
            }
            Change::MemberLeft => {
                members.remove(&from);
            }
            Change::RoleChanged { user, role } => {
                if let Some(known) = members.get_mut(user) {
                    *known = *role;
                }
                if *role == Role::Owner
                    && let Some(known) = members.get_mut(&from)
                {
                    *known = Role::Admin;
                }
            }
            Change::TitleChanged { title } => self.title.clone_from(title),
            Change::GroupChanged { group } => self.info = group.clone(),
            Change::MemberChanged { user, nickname, muted_until_ts } => {
                self.attributes.insert(*user, (nickname.clone(), *muted_until_ts));
            }
            Change::Pinned { target_seq, removed: false } => self.pins.push(target_seq.get()),
            Change::Pinned { target_seq, .. } | Change::Recalled { target_seq } => {
                self.pins.retain(|seq| *seq != target_seq.get());
            }
            Change::GroupDissolved => members.clear(),
            _ => {}
        }
    }
}

fn joins(user: UserId, from: UserId, change: &Change) -> bool {
    match change {
        Change::GroupCreated { members, .. } => from == user || members.contains(&user),
        Change::MembersAdded { members } => members.contains(&user),
        _ => false,
    }
}

fn parts(user: UserId, from: UserId, change: &Change) -> bool {
    match change {
        Change::MembersRemoved { members } => members.contains(&user),
        Change::MemberLeft => from == user,
        Change::GroupDissolved => true,
        _ => false,
    }
}
