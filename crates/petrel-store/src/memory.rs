//! A backend in memory, for simulations: as plain as can be, so that it can serve as the
//! model that others are compared with. Nothing is durable but what handles share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, MessageNumber, OwnerEpoch, Partition,
    RowId, Seq, Slot, TimestampMs, UserId,
};

use crate::{
    Batch, Claim, Committed, Conversation, ConversationState, CursorUpdate, Cursors, EventPage,
    Head, Member, NewConversation, NewEvent, Store, StoreError, StoreErrorKind, StoredEvent,
    SyncEntry, SyncPage, User,
};

/// A store in memory. What it holds outlives it in the handles made by
/// [`reopen`](Self::reopen).
#[derive(Debug)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    epoch: Epoch,
    closed: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct State {
    partitions: BTreeMap<Partition, Claim>,
    timelines: BTreeMap<ConversationId, Timeline>,
    single_chats: BTreeMap<(UserId, UserId), ConversationId>,
    by_client_id: BTreeMap<(ConversationId, UserId, ClientMessageId), RowId>,
    events: BTreeMap<RowId, (Partition, StoredEvent)>,
    conversations_of: BTreeMap<UserId, Vec<ConversationId>>,
    last_row: u64,
    users: Vec<User>,
}

#[derive(Clone, Debug)]
struct Timeline {
    conversation: Conversation,
    rows: Vec<RowId>,
    head: Head,
    timestamp: TimestampMs,
    stamp: RowId,
    cursors: BTreeMap<UserId, Cursors>,
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

impl State {
    fn take_row(&mut self) -> RowId {
        self.last_row += 1;
        RowId::new(self.last_row)
    }

    fn begin(&mut self, new: &NewConversation) -> Result<(), StoreError> {
        let NewConversation { id, low, high } = *new;
        check_fits([id.get(), low.get(), high.get()])?;
        if low > high
            || self.timelines.contains_key(&id)
            || self.single_chats.insert((low, high), id).is_some()
        {
            return Err(invalid(format!("conversation {id} can't begin")));
        }
        let stamp = self.take_row();
        let cursors: BTreeMap<_, _> =
            [low, high].into_iter().map(|user| (user, Cursors::default())).collect();
        for user in cursors.keys() {
            self.conversations_of.entry(*user).or_default().push(id);
        }
        self.timelines.insert(
            id,
            Timeline {
                conversation: Conversation { id, low, high },
                rows: Vec::new(),
                head: Head::default(),
                timestamp: TimestampMs::default(),
                stamp,
                cursors,
            },
        );
        Ok(())
    }

    fn append(&mut self, partition: Partition, new: NewEvent) -> Result<(), StoreError> {
        check_fits([new.sender.get(), new.timestamp.get(), new.message_number.get()])?;
        let row = self.take_row();
        let timeline = self
            .timelines
            .get_mut(&new.conversation)
            .ok_or_else(|| invalid(format!("there is no conversation {}", new.conversation)))?;
        let head = timeline.head;
        let steps = [head.message_number, head.message_number.next()];
        if new.seq != head.seq.next() || !steps.contains(&new.message_number) {
            return Err(invalid(format!("event {} does not follow {}", new.seq, head.seq)));
        }
        if let Some(name) = &new.client_message_id
            && let key = (new.conversation, new.sender, name.clone())
            && self.by_client_id.insert(key, row).is_some()
        {
            return Err(invalid(format!("{name} is taken")));
        }
        timeline.head = Head { seq: new.seq, message_number: new.message_number };
        timeline.timestamp = new.timestamp;
        timeline.stamp = row;
        timeline.rows.push(row);
        let event = StoredEvent {
            row,
            conversation: new.conversation,
            seq: new.seq,
            message_number: new.message_number,
            sender: new.sender,
            client_message_id: new.client_message_id,
            timestamp: new.timestamp,
            payload: new.payload,
        };
        self.events.insert(row, (partition, event));
        Ok(())
    }

    fn move_cursor(&mut self, update: CursorUpdate) -> Result<(), StoreError> {
        check_fits([update.delivered.get(), update.read.get()])?;
        let stamp = RowId::new(self.last_row + 1);
        let timeline = self.timelines.get_mut(&update.conversation);
        let member = timeline.and_then(|timeline| {
            let cursors = timeline.cursors.get_mut(&update.user)?;
            Some((&mut timeline.stamp, cursors))
        });
        let Some((timeline_stamp, cursors)) = member else {
            return Err(invalid(format!("{} is no member", update.user)));
        };
        if update.delivered > cursors.delivered || update.read > cursors.read {
            cursors.delivered = cursors.delivered.max(update.delivered);
            cursors.read = cursors.read.max(update.read);
            *timeline_stamp = stamp;
            self.last_row += 1;
        }
        Ok(())
    }

