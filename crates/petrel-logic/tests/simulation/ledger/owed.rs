//! What users are to be told in their own timelines: what has become of their places in groups,
//! and what is their own business. Nothing is told that is not owed, and in the end all of it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use petrel_log::Content;
use petrel_protocol::frame::Change;
use petrel_types::{ConversationId, UserId};

use super::Ledger;

/// Of joinings, of leavings, of not being let in, of being invited, and of the end of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Notices {
    owed: [u64; 5],
    told: [u64; 5],
}

impl Ledger {
    /// Something has changed that is the business of one user alone.
    pub(super) fn owe(&mut self, user: UserId, change: Change) -> Result<()> {
        match &change {
            Change::MessagesHidden { conversation_id, msg_seqs, up_to_seq } => {
                let is_it = |content: &Content| {
                    matches!(content, Content::Hide { targets, up_to }
                        if targets == msg_seqs && up_to == up_to_seq)
                };
                let asked = self.asked.iter().any(|((by, _), what)| *by == user && is_it(what));
                ensure!(asked, "hidden though nobody asked for it: {user} {change:?}");
                let timeline = self.timelines.get_mut(conversation_id).context("hidden nowhere")?;
                let end = timeline.end_for(user).context("hidden from a stranger")?;
                let hidden = timeline.hidden.entry(user).or_default();
                hidden.0 = hidden.0.max(up_to_seq.map_or(0, |seq| seq.get()));
                hidden.1.extend(msg_seqs.iter().map(|seq| seq.get()));
                ensure!(hidden.0 <= end && hidden.1.iter().all(|seq| *seq <= end), "{change:?}");
                self.own_owed.entry(user).or_default().push(change);
            }
            Change::ConversationSettingsChanged { conversation_id, settings } => {
                let timeline = self.timelines.get_mut(conversation_id).context("of nothing")?;
                ensure!(timeline.end_for(user).is_some(), "what it is to a stranger: {change:?}");
                let before = timeline.settings.insert(user, *settings).unwrap_or_default();
                ensure!(before != *settings, "the same settings: {change:?}");
                self.own_owed.entry(user).or_default().push(change);
            }
            _ => {}
        }
        Ok(())
    }

    /// A user is told what is the user's own business: what was owed, once. Settings that
    /// others have overtaken need not be told.
    pub(super) fn tell_own(&mut self, user: UserId, change: &Change) -> Result<()> {
        let owed = self.own_owed.entry(user).or_default();
        let place = owed.iter().position(|it| it == change);
        let place = place.with_context(|| format!("told what is not owed: {user} {change:?}"))?;
        owed.remove(place);
        if let Change::ConversationSettingsChanged { conversation_id: about, settings } = change {
            self.settings_told.insert((user, *about), *settings);
            let mut index = 0;
            owed.retain(|it| {
                let is_about = matches!(it, Change::ConversationSettingsChanged { conversation_id, .. }
                    if conversation_id == about);
                index += 1;
                !(is_about && index <= place)
            });
        }
        Ok(())
    }

    /// Whether everything is told to a user that is the user's own business.
    pub(crate) fn owes_nothing(&self, user: UserId) -> bool {
        let mut owed = self.own_owed.get(&user).into_iter().flatten();
        owed.all(|change| self.is_overtaken(user, change))
    }

    /// Whether a change need not be told any more. Settings that come back to what they were
    /// can't be told apart from those before, so what is left of them is settled by the last.
    fn is_overtaken(&self, user: UserId, change: &Change) -> bool {
        let Change::ConversationSettingsChanged { conversation_id, .. } = change else {
            return false;
        };
        let told = self.settings_told.get(&(user, *conversation_id));
        let timeline = self.timelines.get(conversation_id);
        told.is_some() && told == timeline.and_then(|timeline| timeline.settings.get(&user))
    }

    /// Whether a user is still to be told what he or she has deleted of a conversation, which
    /// is left out of what is fetched by now.
    pub(crate) fn owes_deletion(&self, user: UserId, id: ConversationId) -> bool {
        let is_it = |change: &Change| matches!(change, Change::MessagesHidden { conversation_id, .. } if *conversation_id == id);
        self.own_owed.get(&user).is_some_and(|owed| owed.iter().any(is_it))
    }

    /// A user is told in the own timeline what has become of the user's place in a group: as
    /// often as was owed.
    pub(super) fn tell_of_group(&mut self, user: UserId, change: &Change) -> Result<()> {
        let (which, group) = match change {
            Change::ConversationAdded { conversation_id } => (0, *conversation_id),
            Change::ConversationRemoved { conversation_id } => (1, *conversation_id),
            Change::ConversationRefused { conversation_id } => (2, *conversation_id),
            Change::GroupInvited { conversation_id, .. } => (3, *conversation_id),
            Change::GroupInvitationEnded { conversation_id } => (4, *conversation_id),
            other => bail!("a strange notice: {other:?}"),
        };
        let notices = self.notices.entry((user, group)).or_default();
        notices.told[which] += 1;
        ensure!(
            notices.told[which] <= notices.owed[which],
            "a notice is told twice: of {group} to {user}"
        );
        Ok(())
    }

    /// What an event of a group makes its users owed, of whom some were invited, and some were
    /// members before it and after it.
    pub(super) fn owe_of_group(
        &mut self,
        id: ConversationId,
        from: UserId,
        change: &Change,
        invited: &[UserId],
        (before, after): (&BTreeSet<UserId>, &BTreeSet<UserId>),
    ) {
        for user in after.difference(before) {
            self.notices.entry((*user, id)).or_default().owed[0] += 1;
        }
        match change {
            Change::JoinRefused { user } => {
                self.notices.entry((*user, id)).or_default().owed[2] += 1;
            }
            Change::MembersInvited { members, .. } => {
                for user in members {
                    self.notices.entry((*user, id)).or_default().owed[3] += 1;
                }
            }
            Change::InvitationRefused => {
                self.notices.entry((from, id)).or_default().owed[4] += 1;
            }
            Change::InvitationWithdrawn { user } => {
                self.notices.entry((*user, id)).or_default().owed[4] += 1;
            }
            Change::GroupDissolved => {
                for user in invited {
                    self.notices.entry((*user, id)).or_default().owed[4] += 1;
                }
            }
            _ => {}
        }
        for user in before.difference(after) {
            self.notices.entry((*user, id)).or_default().owed[1] += 1;
        }
    }

    /// Everything that was owed has been told.
    pub(crate) fn check_notices(&self) -> Result<()> {
        self.pairs.check_told()?;
        for (user, owed) in &self.own_owed {
            ensure!(self.owes_nothing(*user), "a notice is missing: {user} {owed:?}");
        }
        for (about, notices) in &self.notices {
            let Notices { owed, told } = notices;
            // Of an invitation that is over nobody need be told; that those in force are listed
            // is compared by itself.
            let is_well = owed[..3] == told[..3] && told[3] <= owed[3] && told[4] <= owed[4];
            ensure!(is_well, "a notice is missing: {about:?} {notices:?}");
        }
        Ok(())
    }
}
