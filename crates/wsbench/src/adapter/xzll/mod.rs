//! xzll-im: Protocol Buffers in binary frames (`message_service.proto` of its
//! repository), single chat.
//!
//! A user is who the header `uid` says, where the server runs with its authentication off
//! or knows the token of load tests. Ids have the layout of its generator, 42 bits of
//! time, machine and number; here they follow from the user's number in the plan, so that
//! no two users of a run share one and every partner is online. Nothing says that a
//! connection stands: it does when the upgrade does. The server gives a message that is
//! sent again another id and so stores it twice, so that nothing is sent again here. It
//! delivers at least once: what a recipient has not acknowledged comes again after 5, 30
//! and 300 seconds.
//!
//! Not here: groups, which take a business service beside the gateway, and offline
//! messages, which are pulled over HTTP.

mod wire;

use petrel_types::{Clock, SystemClock};
use petrel_websocket::Opcode;

use super::{Abilities, Adapter, Frame, FrameWriter, Incoming, MessageName, Seat, Sink, Upgrade};
use crate::ledger::How;
use crate::plan::Plan;
use crate::scenario::Receipts;
use wire::{Ack, Push, Response, Send};

pub(super) const ABILITIES: Abilities = Abilities {
    login: false,
    acks: true,
    relays: true,
    history: false,
    retries: false,
    groups: false,
    pings: false,
    receipts: true,
    repeats: true,
    presence: 0,
};

/// The largest frame that the server takes, in bytes, and what a message needs besides its
/// text.
pub const TEXT_BYTES_MAX: u32 = 10_240 - 80;

/// What its load test sends in place of a token.
const DEFAULT_TOKEN: &str = "STRESS_TEST_BYPASS_TOKEN";
/// When users of this adapter were made, in seconds since the epoch of its ids
/// (2022-01-01): a moment that no generator of the server will come to again.
const MADE_AT: u64 = 1_700_000_000 - 1_640_995_200;
/// Users that one machine makes in one second.
const PER_SECOND: u64 = 64;
/// What the last bytes of a message's name are.
const NAME_MARK: [u8; 4] = *b"wsb1";

/// Success.
const OK: i64 = 1;
const DELIVERED: i64 = 3;
const READ: i64 = 4;

/// The adapter.
#[derive(Debug)]
pub(super) struct Xzll {
    token: String,
    machine: u64,
    receipts: bool,
    /// Every message is acknowledged as read, too.
    each: bool,
    owed: Vec<Vec<Owed>>,
    scratch: Vec<u8>,
}

/// A message that is to be acknowledged.
#[derive(Clone, Copy, Debug)]
struct Owed {
    client_msg_id: [u8; 16],
    msg_id: u64,
    to: u64,
}

impl Xzll {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            token: plan.token.clone().unwrap_or_else(|| DEFAULT_TOKEN.to_owned()),
            machine: plan.machine_id,
            receipts: plan.receipts,
            each: plan.behaviour().receipts == Receipts::EveryMessage,
            owed: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The id of a user: the second in which it was made, the machine that made it, and
    /// which of that second's it is.
    fn id(&self, user: u64) -> u64 {
        ((MADE_AT + user / PER_SECOND) << 10) | ((self.machine & 15) << 6) | (user % PER_SECOND)
    }

    fn owed(&mut self, seat: Seat) -> &mut Vec<Owed> {
        let index = seat.local as usize;
        if self.owed.len() <= index {
            self.owed.resize_with(index + 1, Vec::new);
        }
        &mut self.owed[index]
    }

    fn ack(response: &Response<'_>, sink: &mut Sink<'_>) {
        let Some(ack) = Ack::read(response.payload) else {
            return sink(Incoming::Unrecognised);
        };
        let name = read_name(ack.client_msg_id);
        match (response.code, ack.status) {
            (OK, DELIVERED | READ) => sink(Incoming::Receipt),
            (OK, 1 | 2) => sink(Incoming::Ack { name, duplicate: false }),
            (code, status) => {
                let said =
                    std::str::from_utf8(response.message).ok().filter(|said| !said.is_empty());
                let reason = said.map_or_else(|| format!("code_{code}_{status}"), str::to_owned);
                sink(Incoming::Refused { name, reason: &reason, again_after_ms: None });
            }
        }
    }

    fn pushed(&mut self, seat: Seat, payload: &[u8], sink: &mut Sink<'_>) {
        let Some(push) = Push::read(payload) else {
            return sink(Incoming::Unrecognised);
        };
        if let Ok(client_msg_id) = push.client_msg_id.try_into() {
            let owed = Owed { client_msg_id, msg_id: push.msg_id, to: push.from };
            self.owed(seat).push(owed);
        }
        sink(Incoming::Delivery { payload: push.content, place: None, how: How::Live });
    }
}

/// A message's name in the 16 bytes of a UUID.
fn write_name(name: MessageName) -> [u8; 16] {
    let mut bytes = [0; 16];
    let fields = [name.run, name.stream, name.seq].map(u32::to_be_bytes);
    for (place, field) in bytes.chunks_exact_mut(4).zip(fields.iter().chain([&NAME_MARK])) {
        place.copy_from_slice(field);
    }
    bytes
}

fn read_name(bytes: &[u8]) -> Option<MessageName> {
    let fields: [u8; 16] = bytes.try_into().ok()?;
    let field = |at: usize| Some(u32::from_be_bytes(fields[at..at + 4].try_into().ok()?));
    (fields[12..] == NAME_MARK)
        .then(|| Some(MessageName { run: field(0)?, stream: field(4)?, seq: field(8)? }))?
}

