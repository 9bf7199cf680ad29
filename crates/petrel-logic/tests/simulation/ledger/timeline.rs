//! A timeline as it is by all that was stored in it: what is in it, and who may read what.

use std::collections::{BTreeMap, BTreeSet};

use petrel_protocol::frame::{Change, ConversationSettings, GroupInfo, History, Role};
use petrel_store::ConversationKind;
use petrel_types::{TimestampMs, UserId};

use crate::held::{Held, What};

/// A timeline from its beginning, also where it is trimmed.
pub(crate) struct Timeline {
    pub(crate) kind: ConversationKind,
    pub(crate) entries: Vec<Entry>,
    pub(crate) trimmed_before: u64,
    pub(crate) title: String,
    pub(crate) history: History,
    /// Who is in it now.
    pub(crate) roles: BTreeMap<UserId, Role>,
    /// What it is beside that.
    pub(crate) info: GroupInfo,
    /// What each member is called, and until when each may not speak; also of former ones.
    pub(crate) attributes: BTreeMap<UserId, (Option<String>, Option<TimestampMs>)>,
    /// Who waits to be let in, with what to say, and since when.
    pub(crate) waiting: BTreeMap<UserId, (Option<String>, TimestampMs)>,
    /// Who is invited, and until when.
    pub(crate) invited: BTreeMap<UserId, TimestampMs>,
    /// The messages that are pinned, in order.
    pub(crate) pins: Vec<u64>,
    /// What each user has deleted: everything up to a place, and messages after it.
    pub(super) hidden: BTreeMap<UserId, (u64, BTreeSet<u64>)>,
    /// What it is to each user.
    pub(crate) settings: BTreeMap<UserId, ConversationSettings>,
    /// What everybody who ever was in it may read.
    stints: BTreeMap<UserId, Vec<Stint>>,
}

/// From one seq to another, both included.
#[derive(Clone, Copy, Debug)]
struct Stint {
    first: u64,
    last: Option<u64>,
}

pub(crate) struct Entry {
    /// As it is by now.
    pub(crate) held: Held,
    /// As it was when it was told.
    pub(crate) told: What,
    /// Who was to be told.
    pub(crate) audience: BTreeSet<UserId>,
    /// Messages up to here.
    pub(crate) number: u64,
    /// Of a message: the edit that its text comes from.
    pub(super) edit: Option<u64>,
}

