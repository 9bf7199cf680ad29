//! For the tests of adapters: plans, seats, the frames that are written, and what is heard.

use petrel_websocket::{Decoder, Message, Role};

use super::{Adapter, AdapterKind, Frame, FrameWriter, Incoming, MessageName, Seat};
use crate::plan::Plan;
use crate::settings::Settings;

/// A plan of two connections.
pub(super) fn plan(scenario: &str, adapter: &str) -> Plan {
    let adapter = <AdapterKind as clap::ValueEnum>::from_str(adapter, false).unwrap();
    let settings = Settings { adapter: Some(adapter), conns: Some(2), ..Settings::default() };
    Plan::resolve(Some(scenario), settings).unwrap()
}

/// The connections of users 10 and 11, who talk to each other.
pub(super) fn seat(local: u32) -> Seat {
    let user = 10 + u64::from(local);
    Seat { local, user, conversation: 0, peer: 21 - user, group: 10 }
}

fn frames(write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<(bool, Vec<u8>)> {
    let (mut out, mut random) = (Vec::new(), fastrand::Rng::with_seed(1));
    write(&mut FrameWriter { out: &mut out, random: &mut random });
    let mut frames = Vec::new();
    Decoder::new(Role::Server, 1 << 20)
        .feed(&mut out, |message| {
            match message {
                Message::Text(text) => frames.push((true, text.as_bytes().to_vec())),
                Message::Binary(bytes) => frames.push((false, bytes.to_vec())),
                other => panic!("{other:?}"),
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    frames
}

/// The text frames that are written.
pub(super) fn texts(write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<String> {
    let text = |(is_text, bytes): (bool, Vec<u8>)| {
        assert!(is_text);
        String::from_utf8(bytes).unwrap()
    };
    frames(write).into_iter().map(text).collect()
}

/// The binary frames that are written.
pub(super) fn binaries(write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<Vec<u8>> {
    let binary = |(is_text, bytes): (bool, Vec<u8>)| {
        assert!(!is_text);
        bytes
    };
    frames(write).into_iter().map(binary).collect()
}

/// What one frame means.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Nothing,
    Ready,
    LoginRefused,
    Ack { seq: u32, duplicate: bool },
    Refused { again: bool },
    Receipt,
    Owes,
    Delivery(String),
    Pong(u64),
    HistoryPage(bool),
    ServerError,
    Other,
}

impl Heard {
    pub(super) fn of(adapter: &mut dyn Adapter, seat: Seat, frame: Frame<'_>) -> Self {
        Self::first(|sink| adapter.receive(seat, frame, sink))
    }

    /// The first thing that is heard.
    pub(super) fn first(hear: impl FnOnce(&mut super::Sink<'_>)) -> Self {
        let mut heard = Self::Nothing;
        hear(&mut |incoming| {
            if heard == Self::Nothing {
                heard = Self::from(incoming);
            }
        });
        heard
    }
}

impl From<Incoming<'_>> for Heard {
    fn from(incoming: Incoming<'_>) -> Self {
        let seq = |name: Option<MessageName>| name.map_or(0, |name| name.seq);
        match incoming {
            Incoming::Ready => Self::Ready,
            Incoming::LoginRefused(_) => Self::LoginRefused,
            Incoming::Ack { name, duplicate } => Self::Ack { seq: seq(name), duplicate },
            Incoming::Refused { again_after_ms, .. } => {
                Self::Refused { again: again_after_ms.is_some() }
            }
            Incoming::Receipt => Self::Receipt,
            Incoming::Owes => Self::Owes,
            Incoming::Delivery { payload, .. } => {
                Self::Delivery(String::from_utf8_lossy(payload).into_owned())
            }
            Incoming::Pong(token) => Self::Pong(token),
            Incoming::HistoryPage { more } => Self::HistoryPage(more),
            Incoming::ServerError(_) => Self::ServerError,
            _ => Self::Other,
        }
    }
}
