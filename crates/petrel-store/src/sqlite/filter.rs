//! A set of hashes that may say yes in error but never no (a blocked Bloom filter).
//!
//! Each hash sets bits in one block, which is as long as a line of the processor's
//! cache, so that a question costs one access to memory. Threads may ask while one
//! inserts: whatever was inserted before they were told of it gets a yes.

use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK_WORDS: usize = 8;
const BLOCK_BYTES: usize = BLOCK_WORDS * 8;
/// Bits of space per hash that is expected. With six bits set for each, about one
/// question in a thousand gets a wrong yes.
const BITS_PER_HASH: usize = 16;
const BITS_SET: u32 = 6;

#[derive(Debug)]
pub(super) struct Filter(Vec<[AtomicU64; BLOCK_WORDS]>);

impl Filter {
    /// An empty filter for about `hashes` hashes.
    pub(super) fn new(hashes: usize) -> Self {
        let blocks = (hashes * BITS_PER_HASH).div_ceil(BLOCK_BYTES * 8).max(1);
        Self((0..blocks).map(|_| Default::default()).collect())
    }

    pub(super) fn insert(&self, hash: u64) {
        let block = &self.0[self.block_of(hash)];
        for (word, bit) in bits(hash) {
            block[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let block = &self.0[self.block_of(hash)];
        bits(hash).all(|(word, bit)| block[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// The form in which it is stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let words = self.0.iter().flatten();
        words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect()
    }

    /// What [`Filter::to_bytes`] made; `None` if it can't have.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK_BYTES) {
            return None;
        }
        let blocks = bytes.chunks_exact(BLOCK_BYTES).map(|block| {
            let words: [AtomicU64; BLOCK_WORDS] = Default::default();
            for (word, bytes) in words.iter().zip(block.chunks_exact(8)) {
                let bits = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
                word.store(bits, Ordering::Relaxed);
            }
            words
        });
        Some(Self(blocks.collect()))
    }

    /// The upper half of the hash chooses the block, evenly over any number of them.
    fn block_of(&self, hash: u64) -> usize {
        let block = ((hash >> 32) * self.0.len() as u64) >> 32;
        usize::try_from(block).unwrap_or(0)
    }
}

/// The bits of a block that stand for a hash, taken from its lower half.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let mixed = (hash & 0xffff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..BITS_SET).map(move |number| {
        let bit = mixed >> (10 + 9 * number) & 0x1ff;
        ((bit >> 6) as usize, 1 << (bit & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn what_was_inserted_is_found_also_after_storing_and_little_else() {
        let filter = Filter::new(10_000);
        (0..10_000).for_each(|number| filter.insert(hash(number)));
        let stored = Filter::from_bytes(&filter.to_bytes()).unwrap();
        for filter in [&filter, &stored] {
            assert!((0..10_000).all(|number| filter.may_contain(hash(number))));
            let wrong = (10_000..110_000).filter(|number| filter.may_contain(hash(*number)));
            let wrong = wrong.count();
            assert!(wrong < 500, "{wrong} of 100,000");
        }
    }

    #[test]
    fn what_is_no_filter_is_not_taken_for_one() {
        assert!(Filter::from_bytes(&[]).is_none());
        assert!(Filter::from_bytes(&[0; 65]).is_none());
    }
}
