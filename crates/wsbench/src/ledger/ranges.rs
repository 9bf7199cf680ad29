//! A set of numbers, kept as ranges.

use std::ops::RangeInclusive;

/// A set of message numbers. Small when its members are close together.
#[derive(Clone, Debug, Default)]
pub struct Ranges(Vec<RangeInclusive<u32>>);

impl Ranges {
    /// Adds numbers; an empty range adds none.
    pub fn add(&mut self, range: RangeInclusive<u32>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = range.into_inner();
        // Those that overlap or touch it become one with it.
        let from = self.0.partition_point(|other| other.end().saturating_add(1) < start);
        let to = self.0.partition_point(|other| *other.start() <= end.saturating_add(1));
        for other in &self.0[from..to] {
            start = start.min(*other.start());
            end = end.max(*other.end());
        }
        self.0.splice(from..to, [start..=end]);
    }

    /// Takes a number out. Says whether it was there.
    pub fn remove(&mut self, seq: u32) -> bool {
        let index = self.0.partition_point(|range| *range.end() < seq);
        match self.0.get(index).filter(|range| range.contains(&seq)).cloned() {
            None => false,
            Some(range) => {
                let rest = [*range.start()..=seq - 1, seq + 1..=*range.end()];
                self.0.splice(index..=index, rest.into_iter().filter(|rest| !rest.is_empty()));
                true
            }
        }
    }

    /// Whether a number is there.
    pub fn contains(&self, seq: u32) -> bool {
        let index = self.0.partition_point(|range| *range.end() < seq);
        self.0.get(index).is_some_and(|range| range.contains(&seq))
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|range| u64::from(range.end() - range.start()) + 1).sum()
    }

    /// How many ranges they make.
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_set(steps in proptest::collection::vec((1u32..50, 0u32..6, any::<bool>()), 0..60)) {
            let mut ranges = Ranges::default();
            let mut set = BTreeSet::new();
            for (start, length, add) in steps {
                if add {
                    ranges.add(start..=start + length);
                    set.extend(start..=start + length);
                } else {
                    prop_assert_eq!(ranges.remove(start), set.remove(&start));
                }
                prop_assert_eq!(ranges.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(ranges.count(), set.len() as u64);
                prop_assert!((0..60).all(|seq| ranges.contains(seq) == set.contains(&seq)));
                let runs = set.iter().filter(|seq| !set.contains(&(**seq - 1))).count();
                prop_assert_eq!(ranges.runs(), runs);
            }
        }
    }
}
