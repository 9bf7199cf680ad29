//! EthanQC/IM: messages go in by HTTP and come out by WebSocket.
//!
//! The gateway (`--http-base`, port 8080 of the target's host) takes messages from users
//! who are registered and logged in; [`accounts`] sees to that before the run. The
//! delivery service, which is the target, pushes them to whoever connects with a user's
//! id: it asks for no token. Who is told of a message acknowledges it by a frame; that it
//! was read is said over HTTP. Numbers in a conversation may have holes. History is
//! read over HTTP, a hundred messages at a time.

mod accounts;

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{
    Abilities, Account, Adapter, Answer, Call, Frame, FrameWriter, HistoryFrom, Incoming,
    MessageName, Seat, Sink, Upgrade,
};
use crate::http::Request;
use crate::ledger::How;
use crate::plan::Plan;
use crate::scenario::Receipts;

pub(super) use accounts::open_accounts;

pub(super) const ABILITIES: Abilities = Abilities {
    login: true,
    acks: true,
    relays: true,
    history: true,
    retries: true,
    groups: true,
    pings: true,
    receipts: true,
    repeats: true,
    presence: 0,
};

/// The most messages of one page of history.
const PAGE_MAX: usize = 100;
/// When a message is sent again that the gateway failed to take, in milliseconds.
const AGAIN_MS: u64 = 1000;

/// What a request was for.
const SENT: u32 = 0;
const SENT_AGAIN: u32 = 1;
const HISTORY: u32 = 2;
const READ: u32 = 3;

/// The adapter.
#[derive(Debug)]
pub(super) struct EthanQc {
    accounts: Vec<Account>,
    receipts: bool,
    each: bool,
    calls: VecDeque<Call>,
    devices: Vec<Device>,
    /// By conversation, the lowest number of this run.
    firsts: Vec<u64>,
}

/// What a connection has to remember.
#[derive(Debug, Default)]
struct Device {
    /// The run, as its messages are called.
    run: u32,
    stream: u32,
    /// The highest number that was pushed to it.
    position: u64,
    /// The last number of the last page.
    page: u64,
    owed: Vec<Owed>,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    conversation_id: i64,
    message_id: u64,
    seq: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What `new_message` carries. `content` is JSON in a string.
#[derive(Deserialize)]
struct Pushed<'a> {
    message_id: u64,
    conversation_id: i64,
    seq: u64,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// What the gateway says of a message: of one that was sent, and in the history.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    seq: u64,
}

#[derive(Deserialize)]
struct Stored {
    data: Item,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
}

impl EthanQc {
    pub(super) fn new(plan: &Plan, accounts: &[Account]) -> Self {
        Self {
            accounts: accounts.to_vec(),
            receipts: plan.receipts,
            each: plan.behaviour().receipts == Receipts::EveryMessage,
            calls: VecDeque::new(),
            devices: Vec::new(),
            firsts: Vec::new(),
        }
    }

    fn device(&mut self, seat: Seat) -> &mut Device {
        let index = seat.local as usize;
        if self.devices.len() <= index {
            self.devices.resize_with(index + 1, Device::default);
        }
        &mut self.devices[index]
    }

    fn account(&self, seat: Seat) -> Account {
        self.accounts.get(seat.local as usize).cloned().unwrap_or_default()
    }

    /// Somebody in the conversation has heard of this number.
    fn heard_of(&mut self, seat: Seat, seq: u64) {
        let index = seat.conversation as usize;
        if self.firsts.len() <= index {
            self.firsts.resize(index + 1, 0);
        }
        let first = &mut self.firsts[index];
        *first = if *first == 0 { seq } else { seq.min(*first) };
    }

    fn call(&mut self, seat: Seat, kind: u32, seq: u32, request: Request) {
        self.calls.push_back(Call { local: seat.local, kind, seq, request });
    }

