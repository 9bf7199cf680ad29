//! Groups: did everybody see what they may see, and did everything happen that was
//! acknowledged?
//!
//! The owner, who is in the group from its first event on and never leaves, sees all of
//! the timeline. What the others must have seen is worked out from that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use petrel_protocol::frame::{Change, Role, SavedAck};
use petrel_types::{ConversationId, Seq, UserId};

use super::{Event, Message, Said, target_of};

/// What somebody asked for in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This message.
    Message(Message),
    /// This change.
    Change(Change),
}

/// Everything that clients did in a group and saw of it. Its new members may not read
/// what was before them.
#[derive(Clone, Debug)]
pub struct GroupHistory {
    /// The group.
    pub group: ConversationId,
    /// Who sees all of it.
    pub owner: UserId,
    /// What was asked, by who asked it and the name for it.
    pub asked: HashMap<(UserId, String), Asked>,
    /// What was acknowledged.
    pub acks: Vec<(UserId, SavedAck)>,
    /// What was refused for good.
    pub refused: Vec<(UserId, String)>,
    /// What was pushed, in the order of each connection.
    pub pushes: Vec<Vec<(UserId, Event)>>,
    /// What everybody who ever was in it pulled in the end.
    pub views: BTreeMap<UserId, Vec<Event>>,
    /// What devices hold that have followed pushes, pulls and syncs all the time.
    pub copies: Vec<(UserId, Vec<Event>)>,
    /// Who must be in it, as the acks of those who changed it say.
    pub expected: BTreeMap<UserId, Role>,
    /// Who is in it, as the server says.
    pub members: BTreeMap<UserId, Role>,
    /// What is pinned in it, as the server says.
    pub pins: Vec<Seq>,
}

/// The stretches of a timeline that a user may read.
type Stints = Vec<(Seq, Option<Seq>)>;

impl GroupHistory {
    /// Everything that is wrong, in words.
    pub fn check(&self) -> Vec<String> {
        let Some(truth) = self.views.get(&self.owner) else {
            return vec![format!("the owner of {} has seen nothing", self.group)];
        };
        let mut faults = Vec::new();
        self.check_timeline(truth, &mut faults);
        self.check_messages(truth, &mut faults);
        self.check_acks(truth, &mut faults);
        let (stints, roles) = follow(truth);
        for (what, members) in [("acks", &self.expected), ("the server", &self.members)] {
            if *members != roles {
                faults.push(format!("members by {what} are {members:?}, by events {roles:?}"));
            }
        }
        let pins = pins(truth);
        if self.pins != pins {
            faults.push(format!("pins by the server are {:?}, by events {pins:?}", self.pins));
        }
        self.check_views(truth, &stints, &mut faults);
        self.check_pushes(truth, &stints, &mut faults);
        faults.into_iter().map(|fault| format!("group {}: {fault}", self.group)).collect()
    }

    /// Every text that was stored and has been taken away since, by what was asked and the
    /// order in which it was stored.
    pub fn erased_texts(&self) -> BTreeSet<&str> {
        let truth = self.views.get(&self.owner).map_or(&[][..], Vec::as_slice);
        let living = self.messages(truth);
        let living: BTreeSet<_> = living.values().map(|message| message.body.as_str()).collect();
        let stored = truth.iter().filter_map(|event| self.asked_text(event));
        stored.filter(|text| !living.contains(text)).collect()
    }

    /// The events that said a text, and what became of them: to be shown with a failure.
    pub fn about(&self, text: &str) -> Vec<&Event> {
        let truth = self.views.get(&self.owner).map_or(&[][..], Vec::as_slice);
        let said: BTreeSet<Seq> = truth
            .iter()
            .filter(|event| self.asked_text(event) == Some(text))
            .map(|event| match &event.said {
                Said::Change(change) => target_of(change).unwrap_or(event.seq),
                Said::Message(_) => event.seq,
            })
            .collect();
        let is_about = |event: &&Event| match &event.said {
            Said::Change(change) => target_of(change).is_some_and(|seq| said.contains(&seq)),
            Said::Message(_) => said.contains(&event.seq),
        };
        truth.iter().filter(is_about).collect()
    }

    /// The files that messages refer to in the end, and those that none refers to any more.
    pub fn files(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let truth = self.views.get(&self.owner).map_or(&[][..], Vec::as_slice);
        let kept: BTreeSet<_> =
            self.messages(truth).into_values().filter_map(|message| message.file).collect();
        let asked = truth.iter().filter_map(|event| match self.asked_of(event)? {
            Asked::Message(message) => message.file.clone(),
            Asked::Change(_) => None,
        });
        let gone = asked.filter(|file| !kept.contains(file)).collect();
        (kept, gone)
    }

