use petrel_protocol::frame::ContactAction::{
    Accept, Apply, Block, Reject, Remark, Remove, Unblock, Withdraw,
};
use proptest::prelude::*;

use super::*;

const ANN: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);

fn at(ms: u64) -> TimestampMs {
    TimestampMs::new(1_000_000 + ms)
}

/// A pair in the making, at one moment.
#[derive(Clone, Debug, Default)]
struct Story(Pair, u64);

impl Story {
    fn does(self, actor: UserId, action: ContactAction) -> Self {
        let (other, now) = (if actor == ANN { BOB } else { ANN }, at(self.1));
        let text = matches!(action, Apply | Remark).then_some("text");
        let pair = self.0.after(actor, other, action, text, now);
        Self(pair.unwrap_or_else(|error| panic!("{action:?}: {error}")), self.1)
    }

    fn fails(self, actor: UserId, action: ContactAction, reason: ErrorReason) -> Self {
        let (other, now) = (if actor == ANN { BOB } else { ANN }, at(self.1));
        let refusal = self.0.after(actor, other, action, None, now).unwrap_err();
        assert_eq!(refusal.reason, reason, "{action:?}");
        self
    }

    fn later(self, ms: u64) -> Self {
        Self(self.0, self.1 + ms)
    }

    fn seen_by(&self, user: UserId) -> Contact {
        self.0.seen_by(user, if user == ANN { BOB } else { ANN })
    }
}

fn story() -> Story {
    Story::default()
}

#[test]
fn an_application_that_is_accepted_makes_friends() {
    let applied = story().does(ANN, Apply);
    let seen = applied.seen_by(BOB).application.unwrap();
    assert_eq!((seen.direction, seen.message.as_deref()), (Direction::Incoming, Some("text")));
    assert_eq!(applied.seen_by(ANN).application.unwrap().direction, Direction::Outgoing);
    let friends = applied
        .fails(ANN, Accept, ErrorReason::ApplicationNotFound)
        .fails(ANN, Reject, ErrorReason::ApplicationNotFound)
        .fails(BOB, Withdraw, ErrorReason::ApplicationNotFound)
        .fails(ANN, Apply, ErrorReason::NothingToChange)
        .does(BOB, Accept);
    for (user, other) in [(ANN, BOB), (BOB, ANN)] {
        let seen = friends.seen_by(user);
        assert_eq!((seen.user, seen.friend_since_ts), (other, Some(at(0))));
        assert_eq!(seen.application, None);
    }
    friends.fails(ANN, Apply, ErrorReason::NothingToChange).fails(
        BOB,
        Accept,
        ErrorReason::ApplicationNotFound,
    );
}

#[test]
fn who_applies_to_an_applicant_accepts() {
    let friends = story().does(ANN, Apply).does(BOB, Apply);
    assert!(friends.0.are_friends());
    assert_eq!(friends.seen_by(ANN).application, None);
}

#[test]
fn what_was_withdrawn_or_has_expired_can_not_be_accepted() {
    let gone = ErrorReason::ApplicationNotFound;
    story().does(ANN, Apply).does(ANN, Withdraw).fails(BOB, Accept, gone);
    let applied = story().does(ANN, Apply);
    applied.clone().later(APPLICATION_LIFETIME_MS - 1).does(BOB, Accept);
    let expired = applied.later(APPLICATION_LIFETIME_MS).fails(BOB, Accept, gone);
    let expired = expired.fails(BOB, Reject, gone).fails(ANN, Withdraw, gone);
    // Nor does a new application of the other accept it.
    let applied = expired.does(BOB, Apply);
    assert!(!applied.0.are_friends());
    assert_eq!(applied.seen_by(ANN).application.unwrap().direction, Direction::Incoming);
}

#[test]
fn who_was_refused_waits_and_the_other_need_not() {
    let refused = story().does(ANN, Apply).does(BOB, Reject);
    assert_eq!(refused.seen_by(ANN).application, None);
    let refused = refused.fails(ANN, Apply, ErrorReason::TooManyRequests);
    refused.clone().does(BOB, Apply).does(ANN, Accept);
    refused
        .later(APPLICATION_AGAIN_AFTER_MS - 1)
        .fails(ANN, Apply, ErrorReason::TooManyRequests)
        .later(1)
        .does(ANN, Apply);
}

#[test]
fn a_friendship_ends_for_both_and_with_it_their_remarks() {
    let friends = story().fails(ANN, Remark, ErrorReason::NotFriends).does(ANN, Apply);
    let friends = friends.does(BOB, Accept).does(ANN, Remark);
    assert_eq!(friends.seen_by(ANN).remark.as_deref(), Some("text"));
    assert_eq!(friends.seen_by(BOB).remark, None);
    let apart = friends.does(BOB, Remove).fails(ANN, Remove, ErrorReason::NothingToChange);
    let nobody = |user| Contact { friend_since_ts: None, remark: None, ..story().seen_by(user) };
    assert_eq!((apart.seen_by(ANN), apart.seen_by(BOB)), (nobody(ANN), nobody(BOB)));
}

