//! What the indexes do not hold yet: the rows of recent commits, by what they are asked
//! for.
//!
//! A tail only ever gains entries, and each entry keeps the row it came with, so that a
//! reader can ignore whatever was committed after its snapshot.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use petrel_types::{
    ConversationId, LogPosition, MessageNumber, Partition, RowId, Seq, TimestampMs, UserId,
};

use crate::{Cursors, Head};

/// An event's place in its timeline, and what a head needs of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: Seq,
    pub(super) row: RowId,
    pub(super) message_number: MessageNumber,
    pub(super) timestamp: TimestampMs,
}

/// The cursors of a member after a move, and the row that the move took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) stamp: RowId,
    pub(super) cursors: Cursors,
}

/// Rows by hash. A second row under one hash is so rare that a list holds them all.
#[derive(Debug, Default)]
pub(super) struct Keys {
    rows: NumberMap<u64, RowId>,
    doubles: Vec<(u64, RowId)>,
}

/// The rows of recent commits.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The places of a timeline, without a hole.
    pub(super) timelines: NumberMap<ConversationId, Vec<Place>>,
    pub(super) keys: Keys,
    /// The moves of a member's cursors, in order.
    pub(super) members: NumberMap<(ConversationId, UserId), Vec<Move>>,
    pub(super) positions: BTreeMap<Partition, LogPosition>,
    /// How many entries it holds: events and moves.
    pub(super) weight: usize,
}

impl Place {
    pub(super) fn head(self) -> Head {
        Head { seq: self.seq, message_number: self.message_number }
    }
}

impl Keys {
    pub(super) fn insert(&mut self, hash: u64, row: RowId) {
        if let Some(double) = self.rows.insert(hash, row) {
            self.doubles.push((hash, double));
        }
    }

    pub(super) fn get(&self, hash: u64) -> impl Iterator<Item = RowId> {
        let doubles = self.doubles.iter().filter(move |(other, _)| *other == hash);
        self.rows.get(&hash).copied().into_iter().chain(doubles.map(|(_, row)| *row))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, RowId)> {
        let rows = self.rows.iter().map(|(hash, row)| (*hash, *row));
        rows.chain(self.doubles.iter().copied())
    }

    fn capacity(&self) -> usize {
        self.rows.len()
    }
}

impl Tail {
    /// An empty tail with room for as much as `other` holds, so that it does not have to
    /// grow, which would hold up a commit.
    pub(super) fn sized_like(other: &Self) -> Self {
        let mut tail = Self::default();
        tail.timelines.reserve(other.timelines.len());
        tail.keys.rows.reserve(other.keys.capacity());
        tail.members.reserve(other.members.len());
        tail
    }

    /// Adds an event, which must be the next of its timeline.
    pub(super) fn add_event(&mut self, conversation: ConversationId, place: Place) {
        self.timelines.entry(conversation).or_default().push(place);
        self.weight += 1;
    }

    /// Adds a move, which must be the latest.
    pub(super) fn add_move(&mut self, conversation: ConversationId, user: UserId, moved: Move) {
        self.members.entry((conversation, user)).or_default().push(moved);
        self.weight += 1;
    }

    /// Adds everything that `later` holds.
    pub(super) fn append(&mut self, later: Self) {
        for (conversation, places) in later.timelines {
            append_to(self.timelines.entry(conversation), places);
        }
        for (hash, row) in later.keys.iter() {
            self.keys.insert(hash, row);
        }
        for (member, moves) in later.members {
            append_to(self.members.entry(member), moves);
        }
        self.positions.extend(later.positions);
        self.weight += later.weight;
    }

    /// The places of a timeline with rows up to `visible`, oldest first.
    pub(super) fn places(&self, conversation: ConversationId, visible: RowId) -> &[Place] {
        let places = self.timelines.get(&conversation).map_or(&[][..], Vec::as_slice);
        &places[..places.partition_point(|place| place.row <= visible)]
    }

    /// The latest move of a member's cursors with a stamp up to `visible`.
    pub(super) fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
        visible: RowId,
    ) -> Option<Move> {
        let moves = self.members.get(&(conversation, user))?;
        moves[..moves.partition_point(|moved| moved.stamp <= visible)].last().copied()
    }
}

fn append_to<K, T>(entry: Entry<'_, K, Vec<T>>, mut later: Vec<T>) {
    match entry {
        Entry::Occupied(mut list) => list.get_mut().append(&mut later),
        Entry::Vacant(place) => {
            place.insert(later);
        }
    }
}

/// A hasher for numbers that nobody can choose: ids that the server hands out, and
/// hashes that are keyed already. It is several times as fast as the standard one, which
/// withstands those who can.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberHasher(u64);

pub(super) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(26) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
