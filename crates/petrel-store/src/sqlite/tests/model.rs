//! The store in memory as a model: whatever is committed to both must be read from both.

use std::collections::BTreeMap;

use super::*;
use crate::memory::MemoryStore;
use crate::{
    CodeUpdate, CursorUpdate, EntryUpdate, Interval, MemberUpdate, MentionUpdate, Overwrite,
    ProfileUpdate, Trim,
};

/// Users of groups: 2 to this one.
const LAST_USER: u64 = 5;
/// Groups have the numbers from here on.
const GROUPS: u64 = 10;

pub(super) struct Model {
    memory: MemoryStore,
    owner_epoch: Option<OwnerEpoch>,
    heads: BTreeMap<u64, u64>,
    position: u64,
    derivations: u64,
}

/// Something to commit, wherever it is possible.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A message in a chat or group, which begins if need be, and perhaps a cursor.
    Message { number: u64, moves: bool },
    /// A user joins a group, or leaves it.
    JoinOrLeave { group: u64, user: u64, joins: bool },
    /// Another profile.
    Profile { number: u64, length: usize },
    /// Another payload for an event, counted from the newest.
    Overwrite { number: u64, back: u64, length: usize },
    /// All but so many events go.
    Trim { number: u64, kept: u64 },
    /// Something that follows, or, if anything waits, is done.
    DeriveOrSettle { number: u64, settles: bool },
    /// The personal timeline of a user begins.
    Personal { user: u64 },
    /// What a user and the first one are to each other begins.
    Pair { user: u64 },
    /// An entry of a list is set or removed.
    Entry { number: u64, list: u8, key: u64, is_there: bool },
    /// A code leads somewhere, or nowhere.
    Code { number: u64, code: u8, is_there: bool },
    /// The newest message names a user, or names one no longer.
    Mention { number: u64, user: u64, is_there: bool },
}

pub(super) fn id(number: u64) -> ConversationId {
    ConversationId::compose(Slot::from_low_bits(1), number)
}

impl Default for Model {
    fn default() -> Self {
        Self {
            memory: MemoryStore::new(Epoch::new(1)),
            owner_epoch: None,
            heads: BTreeMap::new(),
            position: 0,
            derivations: 0,
        }
    }
}

impl Model {
    /// Commits messages and cursor moves to chats.
    pub(super) async fn commit(
        &mut self,
        store: &SqliteStore,
        owner_epoch: OwnerEpoch,
        messages: &[(u64, bool)],
    ) {
        let message =
            |(number, moves): &(u64, bool)| Change::Message { number: *number, moves: *moves };
        let changes: Vec<_> = messages.iter().map(message).collect();
        assert!(self.change(store, owner_epoch, &changes).await, "the batch was refused");
    }

    /// Commits changes to both stores, as one batch. Both must accept it, or both refuse it.
    pub(super) async fn change(
        &mut self,
        store: &SqliteStore,
        owner_epoch: OwnerEpoch,
        changes: &[Change],
    ) -> bool {
        let own_epoch = match self.owner_epoch {
            Some(owner_epoch) => owner_epoch,
            None => self.memory.claim(PARTITION).await.unwrap().owner_epoch,
        };
        self.owner_epoch = Some(own_epoch);
        let mut batch = Batch::default();
        let mut heads = self.heads.clone();
        for change in changes {
            self.add(&mut batch, &mut heads, change).await;
        }
        let position = LogPosition::new(self.position + 1);
        let expected = self.memory.commit(PARTITION, batch.clone(), position, own_epoch).await;
        let actual = store.commit(PARTITION, batch.clone(), position, owner_epoch).await;
        match (&expected, &actual) {
            (Ok(expected), Ok(actual)) => assert_eq!(expected, actual),
            (Err(expected), Err(actual)) => assert_eq!(expected.kind(), actual.kind()),
            _ => panic!("{expected:?} in memory, {actual:?} in SQLite: {batch:?}"),
        }
        if actual.is_ok() {
            self.heads = heads;
            self.position += 1;
        }
        actual.is_ok()
    }