#[test]
fn a_block_is_not_seen_by_the_blocked() {
    for before in [
        story(),
        story().does(BOB, Apply),
        story().does(BOB, Apply).does(ANN, Accept).does(BOB, Remark),
    ] {
        let blocked = before.clone().does(ANN, Block);
        assert_eq!(blocked.seen_by(BOB), before.seen_by(BOB));
        assert!(blocked.seen_by(ANN).blocked);
        assert_eq!(blocked.seen_by(ANN).application, None);
        assert_eq!(blocked.0.check_reach(BOB, ANN).unwrap_err().reason, ErrorReason::NotReachable);
        assert_eq!(blocked.0.check_reach(ANN, BOB).unwrap_err().reason, ErrorReason::BlockedByYou);
        // What was before comes back, and nothing else does.
        assert_eq!(
            blocked.fails(ANN, Block, ErrorReason::NothingToChange).does(ANN, Unblock).0,
            before.0
        );
    }
}

#[test]
fn a_block_takes_ones_own_application_with_it_and_stops_those_of_the_other() {
    let gone = ErrorReason::ApplicationNotFound;
    let blocked = story().does(ANN, Apply).does(ANN, Block).fails(BOB, Accept, gone);
    blocked.fails(BOB, Apply, ErrorReason::NotReachable).fails(
        ANN,
        Apply,
        ErrorReason::BlockedByYou,
    );
    let blocked = story().does(BOB, Apply).does(ANN, Block);
    blocked.fails(ANN, Accept, gone).fails(ANN, Reject, gone).does(BOB, Withdraw);
    story().fails(ANN, Unblock, ErrorReason::NothingToChange);
}

/// Found by the simulation: an application that was over went with the block, and its going
/// told the other of it.
#[test]
fn what_is_over_does_not_go_with_a_block() {
    let over = story().does(BOB, Apply).later(APPLICATION_LIFETIME_MS);
    let blocked = over.clone().does(ANN, Block);
    assert_eq!(blocked.seen_by(BOB), over.seen_by(BOB));
    assert_eq!(blocked.does(ANN, Unblock).seen_by(BOB), over.seen_by(BOB));
}

#[test]
fn texts_are_bounded() {
    let after = |action, text: &str| Pair::default().after(ANN, BOB, action, Some(text), at(0));
    assert!(after(Apply, &"x".repeat(APPLICATION_UTF16_UNITS_MAX)).is_ok());
    let long = "🐦".repeat(APPLICATION_UTF16_UNITS_MAX / 2 + 1);
    for text in [long.as_str(), "two\nlines"] {
        assert_eq!(after(Apply, text).unwrap_err().reason, ErrorReason::InvalidField);
    }
    let blank = after(Apply, "  ").unwrap();
    assert_eq!(blank.seen_by(BOB, ANN).application.unwrap().message, None);
}

fn action() -> impl Strategy<Value = (bool, ContactAction, u64)> {
    let far = APPLICATION_LIFETIME_MS;
    (any::<bool>(), prop::sample::select(&ContactAction::ALL[..]), prop_oneof![0..9_u64, Just(far)])
}

proptest! {
    /// Whatever two users do: what one of them sees of it is settled by what that one did and
    /// what the other did openly; and nobody is made a friend without having asked or accepted.
    #[test]
    fn nothing_that_happens_shows_a_block(actions in prop::collection::vec(action(), 1..40)) {
        let mut pair = Pair::default();
        let mut now = 0;
        for (by_ann, action, wait) in actions {
            now += wait;
            let (actor, other) = if by_ann { (ANN, BOB) } else { (BOB, ANN) };
            let Ok(after) = pair.after(actor, other, action, Some("text"), at(now)) else { continue };
            if matches!(action, Block | Unblock | Remark) {
                let (seen, before) = (after.seen_by(other, actor), pair.seen_by(other, actor));
                // But for an application that goes with the block, as if withdrawn.
                let withdrawn = action == Block
                    && before.application.as_ref().is_some_and(|it| it.direction == Direction::Incoming);
                let application = before.application.clone().filter(|_| !withdrawn);
                prop_assert_eq!(&seen, &Contact { application, ..before });
            }
            if after.are_friends() && !pair.are_friends() {
                prop_assert!(matches!(action, Accept | Apply));
                prop_assert_eq!(pair.seen_by(actor, other).application.unwrap().direction, Direction::Incoming);
            }
            let stored = Pair::decode(&after.encode()).unwrap();
            prop_assert_eq!(&stored, &after);
            pair = after;
        }
    }
}