impl Adapter for Xzll {
    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn upgrade(&mut self, seat: Seat) -> Upgrade {
        let id = self.id(seat.user).to_string();
        Upgrade {
            query: vec![("userId".to_owned(), id.clone())],
            headers: vec![("token".to_owned(), self.token.clone()), ("uid".to_owned(), id)],
        }
    }

    fn greet(&mut self, seat: Seat, _: &mut FrameWriter<'_>) {
        self.owed(seat).clear();
    }

    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        _: bool,
        writer: &mut FrameWriter<'_>,
    ) {
        let send = Send {
            client_msg_id: &write_name(name),
            from: self.id(seat.user),
            to: self.id(seat.peer),
            content: payload,
            time: SystemClock.now().get(),
        };
        send.write(&mut self.scratch);
        writer.frame(Opcode::Binary, &self.scratch);
    }

    fn receive(&mut self, seat: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        let Frame::Binary(bytes) = frame else {
            return sink(Incoming::Unrecognised);
        };
        let Some(response) = Response::read(bytes) else {
            return sink(Incoming::Unrecognised);
        };
        match response.kind {
            wire::C2C_ACK => Self::ack(&response, sink),
            wire::C2C_PUSH => self.pushed(seat, response.payload, sink),
            _ => sink(Incoming::Other),
        }
    }

    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) -> u32 {
        let owed = std::mem::take(self.owed(seat));
        if !self.receipts {
            return 0;
        }
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-acknowledges-nothing") {
            return owed.len() as u32;
        }
        let from = self.id(seat.user);
        let statuses: &[i64] = if self.each { &[DELIVERED, READ] } else { &[DELIVERED] };
        for Owed { client_msg_id, msg_id, to } in &owed {
            for status in statuses {
                let (client_msg_id, msg_id, to) = (client_msg_id, *msg_id, *to);
                Ack { client_msg_id, msg_id, from, to, status: *status }.write(&mut self.scratch);
                writer.frame(Opcode::Binary, &self.scratch);
            }
        }
        (owed.len() * statuses.len()) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::adapter::testing::{Heard, binaries, plan, seat};

    #[test]
    fn no_two_users_share_an_id_and_machines_are_apart() {
        let mut adapter = Xzll::new(&plan("single-e2e", "xzll"));
        let mut ids = BTreeSet::new();
        for machine in 0..3 {
            adapter.machine = machine;
            ids.extend((1_000_000..1_020_000).map(|user| adapter.id(user)));
        }
        assert_eq!(ids.len(), 60_000);
        assert!(ids.iter().all(|id| *id < 1 << 42));
        // The layout of the server's generator: seconds, machine, number.
        adapter.machine = 0;
        assert_eq!(adapter.id(65), ((MADE_AT + 1) << 10) | 1);
    }

    #[test]
    fn the_upgrade_says_who_it_is() {
        let mut adapter = Xzll::new(&plan("single-e2e", "xzll"));
        let upgrade = adapter.upgrade(seat(0));
        let id = adapter.id(10).to_string();
        assert_eq!(upgrade.query, [("userId".to_owned(), id.clone())]);
        let token = ("token".to_owned(), DEFAULT_TOKEN.to_owned());
        assert_eq!(upgrade.headers, [token, ("uid".to_owned(), id)]);
    }

    #[test]
    fn a_push_is_acknowledged_to_its_sender_by_the_servers_id() {
        let mut adapter = Xzll::new(&plan("ack-stress", "xzll"));
        let name = MessageName { run: 7, stream: 8, seq: 9 };
        let client_msg_id = write_name(name);
        assert_eq!(read_name(&client_msg_id), Some(name));
        assert_eq!(read_name(&[1; 16]), None);
        let mut push = Vec::new();
        let (from, to) = (adapter.id(10), adapter.id(11));
        Send { client_msg_id: &client_msg_id, from, to, content: b"text", time: 1 }
            .write(&mut push);
        push[1] = wire::C2C_PUSH as u8;
        let heard = Heard::of(&mut adapter, seat(1), Frame::Binary(&push));
        assert_eq!(heard, Heard::Delivery("text".to_owned()));
        let frames = binaries(|writer| assert_eq!(adapter.receipt(seat(1), writer), 2));
        let acks: Vec<_> = frames
            .iter()
            .map(|frame| Ack::read(Response::read(frame).unwrap().payload).unwrap())
            .map(|ack| (ack.client_msg_id == client_msg_id, ack.from, ack.to, ack.status))
            .collect();
        assert_eq!(acks, [(true, to, from, DELIVERED), (true, to, from, READ)]);
    }

    #[test]
    fn acks_are_taken_receipts_and_refusals_told_apart() {
        let mut adapter = Xzll::new(&plan("single-e2e", "xzll"));
        let name = MessageName { run: 1, stream: 2, seq: 3 };
        let mut hear = |status: i64, code: Option<u8>| {
            let mut frame = Vec::new();
            let client_msg_id = &write_name(name);
            Ack { client_msg_id, msg_id: 1, from: 0, to: 5, status }.write(&mut frame);
            frame.extend(code.into_iter().flat_map(|code| [0x18, code]));
            Heard::of(&mut adapter, seat(0), Frame::Binary(&frame))
        };
        assert_eq!(hear(1, Some(1)), Heard::Ack { seq: 3, duplicate: false });
        assert_eq!(hear(2, Some(1)), Heard::Ack { seq: 3, duplicate: false });
        assert_eq!(hear(3, Some(1)), Heard::Receipt);
        assert_eq!(hear(4, Some(1)), Heard::Receipt);
        assert_eq!(hear(-1, Some(1)), Heard::Refused { again: false });
        assert_eq!(hear(1, None), Heard::Refused { again: false });
    }
}
