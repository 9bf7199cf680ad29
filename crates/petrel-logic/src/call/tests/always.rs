//! Random lives of calls between four users with two devices each, and what holds after
//! every step, whatever happens.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{Audience, Happened, Party, RING_TIME, Reason, Refused, What};
use super::*;
use crate::call::Switchboard;

#[derive(Clone, Debug)]
enum Step {
    Offer { from: Party, to: u64 },
    Answer { call: usize, by: Party },
    Candidate { call: usize, by: Party },
    Reject { call: usize, by: Party },
    HangUp { call: usize, by: Party },
    Gone(Party),
    Came(Party),
    Pass { milliseconds: u64 },
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    let device = (1..5_u64, 0..2_u64).prop_map(|(user, device)| party(user, user * 10 + device));
    let call = 0..4_usize;
    prop_oneof![
        4 => (device.clone(), 1..5_u64).prop_map(|(from, to)| Step::Offer { from, to }),
        3 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Answer { call, by }),
        2 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Candidate { call, by }),
        1 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Reject { call, by }),
        1 => (call, device.clone()).prop_map(|(call, by)| Step::HangUp { call, by }),
        1 => device.clone().prop_map(Step::Gone),
        1 => device.prop_map(Step::Came),
        1 => (0..20_000_u64).prop_map(|milliseconds| Step::Pass { milliseconds }),
    ]
}

/// What an onlooker knows of a call.
#[derive(Clone, Copy)]
struct Seen {
    caller: Party,
    callee: UserId,
    answered: Option<Party>,
    until: Instant,
}

#[derive(Default)]
struct Onlooker {
    alive: HashMap<ClientMessageId, Seen>,
    recorded: HashSet<ClientMessageId>,
}

impl Onlooker {
    fn see(&mut self, happened: &Happened) {
        for signal in &happened.signals {
            let seen = self.alive.get(&signal.call).copied();
            let seen = seen.expect("a signal of a call that nobody made, or that is over");
            let user = match signal.to {
                Audience::Everywhere(user) => user,
                Audience::Elsewhere(party) | Audience::Here(party) => party.user,
            };
            assert!(user == seen.caller.user || user == seen.callee, "a third party is told");
            match &signal.what {
                // The caller's other devices have nothing to do with the call.
                _ if user == seen.caller.user => {
                    assert_eq!(signal.to, Audience::Here(seen.caller));
                }
                What::Over(Reason::AnsweredElsewhere) => {
                    assert_eq!(Some(signal.to), seen.answered.map(Audience::Elsewhere));
                }
                _ => {
                    if let Some(answered) = seen.answered {
                        assert_eq!(signal.to, Audience::Here(answered), "{:?}", signal.what);
                    }
                }
            }
        }
        for record in &happened.records {
            let seen = self.alive.remove(&record.call).expect("a record of no call");
            assert_eq!((record.caller, record.callee), (seen.caller.user, seen.callee));
            assert!(self.recorded.insert(record.call.clone()), "a second record");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_each_call_ends_once_and_concerns_two(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut now = Instant::now();
        let mut board = Switchboard::default();
        let mut onlooker = Onlooker::default();
        let mut names: Vec<ClientMessageId> = Vec::new();
        for (number, step) in steps.into_iter().chain([Step::Stop]).enumerate() {
            let named = |call: usize| {
                // The latest calls, so that most steps meet one that is alive.
                names.iter().rev().nth(call).cloned().unwrap_or_else(|| name("none"))
            };
            let happened = match step {
                Step::Offer { from, to } => {
                    let call = format!("c{number}");
                    let result = board.offer(offer(&call, from, UserId::new(to)), now);
                    match &result {
                        Ok(_) => {
                            let callee = UserId::new(to);
                            let until = now + RING_TIME;
                            let seen = Seen { caller: from, callee, answered: None, until };
                            onlooker.alive.insert(name(&call), seen);
                            names.push(name(&call));
                        }
                        Err(Refused::Busy(record)) => {
                            prop_assert!(onlooker.recorded.insert(record.call.clone()));
                        }
                        Err(_) => {}
                    }
                    result
                }
                Step::Answer { call, by } => {
                    let call = named(call);
                    let result = board.answer(&call, by, "an answer".into(), now);
                    if let (Ok(happened), Some(seen)) = (&result, onlooker.alive.get_mut(&call)) {
                        if happened.signals.is_empty() {
                            prop_assert_eq!(seen.answered, Some(by));
                        } else {
                            prop_assert_eq!(seen.answered, None, "two answers won");
                            seen.answered = Some(by);
                        }
                    }
                    result
                }
                Step::Candidate { call, by } => board.candidate(&named(call), by, "a way".into()),
                Step::Reject { call, by } => board.reject(&named(call), by),
                Step::HangUp { call, by } => board.hang_up(&named(call), by, now),
                Step::Gone(device) => Ok(board.device_gone(device, now)),
                Step::Came(device) => {
                    Ok(Happened { signals: board.device_came(device, now), records: Vec::new() })
                }
                Step::Pass { milliseconds } => {
                    now += Duration::from_millis(milliseconds);
                    Ok(board.expire(now))
                }
                Step::Stop => Ok(board.stop(now)),
            };
            if let Ok(happened) = &happened {
                onlooker.see(happened);
            }
            prop_assert_eq!(board.len(), onlooker.alive.len());
            let mut users = HashSet::new();
            for seen in onlooker.alive.values() {
                prop_assert!(users.insert(seen.caller.user), "a user in two calls");
                prop_assert!(users.insert(seen.callee), "a user in two calls");
                prop_assert!(seen.answered.is_some() || seen.until > now, "it rings for ever");
            }
            let ringing = onlooker.alive.values().filter(|seen| seen.answered.is_none());
            prop_assert_eq!(board.next_deadline(), ringing.map(|seen| seen.until).min());
        }
        prop_assert!(board.is_empty());
    }
}

#[test]
fn the_candidates_that_are_kept_are_bounded() {
    let mut board = Switchboard::default();
    board.offer(offer("c", party(1, 10), UserId::new(2)), Instant::now()).unwrap();
    let say = |board: &mut Switchboard| board.candidate(&name("c"), party(1, 10), "a way".into());
    for _ in 0..crate::call::CANDIDATES_KEPT_MAX {
        say(&mut board).unwrap();
    }
    assert!(matches!(say(&mut board), Err(Refused::OutOfTurn(_))));
    let long = "x".repeat(crate::call::CANDIDATE_BYTES_MAX + 1);
    let refused = board.candidate(&name("c"), party(1, 10), long.into());
    assert!(matches!(refused, Err(Refused::TooLong(_))));
}