    async fn add(&mut self, batch: &mut Batch, heads: &mut BTreeMap<u64, u64>, change: &Change) {
        match *change {
            Change::Message { number, moves } => add_message(batch, heads, number, moves),
            Change::JoinOrLeave { group, user, joins } => {
                let (group, user) = (id(GROUPS + group), UserId::new(user));
                let head = heads.get(&(group.get() >> Slot::BITS)).copied().unwrap_or(0);
                let member = self.memory.member(group, user).await.unwrap();
                let mut intervals = member.map_or_else(Vec::new, |member| member.intervals);
                if joins {
                    intervals.push(Interval { first: Seq::new(head + 1), last: None });
                } else if let Some(last) = intervals.last_mut() {
                    last.last = Some(Seq::new(head.max(last.first.get())));
                }
                let attributes = Bytes::from(vec![user.get() as u8; intervals.len()]);
                batch.members.push(MemberUpdate {
                    conversation: group,
                    user,
                    attributes,
                    intervals,
                });
            }
            Change::Profile { number, length } => batch.profiles.push(ProfileUpdate {
                conversation: id(number),
                profile: vec![b'p'; length].into(),
            }),
            Change::Overwrite { number, back, length } => {
                let page =
                    self.memory.events_before(id(number), Seq::new(u64::MAX), 100).await.unwrap();
                let event = page.events.iter().rev().nth(back as usize);
                let row = event.map_or_else(RowId::default, |event| event.row);
                let payload = vec![length as u8 % 3; length].into();
                batch.overwrites.push(Overwrite { row, payload });
            }
            Change::Trim { number, kept } => {
                let head = heads.get(&number).copied().unwrap_or(0);
                let before = Seq::new((head + 1).saturating_sub(kept));
                batch.trims.push(Trim { conversation: id(number), before });
            }
            Change::DeriveOrSettle { number, settles } => {
                match self.memory.unsettled(None, 1).await.unwrap().pop() {
                    Some(waiting) if settles => batch.settled.push(waiting.id),
                    _ => {
                        self.derivations += 1;
                        let id = DerivationId { home: id(number), number: self.derivations };
                        let command = Bytes::from(format!("command {}", self.derivations));
                        batch.derived.push(Derivation { id, command });
                    }
                }
            }
            Change::Personal { user } => batch.conversations.push(NewConversation {
                id: id(100 + user),
                kind: ConversationKind::Personal { user: UserId::new(user) },
                profile: Bytes::new(),
            }),
            Change::Pair { user } => batch.conversations.push(NewConversation {
                id: id(200 + user),
                kind: ConversationKind::Pair { low: UserId::new(1), high: UserId::new(user) },
                profile: Bytes::new(),
            }),
            Change::Entry { number, list, key, is_there } => batch.entries.push(EntryUpdate {
                conversation: id(number),
                list,
                key,
                value: is_there.then(|| Bytes::from(vec![key as u8; 9])),
            }),
            Change::Code { number, code, is_there } => batch.codes.push(CodeUpdate {
                code: code.to_string(),
                conversation: is_there.then(|| id(number)),
            }),
            Change::Mention { number, user, is_there } => {
                let seq = Seq::new(heads.get(&number).copied().unwrap_or(0));
                let (conversation, user) = (id(number), UserId::new(user));
                batch.mentions.push(MentionUpdate { conversation, user, seq, is_there });
            }
        }
    }