    fn pushed(&mut self, seat: Seat, data: &RawValue, sink: &mut Sink<'_>) {
        let Ok(pushed) = serde_json::from_str::<Pushed<'_>>(data.get()) else {
            return sink(Incoming::Unrecognised);
        };
        self.heard_of(seat, pushed.seq);
        let each = self.each;
        let Pushed { message_id, conversation_id, seq, .. } = pushed;
        let device = self.device(seat);
        device.position = device.position.max(seq);
        let owed = Owed { conversation_id, message_id, seq };
        match device.owed.first_mut() {
            // The highest number stands for those before it.
            Some(other) if !each => {
                if seq > other.seq {
                    *other = owed;
                }
            }
            _ => device.owed.push(owed),
        }
        sink(Incoming::Delivery {
            payload: pushed.content.as_bytes(),
            place: Some(seq),
            how: How::Live,
        });
    }

    fn sent(&mut self, seat: Seat, call: &Call, answer: Answer<'_>, sink: &mut Sink<'_>) {
        let device = self.device(seat);
        let name = MessageName { run: device.run, stream: device.stream, seq: call.seq };
        let name = Some(name);
        match answer {
            Answer::Status(200, body) => {
                if let Ok(Stored { data: Item { seq } }) = serde_json::from_slice(body) {
                    self.heard_of(seat, seq);
                }
                sink(Incoming::Ack { name, duplicate: false });
            }
            // Whether it was stored, nobody says: the same again, once.
            Answer::Status(500.., _) | Answer::None(_) => {
                let again_after_ms = (call.kind == SENT).then_some(AGAIN_MS);
                let reason = match answer {
                    Answer::Status(status, _) => format!("http_{status}"),
                    Answer::None(cause) => format!("http_{cause}"),
                };
                sink(Incoming::Refused { name, reason: &reason, again_after_ms });
            }
            Answer::Status(status, _) => sink(Incoming::Refused {
                name,
                reason: &format!("http_{status}"),
                again_after_ms: None,
            }),
        }
    }

    fn history(&mut self, seat: Seat, answer: Answer<'_>, sink: &mut Sink<'_>) {
        let Answer::Status(200, body) = answer else {
            sink(Incoming::ServerError("history"));
            return sink(Incoming::HistoryPage { more: false });
        };
        let Ok(Page { data }) = serde_json::from_slice(body) else {
            sink(Incoming::Unrecognised);
            return sink(Incoming::HistoryPage { more: false });
        };
        let items = data.unwrap_or_default();
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-reads-no-history-over-http") {
            return sink(Incoming::HistoryPage { more: false });
        }
        for item in &items {
            let seq = serde_json::from_str::<Item>(item.get()).map_or(0, |item| item.seq);
            let device = self.device(seat);
            device.page = device.page.max(seq);
            let payload = item.get().as_bytes();
            sink(Incoming::Delivery { payload, place: Some(seq), how: How::History });
        }
        sink(Incoming::HistoryPage { more: items.len() == PAGE_MAX });
    }
}

