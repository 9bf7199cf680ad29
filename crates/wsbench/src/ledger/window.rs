//! What has been seen of a numbered stream, exactly, in memory that grows with the holes
//! and not with the messages.

use std::ops::RangeInclusive;

/// What a number turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The next one.
    Next,
    /// A later one; so many before it have not come yet.
    Jump(u32),
    /// One that was missing; so far behind the highest it came.
    Late(u32),
    /// One that had come before.
    Again,
}

/// Which of the numbers 1, 2, 3, … have been seen.
///
/// Sixteen bytes while nothing is missing.
#[derive(Clone, Debug, Default)]
pub struct Window {
    highest: u32,
    /// The holes below `highest`, in order.
    #[expect(clippy::box_collection, reason = "holes are rare, windows are many: 8 bytes, not 24")]
    holes: Option<Box<Vec<RangeInclusive<u32>>>>,
}

impl Window {
    /// Takes a number, which must not be 0.
    pub fn see(&mut self, seq: u32) -> Seen {
        if seq > self.highest {
            let skipped = seq - self.highest - 1;
            if skipped > 0 {
                self.holes.get_or_insert_default().push(self.highest + 1..=seq - 1);
            }
            self.highest = seq;
            return if skipped == 0 { Seen::Next } else { Seen::Jump(skipped) };
        }
        if self.fill(seq) { Seen::Late(self.highest - seq) } else { Seen::Again }
    }

    /// Takes all numbers up to and including this one.
    pub fn see_through(&mut self, seq: u32) {
        self.highest = self.highest.max(seq);
        if let Some(holes) = &mut self.holes {
            holes.retain_mut(|hole| {
                *hole = (*hole.start()).max(seq + 1)..=*hole.end();
                !hole.is_empty()
            });
        }
        self.forget_no_holes();
    }

    /// The highest number seen; 0 if none.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// Up to where nothing is missing.
    pub fn contiguous(&self) -> u32 {
        self.holes().first().map_or(self.highest, |hole| hole.start() - 1)
    }

    /// Whether this number has been seen.
    pub fn has(&self, seq: u32) -> bool {
        seq <= self.highest && !self.holes().iter().any(|hole| hole.contains(&seq))
    }

    /// The ranges that are missing below the highest number seen.
    pub fn holes(&self) -> &[RangeInclusive<u32>] {
        self.holes.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The ranges that are missing of the numbers up to `last`.
    pub fn missing(&self, last: u32) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        let tail = (self.highest < last).then(|| self.highest + 1..=last);
        self.holes().iter().cloned().chain(tail)
    }

    fn fill(&mut self, seq: u32) -> bool {
        let Some(holes) = &mut self.holes else {
            return false;
        };
        let Ok(index) = holes.binary_search_by(|hole| {
            if hole.contains(&seq) { std::cmp::Ordering::Equal } else { hole.start().cmp(&seq) }
        }) else {
            return false;
        };
        let hole = holes[index].clone();
        let (before, after) = (*hole.start()..=seq - 1, seq + 1..=*hole.end());
        match (before.is_empty(), after.is_empty()) {
            (true, true) => {
                holes.remove(index);
            }
            (true, false) => holes[index] = after,
            (false, true) => holes[index] = before,
            (false, false) => {
                holes[index] = before;
                holes.insert(index + 1, after);
            }
        }
        self.forget_no_holes();
        true
    }

    fn forget_no_holes(&mut self) {
        if self.holes().is_empty() {
            self.holes = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_set(seqs in proptest::collection::vec(1u32..60, 0..120)) {
            let mut window = Window::default();
            let mut set = BTreeSet::new();
            for seq in seqs {
                let highest = set.last().copied().unwrap_or(0);
                let expected = match (set.insert(seq), seq > highest) {
                    (false, _) => Seen::Again,
                    (true, false) => Seen::Late(highest - seq),
                    (true, true) if seq == highest + 1 => Seen::Next,
                    (true, true) => Seen::Jump(seq - highest - 1),
                };
                prop_assert_eq!(window.see(seq), expected);
                let missing: Vec<u32> = window.missing(70).flatten().collect();
                let wanted: Vec<u32> = (1..=70).filter(|seq| !set.contains(seq)).collect();
                prop_assert_eq!(missing, wanted);
                prop_assert_eq!(window.contiguous(), (1..).find(|seq| !set.contains(seq)).unwrap_or(1) - 1);
                prop_assert!((1..70).all(|seq| window.has(seq) == set.contains(&seq)));
            }
        }

        #[test]
        fn seeing_through_is_seeing_each(seqs in proptest::collection::vec(1u32..40, 0..40), through in 1u32..50) {
            let mut one = Window::default();
            let mut other = Window::default();
            for seq in seqs {
                one.see(seq);
                other.see(seq);
            }
            one.see_through(through);
            for seq in 1..=through {
                other.see(seq);
            }
            prop_assert_eq!(one.holes(), other.holes());
            prop_assert_eq!(one.highest(), other.highest());
        }
    }

    #[test]
    fn a_window_is_small() {
        assert_eq!(std::mem::size_of::<Window>(), 16);
    }
}
