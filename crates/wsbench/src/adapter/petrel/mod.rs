//! Petrel's client protocol v1 (`docs/protocol.md`).
//!
//! Users are load-test users of `petrel serve --bench-issuer`: this adapter signs their
//! tokens with the key of the server's data directory. It keeps, per connection, what a
//! real device keeps: its position in the conversation, for receipts and for reading
//! what it missed.

mod copies;
mod envelope;
mod key;
mod receive;

use std::io::Write;

use petrel_protocol::token::{BENCH_ISSUER, Claims, Secret};
use petrel_types::limits::{GROUP_CHANGE_MEMBERS_MAX, PRESENCE_USERS_MAX};
use petrel_types::{Clock, SystemClock, UserId};

use copies::Copies;
use envelope::GROUP_MARK;
pub use key::load_key;

use super::{
    Abilities, Adapter, Frame, FrameWriter, Group, HistoryFrom, Incoming, MessageName, Seat, Sink,
    Upgrade,
};
use crate::plan::{LoginBy, Plan};
use crate::scenario::Receipts;

pub(super) const ABILITIES: Abilities = Abilities {
    login: true,
    acks: true,
    relays: true,
    history: true,
    retries: true,
    groups: true,
    pings: true,
    receipts: true,
    repeats: false,
    presence: PRESENCE_USERS_MAX as u32,
};

/// How long a token lasts, in seconds: longer than any run.
const TOKEN_SECONDS: u64 = 7 * 24 * 3600;
/// The most events of one page.
const PAGE_EVENTS: u32 = 200;

/// The adapter.
#[derive(Debug)]
pub(super) struct Petrel {
    secret: Secret,
    login_by: LoginBy,
    receipts: bool,
    /// Every message is acknowledged by itself.
    each: bool,
    in_groups: bool,
    copies: Copies,
    scratch: Vec<u8>,
}

impl Petrel {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let behaviour = plan.behaviour();
        let in_groups = behaviour.cast.group_size().is_some();
        let each = behaviour.receipts == Receipts::EveryMessage;
        Ok(Self {
            secret: load_key(plan.token_key.as_deref(), &plan.data_dir)?,
            login_by: plan.login_by,
            receipts: plan.receipts,
            each,
            in_groups,
            copies: Copies::new(in_groups),
            scratch: Vec::new(),
        })
    }

    fn token(&self, user: u64) -> String {
        let now = SystemClock.now();
        self.secret.sign(&Claims::access(BENCH_ISSUER, UserId::new(user), now, TOKEN_SECONDS))
    }

    fn acknowledge(&mut self, id: u64, kind: &str, seq: u64, writer: &mut FrameWriter<'_>) {
        self.scratch.clear();
        // Writing to a vector can't fail.
        let _ = write!(
            self.scratch,
            r#"{{"type":"ACK","ackType":"{kind}","conversationId":"{id}","msgSeq":{seq}}}"#
        );
        writer.text(&self.scratch);
    }
}

impl Adapter for Petrel {
    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn upgrade(&mut self, seat: Seat) -> Upgrade {
        let mut upgrade = Upgrade::default();
        if self.login_by == LoginBy::Header {
            let token = format!("Bearer {}", self.token(seat.user));
            upgrade.headers.push(("Authorization".to_owned(), token));
            for (name, value) in [("v", "1"), ("deviceId", "wsbench"), ("platform", "bench")] {
                upgrade.query.push((name.to_owned(), value.to_owned()));
            }
        }
        upgrade
    }