    fn commit(
        &mut self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError> {
        check_fits([next_position.get()])?;
        let claim = match self.partitions.get_mut(&partition) {
            Some(claim) if claim.owner_epoch == owner_epoch => claim,
            _ => return Err(StoreError::new(StoreErrorKind::Fenced, "the owner epoch is over")),
        };
        if next_position < claim.next_position {
            return Err(invalid(format!("position {next_position} goes back")));
        }
        claim.next_position = next_position;
        for new in &batch.conversations {
            claim.conversation_number = claim.conversation_number.max(new.id.get() >> Slot::BITS);
        }
        let first_row = RowId::new(self.last_row + 1);
        // Conversations take their rows after the events, which hold consecutive ones.
        let last_row = self.last_row;
        for new in &batch.conversations {
            self.begin(new)?;
        }
        self.last_row = last_row;
        for event in batch.events {
            self.append(partition, event)?;
        }
        for new in &batch.conversations {
            let stamp = self.take_row();
            if let Some(timeline) = self.timelines.get_mut(&new.id) {
                timeline.stamp = stamp;
            }
        }
        for update in batch.cursors {
            self.move_cursor(update)?;
        }
        Ok(Committed { first_row })
    }

    fn page(&self, conversation: ConversationId, rows: impl Fn(&[RowId]) -> &[RowId]) -> EventPage {
        let Some(timeline) = self.timelines.get(&conversation) else {
            return EventPage { events: Vec::new(), head: Head::default() };
        };
        let events = rows(&timeline.rows).iter().map(|row| self.events[row].1.clone()).collect();
        EventPage { events, head: timeline.head }
    }

    fn entry(&self, user: UserId, timeline: &Timeline) -> SyncEntry {
        let Conversation { low, high, .. } = timeline.conversation;
        let peer = if user == low { high } else { low };
        let own = timeline.cursors[&user];
        let read = index(own.read).checked_sub(1).and_then(|last| timeline.rows.get(last));
        SyncEntry {
            conversation: timeline.conversation,
            stamp: timeline.stamp,
            head: timeline.head,
            timestamp: timeline.timestamp,
            own,
            read_message_number: read
                .map_or(MessageNumber::ZERO, |row| self.events[row].1.message_number),
            peer: timeline.cursors[&peer],
        }
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
        check_batch(&state, &batch)?;
        state.commit(partition, batch, next_position, owner_epoch)
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationState>, StoreError> {
        let state = self.state()?;
        Ok(state.timelines.get(&conversation).map(|timeline| ConversationState {
            conversation: timeline.conversation,
            head: timeline.head,
            members: timeline
                .cursors
                .iter()
                .map(|(user, cursors)| Member { user: *user, cursors: *cursors })
                .collect(),
        }))
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

    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        Ok(self.state()?.page(conversation, |rows| {
            let rest = rows.get(index(after)..).unwrap_or_default();
            &rest[..rest.len().min(limit as usize)]
        }))
    }

    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        Ok(self.state()?.page(conversation, |rows| {
            let rest = &rows[..index(before).saturating_sub(1).min(rows.len())];
            &rest[rest.len().saturating_sub(limit as usize)..]
        }))
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let state = self.state()?;
        let cursors = state.timelines.get(&conversation).and_then(|it| it.cursors.get(&user));
        Ok(cursors.map(|cursors| Member { user, cursors: *cursors }))
    }

    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError> {
        let state = self.state()?;
        let before = before.unwrap_or(RowId::new(u64::MAX));
        let ids = state.conversations_of.get(&user).map(Vec::as_slice).unwrap_or_default();
        let mut entries: Vec<_> = ids
            .iter()
            .map(|id| state.entry(user, &state.timelines[id]))
            .filter(|entry| entry.stamp > since && entry.stamp < before)
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.stamp));
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        Ok(SyncPage { entries, last_row: RowId::new(state.last_row), more })
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
            id: UserId::new(UserId::LOCAL_FIRST.get() + state.users.len() as u64),
            username: username.to_owned(),
            password_hash: password_hash.to_owned(),
            created: now,
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

/// Tries a batch on a copy of the conversations it touches, so that a refused one leaves
/// no trace.
fn check_batch(state: &State, batch: &Batch) -> Result<(), StoreError> {
    let mut copy = State { last_row: state.last_row, ..State::default() };
    let touched = batch.events.iter().map(|event| event.conversation);
    for id in touched.chain(batch.cursors.iter().map(|cursor| cursor.conversation)) {
        if let Some(timeline) = state.timelines.get(&id) {
            copy.timelines.entry(id).or_insert_with(|| Timeline {
                rows: Vec::new(),
                cursors: timeline.cursors.clone(),
                ..*timeline
            });
        }
    }
    for new in &batch.conversations {
        if state.timelines.contains_key(&new.id)
            || state.single_chats.contains_key(&(new.low, new.high))
        {
            return Err(invalid(format!("conversation {} has begun", new.id)));
        }
        copy.begin(new)?;
    }
    for event in &batch.events {
        if let Some(name) = &event.client_message_id
            && state.by_client_id.contains_key(&(event.conversation, event.sender, name.clone()))
        {
            return Err(invalid(format!("{name} is taken")));
        }
        copy.append(Partition::default(), event.clone())?;
    }
    for update in &batch.cursors {
        copy.move_cursor(*update)?;
    }
    Ok(())
}

/// Numbers that no database could hold are refused, as everywhere.
fn check_fits<const N: usize>(numbers: [u64; N]) -> Result<(), StoreError> {
    if numbers.iter().all(|number| i64::try_from(*number).is_ok()) {
        Ok(())
    } else {
        Err(invalid("a number needs more than 63 bits".to_owned()))
    }
}

/// A place in a timeline as an index of its rows; beyond all of them if it doesn't fit.
fn index(seq: Seq) -> usize {
    usize::try_from(seq.get()).unwrap_or(usize::MAX)
}

fn invalid(reason: String) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, reason)
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
