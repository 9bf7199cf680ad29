//! Whose names and pictures somebody may know: those of people with whom there is something in
//! common.
//!
//! Ids are numbers in a row, so that an id alone must not lead to a name, or anybody could
//! list the users.

use std::collections::HashSet;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Role;
use petrel_protocol::http::NAMES_MAX;
use petrel_store::{Entry, Member, StoreError};
use petrel_types::limits::INVITATIONS_MAX;
use petrel_types::{ConversationId, FileId, TimestampMs, UserId};

use crate::Refusal;
use crate::contacts::Contacts;
use crate::lists::{INVITATIONS, INVITED, JOIN_REQUESTS, KNOWN, ListedInvited, decode_invitation};
use crate::own::Own;
use crate::profile::Attributes;

/// How many invitations of one user are looked at: some more than there may be, because those of
/// one moment don't see each other.
const INVITATIONS_READ: u32 = 2 * INVITATIONS_MAX as u32;

/// How somebody is shown to those who know the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub user: UserId,
    /// The name the user logs in with; none for users of an external issuer.
    pub username: Option<String>,
    /// What the user is called by others.
    pub display_name: Option<String>,
    /// The file that is the user's picture, of which those may have a thumbnail who may know
    /// the name.
    pub avatar: Option<FileId>,
}

impl Contacts {
    /// How a user is shown, to whoever it may be.
    pub async fn person(&self, user: UserId) -> Result<Person, Refusal> {
        let stored = self.store.user(user).await.map_err(of_store)?;
        self.person_of(user, stored.map(|stored| stored.username)).await
    }

    /// The same of somebody whose user name is known.
    pub(crate) async fn person_of(
        &self,
        user: UserId,
        username: Option<String>,
    ) -> Result<Person, Refusal> {
        let Own { display_name, avatar, .. } = self.own(user).await?;
        Ok(Person { user, username, display_name, avatar })
    }

    /// The names of those of `users` whom the asker knows: contacts of any kind, those who
    /// apply to the asker or to whom the asker applies among them, whoever there is a single
    /// chat with, whoever invites the asker into a group or is invited by the asker at `now`,
    /// and, in `conversation`, its members, former ones included, and to those who decide
    /// about them whoever asks to join or is invited. The others are left out, and so is who
    /// does not exist.
    pub async fn names(
        &self,
        asker: UserId,
        users: &[UserId],
        conversation: Option<ConversationId>,
        now: TimestampMs,
    ) -> Result<Vec<Person>, Refusal> {
        if users.is_empty() || users.len() > NAMES_MAX {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("`ids` are 1 to {NAMES_MAX} users, with commas between them"),
            ));
        }
        let known = self.known(asker, users, conversation, now).await.map_err(of_store)?;
        let mut people = Vec::with_capacity(known.len());
        for user in known {
            people.push(self.person(user).await?);
        }
        Ok(people)
    }

    async fn known(
        &self,
        asker: UserId,
        users: &[UserId],
        conversation: Option<ConversationId>,
        now: TimestampMs,
    ) -> Result<Vec<UserId>, StoreError> {
        let store = &self.store;
        let membership = match conversation {
            Some(id) => store.member(id, asker).await?.map(|member| (id, member)),
            None => None,
        };
        let personal = store.personal_timeline(asker).await?;
        let own = store.personal_lists(INVITATIONS, &[asker], INVITATIONS_READ).await?;
        let inviters = inviters_among(own.first().map_or(&[], Vec::as_slice), now)?;
        let (mut known, mut strangers) = (HashSet::new(), Vec::new());
        for &user in users {
            let is_contact = match personal {
                Some(personal) => store.entry(personal, KNOWN, user.get()).await?.is_some(),
                None => false,
            };
            let is_known = user == asker
                || is_contact
                || inviters.contains(&user)
                || self.is_in(membership.as_ref(), user, now).await?
                || store.single_chat(asker, user).await?.is_some();
            if is_known {
                known.insert(user);
            } else {
                strangers.push(user);
            }
        }
        // Only now, and for all of them at once: it is the most that there is to read.
        let theirs = store.personal_lists(INVITATIONS, &strangers, INVITATIONS_READ).await?;
        for (user, invitations) in strangers.into_iter().zip(theirs) {
            if inviters_among(&invitations, now)?.contains(&asker) {
                known.insert(user);
            }
        }
        Ok(users.iter().filter(|user| known.contains(user)).copied().collect())
    }

    /// Whether somebody is, or was, in the conversation of a member; wants to be in it, or is to
    /// be.
    async fn is_in(
        &self,
        membership: Option<&(ConversationId, Member)>,
        user: UserId,
        now: TimestampMs,
    ) -> Result<bool, StoreError> {
        let Some((id, member)) = membership else { return Ok(false) };
        if let Some(other) = self.store.member(*id, user).await? {
            return Ok(is_seen(member, &other));
        }
        if !member.is_present() || Attributes::decode(&member.attributes)?.role < Role::Admin {
            return Ok(false);
        }
        if self.store.entry(*id, JOIN_REQUESTS, user.get()).await?.is_some() {
            return Ok(true);
        }
        match self.store.entry(*id, INVITED, user.get()).await? {
            Some(invited) => Ok(ListedInvited::decode(&invited)?.expires > now),
            None => Ok(false),
        }
    }
}

/// Those by whom invitations are that wait for an answer.
fn inviters_among(entries: &[Entry], now: TimestampMs) -> Result<HashSet<UserId>, StoreError> {
    let invitations = entries.iter().map(|entry| decode_invitation(&entry.value));
    let invitations = invitations.collect::<Result<Vec<_>, _>>()?;
    #[cfg(feature = "mutants")]
    let now = match petrel_store::mutants::is("expired-invitation-introduces") {
        true => TimestampMs::default(),
        false => now,
    };
    Ok(invitations.iter().filter(|it| it.expires_ts > now).map(|it| it.by).collect())
}

/// Whether one has seen the other come: who has left does not learn who came after.
fn is_seen(member: &Member, other: &Member) -> bool {
    let Some(first) = other.intervals.first() else { return false };
    member.intervals.last().is_some_and(|own| own.last.is_none_or(|last| first.first <= last))
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
