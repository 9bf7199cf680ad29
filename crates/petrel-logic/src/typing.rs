//! Who is told that somebody types.
//!
//! The other one of a single chat, and the members of a group that is not too large: as far
//! as neither of two has blocked the other, and the one who types could send a message. To all
//! others it is as if nobody typed. Nothing is stored, and nobody waits for anything.
//!
//! People type for a while, so who is told is kept from one time to the next, until something
//! is committed that may have changed it ([`Typing::affected`]).

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Role, Typing as TypingFrame};
use petrel_store::{ConversationKind, Store, StoreError, Summary};
use petrel_types::{ConversationId, TimestampMs, UserId};

use crate::Refusal;
use crate::pair::Pair;
use crate::profile::{Attributes, Profile};
use crate::refusal::not_a_member;
use crate::sequencer::Affected;

/// How many audiences are kept. One has at most some hundred users, of 8 bytes each.
const AUDIENCES_KEPT_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// What an operator decides about it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// In larger groups nobody is told.
    pub members_max: u32,
    /// Only friends can send each other messages.
    pub chats_need_friendship: bool,
}

/// Finds who is to be told.
pub struct Typing {
    store: Arc<dyn Store>,
    settings: Settings,
    kept: Mutex<Kept>,
}

/// Who is to be told that somebody types in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Where.
    pub conversation: ConversationId,
    /// Whom. Perhaps nobody.
    pub users: Arc<[UserId]>,
}

struct Kept {
    audiences: LruCache<(ConversationId, UserId), Arc<[UserId]>>,
    /// Rises with each change, so that what was read before is not kept after it.
    changes: u64,
}

impl Typing {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        let kept = Kept { audiences: LruCache::new(AUDIENCES_KEPT_MAX), changes: 0 };
        Self { store, settings, kept: Mutex::new(kept) }
    }

    /// Who is to be told that `user` types; `None` if there is no such single chat yet.
    /// Refused as any other conversation that the user is not in.
    pub async fn audience(
        &self,
        user: UserId,
        frame: &TypingFrame,
        now: TimestampMs,
    ) -> Result<Option<Audience>, Refusal> {
        let conversation = match (frame.conversation_id, frame.to) {
            (Some(conversation), _) => conversation,
            (None, Some(to)) => {
                let chat = self.store.single_chat(user, to).await.map_err(of_store)?;
                // It begins with the first message.
                let Some(chat) = chat else { return Ok(None) };
                chat
            }
            (None, None) => {
                return Err(Refusal::new(
                    ErrorReason::InvalidField,
                    "say where, by conversationId or to",
                ));
            }
        };
        let changes = {
            let mut kept = self.kept();
            if let Some(users) = kept.audiences.get(&(conversation, user)) {
                return Ok(Some(Audience { conversation, users: Arc::clone(users) }));
            }
            kept.changes
        };
        let found = self.find(user, conversation, now).await?;
        let users: Arc<[UserId]> = found.users.into();
        let mut kept = self.kept();
        if kept.changes == changes && found.holds {
            kept.audiences.put((conversation, user), Arc::clone(&users));
        }
        Ok(Some(Audience { conversation, users }))
    }

    /// Somebody is something else to others: what is kept of that is forgotten.
    pub fn affected(&self, affected: &Affected) {
        if affected.is_empty() {
            return;
        }
        let Affected { pairs, memberships, groups, .. } = affected;
        let mut kept = self.kept();
        kept.changes += 1;
        let is_over = |(conversation, user): &(ConversationId, UserId)| {
            pairs.iter().any(|(one, other)| user == one || user == other)
                || memberships.iter().any(|(group, _)| group == conversation)
                || groups.contains(conversation)
        };
        let over: Vec<_> =
            kept.audiences.iter().map(|(key, _)| *key).filter(|key| is_over(key)).collect();
        for key in over {
            kept.audiences.pop(&key);
        }
    }

    async fn find(
        &self,
        user: UserId,
        conversation: ConversationId,
        now: TimestampMs,
    ) -> Result<Found, Refusal> {
        let member = self.store.member(conversation, user).await.map_err(of_store)?;
        let member = member.filter(petrel_store::Member::is_present).ok_or_else(not_a_member)?;
        let summary = self.store.summary(conversation).await.map_err(of_store)?;
        let summary = summary.ok_or_else(not_a_member)?;
        match summary.conversation.kind {
            ConversationKind::Single { low, high } => {
                let other = if low == user { high } else { low };
                let friends_only = self.settings.chats_need_friendship;
                let users = self.reached(user, &[other], friends_only).await?;
                Ok(Found { users, holds: true })
            }
            ConversationKind::Group => {
                let attributes = Attributes::decode(&member.attributes).map_err(of_store)?;
                if !may_speak(&attributes, &summary, now)? {
                    // For how long depends on the time.
                    return Ok(Found { users: Vec::new(), holds: false });
                }
                let users = self.members(conversation, &summary).await?;
                let users = self.reached(user, &users, false).await?;
                Ok(Found { users, holds: true })
            }
            ConversationKind::Personal { .. } | ConversationKind::Pair { .. } => {
                Ok(Found { users: Vec::new(), holds: true })
            }
        }
    }

    /// The members of a group that is not too large; otherwise nobody.
    async fn members(
        &self,
        group: ConversationId,
        summary: &Summary,
    ) -> Result<Vec<UserId>, Refusal> {
        let members_max = self.settings.members_max;
        if summary.member_count > members_max.into() {
            return Ok(Vec::new());
        }
        let page = self.store.members_after(group, UserId::new(0), members_max).await;
        let page = page.map_err(of_store)?.ok_or_else(not_a_member)?;
        Ok(page.members.into_iter().map(|member| member.user).collect())
    }

    /// Those of `others` whom `user` may reach.
    async fn reached(
        &self,
        user: UserId,
        others: &[UserId],
        friends_only: bool,
    ) -> Result<Vec<UserId>, Refusal> {
        let others: Vec<_> = others.iter().copied().filter(|other| *other != user).collect();
        let relations = self.store.relations(user, &others).await.map_err(of_store)?;
        let mut reached = Vec::with_capacity(others.len());
        for (other, relation) in others.into_iter().zip(relations) {
            let pair = Pair::decode(&relation.pair).map_err(of_store)?;
            if pair.check_reach(user, other).is_ok() && (!friends_only || pair.are_friends()) {
                reached.push(other);
            }
        }
        Ok(reached)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Found {
    users: Vec<UserId>,
    /// Until a commit changes it.
    holds: bool,
}

/// Whether a member may send messages to a group now.
fn may_speak(attributes: &Attributes, group: &Summary, now: TimestampMs) -> Result<bool, Refusal> {
    let profile = Profile::decode(&group.profile).map_err(of_store)?;
    let is_muted = attributes.muted_until.is_some_and(|until| until > now);
    Ok(!is_muted && (!profile.info.muted || attributes.role >= Role::Admin))
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
