//! A store that is obviously right, to compare with.

use std::collections::BTreeMap;

use super::*;
use crate::{Conversation, ConversationState, CursorUpdate, Cursors, Head, Interval, SyncEntry};

const FOR_EVER: Interval = Interval { first: Seq::new(1), last: None };

#[derive(Default)]
pub(super) struct Model {
    chats: BTreeMap<u64, Chat>,
    last_row: u64,
    position: u64,
}

#[derive(Default)]
struct Chat {
    events: Vec<StoredEvent>,
    members: BTreeMap<UserId, (Cursors, RowId)>,
}

pub(super) fn id(number: u64) -> ConversationId {
    ConversationId::compose(Slot::from_low_bits(1), number)
}

impl Model {
    /// Commits messages and cursor moves to chats, which begin if need be, to both the
    /// store and the model.
    pub(super) async fn commit(
        &mut self,
        store: &SqliteStore,
        owner_epoch: OwnerEpoch,
        changes: &[(u64, bool)],
    ) {
        let mut batch = Batch::default();
        let mut seqs: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, moves) in changes {
            let stored = self.chats.get(number).map_or(0, |chat| chat.events.len() as u64);
            if !self.chats.contains_key(number) && !seqs.contains_key(number) {
                batch.conversations.extend(new_chat(*number).conversations);
            }
            let seq = seqs.entry(*number).or_insert(stored);
            *seq += 1;
            let mut event = message(*number, *seq, &format!("{number}-{seq}"));
            event.payload = vec![*number as u8; 40].into();
            batch.events.push(event);
            if *moves && !batch.cursors.iter().any(|moved| moved.conversation == id(*number)) {
                let user = UserId::new(if seq.is_multiple_of(2) { 1 } else { 1 + number });
                let (delivered, read) = (Seq::new(*seq), Seq::new(*seq / 2));
                batch.cursors.push(CursorUpdate {
                    conversation: id(*number),
                    user,
                    delivered,
                    read,
                });
            }
        }
        self.position += 1;
        let position = LogPosition::new(self.position);
        let committed =
            store.commit(PARTITION, batch.clone(), position, owner_epoch).await.unwrap();
        assert!(committed.first_row.get() > self.last_row, "a row was handed out again");
        self.apply(batch, committed.first_row.get());
    }

    fn apply(&mut self, batch: Batch, first_row: u64) {
        let mut rows = first_row..;
        let mut row = || RowId::new(rows.next().unwrap());
        for new in batch.events {
            let chat = self.chats.entry(new.conversation.get() >> Slot::BITS).or_default();
            chat.events.push(StoredEvent {
                row: row(),
                conversation: new.conversation,
                seq: new.seq,
                message_number: new.message_number,
                sender: new.sender,
                client_message_id: new.client_message_id,
                timestamp: new.timestamp,
                payload: new.payload,
            });
        }
        for new in batch.conversations {
            let chat = self.chats.get_mut(&(new.id.get() >> Slot::BITS)).unwrap();
            let stamp = row();
            let ConversationKind::Single { low, high } = new.kind else { unreachable!() };
            chat.members.insert(low, (Cursors::default(), stamp));
            chat.members.insert(high, (Cursors::default(), stamp));
        }
        for CursorUpdate { conversation, user, delivered, read } in batch.cursors {
            let chat = self.chats.get_mut(&(conversation.get() >> Slot::BITS)).unwrap();
            let (before, stamp) = chat.members.get_mut(&user).unwrap();
            let after =
                Cursors { delivered: before.delivered.max(delivered), read: before.read.max(read) };
            if after != *before {
                (*before, *stamp) = (after, row());
            }
        }
        self.last_row = row().get() - 1;
    }

    /// Compares every read.
    pub(super) async fn check(&self, store: &SqliteStore) {
        for (number, chat) in &self.chats {
            self.check_chat(store, *number, chat).await;
        }
        let mut newest_first: Vec<_> =
            self.chats.values().flat_map(|chat| chat.events.iter().cloned()).collect();
        newest_first.sort_by_key(|event| std::cmp::Reverse(event.row));
        assert_eq!(store.recent_messages(PARTITION, 1000).await.unwrap(), newest_first);
        let mut entries: Vec<_> =
            self.chats.iter().map(|(number, chat)| chat.entry(*number)).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.stamp));
        let page = store.sync_page(UserId::new(1), RowId::new(0), None, 1000).await.unwrap();
        assert_eq!(page.entries, entries);
        assert_eq!(page.last_row, RowId::new(self.last_row));
    }

    async fn check_chat(&self, store: &SqliteStore, number: u64, chat: &Chat) {
        let head = chat.head();
        for after in 0..=chat.events.len() {
            for limit in [2, 1000] {
                let page =
                    store.events_after(id(number), Seq::new(after as u64), limit).await.unwrap();
                let to = chat.events.len().min(after + limit as usize);
                assert_eq!(page.events, chat.events[after..to]);
                assert_eq!(page.head, head);
                let before = Seq::new(after as u64 + 1);
                let page = store.events_before(id(number), before, limit).await.unwrap();
                let from = after.saturating_sub(limit as usize);
                assert_eq!(page.events, chat.events[from..after]);
                assert_eq!(page.head, head);
            }
        }
        for event in &chat.events {
            assert_eq!(store.event(event.row).await.unwrap().as_ref(), Some(event));
            let name = event.client_message_id.as_ref().unwrap();
            let found = store.find_message(id(number), event.sender, name).await.unwrap();
            assert_eq!(found.as_ref(), Some(event));
        }
        let members = chat.members.iter().map(|(user, (cursors, _))| Member {
            user: *user,
            cursors: *cursors,
            attributes: Bytes::new(),
            intervals: vec![FOR_EVER],
        });
        let members: Vec<_> = members.collect();
        for member in &members {
            assert_eq!(store.member(id(number), member.user).await.unwrap(), Some(member.clone()));
        }
        let conversation = chat.conversation(number);
        let summary = Summary {
            conversation,
            head,
            trimmed_before: Seq::new(1),
            profile: Bytes::new(),
            member_count: 2,
        };
        let state = ConversationState { summary, members };
        assert_eq!(store.conversation(id(number)).await.unwrap(), Some(state));
        let high = UserId::new(1 + number);
        assert_eq!(store.single_chat(UserId::new(1), high).await.unwrap(), Some(id(number)));
    }

    /// Checks that no client message id can be stored again, and that the claim tells
    /// where to go on. Deposes the owner.
    pub(super) async fn check_retries(&self, store: &SqliteStore) -> OwnerEpoch {
        let claim = store.claim(PARTITION).await.unwrap();
        assert_eq!(claim.next_position, LogPosition::new(self.position));
        let last = self.chats.keys().next_back().copied().unwrap_or_default();
        assert_eq!(claim.conversation_number, last);
        for (number, chat) in &self.chats {
            let next = chat.events.len() as u64 + 1;
            for event in &chat.events {
                let again =
                    message(*number, next, event.client_message_id.as_ref().unwrap().as_str());
                let again = Batch { events: vec![again], ..Batch::default() };
                let refused =
                    store.commit(PARTITION, again, claim.next_position, claim.owner_epoch).await;
                assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Invalid);
            }
        }
        claim.owner_epoch
    }
}

impl Chat {
    fn head(&self) -> Head {
        let last = self.events.last().unwrap();
        Head { seq: last.seq, message_number: last.message_number }
    }

    fn conversation(&self, number: u64) -> Conversation {
        let (low, high) = (UserId::new(1), UserId::new(1 + number));
        Conversation { id: id(number), kind: ConversationKind::Single { low, high } }
    }

    fn entry(&self, number: u64) -> SyncEntry {
        let last = self.events.last().unwrap();
        let own = self.members[&UserId::new(1)];
        let peer = self.members[&UserId::new(1 + number)];
        SyncEntry {
            conversation: self.conversation(number),
            stamp: last.row.max(own.1).max(peer.1),
            head: self.head(),
            timestamp: last.timestamp,
            own: own.0,
            read_message_number: MessageNumber::new(own.0.read.get()),
            peer: Some(peer.0),
            trimmed_before: Seq::new(1),
            interval: FOR_EVER,
            profile: Bytes::new(),
            member_count: 2,
        }
    }
}
