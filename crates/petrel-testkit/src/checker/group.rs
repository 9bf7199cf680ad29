//! Groups: did everybody see what they may see, and did everything happen that was
//! acknowledged?
//!
//! The owner, who is in the group from its first event on and never leaves, sees all of
//! the timeline. What the others must have seen is worked out from that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use petrel_protocol::frame::{Change, Role, SavedAck};
use petrel_types::{ConversationId, Seq, UserId};

use super::{Event, Said};

/// What somebody asked for in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A message with this text.
    Message(String),
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
        self.check_texts(truth, &mut faults);
        self.check_acks(truth, &mut faults);
        let (stints, roles) = follow(truth);
        for (what, members) in [("acks", &self.expected), ("the server", &self.members)] {
            if *members != roles {
                faults.push(format!("members by {what} are {members:?}, by events {roles:?}"));
            }
        }
        self.check_views(truth, &stints, &mut faults);
        self.check_pushes(truth, &stints, &mut faults);
        faults.into_iter().map(|fault| format!("group {}: {fault}", self.group)).collect()
    }

    /// Every text that was stored and has been taken away since, by what was asked and the
    /// order in which it was stored.
    pub fn erased_texts(&self) -> BTreeSet<&str> {
        let truth = self.views.get(&self.owner).map_or(&[][..], Vec::as_slice);
        let living: BTreeSet<_> = self.texts(truth).into_values().collect();
        let stored = truth.iter().filter_map(|event| self.asked_text(event));
        stored.filter(|text| !living.contains(text)).collect()
    }

    /// What each message must say in the end; recalled ones are not in it.
    fn texts(&self, truth: &[Event]) -> BTreeMap<Seq, &str> {
        let mut texts = BTreeMap::new();
        for event in truth {
            match &event.said {
                Said::Message { .. } => {
                    texts.extend(self.asked_text(event).map(|text| (event.seq, text)));
                }
                Said::Change(Change::Recalled { target_seq }) => {
                    texts.remove(target_seq);
                }
                Said::Change(Change::Edited { target_seq, .. }) => {
                    texts.extend(self.asked_text(event).map(|text| (*target_seq, text)));
                }
                Said::Change(_) => {}
            }
        }
        texts
    }

    fn asked_text(&self, event: &Event) -> Option<&str> {
        match self.asked.get(&(event.from, event.name.clone()?))? {
            Asked::Message(text) => Some(text),
            Asked::Change(Change::Edited { body, .. }) => body.as_deref(),
            Asked::Change(_) => None,
        }
    }

    /// Messages say what they must, and edits that were overtaken say nothing.
    fn check_texts(&self, truth: &[Event], faults: &mut Vec<String>) {
        let texts = self.texts(truth);
        for event in truth {
            let (expected, said) = match &event.said {
                Said::Message { body, .. } => {
                    (texts.get(&event.seq).copied().unwrap_or_default(), body.as_str())
                }
                Said::Change(Change::Edited { target_seq, body }) => {
                    let text = texts.get(target_seq).copied();
                    let is_current = text == self.asked_text(event);
                    let expected = text.filter(|_| is_current).unwrap_or_default();
                    (expected, body.as_deref().unwrap_or_default())
                }
                Said::Change(_) => continue,
            };
            if expected != said {
                faults.push(format!("says {said:?} and should say {expected:?}: {event:?}"));
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

fn rev_of(event: &Event) -> Option<Seq> {
    match event.said {
        Said::Message { rev, .. } => Some(rev).filter(|rev| *rev > Seq::ZERO),
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

fn is_what_was_asked(event: &Event, asked: &Asked) -> bool {
    match (&event.said, asked) {
        (Said::Message { body, rev, recalled }, Asked::Message(text)) => {
            if *recalled {
                body.is_empty()
            } else {
                *rev > Seq::ZERO || body == text
            }
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