    fn greet(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) {
        if self.login_by == LoginBy::Frame {
            let token = self.token(seat.user);
            let frame = format!(
                r#"{{"type":"AUTH","v":1,"deviceId":"wsbench","platform":"bench","client":"wsbench","token":"{token}"}}"#
            );
            writer.text(frame.as_bytes());
        }
    }

    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        retry: bool,
        writer: &mut FrameWriter<'_>,
    ) {
        let group = self.in_groups.then(|| self.copies.conversation(seat).id);
        let frame = &mut self.scratch;
        frame.clear();
        let kind = if self.in_groups { "GROUP_CHAT" } else { "SINGLE_CHAT" };
        // Writing to a vector can't fail.
        let _ = write!(frame, r#"{{"type":"{kind}","clientMsgId":""#);
        name.write(frame);
        let _ = match group {
            Some(id) => write!(frame, r#"","groupId":"{id}","body":""#),
            None => write!(frame, r#"","to":"{}","body":""#, seat.peer),
        };
        frame.extend_from_slice(payload);
        frame.extend_from_slice(if retry { br#"","retry":true}"# } else { br#""}"# });
        writer.text(frame);
    }

    fn found_group(
        &mut self,
        seat: Seat,
        group: &Group,
        again: bool,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        let count = (group.users.end - group.users.start) as u32;
        let conversation = self.copies.conversation(seat);
        let from = if again { conversation.asked.1 } else { conversation.asked.0 };
        if from >= count {
            return false;
        }
        let to = count.min(from + GROUP_CHANGE_MEMBERS_MAX as u32);
        conversation.asked = (to, from);
        let id = conversation.id;
        let (run, number) = (group.run, group.number);
        let frame = &mut self.scratch;
        frame.clear();
        // Writing to a vector can't fail. The name says which step it is, so that a
        // request that is repeated is carried out once.
        let _ = write!(frame, r#"{{"clientMsgId":"{GROUP_MARK}{run}-{number}-{from}","#);
        let _ = match from {
            0 => write!(frame, r#""type":"GROUP_CREATE","title":"wsbench {number}","members":["#),
            _ => write!(frame, r#""type":"GROUP_ADD","groupId":"{id}","members":["#),
        };
        for user in from..to {
            let comma = if user == from { "" } else { "," };
            let _ = write!(frame, r#"{comma}"{}""#, group.users.start + u64::from(user));
        }
        frame.extend_from_slice(if again { br#"],"retry":true}"# } else { b"]}" });
        writer.text(frame);
        true
    }

    fn ping(&mut self, _: Seat, token: u64, writer: &mut FrameWriter<'_>) {
        self.scratch.clear();
        let _ = write!(self.scratch, r#"{{"type":"PING","id":{token}}}"#);
        writer.text(&self.scratch);
    }

    fn follow(
        &mut self,
        _: Seat,
        users: &mut dyn Iterator<Item = u64>,
        writer: &mut FrameWriter<'_>,
    ) {
        let users: Vec<_> = users.map(|user| format!(r#""{user}""#)).collect();
        let users = users.join(",");
        let frame = format!(r#"{{"type":"PRESENCE_SUBSCRIBE","id":1,"users":[{users}]}}"#);
        writer.text(frame.as_bytes());
    }

    fn receive(&mut self, seat: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        match frame {
            Frame::Text(text) => self.envelope(seat, text, None, sink),
            Frame::Binary(_) => sink(Incoming::Unrecognised),
        }
    }

    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) -> u32 {
        if !self.receipts {
            return 0;
        }
        let conversation = *self.copies.conversation(seat);
        let each = self.each;
        let copy = self.copies.copy(seat);
        if each {
            let owed = std::mem::take(&mut copy.owed);
            for seq in &owed {
                self.acknowledge(conversation.id, "delivered", *seq, writer);
                self.acknowledge(conversation.id, "read", *seq, writer);
            }
            return 2 * owed.len() as u32;
        }
        let position = copy.seen.contiguous();
        if position <= copy.receipted {
            return 0;
        }
        copy.receipted = position;
        let seq = conversation.base.unwrap_or_default() + u64::from(position);
        self.acknowledge(conversation.id, "delivered", seq, writer);
        1
    }

    fn read_history(
        &mut self,
        seat: Seat,
        from: HistoryFrom,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        let conversation = *self.copies.conversation(seat);
        if conversation.id == 0 {
            return false;
        }
        let copy = self.copies.copy(seat);
        let base = conversation.base.unwrap_or_default();
        let after = match from {
            HistoryFrom::Start => conversation.first.saturating_sub(1),
            HistoryFrom::Position => base + u64::from(copy.seen.contiguous()),
            HistoryFrom::LastPage => copy.pulled,
        };
        self.scratch.clear();
        let _ = write!(
            self.scratch,
            r#"{{"type":"PULL","conversationId":"{}","afterSeq":{after},"limit":{PAGE_EVENTS}}}"#,
            conversation.id
        );
        writer.text(&self.scratch);
        true
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::settings::Settings;

    /// An adapter of an order run, with a key of its own.
    fn adapter() -> Petrel {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, STANDARD.encode([7; 32])).unwrap();
        let settings = Settings { token_key: Some(key), conns: Some(2), ..Settings::default() };
        Petrel::new(&Plan::resolve(Some("order"), settings).unwrap()).unwrap()
    }

    fn seat(local: u32) -> Seat {
        Seat {
            local,
            user: 10 + u64::from(local),
            conversation: 0,
            peer: 11 - u64::from(local),
            group: 10,
        }
    }

    /// The frame in a masked text frame of less than 126 bytes.
    fn unmasked(out: &[u8]) -> String {
        let (mask, payload) = out[2..].split_at(4);
        let bytes = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]);
        String::from_utf8(bytes.collect()).unwrap()
    }

    #[test]
    fn history_begins_with_the_first_message_of_the_run_whenever_its_ack_comes() {
        let mut adapter = adapter();
        let mut ack = |local: u32, seq: u64| {
            let frame = format!(
                r#"{{"type":"ACK","ackType":"saved","clientMsgId":"wb-000000010000000{local}00000001","conversationId":"77","msgSeq":{seq}}}"#
            );
            adapter.receive(seat(local), Frame::Text(&frame), &mut |_| {});
        };
        // The ack of seq 5 was lost with its connection, and comes again with a retry.
        ack(1, 6);
        ack(0, 5);
        let (mut out, mut random) = (Vec::new(), fastrand::Rng::with_seed(1));
        let mut writer = FrameWriter { out: &mut out, random: &mut random };
        assert!(adapter.read_history(seat(1), HistoryFrom::Start, &mut writer));
        assert!(unmasked(&out).contains(r#""afterSeq":4,"#), "{}", unmasked(&out));
    }
}
