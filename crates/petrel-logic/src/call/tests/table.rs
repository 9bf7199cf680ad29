//! What happens when in each state of a call each thing happens, by each device. The table
//! in `table.txt` is what we want; `PETREL_UPDATE=1` writes what is, to be read with care.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{
    Audience, Happened, Outcome, Party, RING_TIME, Reason, Record, Refused, Signal, What,
};
use super::*;
use crate::call::Switchboard;

/// The state of the call `c` from Alice's phone to Bob.
#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    Ringing,
    Talking,
    /// Alice's phone, or Bob's, is gone.
    CallerGone,
    CalleeGone,
    /// Alice's laptop goes on with the call, under the name `d`.
    Resuming,
    Resumed,
    Over,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The same offer once more.
    OfferAgain,
    /// Carol uses the name `c` for a call to Dave.
    OfferOfTheSameName,
    /// Alice's laptop calls Dave.
    OfferFromElsewhere,
    /// Bob's phone calls Alice.
    OfferBack,
    /// Carol calls Alice, or Bob.
    OfferToCaller,
    OfferToCallee,
    /// A call by which `c` is to go on, to Bob, or to Alice if it is by Bob.
    Resume(Device),
    /// What the second name stands for, if there is one.
    AnswerSecond(Device),
    HangUpSecond(Device),
    Answer(Device),
    Candidate(Device),
    Reject(Device),
    HangUp(Device),
    Gone(Device),
    Came(Device),
    /// Almost too long, and too long.
    AlmostTooLong,
    TooLong,
    Stop,
    /// The node was killed and is back; everybody has new sessions.
    RestartAndAnswer,
    RestartAndHangUp,
}

#[derive(Clone, Copy, Debug)]
enum Device {
    AlicePhone,
    AliceLaptop,
    BobPhone,
    BobLaptop,
    CarolPhone,
}

const STATES: [State; 8] = [
    State::Nothing,
    State::Ringing,
    State::Talking,
    State::CallerGone,
    State::CalleeGone,
    State::Resuming,
    State::Resumed,
    State::Over,
];

const DEVICES: [Device; 5] = [
    Device::AlicePhone,
    Device::AliceLaptop,
    Device::BobPhone,
    Device::BobLaptop,
    Device::CarolPhone,
];

fn device(device: Device) -> Party {
    match device {
        Device::AlicePhone => party(1, 11),
        Device::AliceLaptop => party(1, 12),
        Device::BobPhone => party(2, 21),
        Device::BobLaptop => party(2, 22),
        Device::CarolPhone => party(3, 31),
    }
}

fn in_state(state: State, start: Instant) -> Switchboard {
    let mut board = Switchboard::default();
    let (alice, bob) = (device(Device::AlicePhone), device(Device::BobPhone));
    // Those who were cut off from each other at the start had talked for a second.
    let is_cut_off =
        !matches!(state, State::Nothing | State::Ringing | State::Talking | State::Over);
    let begun = if is_cut_off { start - Duration::from_secs(1) } else { start };
    if !matches!(state, State::Nothing) {
        board.offer(offer("c", alice, bob.user), begun).unwrap();
        board.candidate(&name("c"), alice, "early".into()).unwrap();
    }
    if !matches!(state, State::Nothing | State::Ringing | State::Over) {
        board.answer(&name("c"), bob, "an answer".into(), begun).unwrap();
    }
    if matches!(state, State::CallerGone | State::Resuming | State::Resumed) {
        board.device_gone(alice, start);
    }
    if matches!(state, State::CalleeGone) {
        board.device_gone(bob, start);
    }
    if matches!(state, State::Resuming | State::Resumed) {
        let resumes = Some(name("c"));
        let laptop = device(Device::AliceLaptop);
        board.offer(Offer { resumes, ..offer("d", laptop, bob.user) }, start).unwrap();
    }
    if matches!(state, State::Resumed) {
        board.answer(&name("d"), bob, "an answer".into(), start).unwrap();
    }
    if matches!(state, State::Over) {
        board.hang_up(&name("c"), alice, start).unwrap();
    }
    board
}

