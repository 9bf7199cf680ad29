//! What of a timeline a member may read: the intervals of the membership.

use petrel_store::Interval;
use petrel_types::Seq;

/// The readable stretches of one timeline for one user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    intervals: &'a [Interval],
}

impl<'a> Access<'a> {
    /// Over intervals, oldest first.
    pub(crate) fn new(intervals: &'a [Interval]) -> Self {
        Self { intervals }
    }

    /// Whether the event at `seq` may be read.
    pub(crate) fn allows(self, seq: Seq) -> bool {
        self.intervals.iter().any(|interval| contains(interval, seq))
    }

    /// The last event that may be read in a timeline that ends at `head`.
    pub(crate) fn end(self, head: Seq) -> Seq {
        match self.intervals.last() {
            Some(Interval { last, .. }) => last.map_or(head, |last| last.min(head)),
            None => Seq::ZERO,
        }
    }

    /// The first place after `after` that may be read.
    pub(crate) fn next_after(self, after: Seq) -> Option<Seq> {
        let open = |interval: &&Interval| interval.last.is_none_or(|last| last > after);
        let interval = self.intervals.iter().find(open)?;
        Some(interval.first.max(after.next()))
    }

    /// The last place before `before` that may be read.
    pub(crate) fn last_before(self, before: Seq) -> Option<Seq> {
        let begun = |interval: &&Interval| interval.first < before;
        let interval = self.intervals.iter().rev().find(begun)?;
        let previous = Seq::new(before.get() - 1);
        Some(interval.last.map_or(previous, |last| last.min(previous)))
    }
}

fn contains(interval: &Interval, seq: Seq) -> bool {
    interval.first <= seq && interval.last.is_none_or(|last| seq <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(first: u64, last: Option<u64>) -> Interval {
        Interval { first: Seq::new(first), last: last.map(Seq::new) }
    }

    #[test]
    fn the_steps_from_place_to_place_agree_with_what_is_allowed() {
        for intervals in [
            vec![],
            vec![interval(1, None)],
            vec![interval(3, Some(5))],
            vec![interval(2, Some(2)), interval(6, Some(8)), interval(11, None)],
        ] {
            let access = Access::new(&intervals);
            let allowed = |seq: &u64| access.allows(Seq::new(*seq));
            for place in 0..20 {
                let next = (place + 1..30).find(allowed).map(Seq::new);
                assert_eq!(access.next_after(Seq::new(place)), next, "{intervals:?} {place}");
                let last = (1..place).rev().find(allowed).map(Seq::new);
                assert_eq!(access.last_before(Seq::new(place)), last, "{intervals:?} {place}");
                let end = (1..=place).rev().find(allowed).map_or(0, |seq| seq);
                assert!(access.end(Seq::new(place)).get() >= end, "{intervals:?} {place}");
            }
        }
    }
}
