//! What of a conversation a member has deleted for himself or herself: part of the member's
//! attributes, so that every read that looks at the membership leaves it out.

use std::collections::BTreeSet;

use petrel_types::Seq;
use petrel_types::limits::HIDDEN_MESSAGES_MAX;
use serde::{Deserialize, Serialize};

/// Deleted messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Hidden {
    /// Everything up to here, of whatever kind.
    pub(crate) up_to: Seq,
    /// Messages after that, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) messages: Vec<Seq>,
    /// Those among them that name everybody, which the store goes on counting as mentions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) naming_everybody: Vec<Seq>,
    /// Those among them that don't count for unread anyway.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) uncounted: Vec<Seq>,
}

impl Hidden {
    /// Whether the event at `seq` is left out.
    pub(crate) fn contains(&self, seq: Seq) -> bool {
        seq <= self.up_to || self.messages.binary_search(&seq).is_ok()
    }

    /// The same with more; `None` if that would be too much.
    pub(crate) fn with(
        &self,
        messages: impl IntoIterator<Item = Seq>,
        naming_everybody: impl IntoIterator<Item = Seq>,
        uncounted: impl IntoIterator<Item = Seq>,
        up_to: Seq,
    ) -> Option<Self> {
        let up_to = self.up_to.max(up_to);
        let after = |known: &[Seq], more: &mut dyn Iterator<Item = Seq>| -> Vec<Seq> {
            let all: BTreeSet<_> = known.iter().copied().chain(more).collect();
            all.into_iter().filter(|seq| *seq > up_to).collect()
        };
        let messages = after(&self.messages, &mut messages.into_iter());
        let naming_everybody = after(&self.naming_everybody, &mut naming_everybody.into_iter());
        let uncounted = after(&self.uncounted, &mut uncounted.into_iter());
        let fits = messages.len() <= HIDDEN_MESSAGES_MAX;
        fits.then_some(Self { up_to, messages, naming_everybody, uncounted })
    }

    /// How many deleted messages that count there are after `after` up to `head`.
    pub(crate) fn unread(&self, after: Seq, head: Seq) -> u64 {
        count(&self.messages, after, head) - count(&self.uncounted, after, head)
    }

    /// How many of them name everybody.
    pub(crate) fn unread_mentions(&self, after: Seq, head: Seq) -> u64 {
        count(&self.naming_everybody, after, head)
    }
}

fn count(seqs: &[Seq], after: Seq, head: Seq) -> u64 {
    seqs.iter().filter(|seq| **seq > after && **seq <= head).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(numbers: &[u64]) -> Vec<Seq> {
        numbers.iter().copied().map(Seq::new).collect()
    }

    #[test]
    fn what_is_cleared_need_not_be_listed_and_the_list_is_bounded() {
        let some = Hidden::default().with(seqs(&[7, 3, 9]), seqs(&[3, 9]), [], Seq::ZERO).unwrap();
        assert_eq!((&some.messages, &some.naming_everybody), (&seqs(&[3, 7, 9]), &seqs(&[3, 9])));
        assert!(some.contains(Seq::new(7)) && !some.contains(Seq::new(8)));
        assert_eq!(
            (some.unread(Seq::new(3), Seq::new(8)), some.unread_mentions(Seq::ZERO, Seq::new(9))),
            (1, 2)
        );
        let cleared = some.with(seqs(&[]), seqs(&[]), [], Seq::new(8)).unwrap();
        assert_eq!(
            cleared,
            Hidden {
                up_to: Seq::new(8),
                messages: seqs(&[9]),
                naming_everybody: seqs(&[9]),
                uncounted: Vec::new(),
            }
        );
        assert!(cleared.contains(Seq::new(1)) && cleared.contains(Seq::new(8)));
        let most = 9 + HIDDEN_MESSAGES_MAX as u64;
        assert_eq!(some.with((10..most).map(Seq::new), [], [], Seq::ZERO), None);
        assert!(some.with((10..most).map(Seq::new), [], [], Seq::new(9)).is_some());
    }

    #[test]
    fn what_does_not_count_is_deleted_and_takes_nothing_from_what_is_unread() {
        let some = Hidden::default().with(seqs(&[3, 4]), [], seqs(&[4]), Seq::ZERO).unwrap();
        assert!(some.contains(Seq::new(4)));
        assert_eq!(some.unread(Seq::ZERO, Seq::new(9)), 1);
        assert_eq!(some.unread(Seq::new(3), Seq::new(9)), 0);
    }
}