fn apply(board: &mut Switchboard, event: Event, start: Instant) -> Result<Happened, Refused> {
    let (c, now) = (name("c"), start + Duration::from_secs(5));
    let [alice, _, bob, _, carol] = DEVICES.map(device);
    let dave = UserId::new(4);
    match event {
        Event::OfferAgain => board.offer(offer("c", alice, bob.user), now),
        Event::OfferOfTheSameName => board.offer(offer("c", carol, dave), now),
        Event::OfferFromElsewhere => {
            board.offer(offer("e", device(Device::AliceLaptop), dave), now)
        }
        Event::OfferBack => board.offer(offer("e", bob, alice.user), now),
        Event::OfferToCaller => board.offer(offer("e", carol, alice.user), now),
        Event::OfferToCallee => board.offer(offer("e", carol, bob.user), now),
        Event::Resume(by) => {
            let by = device(by);
            let to = if by.user == bob.user { alice.user } else { bob.user };
            board.offer(Offer { resumes: Some(c), ..offer("e", by, to) }, now)
        }
        Event::AnswerSecond(by) => board.answer(&name("d"), device(by), "an answer".into(), now),
        Event::HangUpSecond(by) => board.hang_up(&name("d"), device(by), now),
        Event::Answer(by) => board.answer(&c, device(by), "an answer".into(), now),
        Event::Candidate(by) => board.candidate(&c, device(by), "a way".into()),
        Event::Reject(by) => board.reject(&c, device(by)),
        Event::HangUp(by) => board.hang_up(&c, device(by), now),
        Event::Gone(device_gone) => Ok(board.device_gone(device(device_gone), now)),
        Event::Came(device_came) => {
            let signals = board.device_came(device(device_came), now);
            Ok(Happened { signals, records: Vec::new() })
        }
        Event::AlmostTooLong => Ok(board.expire(start + RING_TIME - Duration::from_millis(1))),
        Event::TooLong => Ok(board.expire(start + RING_TIME)),
        Event::Stop => Ok(board.stop(now)),
        Event::RestartAndAnswer => {
            *board = Switchboard::default();
            board.answer(&c, party(2, 99), "an answer".into(), now)
        }
        Event::RestartAndHangUp => {
            *board = Switchboard::default();
            board.hang_up(&c, party(1, 99), now)
        }
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::OfferAgain,
        Event::OfferOfTheSameName,
        Event::OfferFromElsewhere,
        Event::OfferBack,
        Event::OfferToCaller,
        Event::OfferToCallee,
    ];
    let by_device = [
        Event::Resume,
        Event::AnswerSecond,
        Event::HangUpSecond,
        Event::Answer,
        Event::Candidate,
        Event::Reject,
        Event::HangUp,
        Event::Gone,
        Event::Came,
    ];
    for event in by_device {
        events.extend(DEVICES.map(event));
    }
    events.extend([
        Event::AlmostTooLong,
        Event::TooLong,
        Event::Stop,
        Event::RestartAndAnswer,
        Event::RestartAndHangUp,
    ]);
    events
}

fn who(party: Party) -> String {
    DEVICES
        .into_iter()
        .find(|known| device(*known) == party)
        .map_or_else(|| format!("{party:?}"), |known| format!("{known:?}"))
}

fn user(user: UserId) -> &'static str {
    ["nobody", "Alice", "Bob", "Carol", "Dave"][user.get() as usize]
}

fn told(Signal { to, what, .. }: &Signal) -> String {
    let to = match to {
        Audience::Everywhere(of) => format!("{} everywhere", user(*of)),
        Audience::Elsewhere(party) => format!("{} but {}", user(party.user), who(*party)),
        Audience::Here(party) => who(*party),
    };
    let what = match what {
        What::Ring { caller, remaining, resumes, .. } => {
            let resumes = resumes.as_ref().map_or_else(String::new, |it| format!(", resumes {it}"));
            format!("rings for {} s, by {}{resumes}", remaining.as_secs(), user(*caller))
        }
        What::Answer { .. } => "answer".to_owned(),
        What::Candidate { candidate } => format!("candidate `{candidate}`"),
        What::Over(reason) => match reason {
            Reason::HungUp => "over, hung up",
            Reason::Cancelled => "over, cancelled",
            Reason::Rejected => "over, rejected",
            Reason::NoAnswer => "over, no answer",
            Reason::Disconnected => "over, disconnected",
            Reason::AnsweredElsewhere => "over here, answered elsewhere",
            Reason::ServerStopped => "over, server stopped",
        }
        .to_owned(),
    };
    format!("{to}: {what}")
}

fn written(Record { call, outcome: how, .. }: &Record) -> String {
    let of = if call.as_str() == "c" { String::new() } else { format!(" of {call}") };
    format!("record{of}: {}", outcome(*how))
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Talked(time) => format!("talked {} s", time.as_secs()),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let start = Instant::now();
    let mut table = String::new();
    for state in STATES {
        writeln!(table, "# {state:?}").unwrap();
        for event in events() {
            let mut board = in_state(state, start);
            let what = match apply(&mut board, event, start) {
                Ok(Happened { signals, records }) => {
                    let mut parts: Vec<_> = signals.iter().map(told).collect();
                    parts.extend(records.iter().map(written));
                    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
                }
                Err(refused) => format!("refused: {refused}"),
            };
            let held = if board.held() > 0 { ", 1 held" } else { "" };
            writeln!(table, "{event:?}: {what}. {} calls{held}", board.len()).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/call/tests/table.txt");
    if std::env::var_os("PETREL_UPDATE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    assert_eq!(table, fs::read_to_string(&path).unwrap_or_default());
}
