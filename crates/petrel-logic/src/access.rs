//! What of a timeline a member may read: the intervals of the membership, without what the
//! member has deleted.

use petrel_store::Interval;
use petrel_types::Seq;

use crate::hidden::Hidden;

/// The readable stretches of one timeline for one user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    intervals: &'a [Interval],
    hidden: Option<&'a Hidden>,
}

impl<'a> Access<'a> {
    /// Over intervals, oldest first, without what is hidden.
    pub(crate) fn new(intervals: &'a [Interval], hidden: Option<&'a Hidden>) -> Self {
        #[cfg(feature = "mutants")]
        let hidden = hidden.filter(|_| !petrel_store::mutants::is("hidden-is-shown"));
        Self { intervals, hidden }
    }

    /// Whether the event at `seq` may be read.
    pub(crate) fn allows(self, seq: Seq) -> bool {
        self.intervals.iter().any(|interval| contains(interval, seq)) && !self.is_hidden(seq)
    }

    /// Whether the member has deleted what is at `seq`.
    pub(crate) fn is_hidden(self, seq: Seq) -> bool {
        self.hidden.is_some_and(|hidden| hidden.contains(seq))
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
        let cleared = self.hidden.map_or(Seq::ZERO, |hidden| hidden.up_to);
        let mut next = self.next_in_interval(after.max(cleared))?;
        while self.is_hidden(next) {
            next = self.next_in_interval(next)?;
        }
        Some(next)
    }

    /// The last place before `before` that may be read.
    pub(crate) fn last_before(self, before: Seq) -> Option<Seq> {
        let cleared = self.hidden.map_or(Seq::ZERO, |hidden| hidden.up_to);
        let mut last = self.last_in_interval(before)?;
        while last > cleared && self.is_hidden(last) {
            last = self.last_in_interval(last)?;
        }
        (last > cleared).then_some(last)
    }

    fn next_in_interval(self, after: Seq) -> Option<Seq> {
        let open = |interval: &&Interval| interval.last.is_none_or(|last| last > after);
        let interval = self.intervals.iter().find(open)?;
        Some(interval.first.max(after.next()))
    }

    fn last_in_interval(self, before: Seq) -> Option<Seq> {
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
            let some = [2, 3, 7, 11, 12, 14].map(Seq::new).to_vec();
            for hidden in [
                None,
                Some(Hidden { up_to: Seq::new(4), ..Hidden::default() }),
                Some(Hidden { messages: some.clone(), ..Hidden::default() }),
                Some(Hidden {
                    up_to: Seq::new(6),
                    messages: some[2..].to_vec(),
                    ..Hidden::default()
                }),
            ] {
                let access = Access::new(&intervals, hidden.as_ref());
                let allowed = |seq: &u64| access.allows(Seq::new(*seq));
                for place in 0..20 {
                    let case = format!("{intervals:?} {hidden:?} {place}");
                    let next = (place + 1..30).find(allowed).map(Seq::new);
                    assert_eq!(access.next_after(Seq::new(place)), next, "{case}");
                    let last = (1..place).rev().find(allowed).map(Seq::new);
                    assert_eq!(access.last_before(Seq::new(place)), last, "{case}");
                    let end = (1..=place).rev().find(allowed).map_or(0, |seq| seq);
                    assert!(access.end(Seq::new(place)).get() >= end, "{case}");
                }
            }
        }
    }
}
