//! What the store in memory holds, and how a batch that was found good changes it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, Partition, RowId, Seq, Slot,
    TimestampMs, UserId,
};

use super::administration::Administration;
use super::files::Files;
use super::identity::Identity;
use crate::{
    Batch, Claim, CodeUpdate, Committed, Conversation, ConversationKind, CursorUpdate, Cursors,
    DerivationId, EntryUpdate, EventPage, Head, Interval, MENTIONS_COUNTED_MAX, Member,
    MemberUpdate, MentionUpdate, NewConversation, NewEvent, StoredEvent, Summary, SyncEntry,
    SyncPage, Trim, User,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) partitions: BTreeMap<Partition, Claim>,
    pub(super) timelines: BTreeMap<ConversationId, Timeline>,
    pub(super) single_chats: BTreeMap<(UserId, UserId), ConversationId>,
    pub(super) personal_timelines: BTreeMap<UserId, ConversationId>,
    pub(super) by_client_id: BTreeMap<(ConversationId, UserId, ClientMessageId), RowId>,
    pub(super) events: BTreeMap<RowId, (Partition, StoredEvent)>,
    pub(super) pairs: BTreeMap<(UserId, UserId), ConversationId>,
    pub(super) entries: BTreeMap<(ConversationId, u8, u64), Bytes>,
    pub(super) codes: BTreeMap<String, ConversationId>,
    pub(super) mentions: BTreeSet<(ConversationId, UserId, Seq)>,
    pub(super) derivations: BTreeMap<DerivationId, Bytes>,
    pub(super) users: Vec<User>,
    pub(super) identity: Identity,
    pub(super) administration: Administration,
    pub(super) files: Files,
    conversations_of: BTreeMap<UserId, BTreeSet<ConversationId>>,
    pub(super) last_row: u64,
}

#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) conversation: Conversation,
    pub(super) trimmed_before: Seq,
    pub(super) members: BTreeMap<UserId, Membership>,
    profile: Bytes,
    /// The places of all events, also of those that are trimmed.
    places: Vec<(Seq, Place)>,
}

/// What is known of an event for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    row: RowId,
    message_number: MessageNumber,
    timestamp: TimestampMs,
}

#[derive(Debug)]
pub(super) struct Membership {
    pub(super) intervals: Vec<Interval>,
    attributes: Bytes,
    cursors: Cursors,
    /// The row of the last change of the membership or the cursors.
    stamp: RowId,
    /// Of a former member: what the conversation was when the user left.
    left: Option<(Bytes, u64)>,
}

impl State {
    /// The last row handed out.
    pub(super) fn last_row(&self) -> RowId {
        RowId::new(self.last_row)
    }

    /// Applies a batch that was checked.
    pub(super) fn apply(
        &mut self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
    ) -> Committed {
        if let Some(claim) = self.partitions.get_mut(&partition) {
            claim.next_position = next_position;
            let numbers = batch.conversations.iter().map(|new| new.id.get() >> Slot::BITS);
            claim.conversation_number = numbers.fold(claim.conversation_number, u64::max);
        }
        let first_row = RowId::new(self.last_row + 1);
        // Beginnings take their rows after the events, which hold consecutive ones.
        let begun_row = self.last_row + batch.events.len() as u64 + 1;
        for (stamp, new) in (begun_row..).zip(&batch.conversations) {
            self.begin(new, RowId::new(stamp));
        }
        for event in batch.events {
            self.append(partition, event);
        }
        self.last_row += batch.conversations.len() as u64;
        for overwrite in batch.overwrites {
            if let Some((_, event)) = self.events.get_mut(&overwrite.row) {
                event.payload = overwrite.payload;
            }
        }
        for update in batch.profiles {
            if let Some(timeline) = self.timelines.get_mut(&update.conversation) {
                timeline.profile = update.profile;
            }
        }
        self.change_members(batch.members);
        batch.cursors.into_iter().for_each(|update| self.move_cursor(update));
        self.files.refer(&batch.file_references);
        batch.trims.into_iter().for_each(|trim| self.trim(trim));
        batch.entries.into_iter().for_each(|update| self.set_entry(update));
        self.set_codes(batch.codes);
        for MentionUpdate { conversation, user, seq, is_there } in batch.mentions {
            let mention = (conversation, user, seq);
            if is_there {
                self.mentions.insert(mention);
            } else {
                self.mentions.remove(&mention);
            }
        }
        self.derivations.extend(batch.derived.into_iter().map(|new| (new.id, new.command)));
        for id in batch.settled {
            self.derivations.remove(&id);
        }
        Committed { first_row }
    }

    fn take_row(&mut self) -> RowId {
        self.last_row += 1;
        RowId::new(self.last_row)
    }