    /// What each message must be in the end: what was asked, and all changes of it.
    fn messages(&self, truth: &[Event]) -> BTreeMap<Seq, Message> {
        let mut messages: BTreeMap<Seq, Message> = BTreeMap::new();
        for event in truth {
            match (&event.said, self.asked_of(event)) {
                (Said::Message(_), Some(Asked::Message(message))) => {
                    messages.insert(event.seq, message.clone());
                }
                (Said::Change(_), Some(Asked::Change(change))) => {
                    let target = target_of(change).and_then(|seq| messages.get_mut(&seq));
                    if let Some(message) = target {
                        message.change(event.seq, event.from, change);
                    }
                }
                _ => {}
            }
        }
        messages
    }

    fn asked_of(&self, event: &Event) -> Option<&Asked> {
        self.asked.get(&(event.from, event.name.clone()?))
    }

    fn asked_text(&self, event: &Event) -> Option<&str> {
        match self.asked_of(event)? {
            Asked::Message(message) => Some(&message.body),
            Asked::Change(Change::Edited { body, .. }) => body.as_deref(),
            Asked::Change(_) => None,
        }
    }

    /// *State fetched = old state + events*: messages are what they were and what has become
    /// of them since, and edits that were overtaken say nothing.
    fn check_messages(&self, truth: &[Event], faults: &mut Vec<String>) {
        let messages = self.messages(truth);
        for event in truth {
            match &event.said {
                Said::Message(message) => {
                    let expected = messages.get(&event.seq);
                    if expected != Some(message) {
                        faults.push(format!("is not {expected:?}: {event:?}"));
                    }
                }
                Said::Change(Change::Edited { target_seq, body }) => {
                    let text = messages.get(target_seq).map(|message| message.body.as_str());
                    let is_current = text.is_some() && text == self.asked_text(event);
                    let expected = text.filter(|_| is_current).unwrap_or_default();
                    let said = body.as_deref().unwrap_or_default();
                    if expected != said {
                        faults
                            .push(format!("says {said:?} and should say {expected:?}: {event:?}"));
                    }
                }
                Said::Change(_) => {}
            }
        }
    }

    /// No hole, rows that ascend, nothing that nobody asked for and nothing twice.
    fn check_timeline(&self, truth: &[Event], faults: &mut Vec<String>) {
        let mut names = BTreeSet::new();
        let mut row = None;
        for (event, seq) in truth.iter().zip(1..) {
            if event.seq != Seq::new(seq) {
                faults.push(format!("a gap: at {seq} is {event:?}"));
            }
            if row.replace(event.row) >= Some(event.row) {
                faults.push(format!("rows do not ascend: {event:?}"));
            }
            let name = event.name.clone().unwrap_or_default();
            if !names.insert((event.from, name.clone())) {
                faults.push(format!("stored twice: {event:?}"));
            }
            match self.asked.get(&(event.from, name)) {
                Some(asked) if is_what_was_asked(event, asked) => {}
                asked => faults.push(format!("asked was {asked:?}, stored {event:?}")),
            }
        }
    }

    /// What was acknowledged is where the ack says, what was refused is nowhere.
    fn check_acks(&self, truth: &[Event], faults: &mut Vec<String>) {
        let by_name: HashMap<_, _> = truth
            .iter()
            .filter_map(|event| Some(((event.from, event.name.as_deref()?), event)))
            .collect();
        for (user, ack) in &self.acks {
            let found = by_name.get(&(*user, ack.client_msg_id.as_str()));
            let is_there = found.is_some_and(|event| {
                (event.seq, event.row, event.ts) == (ack.msg_seq, ack.server_msg_id, ack.ts)
            });
            if !is_there {
                faults.push(format!("acked and lost: {ack:?} of {user}, and there is {found:?}"));
            }
        }
        for (user, name) in &self.refused {
            if let Some(event) = by_name.get(&(*user, name.as_str())) {
                faults.push(format!("refused and stored: {event:?}"));
            }
        }
    }

    /// Everybody has what they may see of the truth, as it is now, and no more.
    fn check_views(
        &self,
        truth: &[Event],
        stints: &BTreeMap<UserId, Stints>,
        faults: &mut Vec<String>,
    ) {
        for user in stints.keys().filter(|user| !self.views.contains_key(user)) {
            faults.push(format!("{user} was in it and has seen nothing"));
        }
        let copies = self.copies.iter().map(|(user, copy)| (user, copy, true));
        for (user, view, is_copy) in self.views.iter().map(|(u, v)| (u, v, false)).chain(copies) {
            let what = if is_copy { "a device" } else { "a pull" };
            let none = Stints::new();
            let stints = stints.get(user).unwrap_or(&none);
            let visible: Vec<_> =
                truth.iter().filter(|event| contains(stints, event.seq)).collect();
            if !visible.iter().map(|event| event.seq).eq(view.iter().map(|event| event.seq)) {
                let seqs = |events: &mut dyn Iterator<Item = &Event>| {
                    events.map(|event| event.seq.get()).collect::<Vec<_>>()
                };
                let (may, has) = (seqs(&mut visible.into_iter()), seqs(&mut view.iter()));
                let extra: Vec<_> = has.iter().filter(|seq| !may.contains(seq)).collect();
                let missing: Vec<_> = may.iter().filter(|seq| !has.contains(seq)).collect();
                faults.push(format!("{what} of {user} has too much {extra:?}, lacks {missing:?}"));
                continue;
            }
            for (event, shown) in visible.into_iter().zip(view) {
                // A device that was told of no later change keeps what it has.
                let hidden = is_copy && rev_of(event).is_some_and(|rev| !contains(stints, rev));
                if !event.is_same(shown) || !hidden && !is_same_text(event, shown) {
                    faults.push(format!("{what} of {user} shows {shown:?}, the owner {event:?}"));
                }
            }
        }
    }

