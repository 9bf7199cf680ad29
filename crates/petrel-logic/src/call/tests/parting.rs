//! What a block does to a call: it looks as if the one who blocks had hung up.

use std::time::Instant;

use super::super::{Audience, Outcome, Reason, Switchboard, What};
use super::*;

fn ends(happened: &super::super::Happened) -> Vec<(Audience, Reason)> {
    let end = |signal: &super::super::Signal| match &signal.what {
        What::Over(reason) => (signal.to, *reason),
        other => panic!("{other:?}"),
    };
    happened.signals.iter().map(end).collect()
}

#[test]
fn a_block_ends_the_call_of_the_two_and_no_other() {
    let (ann, bob) = (party(1, 10), party(2, 20));
    let now = Instant::now();
    for (blocker, answered, expected, outcome) in [
        (ann.user, false, Reason::Cancelled, Some(Outcome::Cancelled)),
        (bob.user, false, Reason::Rejected, Some(Outcome::Rejected)),
        (ann.user, true, Reason::HungUp, None),
        (bob.user, true, Reason::HungUp, None),
    ] {
        let mut board = Switchboard::default();
        board.offer(offer("c", ann, bob.user), now).unwrap();
        if answered {
            board.answer(&name("c"), bob, "answer".into(), now).unwrap();
        }
        let other = if blocker == ann.user { bob.user } else { ann.user };
        for (one, another) in [(blocker, UserId::new(3)), (UserId::new(3), other)] {
            assert!(!board.are_in_call(one, another));
            assert!(board.part(one, another, now).signals.is_empty());
        }
        assert!(board.are_in_call(blocker, other));
        let happened = board.part(blocker, other, now);
        let callee = match answered {
            true => Audience::Here(bob),
            false => Audience::Everywhere(bob.user),
        };
        assert_eq!(ends(&happened), [(Audience::Here(ann), expected), (callee, expected)]);
        assert_eq!(happened.records.len(), 1);
        if let Some(outcome) = outcome {
            assert_eq!(happened.records[0].outcome, outcome);
        }
        assert!(board.is_empty());
    }
}