    fn begin(&mut self, new: &NewConversation, stamp: RowId) {
        let NewConversation { id, kind, ref profile } = *new;
        let users = match kind {
            ConversationKind::Single { low, high } => {
                self.single_chats.insert((low, high), id);
                BTreeSet::from([low, high])
            }
            ConversationKind::Personal { user } => {
                self.personal_timelines.insert(user, id);
                BTreeSet::from([user])
            }
            ConversationKind::Pair { low, high } => {
                self.pairs.insert((low, high), id);
                BTreeSet::new()
            }
            ConversationKind::Group => BTreeSet::new(),
        };
        for user in &users {
            self.conversations_of.entry(*user).or_default().insert(id);
        }
        let for_ever = || Membership {
            intervals: vec![Interval { first: Seq::new(1), last: None }],
            attributes: Bytes::new(),
            cursors: Cursors::default(),
            stamp,
            left: None,
        };
        self.timelines.insert(
            id,
            Timeline {
                conversation: Conversation { id, kind },
                trimmed_before: Seq::new(1),
                members: users.into_iter().map(|user| (user, for_ever())).collect(),
                profile: profile.clone(),
                places: Vec::new(),
            },
        );
    }

    fn append(&mut self, partition: Partition, new: NewEvent) {
        let row = self.take_row();
        let NewEvent { conversation, seq, message_number, sender, timestamp, .. } = new;
        if let Some(timeline) = self.timelines.get_mut(&conversation) {
            timeline.places.push((seq, Place { row, message_number, timestamp }));
        }
        if let Some(name) = &new.client_message_id {
            self.by_client_id.insert((conversation, sender, name.clone()), row);
        }
        let event = StoredEvent {
            row,
            conversation,
            seq,
            message_number,
            sender,
            client_message_id: new.client_message_id,
            timestamp,
            payload: new.payload,
        };
        self.events.insert(row, (partition, event));
    }

    fn change_members(&mut self, updates: Vec<MemberUpdate>) {
        let mut left = Vec::new();
        for MemberUpdate { conversation, user, attributes, intervals } in updates {
            let stamp = self.take_row();
            self.conversations_of.entry(user).or_default().insert(conversation);
            let Some(timeline) = self.timelines.get_mut(&conversation) else { continue };
            let before = timeline.members.get(&user);
            let ended = intervals.last().and_then(|interval| interval.last);
            if ended.is_some() && before.and_then(Membership::ended) != ended {
                left.push((conversation, user));
            }
            let cursors = before.map_or_else(Cursors::default, |before| before.cursors);
            let left = before.and_then(|before| before.left.clone()).filter(|_| ended.is_some());
            let after = Membership { intervals, attributes, cursors, stamp, left };
            timeline.members.insert(user, after);
        }
        // Who leaves sees the conversation as it is after the commit, and never again.
        for (conversation, user) in left {
            if let Some(timeline) = self.timelines.get_mut(&conversation) {
                let Summary { profile, member_count, .. } = timeline.summary();
                if let Some(membership) = timeline.members.get_mut(&user) {
                    membership.left = Some((profile, member_count));
                }
            }
        }
    }

    fn set_entry(&mut self, update: EntryUpdate) {
        let EntryUpdate { conversation, list, key, value } = update;
        match value {
            Some(value) => self.entries.insert((conversation, list, key), value),
            None => self.entries.remove(&(conversation, list, key)),
        };
    }

    fn set_codes(&mut self, updates: Vec<CodeUpdate>) {
        for CodeUpdate { code, conversation } in updates {
            match conversation {
                Some(conversation) => self.codes.insert(code, conversation),
                None => self.codes.remove(&code),
            };
        }
    }

    /// How many messages that a user may read and has not read name the user or everybody.
    fn mentions_of(&self, user: UserId, entry: &SyncEntry) -> u64 {
        let (everybody, conversation) = (UserId::new(0), entry.conversation.id);
        let first = entry.interval.first.max(entry.trimmed_before).max(entry.own.read.next());
        let is_unread = |seq: &Seq| (first..=entry.head.seq).contains(seq);
        let of = |user| {
            let all = (conversation, user, Seq::ZERO)..=(conversation, user, Seq::new(u64::MAX));
            self.mentions.range(all).map(|(_, _, seq)| *seq).filter(is_unread)
        };
        let unread: BTreeSet<Seq> = of(user).chain(of(everybody)).collect();
        (unread.len() as u64).min(MENTIONS_COUNTED_MAX)
    }

    fn move_cursor(&mut self, update: CursorUpdate) {
        let stamp = RowId::new(self.last_row + 1);
        let timeline = self.timelines.get_mut(&update.conversation);
        if let Some(membership) =
            timeline.and_then(|timeline| timeline.members.get_mut(&update.user))
        {
            let before = membership.cursors;
            let (delivered, read) =
                (before.delivered.max(update.delivered), before.read.max(update.read));
            membership.cursors = Cursors { delivered, read };
            if membership.cursors != before {
                membership.stamp = stamp;
                self.last_row += 1;
            }
        }
    }

