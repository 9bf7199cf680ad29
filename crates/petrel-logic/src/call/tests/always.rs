//! Random lives of calls between four users with two devices each, and what holds after
//! every step, whatever happens.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{
    Audience, Happened, Outcome, Party, RESUME_TIME, RING_TIME, Reason, Refused, What,
};
use super::*;
use crate::call::Switchboard;

#[derive(Clone, Debug)]
enum Step {
    Offer { from: Party, to: u64, resumes: Option<usize> },
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
        4 => (device.clone(), 1..5_u64, prop::option::of(call.clone()))
            .prop_map(|(from, to, resumes)| Step::Offer { from, to, resumes }),
        3 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Answer { call, by }),
        2 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Candidate { call, by }),
        1 => (call.clone(), device.clone()).prop_map(|(call, by)| Step::Reject { call, by }),
        1 => (call, device.clone()).prop_map(|(call, by)| Step::HangUp { call, by }),
        2 => device.clone().prop_map(Step::Gone),
        1 => device.prop_map(Step::Came),
        1 => (0..20_000_u64).prop_map(|milliseconds| Step::Pass { milliseconds }),
    ]
}

/// What an onlooker knows of a call.
#[derive(Clone)]
struct Seen {
    caller: Party,
    callee: UserId,
    answered: Option<Party>,
    until: Instant,
    /// Under which name it is written down, and since when they talk.
    first: ClientMessageId,
    since: Option<Instant>,
    /// The call that goes on with it, if there was one.
    resumed: Option<CutOff>,
}

/// What an onlooker knows of a call that was cut off.
#[derive(Clone, Copy)]
struct CutOff {
    /// Who called first, and whom.
    users: (UserId, UserId),
    since: Instant,
    left: Instant,
    until: Instant,
}

#[derive(Default)]
struct Onlooker {
    alive: HashMap<ClientMessageId, Seen>,
    held: HashMap<ClientMessageId, CutOff>,
    recorded: HashSet<ClientMessageId>,
}

impl Onlooker {
    fn see(&mut self, happened: &Happened, now: Instant) {
        for signal in &happened.signals {
            let seen = self.alive.get(&signal.call).cloned();
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
            assert!(self.recorded.insert(record.call.clone()), "a second record");
            let alive = self.alive.iter().find(|(_, seen)| seen.first == record.call);
            let alive = alive.map(|(call, _)| call.clone());
            let ended = alive.and_then(|call| self.alive.remove(&call));
            let cut_off =
                self.held.remove(&record.call).or(ended.as_ref().and_then(|it| it.resumed));
            let users = match (&ended, cut_off) {
                (_, Some(cut_off)) => cut_off.users,
                (Some(ended), None) => (ended.caller.user, ended.callee),
                (None, None) => panic!("a record of no call"),
            };
            assert_eq!((record.caller, record.callee), users);
            let talked = match (ended.filter(|it| it.answered.is_some()), cut_off) {
                (Some(ended), _) => Some(now - ended.since.expect("they talk")),
                (None, Some(cut_off)) => Some(cut_off.left - cut_off.since),
                (None, None) => None,
            };
            match record.outcome {
                Outcome::Talked(duration) => assert_eq!(Some(duration), talked),
                other => assert_eq!(talked, None, "{other:?}"),
            }
        }
    }

