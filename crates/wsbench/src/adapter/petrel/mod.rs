//! Petrel's client protocol v1 (`docs/protocol.md`).
//!
//! Users are load-test users of `petrel serve --bench-issuer`: this adapter signs their
//! tokens with the key of the server's data directory. It keeps, per connection, what a
//! real device keeps: its position in the conversation, for receipts and for reading
//! what it missed.

mod envelope;
mod key;

use std::io::Write;

use petrel_protocol::token::{BENCH_ISSUER, Claims, Secret};
use petrel_types::limits::GROUP_CHANGE_MEMBERS_MAX;
use petrel_types::{Clock, SystemClock, UserId};

use envelope::{Envelope, GROUP_MARK, founds_group};
pub use key::load_key;

use super::{
    Abilities, Adapter, Frame, FrameWriter, Group, HistoryFrom, Incoming, MessageName, Seat, Sink,
    Upgrade,
};
use crate::ledger::{Cast, How, Window};
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
    seats: Vec<Copy>,
    conversations: Vec<Conversation>,
    scratch: Vec<u8>,
}

/// What a connection has of its conversation. Sequence numbers are counted from the
/// conversation's [base](Conversation::base).
#[derive(Clone, Debug, Default)]
struct Copy {
    seen: Window,
    receipted: u32,
    /// What is still to be acknowledged, where every message is by itself.
    owed: Vec<u64>,
    /// How far its history has been read.
    pulled: u64,
}

/// What all connections of a conversation know about it.
#[derive(Clone, Copy, Debug, Default)]
struct Conversation {
    /// Its id; 0 until somebody has heard it.
    id: u64,
    /// The lowest seq of this run, less one: what came before is nobody's business here.
    base: Option<u64>,
    /// The lowest seq of this run: below the base, if an answer that was lost with its
    /// connection came again later. History is read from here.
    first: u64,
    /// Of a group: how many of its users have been asked into it, and how many were when
    /// the last request was written.
    asked: (u32, u32),
}