    fn trim(&mut self, Trim { conversation, before }: Trim) {
        let Some(timeline) = self.timelines.get_mut(&conversation) else { return };
        let gone = timeline.trimmed_before..before;
        timeline.trimmed_before = timeline.trimmed_before.max(before);
        self.files.trim(conversation, before);
        for (_, place) in timeline.places.iter().filter(|(seq, _)| gone.contains(seq)) {
            if let Some((_, StoredEvent { sender, client_message_id: Some(name), .. })) =
                self.events.remove(&place.row)
            {
                self.by_client_id.remove(&(conversation, sender, name));
            }
        }
    }

    /// The events among those that are kept which `choose` chooses.
    pub(super) fn page(
        &self,
        conversation: ConversationId,
        choose: impl Fn(&[(Seq, Place)]) -> &[(Seq, Place)],
    ) -> EventPage {
        let Some(timeline) = self.timelines.get(&conversation) else {
            return EventPage {
                events: Vec::new(),
                head: Head::default(),
                trimmed_before: Seq::new(1),
            };
        };
        let places = &timeline.places;
        let kept = places.partition_point(|(seq, _)| *seq < timeline.trimmed_before);
        let event = |(_, place): &(Seq, Place)| self.events[&place.row].1.clone();
        let events = choose(&places[kept..]).iter().map(event).collect();
        EventPage { events, head: timeline.head(), trimmed_before: timeline.trimmed_before }
    }

    pub(super) fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> SyncPage {
        let before = before.unwrap_or(RowId::new(u64::MAX));
        let ids = self.conversations_of.get(&user).into_iter().flatten();
        let mut entries: Vec<_> = ids
            .filter_map(|id| self.timelines[id].entry(user))
            .filter(|entry| entry.stamp > since && entry.stamp < before)
            .collect();
        for entry in &mut entries {
            if entry.conversation.kind == ConversationKind::Group {
                entry.mentions = self.mentions_of(user, entry);
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.stamp));
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        SyncPage { entries, last_row: RowId::new(self.last_row), more }
    }
}

impl Timeline {
    pub(super) fn head(&self) -> Head {
        self.places.last().map_or_else(Head::default, |(seq, place)| place.head(*seq))
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            conversation: self.conversation,
            head: self.head(),
            trimmed_before: self.trimmed_before,
            profile: self.profile.clone(),
            member_count: self.members.values().filter(|it| it.ended().is_none()).count() as u64,
        }
    }

    pub(super) fn member(&self, user: UserId) -> Option<Member> {
        self.members.get(&user).map(|membership| Member {
            user,
            cursors: membership.cursors,
            attributes: membership.attributes.clone(),
            intervals: membership.intervals.clone(),
        })
    }

    pub(super) fn present_members(&self) -> impl Iterator<Item = Member> {
        self.members.keys().filter_map(|user| self.member(*user)).filter(Member::is_present)
    }

    fn entry(&self, user: UserId) -> Option<SyncEntry> {
        let membership = self.members.get(&user)?;
        let interval = *membership.intervals.last()?;
        let (head_seq, head) = match interval.last {
            Some(last) => (last, self.place(last)),
            None => self.places.last().copied().unwrap_or_default(),
        };
        let peer = match self.conversation.kind {
            ConversationKind::Single { low, high } => {
                self.members.get(if user == low { &high } else { &low })
            }
            ConversationKind::Group
            | ConversationKind::Personal { .. }
            | ConversationKind::Pair { .. } => None,
        };
        let peer_stamp = peer.map_or_else(RowId::default, |peer| peer.stamp);
        // What is trimmed counts as read, as nobody can read it any more.
        let kept_from = Seq::new(self.trimmed_before.get() - 1);
        let read = membership.cursors.read.max(kept_from).min(head_seq);
        let (profile, member_count) = membership.left.clone().unwrap_or_else(|| {
            let Summary { profile, member_count, .. } = self.summary();
            (profile, member_count)
        });
        Some(SyncEntry {
            conversation: self.conversation,
            stamp: head.row.max(membership.stamp).max(peer_stamp),
            head: head.head(head_seq),
            timestamp: head.timestamp,
            trimmed_before: self.trimmed_before,
            interval,
            own: membership.cursors,
            read_message_number: self.place(read).message_number,
            mentions: 0,
            peer: peer.map(|peer| peer.cursors),
            profile,
            member_count,
            attributes: membership.attributes.clone(),
        })
    }

    /// The place of the event at `seq`; nothing at zero.
    fn place(&self, seq: Seq) -> Place {
        let index = self.places.partition_point(|(other, _)| *other < seq);
        self.places.get(index).filter(|(found, _)| *found == seq).copied().unwrap_or_default().1
    }
}

impl Place {
    fn head(self, seq: Seq) -> Head {
        Head { seq, message_number: self.message_number }
    }
}

impl Membership {
    /// Where the last interval ended, if it has.
    pub(super) fn ended(&self) -> Option<Seq> {
        self.intervals.last().and_then(|interval| interval.last)
    }
}