    /// The device of a call is gone, and nothing was written down.
    fn is_cut_off(&mut self, device: Party, now: Instant) {
        let is_in = |seen: &Seen| seen.answered == Some(device) || seen.caller == device;
        let call = self.alive.iter().find(|(_, seen)| is_in(seen)).map(|(call, _)| call.clone());
        let Some(seen) = call.and_then(|call| self.alive.remove(&call)) else { return };
        let cut_off = match (seen.answered, seen.resumed) {
            (Some(_), resumed) => CutOff {
                users: resumed.map_or((seen.caller.user, seen.callee), |it| it.users),
                since: seen.since.expect("they talk"),
                left: now,
                until: now + RESUME_TIME,
            },
            (None, Some(resumed)) => resumed,
            (None, None) => panic!("a call that rang is not written down"),
        };
        assert!(self.held.insert(seen.first, cut_off).is_none());
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
        let mut firsts: HashMap<ClientMessageId, ClientMessageId> = HashMap::new();
        for (number, step) in steps.into_iter().chain([Step::Stop]).enumerate() {
            let named = |call: usize| {
                // The latest calls, so that most steps meet one that is alive.
                names.iter().rev().nth(call).cloned().unwrap_or_else(|| name("none"))
            };
            let happened = match step {
                Step::Offer { from, to, resumes } => {
                    let call = format!("c{number}");
                    // Mostly the first name, as devices say it.
                    let first = resumes.map(|index| {
                        let named = named(index);
                        firsts.get(&named).cloned().unwrap_or(named)
                    });
                    let callee = UserId::new(to);
                    let offer = Offer { resumes: first.clone(), ..offer(&call, from, callee) };
                    let result = board.offer(offer, now);
                    match &result {
                        Ok(happened) => {
                            let resumed = first.clone().and_then(|it| onlooker.held.remove(&it));
                            if let Some(CutOff { users: (one, other), .. }) = resumed {
                                prop_assert!([(one, other), (other, one)].contains(&(from.user, callee)));
                            }
                            onlooker.see(&Happened { signals: Vec::new(), ..happened.clone() }, now);
                            let first = first.filter(|_| resumed.is_some()).unwrap_or(name(&call));
                            let (answered, since) = (None, None);
                            let until = now + RING_TIME;
                            firsts.insert(name(&call), first.clone());
                            let seen =
                                Seen { caller: from, callee, answered, until, first, since, resumed };
                            onlooker.alive.insert(name(&call), seen);
                            names.push(name(&call));
                        }
                        Err(Refused::Busy(record)) => {
                            prop_assert!(onlooker.recorded.insert(record.call.clone()));
                        }
                        Err(_) => {}
                    }
                    result.map(|happened| Happened { records: Vec::new(), ..happened })
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
                            seen.since = Some(seen.resumed.map_or(now, |resumed| resumed.since));
                        }
                    }
                    result
                }
                Step::Candidate { call, by } => board.candidate(&named(call), by, "a way".into()),
                Step::Reject { call, by } => board.reject(&named(call), by),
                Step::HangUp { call, by } => board.hang_up(&named(call), by, now),
                Step::Gone(device) => {
                    let happened = board.device_gone(device, now);
                    onlooker.see(&happened, now);
                    if !happened.signals.is_empty() && happened.records.is_empty() {
                        onlooker.is_cut_off(device, now);
                    }
                    Ok(Happened::default())
                }
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
                onlooker.see(happened, now);
            }
            prop_assert_eq!(board.len(), onlooker.alive.len());
            prop_assert_eq!(board.held(), onlooker.held.len());
            let mut users = HashSet::new();
            for seen in onlooker.alive.values() {
                prop_assert!(users.insert(seen.caller.user), "a user in two calls");
                prop_assert!(users.insert(seen.callee), "a user in two calls");
                prop_assert!(seen.answered.is_some() || seen.until > now, "it rings for ever");
            }
            for CutOff { users: (one, other), until, .. } in onlooker.held.values() {
                prop_assert!(users.insert(*one), "a user in a call, and cut off from one");
                prop_assert!(users.insert(*other), "a user in a call, and cut off from one");
                prop_assert!(*until > now, "it is held for ever");
            }
            let ringing = onlooker.alive.values().filter(|seen| seen.answered.is_none());
            let held = onlooker.held.values().map(|cut_off| cut_off.until);
            let next = ringing.map(|seen| seen.until).chain(held).min();
            prop_assert_eq!(board.next_deadline(), next);
        }
        prop_assert!(board.is_empty() && board.held() == 0);
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