impl Petrel {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        Ok(Self {
            secret: load_key(plan.token_key.as_deref(), &plan.data_dir)?,
            login_by: plan.login_by,
            receipts: plan.receipts,
            each: plan.scenario().behaviour(plan).receipts == Receipts::EveryMessage,
            in_groups: matches!(plan.scenario().behaviour(plan).cast, Cast::Groups { .. }),
            seats: Vec::new(),
            conversations: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn token(&self, user: u64) -> String {
        let now = SystemClock.now();
        self.secret.sign(&Claims::access(BENCH_ISSUER, UserId::new(user), now, TOKEN_SECONDS))
    }

    fn copy(&mut self, seat: Seat) -> &mut Copy {
        let index = seat.local as usize;
        if self.seats.len() <= index {
            self.seats.resize(index + 1, Copy::default());
        }
        &mut self.seats[index]
    }

    fn conversation(&mut self, seat: Seat) -> &mut Conversation {
        let index = seat.conversation as usize;
        if self.conversations.len() <= index {
            self.conversations.resize(index + 1, Conversation::default());
        }
        &mut self.conversations[index]
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

    /// A connection has seen an event of its conversation.
    fn saw(&mut self, seat: Seat, envelope: &Envelope<'_>) {
        let id = envelope.conversation_id.as_deref().and_then(|id| id.parse().ok());
        let (Some(id), Some(seq)) = (id, envelope.msg_seq) else {
            return;
        };
        let in_groups = self.in_groups;
        let conversation = self.conversation(seat);
        // A group's id and base are known from its founding.
        if in_groups && conversation.id != id {
            return;
        }
        conversation.id = id;
        conversation.first = match conversation.first {
            0 => seq,
            first => first.min(seq),
        };
        // Numbers below the base are of an earlier run, or of this run's first moments
        // when answers to two senders crossed; neither is needed for a position.
        let base = *conversation.base.get_or_insert(seq.saturating_sub(1));
        if let Some(seq) = seq.checked_sub(base).and_then(|seq| u32::try_from(seq).ok())
            && seq > 0
        {
            self.copy(seat).seen.see(seq);
        }
    }

    fn envelope(&mut self, seat: Seat, text: &str, how: Option<How>, sink: &mut Sink<'_>) {
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return sink(Incoming::Unrecognised);
        };
        let name = envelope.client_msg_id.as_deref().map(str::as_bytes);
        match &*envelope.r#type {
            "SINGLE_CHAT" | "GROUP_CHAT" => {
                // A message that came astray says nothing about this conversation.
                let from = envelope.from.as_deref().and_then(|from| from.parse().ok());
                if self.in_groups || from == Some(seat.peer) || from == Some(seat.user) {
                    self.saw(seat, &envelope);
                }
                if let (true, Some(seq)) = (self.each && from == Some(seat.peer), envelope.msg_seq)
                {
                    self.copy(seat).owed.push(seq);
                }
                let how = how.unwrap_or(if envelope.redelivered { How::Repeat } else { How::Live });
                let body = envelope.body.as_deref().unwrap_or_default();
                sink(Incoming::Delivery { payload: body.as_bytes(), place: envelope.msg_seq, how });
            }
            "ACK" if founds_group(name) => {
                let id = envelope.conversation_id.as_deref().and_then(|id| id.parse().ok());
                let conversation = self.conversation(seat);
                conversation.id = id.unwrap_or(conversation.id);
                conversation.base = envelope.msg_seq.or(conversation.base);
                conversation.first = envelope.msg_seq.map_or(conversation.first, |seq| seq + 1);
                sink(Incoming::GroupStep);
            }
            "ACK" if envelope.ack_type.as_deref() == Some("saved") => {
                self.saw(seat, &envelope);
                let name = name.and_then(MessageName::parse);
                sink(Incoming::Ack { name, duplicate: envelope.duplicate });
            }
            "ACK" => sink(Incoming::Receipt),
            "AUTH_OK" => sink(Incoming::Ready),
            "AUTH_FAIL" => {
                sink(Incoming::LoginRefused(envelope.reason.as_deref().unwrap_or("auth_fail")));
            }
            "PONG" => match envelope.id.and_then(|id| id.get().parse().ok()) {
                Some(token) => sink(Incoming::Pong(token)),
                None => sink(Incoming::Other),
            },
            "EVENTS" => self.events(seat, &envelope, sink),
            "GAP" => sink(Incoming::Gap),
            "ERROR" => {
                let reason = envelope.reason.as_deref().unwrap_or("error");
                // What the protocol says to send again, in order and with `retry: true`.
                let again = matches!(
                    reason,
                    "server_busy" | "after_refused" | "timeout" | "too_many_requests"
                );
                let again_after_ms = again.then(|| envelope.retry_after_ms.unwrap_or(1000));
                match name {
                    Some(_) if founds_group(name) => {
                        sink(Incoming::GroupRefused { reason, again_after_ms });
                    }
                    Some(name) => sink(Incoming::Refused {
                        name: MessageName::parse(name),
                        reason,
                        again_after_ms,
                    }),
                    None => sink(Incoming::ServerError(reason)),
                }
            }
            _ => sink(Incoming::Other),
        }
    }

    fn events(&mut self, seat: Seat, envelope: &Envelope<'_>, sink: &mut Sink<'_>) {
        for event in &envelope.events {
            self.envelope(seat, event.get(), Some(How::History), sink);
        }
        let base = self.conversation(seat).base.unwrap_or_default();
        let covered = envelope.to_seq.and_then(|seq| seq.checked_sub(base));
        if let Some(covered) = covered.and_then(|seq| u32::try_from(seq).ok()) {
            let copy = self.copy(seat);
            copy.seen.see_through(covered);
        }
        if let Some(seq) = envelope.to_seq {
            self.copy(seat).pulled = seq;
        }
        sink(Incoming::HistoryPage { more: envelope.has_more });
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
        let group = self.in_groups.then(|| self.conversation(seat).id);
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
        let conversation = self.conversation(seat);
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
        let conversation = *self.conversation(seat);
        let each = self.each;
        let copy = self.copy(seat);
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
        let conversation = *self.conversation(seat);
        if conversation.id == 0 {
            return false;
        }
        let copy = self.copy(seat);
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
