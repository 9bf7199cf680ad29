//! The ledger against a model: a server that does to each message what a random plan
//! says.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Fine,
    Dropped,
    AckedAndDropped,
    Twice,
    Repeated,
    InHistory,
    Refused,
    ToAStranger,
}

fn fate() -> impl Strategy<Value = Fate> {
    use Fate::*;
    prop_oneof![
        6 => Just(Fine),
        1 => Just(Dropped),
        1 => Just(AckedAndDropped),
        1 => Just(Twice),
        1 => Just(Repeated),
        1 => Just(InHistory),
        1 => Just(Refused),
        1 => Just(ToAStranger),
    ]
}

proptest! {
    #[test]
    fn every_fate_is_counted_as_what_it_is(fates in proptest::collection::vec((0u32..2, fate()), 0..80)) {
        // Connections 0 and 1 are a pair, 2 and 3 another; 0 and 1 send.
        let mut ledger = Ledger::new(Cast::Pairs { both_ways: true }, 4, true);
        for (now, (sender, fate)) in (1u64..).zip(&fates) {
            let (sender, recipient) = (*sender, sender ^ 1);
            let seq = ledger.stream_or_new(sender).send(now, now);
            if !matches!(fate, Fate::Dropped | Fate::Refused) {
                prop_assert!(matches!(ledger.ack(sender, seq, now), AckOutcome::First(Some(_))));
            }
            let mut arrive = |recipient, how| ledger.arrive(sender, recipient, seq, now, how);
            match fate {
                Fate::Fine => { arrive(recipient, How::Live); }
                Fate::Twice => { arrive(recipient, How::Live); arrive(recipient, How::Live); }
                Fate::Repeated => { arrive(recipient, How::Live); arrive(recipient, How::Repeat); }
                Fate::InHistory => { arrive(recipient, How::History); arrive(recipient, How::History); }
                Fate::ToAStranger => { arrive(recipient, How::Live); arrive(3, How::Live); }
                Fate::Refused => prop_assert!(ledger.stream_or_new(sender).refuse(seq)),
                Fate::Dropped | Fate::AckedAndDropped => {}
            }
        }
        let count = |wanted: &[Fate]| fates.iter().filter(|(_, fate)| wanted.contains(fate)).count() as u64;
        let tally = ledger.settle(0);
        prop_assert!(tally.adds_up());
        prop_assert_eq!(tally.sent, fates.len() as u64);
        prop_assert_eq!(tally.refused, count(&[Fate::Refused]));
        prop_assert_eq!(tally.expected, tally.sent - tally.refused);
        prop_assert_eq!(tally.lost, count(&[Fate::Dropped, Fate::AckedAndDropped]));
        prop_assert_eq!(tally.acked_but_lost, count(&[Fate::AckedAndDropped]));
        prop_assert_eq!(tally.duplicates, count(&[Fate::Twice]));
        prop_assert_eq!(tally.repeats, count(&[Fate::Repeated]));
        prop_assert_eq!(tally.recovered, count(&[Fate::InHistory]));
        prop_assert_eq!(tally.wrong_recipient, count(&[Fate::ToAStranger]));
        prop_assert_eq!(tally.reordered, 0);
        prop_assert_eq!(ledger.in_flight(), count(&[Fate::Dropped]));
        prop_assert_eq!(ledger.is_complete(), count(&[Fate::Dropped, Fate::AckedAndDropped]) == 0);
    }

    #[test]
    fn any_order_of_arrival_is_complete_and_only_latecomers_count(order in Just((1u32..=20).collect::<Vec<_>>()).prop_shuffle()) {
        let mut ledger = Ledger::new(Cast::Pairs { both_ways: false }, 2, true);
        for now in 1..=20 {
            ledger.stream_or_new(0).send(now, now);
            ledger.ack(0, now as u32, now);
        }
        let mut highest = 0;
        let mut late = 0;
        for seq in order {
            late += u64::from(seq < highest);
            highest = highest.max(seq);
            ledger.arrive(0, 1, seq, 99, How::Live);
        }
        let tally = ledger.settle(0);
        prop_assert_eq!((tally.delivered, tally.lost, tally.reordered), (20, 0, late));
        prop_assert!(ledger.is_complete());
    }
}

#[test]
fn a_broken_connection_leaves_messages_unconfirmed_until_a_retry_is_acked() {
    let mut ledger = Ledger::new(Cast::Pairs { both_ways: false }, 2, true);
    for now in 1..=4 {
        ledger.stream_or_new(0).send(now, now);
    }
    ledger.ack(0, 1, 9);
    assert_eq!(ledger.stream_or_new(0).connection_lost(), [2, 3, 4]);
    assert!(matches!(ledger.ack(0, 2, 10), AckOutcome::First(_)));
    ledger.arrive(0, 1, 1, 11, How::Live);
    ledger.arrive(0, 1, 3, 11, How::Live);
    let tally = ledger.settle(0);
    assert!(tally.adds_up());
    assert_eq!(
        (tally.delivered, tally.lost, tally.acked_but_lost, tally.unconfirmed),
        (2, 1, 1, 1)
    );
    assert_eq!(tally.examples, [LostMessage { sender: 0, recipient: 1, seq: 2, acked: true }]);
}

