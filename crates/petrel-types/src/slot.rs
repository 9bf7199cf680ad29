//! Slots and partitions: how conversations are spread over sequencers.
//!
//! There are 4,096 slots for ever; the number of partitions may change between
//! deployments, and a slot's partition with it.

use std::fmt;

use crate::id::UserId;

/// One of the 4,096 fixed shares of the conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

/// A share of the slots with one sequencer: `slot mod partitions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u16);

impl Slot {
    /// How many of a conversation id's low bits are its slot.
    pub const BITS: u32 = 12;
    /// How many slots there are.
    pub const COUNT: u16 = 1 << Self::BITS;

    /// The slot in the low bits of a conversation id.
    pub const fn from_low_bits(value: u64) -> Self {
        Self((value & (Self::COUNT as u64 - 1)) as u16)
    }

    /// The slot of the single chat between two users, the same for either order.
    ///
    /// Both users' first messages to each other meet in this slot's sequencer, so
    /// the conversation can't be created twice. The function is stored data: it
    /// must never change.
    pub fn of_pair(one: UserId, other: UserId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        Self::from_low_bits(mix(mix(low.get()) ^ high.get()))
    }

    /// The raw value, below [`Slot::COUNT`].
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The partition of this slot among `partitions`, which must not be zero.
    pub const fn partition(self, partitions: u16) -> Partition {
        Partition(self.0 % partitions)
    }
}

impl Partition {
    /// Wraps a raw partition number.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The raw value.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every input
/// bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_one_slot_whoever_speaks_first() {
        for (one, other) in [(1, 2), (7, 7), (10_000_000_001, 10_000_000_002)] {
            let (one, other) = (UserId::new(one), UserId::new(other));
            assert_eq!(Slot::of_pair(one, other), Slot::of_pair(other, one));
        }
    }

    /// Stored conversations were placed with these values.
    #[test]
    fn the_slot_of_a_pair_never_changes() {
        let slot = |one, other| Slot::of_pair(UserId::new(one), UserId::new(other)).get();
        assert_eq!(
            [slot(1, 2), slot(1, 3), slot(10_000_000_001, 10_000_000_002)],
            [1643, 3587, 2223]
        );
    }

    #[test]
    fn pairs_spread_evenly_over_slots() {
        let mut counts = vec![0_u32; usize::from(Slot::COUNT)];
        for low in 1..=320 {
            for high in 1000..1256 {
                counts[usize::from(Slot::of_pair(UserId::new(low), UserId::new(high)).get())] += 1;
            }
        }
        // 81,920 pairs: 20 a slot on average; a Poisson tail stays well below 60.
        assert!(counts.iter().all(|count| *count < 60));
        assert!(counts.iter().filter(|count| **count == 0).count() < 5);
    }
}
