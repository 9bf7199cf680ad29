//! A user in a conversation, now or formerly, with what is known of the user there.

use petrel_store::{Cursors, Interval, Member, StoreError};
use petrel_types::UserId;

use crate::access::Access;
use crate::profile::Attributes;

/// A user in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) user: UserId,
    pub(crate) cursors: Cursors,
    pub(crate) attributes: Attributes,
    /// What the user may read, oldest first.
    pub(crate) intervals: Vec<Interval>,
}

impl Membership {
    /// Whether the user is a member now.
    pub(crate) fn is_present(&self) -> bool {
        self.intervals.last().is_some_and(|interval| interval.last.is_none())
    }

    /// What the user may read.
    pub(crate) fn access(&self) -> Access<'_> {
        Access::new(&self.intervals, self.attributes.hidden.as_deref())
    }

    /// As it is stored.
    pub(crate) fn load(member: Member) -> Result<Self, StoreError> {
        Ok(Self {
            user: member.user,
            cursors: member.cursors,
            attributes: Attributes::decode(&member.attributes)?,
            intervals: member.intervals,
        })
    }
}