#[test]
fn what_was_sent_to_an_absent_recipient_of_a_forgetful_server_is_not_lost() {
    let mut ledger = Ledger::new(Cast::Pairs { both_ways: false }, 2, false);
    for now in 1..=5 {
        ledger.stream_or_new(0).send(now, now);
    }
    ledger.arrive(0, 1, 1, 6, How::Live);
    ledger.arrive(0, 1, 3, 6, How::Live);
    ledger.excuse_absence(1);
    ledger.stream_or_new(0).send(7, 7);
    let tally = ledger.settle(0);
    assert_eq!((tally.delivered, tally.not_entitled, tally.lost), (2, 3, 1));
    assert!(tally.adds_up());
}

#[test]
fn runs_of_losses_are_gaps() {
    let mut ledger = Ledger::new(Cast::Echo, 1, false);
    for now in 1..=10 {
        ledger.stream_or_new(0).send(now, now);
    }
    for seq in [1, 4, 5, 7, 8] {
        ledger.arrive(0, 0, seq, 11, How::Live);
    }
    let tally = ledger.settle(0);
    assert_eq!((tally.lost, tally.gaps, tally.gap_length_max), (5, 3, 2));
}

#[test]
fn a_group_message_is_expected_by_all_but_its_sender() {
    let mut ledger = Ledger::new(Cast::Groups { size: 4, senders: 1 }, 8, true);
    let seq = ledger.stream_or_new(4).send(1, 1);
    for recipient in [5, 6] {
        assert!(matches!(ledger.arrive(4, recipient, seq, 2, How::Live), Arrival::First(Some(_))));
    }
    assert!(matches!(ledger.arrive(4, 1, seq, 2, How::Live), Arrival::WrongRecipient));
    assert!(matches!(ledger.arrive(4, 4, seq, 2, How::Live), Arrival::WrongRecipient));
    assert!(matches!(ledger.arrive(4, 5, seq + 1, 2, How::Live), Arrival::Invented));
    let tally = ledger.settle(100);
    assert_eq!((tally.expected, tally.delivered, tally.lost), (3, 2, 1));
    assert_eq!(tally.examples[0].recipient, 107);
    assert_eq!((tally.wrong_recipient, tally.invented), (2, 1));
}

#[test]
fn what_excuses_one_member_of_a_group_excuses_no_other() {
    let mut ledger = Ledger::new(Cast::Groups { size: 4, senders: 1 }, 4, true);
    let (one, two) = (ledger.stream_or_new(0).send(1, 1), ledger.stream_or_new(0).send(1, 1));
    // Two members read the first message before its push reaches them.
    for recipient in [1, 2] {
        ledger.arrive(0, recipient, one, 2, How::History);
        assert!(matches!(ledger.arrive(0, recipient, one, 3, How::Live), Arrival::Known));
        assert!(matches!(ledger.arrive(0, recipient, one, 4, How::Live), Arrival::Duplicate));
    }
    // One was away when the second was sent, and nobody else was.
    ledger.excuse_absence(3);
    ledger.arrive(0, 1, two, 5, How::Live);
    let tally = ledger.settle(0);
    assert!(tally.adds_up(), "{tally:?}");
    assert_eq!((tally.recovered, tally.delivered, tally.duplicates), (2, 1, 2));
    assert_eq!((tally.not_entitled, tally.lost), (2, 1));
}

#[test]
fn a_room_that_answers_nothing_may_include_its_speaker() {
    let mut ledger = Ledger::new(Cast::Groups { size: 2, senders: 1 }, 2, false);
    let seq = ledger.stream_or_new(0).send(1, 1);
    assert!(matches!(ledger.arrive(0, 0, seq, 2, How::Live), Arrival::Known));
    ledger.arrive(0, 1, seq, 2, How::Live);
    let tally = ledger.settle(0);
    assert_eq!((tally.returned, tally.wrong_recipient, tally.delivered), (1, 0, 1));
}

#[test]
fn an_answer_that_never_comes_frees_its_place() {
    let mut ledger = Ledger::new(Cast::Pairs { both_ways: false }, 2, true);
    for now in [10, 20, 30] {
        ledger.stream_or_new(0).send(now, now);
    }
    ledger.ack(0, 2, 31);
    assert_eq!(ledger.expire(25), 1);
    assert_eq!(ledger.expire(25), 0);
    assert_eq!(ledger.in_flight(), 1);
}

#[test]
fn a_push_that_crosses_the_history_is_no_second_delivery_but_one_more_is() {
    let mut ledger = Ledger::new(Cast::Pairs { both_ways: false }, 2, true);
    let seq = ledger.stream_or_new(0).send(1, 1);
    for how in [How::History, How::Live] {
        ledger.arrive(0, 1, seq, 2, how);
    }
    assert_eq!((ledger.settle(0).duplicates, ledger.settle(0).recovered), (0, 1));
    ledger.arrive(0, 1, seq, 3, How::Live);
    assert_eq!(ledger.settle(0).duplicates, 1);
}
