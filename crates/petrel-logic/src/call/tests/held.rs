//! Calls that are cut off and go on: what is written down of them is one call.

use std::time::{Duration, Instant};

use super::super::{Happened, Outcome, RESUME_TIME, Refused, What};
use super::*;
use crate::call::Switchboard;

const PHONE: u64 = 11;

fn alice(session: u64) -> Party {
    party(1, session)
}

fn bob() -> Party {
    party(2, 21)
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

fn resuming(call: &str, caller: Party, callee: UserId, first: &str) -> Offer {
    Offer { resumes: Some(name(first)), ..offer(call, caller, callee) }
}

/// Alice and Bob talk since `start`.
fn talking(start: Instant) -> Switchboard {
    let mut board = Switchboard::default();
    board.offer(offer("c", alice(PHONE), bob().user), start).unwrap();
    board.answer(&name("c"), bob(), "an answer".into(), start).unwrap();
    board
}

fn written(happened: &Happened) -> Vec<(&str, Outcome)> {
    happened.records.iter().map(|record| (record.call.as_str(), record.outcome)).collect()
}

fn talked(seconds: u64) -> Outcome {
    Outcome::Talked(Duration::from_secs(seconds))
}

#[test]
fn a_call_that_goes_on_is_one_from_its_beginning_to_its_end_as_often_as_it_is_cut_off() {
    let start = Instant::now();
    let mut board = talking(start);
    assert!(board.device_gone(alice(PHONE), after(start, 10)).records.is_empty());
    assert_eq!((board.len(), board.held()), (0, 1));

    let rung = board.offer(resuming("d", alice(12), bob().user, "c"), after(start, 15)).unwrap();
    assert!(rung.records.is_empty());
    let [ring] = rung.signals.as_slice() else { panic!("{rung:?}") };
    assert!(matches!(&ring.what, What::Ring { resumes: Some(first), .. } if *first == name("c")));
    board.answer(&name("d"), bob(), "an answer".into(), after(start, 16)).unwrap();
    assert!(board.goes_on(&name("d")));
    assert_eq!((board.len(), board.held(), board.next_deadline()), (1, 0, None));

    // Now it is Bob who is cut off, and he calls.
    assert!(board.device_gone(bob(), after(start, 30)).records.is_empty());
    board.offer(resuming("e", party(2, 22), alice(12).user, "c"), after(start, 31)).unwrap();
    board.answer(&name("e"), alice(12), "an answer".into(), after(start, 32)).unwrap();
    let over = board.hang_up(&name("e"), alice(12), after(start, 40)).unwrap();
    assert_eq!(written(&over), [("c", talked(40))]);
    assert_eq!((over.records[0].caller, over.records[0].callee), (alice(0).user, bob().user));
    assert_eq!((board.len(), board.held(), board.next_deadline()), (0, 0, None));
}

#[test]
fn a_call_that_does_not_go_on_lasted_until_it_was_cut_off() {
    let start = Instant::now();
    let mut board = talking(start);
    board.device_gone(bob(), after(start, 10));
    let until = after(start, 10) + RESUME_TIME;
    assert_eq!(board.next_deadline(), Some(until));
    assert_eq!(written(&board.expire(until - Duration::from_millis(1))), []);
    assert_eq!(written(&board.expire(until)), [("c", talked(10))]);
    assert_eq!((board.held(), board.next_deadline()), (0, None));
    let late = board.offer(resuming("d", alice(PHONE), bob().user, "c"), until);
    assert_eq!(late, Err(Refused::Unknown));
}

/// Whatever becomes of an attempt to go on, the call before it is written down, and the attempt
/// is not.
#[test]
fn an_attempt_that_nobody_answers_leaves_the_call_as_it_was() {
    type End = fn(&mut Switchboard, Instant) -> Happened;
    let ends: [(&str, End); 5] = [
        ("rejected", |board, _| board.reject(&name("d"), bob()).unwrap()),
        ("cancelled", |board, now| board.hang_up(&name("d"), alice(12), now).unwrap()),
        ("missed", |board, now| board.expire(after(now, 30))),
        ("parted", |board, now| board.part(bob().user, alice(12).user, now)),
        ("stopped", |board, now| board.stop(now)),
    ];
    for (how, end) in ends {
        let start = Instant::now();
        let mut board = talking(start);
        board.device_gone(alice(PHONE), after(start, 10));
        board.offer(resuming("d", alice(12), bob().user, "c"), after(start, 12)).unwrap();
        let over = end(&mut board, after(start, 13));
        assert_eq!(written(&over), [("c", talked(10))], "{how}");
        assert_eq!((board.len(), board.held(), board.next_deadline()), (0, 0, None), "{how}");
    }
}

#[test]
fn a_caller_who_is_cut_off_again_while_it_rings_has_no_more_time_than_before() {
    let start = Instant::now();
    let until = after(start, 10) + RESUME_TIME;
    let mut board = talking(start);
    board.device_gone(alice(PHONE), after(start, 10));
    board.offer(resuming("d", alice(12), bob().user, "c"), after(start, 12)).unwrap();
    assert!(board.device_gone(alice(12), after(start, 13)).records.is_empty());
    assert_eq!((board.held(), board.next_deadline()), (1, Some(until)));
    board.offer(resuming("e", alice(13), bob().user, "c"), after(start, 39)).unwrap();
    // It rang beyond the time of the call before.
    let gone = board.device_gone(alice(13), until);
    assert_eq!(written(&gone), [("c", talked(10))]);
    assert_eq!((board.held(), board.next_deadline()), (0, None));
}

#[test]
fn another_call_of_either_of_the_two_puts_an_end_to_it_first() {
    let (carol, dave) = (party(3, 31), party(4, 41));
    for (caller, callee) in
        [(alice(12), bob()), (bob(), alice(12)), (alice(12), carol), (carol, bob()), (dave, bob())]
    {
        let start = Instant::now();
        let mut board = talking(start);
        board.device_gone(alice(PHONE), after(start, 10));
        let begun = board.offer(offer("d", caller, callee.user), after(start, 12)).unwrap();
        assert_eq!(written(&begun), [("c", talked(10))]);
        assert_eq!((board.len(), board.held()), (1, 0));
        assert!(!board.goes_on(&name("d")));
    }
    // One that has nothing to do with either does not.
    let mut board = talking(Instant::now());
    board.device_gone(alice(PHONE), Instant::now());
    board.offer(offer("d", carol, dave.user), Instant::now()).unwrap();
    assert_eq!(board.held(), 1);
}

#[test]
fn two_who_were_cut_off_from_others_and_call_each_other_end_both_calls() {
    let start = Instant::now();
    let mut board = talking(start);
    let (carol, dave) = (party(3, 31), party(4, 41));
    board.offer(offer("k", carol, dave.user), start).unwrap();
    board.answer(&name("k"), dave, "an answer".into(), start).unwrap();
    board.device_gone(alice(PHONE), after(start, 1));
    board.device_gone(dave, after(start, 2));
    assert_eq!(board.held(), 2);
    let begun = board.offer(offer("d", bob(), carol.user), after(start, 3)).unwrap();
    assert_eq!(written(&begun), [("c", talked(1)), ("k", talked(2))]);
}

#[test]
fn nobody_goes_on_with_the_call_of_others() {
    let start = Instant::now();
    let mut board = talking(start);
    let (carol, dave) = (party(3, 31), party(4, 41));
    // Which is alive, cut off, or over.
    let tries = |board: &mut Switchboard, number: u32| {
        for (index, (caller, callee)) in [(carol, dave), (carol, bob())].into_iter().enumerate() {
            let call = format!("x{number}{index}");
            let tried = board.offer(resuming(&call, caller, callee.user, "c"), start);
            assert_eq!(tried, Err(Refused::Unknown), "{call}");
        }
    };
    tries(&mut board, 1);
    board.device_gone(alice(PHONE), start);
    tries(&mut board, 2);
    assert_eq!(board.held(), 1);
    assert_eq!(board.hang_up(&name("c"), carol, start), Err(Refused::Unknown));
    board.expire(after(start, 60));
    tries(&mut board, 3);
}

/// A server that was killed knows nothing of the calls before. The two may go on all the same.
#[test]
fn a_call_that_is_not_known_goes_on_as_one_of_its_own() {
    let start = Instant::now();
    let mut board = Switchboard::default();
    let rung = board.offer(resuming("d", alice(12), bob().user, "c"), start).unwrap();
    assert!(matches!(&rung.signals[0].what, What::Ring { resumes: Some(_), .. }));
    // A device that comes meanwhile is told, too.
    let came = board.device_came(party(2, 22), start);
    assert!(matches!(&came[0].what, What::Ring { resumes: Some(_), .. }));
    board.answer(&name("d"), bob(), "an answer".into(), after(start, 1)).unwrap();
    let over = board.hang_up(&name("d"), bob(), after(start, 6)).unwrap();
    assert_eq!(written(&over), [("d", talked(5))]);
}

#[test]
fn whoever_does_not_want_to_go_on_says_so_from_any_device() {
    let start = Instant::now();
    for by in [alice(13), bob()] {
        let mut board = talking(start);
        board.device_gone(alice(PHONE), after(start, 10));
        let over = board.hang_up(&name("c"), by, after(start, 20)).unwrap();
        assert_eq!((written(&over), over.signals.len()), (vec![("c", talked(10))], 0));
        assert_eq!((board.held(), board.next_deadline()), (0, None));
        assert_eq!(board.hang_up(&name("c"), by, after(start, 21)), Err(Refused::Unknown));
        let late = board.offer(resuming("d", alice(13), bob().user, "c"), after(start, 21));
        assert_eq!(late, Err(Refused::Unknown));
    }
}
