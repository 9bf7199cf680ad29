//! What happens when in each state of a call each thing happens, by each device. The table
//! in `table.txt` is what we want; `PETREL_UPDATE=1` writes what is, to be read with care.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{Audience, Happened, Outcome, Party, RING_TIME, Reason, Refused, Signal, What};
use super::*;
use crate::call::Switchboard;

/// The state of the call `c` from Alice's phone to Bob.
#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    Ringing,
    Talking,
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
    if !matches!(state, State::Nothing) {
        board.offer(offer("c", alice, bob.user), start).unwrap();
        board.candidate(&name("c"), alice, "early".into()).unwrap();
    }
    if matches!(state, State::Talking) {
        board.answer(&name("c"), bob, "an answer".into(), start).unwrap();
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
            board.offer(offer("d", device(Device::AliceLaptop), dave), now)
        }
        Event::OfferBack => board.offer(offer("d", bob, alice.user), now),
        Event::OfferToCaller => board.offer(offer("d", carol, alice.user), now),
        Event::OfferToCallee => board.offer(offer("d", carol, bob.user), now),
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
    let by_device =
        [Event::Answer, Event::Candidate, Event::Reject, Event::HangUp, Event::Gone, Event::Came];
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
        What::Ring { caller, remaining, .. } => {
            format!("rings for {} s, by {}", remaining.as_secs(), user(*caller))
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
    for state in [State::Nothing, State::Ringing, State::Talking, State::Over] {
        writeln!(table, "# {state:?}").unwrap();
        for event in events() {
            let mut board = in_state(state, start);
            let what = match apply(&mut board, event, start) {
                Ok(Happened { signals, records }) => {
                    let mut parts: Vec<_> = signals.iter().map(told).collect();
                    parts.extend(
                        records.iter().map(|record| format!("record: {}", outcome(record.outcome))),
                    );
                    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
                }
                Err(refused) => format!("refused: {refused}"),
            };
            writeln!(table, "{event:?}: {what}. {} calls", board.len()).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/call/tests/table.txt");
    if std::env::var_os("PETREL_UPDATE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    assert_eq!(table, fs::read_to_string(&path).unwrap_or_default());
}