impl Adapter for EthanQc {
    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn upgrade(&mut self, seat: Seat) -> Upgrade {
        // Where nobody talks there are no accounts, and any number is a user.
        let user = match self.account(seat).user {
            0 => seat.user,
            user => user,
        };
        let query =
            [("user_id", user.to_string()), ("device_id", format!("wsbench_{}", seat.user))];
        let query = query.into_iter().chain([("platform", "bench".to_owned())]);
        Upgrade {
            query: query.map(|(name, value)| (name.to_owned(), value)).collect(),
            headers: Vec::new(),
        }
    }

    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        retry: bool,
        _: &mut FrameWriter<'_>,
    ) {
        let device = self.device(seat);
        (device.run, device.stream) = (name.run, name.stream);
        let account = self.account(seat);
        let mut id = Vec::new();
        name.write(&mut id);
        let body = json!({
            "conversation_id": account.conversation,
            "client_msg_id": String::from_utf8_lossy(&id),
            "content_type": 1,
            "text": String::from_utf8_lossy(payload),
        });
        let request = Request {
            method: "POST",
            path: "/api/messages".to_owned(),
            token: Some(account.token),
            body: body.to_string(),
        };
        self.call(seat, if retry { SENT_AGAIN } else { SENT }, name.seq, request);
    }

    fn ping(&mut self, _: Seat, token: u64, writer: &mut FrameWriter<'_>) {
        writer.text(format!(r#"{{"type":"ping","id":"{token}"}}"#).as_bytes());
    }

    fn receive(&mut self, seat: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        let Frame::Text(text) = frame else {
            return sink(Incoming::Unrecognised);
        };
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return sink(Incoming::Unrecognised);
        };
        let data = envelope.data.map_or("", RawValue::get);
        match &*envelope.r#type {
            "new_message" => match envelope.data {
                Some(data) => self.pushed(seat, data, sink),
                None => sink(Incoming::Unrecognised),
            },
            "notify" if data.contains(r#""connected""#) => sink(Incoming::Ready),
            "pong" => {
                let token = envelope.id.and_then(|id| id.get().trim_matches('"').parse().ok());
                sink(token.map_or(Incoming::Other, Incoming::Pong));
            }
            "message_read" => sink(Incoming::Receipt),
            "error" => sink(Incoming::ServerError("ws_error")),
            _ => sink(Incoming::Other),
        }
    }

    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) -> u32 {
        let owed = std::mem::take(&mut self.device(seat).owed);
        if !self.receipts {
            return 0;
        }
        let token = self.account(seat).token;
        for Owed { conversation_id, message_id, seq } in &owed {
            let data = json!({
                "type": "ack",
                "id": message_id.to_string(),
                "data": { "conversation_id": conversation_id, "message_id": message_id, "seq": seq },
            });
            writer.text(data.to_string().as_bytes());
            if self.each {
                let body = json!({ "conversation_id": conversation_id, "read_seq": seq });
                let request = Request {
                    method: "POST",
                    path: "/api/messages/read".to_owned(),
                    token: Some(token.clone()),
                    body: body.to_string(),
                };
                self.call(seat, READ, 0, request);
            }
        }
        owed.len() as u32 * if self.each { 2 } else { 1 }
    }

    fn read_history(&mut self, seat: Seat, from: HistoryFrom, _: &mut FrameWriter<'_>) -> bool {
        let Some(first) = self.firsts.get(seat.conversation as usize).filter(|first| **first > 0)
        else {
            return false;
        };
        let before = first - 1;
        let device = self.device(seat);
        let after = match from {
            HistoryFrom::Start => before,
            HistoryFrom::Position => device.position.max(before),
            HistoryFrom::LastPage => device.page.max(before),
        };
        if from != HistoryFrom::LastPage {
            device.page = 0;
        }
        let account = self.account(seat);
        let request = Request {
            method: "GET",
            path: format!(
                "/api/messages/history?conversation_id={}&after_seq={after}&limit={PAGE_MAX}",
                account.conversation
            ),
            token: Some(account.token),
            body: String::new(),
        };
        self.call(seat, HISTORY, 0, request);
        true
    }

    fn take_call(&mut self) -> Option<Call> {
        self.calls.pop_front()
    }

    fn answered(&mut self, seat: Seat, call: &Call, answer: Answer<'_>, sink: &mut Sink<'_>) {
        match call.kind {
            SENT | SENT_AGAIN => self.sent(seat, call, answer, sink),
            HISTORY => self.history(seat, answer, sink),
            _ => match answer {
                Answer::Status(200, _) => sink(Incoming::Other),
                _ => sink(Incoming::ServerError("read_receipt")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::testing::{Heard, plan, seat, texts};

    fn adapter(scenario: &str) -> EthanQc {
        let account = |user| Account { user, token: format!("t{user}"), conversation: 77 };
        EthanQc::new(&plan(scenario, "ethanqc"), &[account(501), account(502)])
    }

    fn name() -> MessageName {
        MessageName { run: 1, stream: 2, seq: 3 }
    }

    #[test]
    fn who_connects_is_said_in_the_query() {
        let upgrade = adapter("single-e2e").upgrade(seat(1));
        let query: Vec<_> =
            upgrade.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(query.join("&"), "user_id=502&device_id=wsbench_11&platform=bench");
    }

    #[test]
    fn a_message_goes_in_by_http_and_its_answer_is_the_ack() {
        let mut adapter = adapter("single-e2e");
        let frames = texts(|writer| adapter.send(seat(0), name(), b"text", false, writer));
        assert!(frames.is_empty());
        let call = adapter.take_call().unwrap();
        assert_eq!((call.request.method, &*call.request.path), ("POST", "/api/messages"));
        assert_eq!(call.request.token.as_deref(), Some("t501"));
        let body: serde_json::Value = serde_json::from_str(&call.request.body).unwrap();
        assert_eq!(
            body,
            json!({"conversation_id": 77, "client_msg_id": "wb-000000010000000200000003",
                   "content_type": 1, "text": "text"})
        );
        let mut hear = |call: &Call, status, body: &[u8]| {
            let answer = Answer::Status(status, body);
            Heard::first(|sink| adapter.answered(seat(0), call, answer, sink))
        };
        let ok = br#"{"code":0,"data":{"id":9,"conversation_id":77,"sender_id":501,"seq":4}}"#;
        assert_eq!(hear(&call, 200, ok), Heard::Ack { seq: 3, duplicate: false });
        assert_eq!(hear(&call, 500, b"{}"), Heard::Refused { again: true });
        assert_eq!(hear(&call, 400, b"{}"), Heard::Refused { again: false });
        let again = Call { kind: SENT_AGAIN, ..call };
        assert_eq!(hear(&again, 500, b"{}"), Heard::Refused { again: false });
    }

    #[test]
    fn a_push_is_acknowledged_by_a_frame_and_read_over_http() {
        let mut adapter = adapter("ack-stress");
        let push = r#"{"type":"new_message","data":{"message_id":9,"conversation_id":77,"sender_id":501,"seq":4,"content_type":1,"content":"{\"text\":{\"text\":\"hi\"}}","created_at":1},"ts":1}"#;
        let heard = Heard::of(&mut adapter, seat(1), Frame::Text(push));
        assert_eq!(heard, Heard::Delivery(r#"{"text":{"text":"hi"}}"#.to_owned()));
        let frames = texts(|writer| assert_eq!(adapter.receipt(seat(1), writer), 2));
        let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
        assert_eq!(frame["type"], "ack");
        assert_eq!(frame["data"], json!({"conversation_id": 77, "message_id": 9, "seq": 4}));
        let call = adapter.take_call().unwrap();
        assert_eq!(call.request.path, "/api/messages/read");
        assert_eq!(call.request.body, r#"{"conversation_id":77,"read_seq":4}"#);
    }

    #[test]
    fn history_is_read_from_the_runs_first_message_page_by_page() {
        let mut adapter = adapter("single-e2e");
        let ask = |adapter: &mut EthanQc, from| {
            let mut asked = false;
            texts(|writer| asked = adapter.read_history(seat(1), from, writer));
            asked.then(|| adapter.take_call().unwrap())
        };
        assert!(ask(&mut adapter, HistoryFrom::Start).is_none());
        adapter.heard_of(seat(0), 40);
        let call = ask(&mut adapter, HistoryFrom::Start).unwrap();
        let path = "/api/messages/history?conversation_id=77&after_seq=39&limit=100";
        assert_eq!(call.request.path, path);
        let items: Vec<_> = (40..140).map(|seq| json!({"id": seq, "seq": seq})).collect();
        let body = json!({"code": 0, "data": items}).to_string();
        let mut heard = Vec::new();
        adapter.answered(seat(1), &call, Answer::Status(200, body.as_bytes()), &mut |incoming| {
            heard.push(Heard::from(incoming));
        });
        assert_eq!((heard.len(), heard.last()), (101, Some(&Heard::HistoryPage(true))));
        let call = ask(&mut adapter, HistoryFrom::LastPage).unwrap();
        assert!(call.request.path.contains("after_seq=139"));
        let none = br#"{"code":0,"data":null}"#;
        let heard = Heard::first(|sink| {
            adapter.answered(seat(1), &call, Answer::Status(200, none), sink);
        });
        assert_eq!(heard, Heard::HistoryPage(false));
    }

    #[test]
    fn a_connection_stands_when_it_is_told_so_and_pongs_name_their_ping() {
        let mut adapter = adapter("single-e2e");
        let mut hear = |text: &str| Heard::of(&mut adapter, seat(0), Frame::Text(text));
        let hello = r#"{"type":"notify","data":{"status":"connected","user_id":501,"device_id":"d","server_time":1}}"#;
        assert_eq!(hear(hello), Heard::Ready);
        assert_eq!(hear(r#"{"type":"notify","id":"9","data":{"status":"ok"}}"#), Heard::Other);
        assert_eq!(hear(r#"{"type":"pong","id":"123","ts":1}"#), Heard::Pong(123));
        assert_eq!(hear(r#"{"type":"error","data":{"error":"x"}}"#), Heard::ServerError);
    }
}
