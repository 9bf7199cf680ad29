//! A server that sends back whatever it gets. The echo is the answer.

use petrel_websocket::Opcode;

use super::{Abilities, Adapter, Frame, FrameWriter, Incoming, MessageName, Seat, Sink};
use crate::ledger::How;

pub(super) const ABILITIES: Abilities = Abilities {
    login: false,
    acks: false,
    relays: false,
    history: false,
    retries: false,
    groups: false,
    pings: false,
    receipts: false,
    repeats: false,
    presence: 0,
};

/// The adapter.
#[derive(Debug)]
pub(super) struct Echo {
    opcode: Opcode,
}

impl Echo {
    pub(super) fn new(binary: bool) -> Self {
        Self { opcode: if binary { Opcode::Binary } else { Opcode::Text } }
    }
}

impl Adapter for Echo {
    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn send(
        &mut self,
        _: Seat,
        _: MessageName,
        payload: &[u8],
        _: bool,
        writer: &mut FrameWriter<'_>,
    ) {
        writer.frame(self.opcode, payload);
    }

    fn receive(&mut self, _: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        sink(Incoming::Delivery { payload: frame.bytes(), place: None, how: How::Live });
    }
}
