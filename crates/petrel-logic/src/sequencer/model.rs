//! A conversation as its sequencer knows it: who is in it, what they may do, where it
//! ends. Pure state; the decisions are made in `content`.

use std::sync::Arc;

use petrel_protocol::frame::Role;
use petrel_store::{
    Conversation, ConversationKind, ConversationState, Cursors, Head, Interval, StoreError,
};
use petrel_types::{ConversationId, Seq, UserId};

use crate::membership::Membership;
use crate::own::Own;
use crate::pair::Pair;
use crate::profile::{Attributes, Profile};

/// A conversation.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) conversation: Conversation,
    pub(super) head: Head,
    pub(super) trimmed_before: Seq,
    /// Of a group; of a single chat only the pins.
    pub(super) profile: Profile,
    /// Of a pair.
    pub(super) pair: Option<Box<Pair>>,
    /// Of a personal timeline.
    pub(super) own: Option<Box<Own>>,
    /// Everybody who is in it, by user id.
    members: Vec<Membership>,
    /// The same, as the list that frames are delivered to; made when it is wanted.
    everybody: Option<Arc<[UserId]>>,
}

impl Model {
    /// A conversation that begins, with the members that come with its kind.
    pub(super) fn begin(id: ConversationId, kind: ConversationKind, profile: Profile) -> Self {
        let users = match kind {
            ConversationKind::Single { low, high } if low != high => vec![low, high],
            ConversationKind::Single { low: user, .. } | ConversationKind::Personal { user } => {
                vec![user]
            }
            ConversationKind::Group | ConversationKind::Pair { .. } => Vec::new(),
        };
        let member = |user| Membership {
            user,
            cursors: Cursors::default(),
            attributes: Attributes::default(),
            intervals: vec![Interval { first: Seq::new(1), last: None }],
        };
        Self {
            conversation: Conversation { id, kind },
            head: Head::default(),
            trimmed_before: Seq::new(1),
            profile,
            pair: None,
            own: None,
            members: users.into_iter().map(member).collect(),
            everybody: None,
        }
    }

    /// As it is stored.
    pub(super) fn load(state: ConversationState) -> Result<Self, StoreError> {
        let ConversationState { summary, members } = state;
        let stored = &summary.profile;
        let (mut profile, mut pair, mut own) = (Profile::default(), None, None);
        match summary.conversation.kind {
            ConversationKind::Group => profile = Profile::decode(stored)?,
            ConversationKind::Pair { .. } => pair = Some(Box::new(Pair::decode(stored)?)),
            ConversationKind::Personal { .. } => own = Some(Box::new(Own::decode(stored)?)),
            ConversationKind::Single { .. } => profile = Profile::decode(stored)?,
        }
        Ok(Self {
            conversation: summary.conversation,
            head: summary.head,
            trimmed_before: summary.trimmed_before,
            profile,
            pair,
            own,
            members: members.into_iter().map(Membership::load).collect::<Result<_, _>>()?,
            everybody: None,
        })
    }

    pub(super) fn member(&self, user: UserId) -> Option<&Membership> {
        let index = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        Some(&self.members[index])
    }

    pub(super) fn member_mut(&mut self, user: UserId) -> Option<&mut Membership> {
        let index = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        Some(&mut self.members[index])
    }

    pub(super) fn members(&self) -> &[Membership] {
        &self.members
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// The role of a user; `None` if the user is no member.
    pub(super) fn role(&self, user: UserId) -> Option<Role> {
        self.member(user).map(|member| member.attributes.role)
    }

    /// Everybody who is a member now.
    pub(super) fn everybody(&mut self) -> Arc<[UserId]> {
        let members = &self.members;
        let list = || members.iter().map(|member| member.user).collect();
        Arc::clone(self.everybody.get_or_insert_with(list))
    }

    /// Takes somebody in who is not in.
    pub(super) fn join(&mut self, member: Membership) {
        if let Err(place) = self.members.binary_search_by_key(&member.user, |member| member.user) {
            self.members.insert(place, member);
            self.everybody = None;
        }
    }

    /// Lets somebody go: the membership ends with the event at `last`.
    pub(super) fn part(&mut self, user: UserId, last: Seq) -> Option<Membership> {
        let place = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        self.everybody = None;
        let mut member = self.members.remove(place);
        if let Some(interval) = member.intervals.last_mut() {
            interval.last = Some(last);
        }
        Some(member)
    }
}