    /// Compares every read.
    pub(super) async fn check(&self, store: &SqliteStore) {
        macro_rules! same {
            ($method:ident($($argument:expr),*)) => {{
                let expected = self.memory.$method($($argument),*).await.unwrap();
                let actual = store.$method($($argument),*).await.unwrap();
                assert_eq!(actual, expected, stringify!($method($($argument),*)));
                expected
            }};
        }
        let everything = ConversationId::new(0);
        for summary in same!(conversations_after(everything, 1000)) {
            let conversation = summary.conversation.id;
            same!(conversation(conversation));
            same!(members_after(conversation, UserId::new(2), 2));
            for list in 0..2 {
                same!(entries_after(conversation, list, None, 1000));
                same!(entries_after(conversation, list, Some(1), 1));
                same!(entry(conversation, list, 1));
            }
            for user in (1..=LAST_USER).map(UserId::new) {
                same!(member(conversation, user));
            }
            for place in 0..=summary.head.seq.get() + 1 {
                let place = Seq::new(place);
                for limit in [2, 1000] {
                    same!(events_after(conversation, place, limit));
                    same!(events_before(conversation, place, limit));
                }
                let number = conversation.get() >> Slot::BITS;
                let name = ClientMessageId::new(format!("{number}-{place}")).unwrap();
                same!(find_message(conversation, UserId::new(1), &name));
            }
        }
        for user in (1..=LAST_USER).map(UserId::new) {
            let page = same!(sync_page(user, RowId::new(0), None, 1000));
            if let [first, .., last] = page.entries.as_slice() {
                same!(sync_page(user, last.stamp, Some(first.stamp), 2));
            }
            same!(personal_timeline(user));
            same!(single_chat(UserId::new(1), user));
            same!(pair(UserId::new(1), user));
        }
        let last_row = same!(sync_page(UserId::new(1), RowId::new(0), None, 0)).last_row.get();
        for row in last_row.saturating_sub(30)..=last_row + 1 {
            same!(event(RowId::new(row)));
        }
        for code in ["0", "1", "2"] {
            same!(code_holder(code));
        }
        for derivation in same!(unsettled(None, 1000)) {
            same!(is_unsettled(derivation.id));
        }
        same!(recent_messages(PARTITION, 1000));
        same!(conversations_after(id(2), 2));
    }

    /// Checks that no client message id can be stored again, and that the claim tells
    /// where to go on. Deposes the owner.
    pub(super) async fn check_retries(&self, store: &SqliteStore) -> OwnerEpoch {
        let claim = store.claim(PARTITION).await.unwrap();
        assert_eq!(claim.next_position, LogPosition::new(self.position));
        let conversations = self.memory.conversations_after(ConversationId::new(0), 1000);
        let conversations = conversations.await.unwrap();
        let numbers = conversations.iter().map(|it| it.conversation.id.get() >> Slot::BITS);
        assert_eq!(claim.conversation_number, numbers.max().unwrap_or(0));
        for event in self.memory.recent_messages(PARTITION, 1000).await.unwrap() {
            let number = event.conversation.get() >> Slot::BITS;
            let next = self.heads[&number] + 1;
            let again = message(number, next, event.client_message_id.unwrap().as_str());
            let again = Batch { events: vec![again], ..Batch::default() };
            let refused =
                store.commit(PARTITION, again, claim.next_position, claim.owner_epoch).await;
            assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Invalid);
        }
        claim.owner_epoch
    }
}

fn add_message(batch: &mut Batch, heads: &mut BTreeMap<u64, u64>, number: u64, moves: bool) {
    if !heads.contains_key(&number) {
        if number < GROUPS {
            batch.conversations.extend(new_chat(number).conversations);
        } else {
            let (kind, profile) = (ConversationKind::Group, Bytes::from_static(b"profile"));
            batch.conversations.push(NewConversation { id: id(number), kind, profile });
        }
    }
    let seq = heads.entry(number).or_insert(0);
    *seq += 1;
    let mut event = message(number, *seq, &format!("{number}-{seq}"));
    event.payload = vec![number as u8; 40].into();
    event.timestamp = TimestampMs::new(1000 + *seq);
    batch.events.push(event);
    if moves && !batch.cursors.iter().any(|moved| moved.conversation == id(number)) {
        let is_even = seq.is_multiple_of(2);
        let user = match number < GROUPS {
            true if is_even => 1,
            true => 1 + number,
            // Who is no member makes that the batch is refused.
            false => 2 + *seq % 2,
        };
        let (delivered, read) = (Seq::new(*seq), Seq::new(*seq / 2));
        let (conversation, user) = (id(number), UserId::new(user));
        batch.cursors.push(CursorUpdate { conversation, user, delivered, read });
    }
}