    /// Pushes come in order, show what is stored, and only to those who may see it.
    fn check_pushes(
        &self,
        truth: &[Event],
        stints: &BTreeMap<UserId, Stints>,
        faults: &mut Vec<String>,
    ) {
        for pushes in &self.pushes {
            let mut last = None;
            for (user, push) in pushes {
                if last.replace(push.seq) >= Some(push.seq) {
                    faults.push(format!("pushed out of order to {user}: {push:?}"));
                }
                if !stints.get(user).is_some_and(|stints| contains(stints, push.seq)) {
                    faults.push(format!("pushed to {user}, who may not see it: {push:?}"));
                }
                let index = usize::try_from(push.seq.get() - 1).ok();
                let stored = index.and_then(|index| truth.get(index));
                if !stored.is_some_and(|stored| stored.is_same(push)) {
                    faults.push(format!("pushed and not stored: {push:?}, there is {stored:?}"));
                }
            }
        }
    }
}

/// Who may read what, and who is in the group in the end, by what the events say.
fn follow(truth: &[Event]) -> (BTreeMap<UserId, Stints>, BTreeMap<UserId, Role>) {
    let mut stints: BTreeMap<UserId, Stints> = BTreeMap::new();
    let mut roles: BTreeMap<UserId, Role> = BTreeMap::new();
    for event in truth {
        let Said::Change(change) = &event.said else { continue };
        let before: BTreeSet<_> = roles.keys().copied().collect();
        apply(change, event.from, &mut roles);
        for user in roles.keys().filter(|user| !before.contains(user)) {
            stints.entry(*user).or_default().push((event.seq, None));
        }
        for user in before.iter().filter(|user| !roles.contains_key(user)) {
            if let Some(stint) = stints.get_mut(user).and_then(|stints| stints.last_mut()) {
                stint.1 = Some(event.seq);
            }
        }
    }
    (stints, roles)
}

/// What a change makes of the members of a group, as docs/protocol.md says.
pub fn apply(change: &Change, from: UserId, members: &mut BTreeMap<UserId, Role>) {
    match change {
        Change::GroupCreated { members: others, .. } => {
            *members = others.iter().map(|user| (*user, Role::Member)).collect();
            members.insert(from, Role::Owner);
        }
        Change::MembersAdded { members: joining } => {
            members.extend(joining.iter().map(|user| (*user, Role::Member)));
        }
        Change::MembersRemoved { members: leaving } => {
            members.retain(|user, _| !leaving.contains(user));
        }
        Change::MemberLeft => {
            members.remove(&from);
        }
        Change::RoleChanged { user, role } => {
            if *role == Role::Owner {
                members.insert(from, Role::Admin);
            }
            members.insert(*user, *role);
        }
        Change::GroupDissolved => members.clear(),
        _ => {}
    }
}

fn contains(stints: &Stints, seq: Seq) -> bool {
    stints.iter().any(|(first, last)| *first <= seq && last.is_none_or(|last| seq <= last))
}

/// What is pinned in the end, by what the events say.
fn pins(truth: &[Event]) -> Vec<Seq> {
    let mut pins = Vec::new();
    for event in truth {
        match &event.said {
            Said::Change(Change::Pinned { target_seq, removed: false }) => pins.push(*target_seq),
            Said::Change(Change::Pinned { target_seq, .. } | Change::Recalled { target_seq }) => {
                pins.retain(|seq| seq != target_seq);
            }
            _ => {}
        }
    }
    pins
}

fn rev_of(event: &Event) -> Option<Seq> {
    match &event.said {
        Said::Message(message) => Some(message.rev).filter(|rev| *rev > Seq::ZERO),
        Said::Change(_) => None,
    }
}

/// An edit that is void by now says the same as before it was.
fn is_same_text(event: &Event, shown: &Event) -> bool {
    match (&event.said, &shown.said) {
        (
            Said::Change(Change::Edited { target_seq, body: None }),
            Said::Change(Change::Edited { target_seq: shown, .. }),
        ) => target_seq == shown,
        (event, shown) => event == shown,
    }
}

/// What has become of a message since is looked at later.
fn is_what_was_asked(event: &Event, asked: &Asked) -> bool {
    match (&event.said, asked) {
        (Said::Message(message), Asked::Message(asked)) => {
            message.rev > Seq::ZERO || message == asked
        }
        (
            Said::Change(Change::Edited { target_seq, body: None }),
            Asked::Change(Change::Edited { target_seq: asked, .. }),
        ) => target_seq == asked,
        (Said::Change(change), Asked::Change(asked)) => change == asked,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
