//! Whom a batch makes something else to others: what is kept of that in memory elsewhere,
//! as by presence and typing, is to be looked up again.
//!
//! It comes with the batch, before anybody is told of it, so that what was acknowledged is
//! in force everywhere. Memory only: after a restart nothing is kept that could be wrong.

use petrel_store::ConversationKind;
use petrel_types::{ConversationId, UserId};

use super::draft::Draft;

/// Whom a batch makes something else to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Two users who are something else to each other, the smaller id first.
    pub pairs: Vec<(UserId, UserId)>,
    /// Users who have decided something else about themselves.
    pub owners: Vec<UserId>,
    /// Users who came into a group, left it, or may do something else in it.
    pub memberships: Vec<(ConversationId, UserId)>,
    /// Groups whose profile changed.
    pub groups: Vec<ConversationId>,
}

impl Affected {
    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        let Self { pairs, owners, memberships, groups } = self;
        pairs.is_empty() && owners.is_empty() && memberships.is_empty() && groups.is_empty()
    }
}

impl Draft<'_> {
    /// Whom the batch affects.
    pub(super) fn affected(&mut self) -> Affected {
        let mut affected = Affected::default();
        let memberships = self.batch.members.iter();
        affected.memberships.extend(memberships.map(|update| (update.conversation, update.user)));
        for index in 0..self.batch.profiles.len() {
            let conversation = self.batch.profiles[index].conversation;
            let Some(model) = self.model(conversation) else { continue };
            match model.conversation.kind {
                ConversationKind::Pair { low, high } => affected.pairs.push((low, high)),
                ConversationKind::Personal { user } => affected.owners.push(user),
                ConversationKind::Group => affected.groups.push(conversation),
                ConversationKind::Single { .. } => {}
            }
        }
        affected
    }
}
