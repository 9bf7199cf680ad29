//! A backend in memory, for simulations: as plain as can be, so that it can serve as the
//! model that others are compared with. Nothing is durable but what handles share.
//!
//! A batch is first checked as a whole (`check`) and then applied (`state`), so that a
//! refused one leaves no trace. Client message ids are never forgotten.

mod administration;
mod check;
mod files;
mod identity;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};

use self::state::State;
use crate::{
    Batch, Claim, Committed, ConversationKind, ConversationState, Derivation, DerivationId, Entry,
    EntryPage, EventPage, Head, Member, MemberPage, Relation, RowPage, Store, StoreError,
    StoreErrorKind, StoredEvent, Summary, SyncPage, User,
};

/// A store in memory. What it holds outlives it in the handles made by
/// [`reopen`](Self::reopen).
#[derive(Debug)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    epoch: Epoch,
    closed: AtomicBool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(epoch: Epoch) -> Self {
        Self { state: Arc::default(), epoch, closed: AtomicBool::new(false) }
    }

    /// Another handle on the same content, as after a restart.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let state = Arc::clone(&self.state);
        Self { state, epoch: self.epoch, closed: AtomicBool::new(false) }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "the store is closed"));
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn claim(&self, partition: Partition) -> Result<Claim, StoreError> {
        let mut state = self.state()?;
        let claim = state.partitions.entry(partition).or_insert(Claim {
            owner_epoch: OwnerEpoch::new(0),
            next_position: LogPosition::new(0),
            conversation_number: 0,
        });
        claim.owner_epoch = OwnerEpoch::new(claim.owner_epoch.get() + 1);
        Ok(*claim)
    }

    async fn commit(
        &self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError> {
        let mut state = self.state()?;
        check::check_owner(&state, partition, next_position, owner_epoch)?;
        check::check_batch(&state, &batch)?;
        Ok(state.apply(partition, batch, next_position))
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationState>, StoreError> {
        let state = self.state()?;
        Ok(state.timelines.get(&conversation).map(|timeline| ConversationState {
            summary: timeline.summary(),
            members: timeline.present_members().collect(),
        }))
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        Ok(self.state()?.timelines.get(&conversation).map(|timeline| timeline.summary()))
    }

    async fn conversations_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        let state = self.state()?;
        let later = state.timelines.iter().filter(|(id, _)| **id > after);
        Ok(later.take(limit as usize).map(|(_, timeline)| timeline.summary()).collect())
    }

    async fn members_after(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        let state = self.state()?;
        Ok(state.timelines.get(&conversation).map(|timeline| {
            let mut later = timeline.present_members().filter(|member| member.user > after);
            MemberPage {
                members: later.by_ref().take(limit as usize).collect(),
                more: later.next().is_some(),
                summary: timeline.summary(),
            }
        }))
    }

    async fn personal_timeline(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        Ok(self.state()?.personal_timelines.get(&user).copied())
    }

    async fn pair(&self, one: UserId, other: UserId) -> Result<Option<ConversationId>, StoreError> {
        let users = (one.min(other), one.max(other));
        Ok(self.state()?.pairs.get(&users).copied())
    }

    async fn relations(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<Relation>, StoreError> {
        let state = self.state()?;
        let profile = |id: Option<&ConversationId>| {
            let timeline = id.and_then(|id| state.timelines.get(id));
            timeline.map(|timeline| timeline.summary().profile).unwrap_or_default()
        };
        let relation = |other: &UserId| Relation {
            pair: profile(state.pairs.get(&(user.min(*other), user.max(*other)))),
            personal: profile(state.personal_timelines.get(other)),
        };
        Ok(others.iter().map(relation).collect())
    }

    async fn personal_lists(
        &self,
        list: u8,
        users: &[UserId],
        limit: u32,
    ) -> Result<Vec<Vec<Entry>>, StoreError> {
        let state = self.state()?;
        let listed = |user: &UserId| {
            let timeline = state.personal_timelines.get(user).copied();
            let entries = timeline.into_iter().flat_map(|timeline| {
                let all = (timeline, list, 0)..=(timeline, list, u64::MAX);
                state
                    .entries
                    .range(all)
                    .map(|(&(_, _, key), value)| Entry { key, value: value.clone() })
            });
            entries.take(limit as usize).collect()
        };
        Ok(users.iter().map(listed).collect())
    }

    async fn share_group(&self, user: UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        let state = self.state()?;
        let is_shared = |other: &UserId| {
            state.timelines.values().any(|timeline| {
                let is_present =
                    |user: UserId| timeline.present_members().any(|member| member.user == user);
                timeline.conversation.kind == ConversationKind::Group
                    && is_present(user)
                    && is_present(*other)
            })
        };
        Ok(others.iter().map(is_shared).collect())
    }

    async fn entry(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state()?.entries.get(&(conversation, list, key)).cloned())
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        list: u8,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EntryPage, StoreError> {
        let state = self.state()?;
        let first = (conversation, list, after.map_or(0, |after| after.saturating_add(1)));
        let mut later = state
            .entries
            .range(first..=(conversation, list, u64::MAX))
            .map(|((_, _, key), value)| Entry { key: *key, value: value.clone() });
        Ok(EntryPage {
            entries: later.by_ref().take(limit as usize).collect(),
            more: later.next().is_some(),
            head: state.timelines.get(&conversation).map_or_else(Head::default, |it| it.head()),
        })
    }

    async fn code_holder(&self, code: &str) -> Result<Option<ConversationId>, StoreError> {
        Ok(self.state()?.codes.get(code).copied())
    }

    async fn unsettled(
        &self,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<Derivation>, StoreError> {
        let state = self.state()?;
        let later = state.derivations.iter().filter(|(id, _)| Some(**id) > after);
        let derivation = |(id, command): (&DerivationId, &bytes::Bytes)| Derivation {
            id: *id,
            command: command.clone(),
        };
        Ok(later.take(limit as usize).map(derivation).collect())
    }

    async fn is_unsettled(&self, derivation: DerivationId) -> Result<bool, StoreError> {
        Ok(self.state()?.derivations.contains_key(&derivation))
    }

    async fn single_chat(
        &self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        let pair = (one.min(other), one.max(other));
        Ok(self.state()?.single_chats.get(&pair).copied())
    }

    async fn find_message(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let state = self.state()?;
        let row = state.by_client_id.get(&(conversation, sender, client_message_id.clone()));
        Ok(row.map(|row| state.events[row].1.clone()))
    }

    async fn recent_messages(
        &self,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let of_partition = |(_, (of, event)): (&RowId, &(Partition, StoredEvent))| {
            (*of == partition && event.client_message_id.is_some()).then(|| event.clone())
        };
        let state = self.state()?;
        Ok(state.events.iter().rev().filter_map(of_partition).take(limit as usize).collect())
    }

    async fn event(&self, row: RowId) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.state()?.events.get(&row).map(|(_, event)| event.clone()))
    }

    async fn events_by_row(&self, after: RowId, limit: u32) -> Result<RowPage, StoreError> {
        let state = self.state()?;
        let later = state.events.range(RowId::new(after.get().saturating_add(1))..);
        let events: Vec<_> =
            later.take(limit as usize).map(|(_, (_, event))| event.clone()).collect();
        let last_row = state.last_row();
        let last = events.last().filter(|_| events.len() == limit as usize);
        let up_to = last.map_or(last_row, |event| event.row);
        Ok(RowPage { events, up_to, last_row })
    }

    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        Ok(self.state()?.page(conversation, |kept| {
            let from = kept.partition_point(|(seq, _)| *seq <= after);
            &kept[from..kept.len().min(from.saturating_add(limit as usize))]
        }))
    }

    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        Ok(self.state()?.page(conversation, |kept| {
            let to = kept.partition_point(|(seq, _)| *seq < before);
            &kept[to.saturating_sub(limit as usize)..to]
        }))
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let state = self.state()?;
        Ok(state.timelines.get(&conversation).and_then(|timeline| timeline.member(user)))
    }

    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError> {
        Ok(self.state()?.sync_page(user, since, before, limit))
    }

    async fn create_user(
        &self,
        username: &str,
        password_hash: &str,
        now: TimestampMs,
    ) -> Result<User, StoreError> {
        let mut state = self.state()?;
        if state.users.iter().any(|user| user.username.eq_ignore_ascii_case(username)) {
            return Err(StoreError::new(StoreErrorKind::Conflict, "the name is taken"));
        }
        let user = User {
            id: state.take_user(),
            username: username.to_owned(),
            password_hash: password_hash.to_owned(),
            created: now,
            is_admin: false,
        };
        state.users.push(user.clone());
        Ok(user)
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<User>, StoreError> {
        let named = |user: &&User| user.username.eq_ignore_ascii_case(username);
        Ok(self.state()?.users.iter().find(named).cloned())
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state()?.users.iter().find(|user| user.id == id).cloned())
    }

    async fn close(&self) -> Result<(), StoreError> {
        drop(self.state()?);
        self.closed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Place;

    struct Handle(MemoryStore);

    #[async_trait]
    impl Place for Handle {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(self.0.reopen())
        }
    }

    crate::store_suite!(Handle(MemoryStore::new(Epoch::new(7))));
}