impl Timeline {
    pub(super) fn begin(kind: ConversationKind) -> Self {
        let users = match kind {
            ConversationKind::Single { low, high } => vec![low, high],
            ConversationKind::Personal { user } => vec![user],
            ConversationKind::Group | ConversationKind::Pair { .. } => Vec::new(),
        };
        Self {
            kind,
            entries: Vec::new(),
            trimmed_before: 1,
            title: String::new(),
            history: History::Joined,
            info: GroupInfo::default(),
            attributes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            invited: BTreeMap::new(),
            pins: Vec::new(),
            hidden: BTreeMap::new(),
            settings: BTreeMap::new(),
            roles: users.iter().map(|user| (*user, Role::Member)).collect(),
            stints: users
                .into_iter()
                .map(|user| (user, vec![Stint { first: 1, last: None }]))
                .collect(),
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The messages that are pinned and kept, in order.
    pub(crate) fn kept_pins(&self) -> impl Iterator<Item = u64> {
        self.pins.iter().copied().filter(|seq| *seq >= self.trimmed_before)
    }

    /// Messages up to a place.
    pub(crate) fn number_at(&self, seq: u64) -> u64 {
        self.entry(seq).map_or(0, |entry| entry.number)
    }

    /// Whether a user may read an event, if it is kept.
    pub(crate) fn may_read(&self, user: UserId, seq: u64) -> bool {
        let holds = |stint: &Stint| stint.first <= seq && stint.last.is_none_or(|it| seq <= it);
        seq > 0
            && seq <= self.head()
            && !self.is_hidden(user, seq)
            && self.stints.get(&user).is_some_and(|it| it.iter().any(holds))
    }

    /// Whether a message was changed by something that a user may not read.
    pub(crate) fn was_changed_unseen(&self, user: UserId, target: u64) -> bool {
        let after = self.entries.iter().zip(1..).skip(usize::try_from(target).unwrap());
        let mut unseen = after.filter(|(_, seq)| !self.may_read(user, *seq));
        unseen.any(|(entry, _)| match &entry.held.what {
            What::Change(
                Change::Recalled { target_seq }
                | Change::Edited { target_seq, .. }
                | Change::Reacted { target_seq, .. },
            ) => target_seq.get() == target,
            _ => false,
        })
    }

    /// Whether a user has deleted an event.
    pub(crate) fn is_hidden(&self, user: UserId, seq: u64) -> bool {
        let hidden = self.hidden.get(&user);
        hidden.is_some_and(|(up_to, messages)| seq <= *up_to || messages.contains(&seq))
    }

    /// The last event that a user may read; `None` for somebody who never was in it.
    pub(crate) fn end_for(&self, user: UserId) -> Option<u64> {
        let stint = self.stints.get(&user)?.last()?;
        Some(stint.last.unwrap_or(self.head()))
    }

    /// Takes in what an event says. Returns whether somebody has come back by it.
    pub(super) fn take(&mut self, held: &Held) -> bool {
        let seq = self.head() + 1;
        let What::Change(change) = &held.what else { return false };
        match change {
            Change::Recalled { target_seq } | Change::Edited { target_seq, .. } => {
                self.change_message(target_seq.get(), seq, held.from, change);
                if matches!(change, Change::Recalled { .. }) {
                    self.pins.retain(|pinned| *pinned != target_seq.get());
                }
            }
            Change::Reacted { target_seq, .. } => {
                let index = usize::try_from(target_seq.get() - 1).unwrap();
                if let Some(message) = self.entries[index].held.message_mut() {
                    message.change(seq, held.from, change);
                }
            }
            Change::Pinned { target_seq, removed } => {
                self.pins.retain(|pinned| *pinned != target_seq.get());
                if !removed {
                    self.pins.push(target_seq.get());
                }
            }
            Change::GroupCreated { title, members, history } => {
                (self.title, self.history) = (title.clone(), *history);
                self.join(held.from, Role::Owner, seq);
                members.iter().for_each(|user| {
                    self.join(*user, Role::Member, seq);
                });
            }
            Change::MembersAdded { members } => {
                return members.iter().filter(|user| self.join(**user, Role::Member, seq)).count()
                    > 0;
            }
            Change::MembersRemoved { members } => {
                members.iter().for_each(|user| self.part(*user, seq));
            }
            Change::MemberLeft => self.part(held.from, seq),
            Change::GroupDissolved => {
                let everybody: Vec<_> = self.roles.keys().copied().collect();
                everybody.into_iter().for_each(|user| self.part(user, seq));
                self.invited.clear();
                self.info.avatar = None;
            }
            Change::RoleChanged { user, role } => {
                if *role == Role::Owner {
                    self.roles.insert(held.from, Role::Admin);
                }
                self.roles.insert(*user, *role);
            }
            Change::TitleChanged { title } => self.title.clone_from(title),
            Change::GroupChanged { group } => self.info = group.clone(),
            Change::MemberChanged { user, nickname, muted_until_ts } => {
                self.attributes.insert(*user, (nickname.clone(), *muted_until_ts));
            }
            Change::JoinRefused { user } => {
                self.waiting.remove(user);
            }
            Change::MembersInvited { members, expires_ts } => {
                self.invited.extend(members.iter().map(|user| (*user, *expires_ts)));
            }
            Change::InvitationRefused => {
                self.invited.remove(&held.from);
            }
            Change::InvitationWithdrawn { user } => {
                self.invited.remove(user);
            }
            Change::JoinRequested
            | Change::GroupInvited { .. }
            | Change::GroupInvitationEnded { .. }
            | Change::ConversationRefused { .. }
            | Change::ConversationAdded { .. }
            | Change::ConversationRemoved { .. }
            | Change::ContactChanged { .. }
            | Change::SettingsChanged { .. }
            | Change::MessagesHidden { .. }
            | Change::ConversationSettingsChanged { .. }
            | Change::Unknown => {}
        }
        false
    }

    fn change_message(&mut self, target: u64, seq: u64, from: UserId, change: &Change) {
        let index = |seq: u64| usize::try_from(seq - 1).unwrap();
        let edit = matches!(change, Change::Edited { .. }).then_some(seq);
        let entry = &mut self.entries[index(target)];
        if let Some(message) = entry.held.message_mut() {
            message.change(seq, from, change);
        }
        if let Some(void) = std::mem::replace(&mut entry.edit, edit)
            && let What::Change(Change::Edited { body, .. }) =
                &mut self.entries[index(void)].held.what
        {
            *body = None;
        }
    }

    /// Returns whether the user was there before.
    fn join(&mut self, user: UserId, role: Role, seq: u64) -> bool {
        self.roles.insert(user, role);
        self.attributes.remove(&user);
        self.waiting.remove(&user);
        self.invited.remove(&user);
        let stints = self.stints.entry(user).or_default();
        let rejoined = !stints.is_empty();
        if self.history == History::All {
            *stints = vec![Stint { first: 1, last: None }];
        } else {
            stints.push(Stint { first: seq, last: None });
        }
        rejoined
    }

    fn part(&mut self, user: UserId, seq: u64) {
        self.roles.remove(&user);
        if let Some(stint) = self.stints.get_mut(&user).and_then(|stints| stints.last_mut()) {
            stint.last = Some(seq);
        }
    }
}
