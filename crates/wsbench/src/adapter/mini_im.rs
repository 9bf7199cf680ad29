//! mini-im: one JSON object per text frame, a token in the first frame.
//!
//! Users need not be registered: a token that is signed with the server's secret is
//! enough. Recipients acknowledge by `serverMsgId`, and the frame must name somebody in
//! `to`, or it is refused. After a connection has come back the server delivers again what
//! it does not know to have arrived. A connection that sends more than 30 frames a second
//! for long, receipts included, is closed.
//!
//! Not here: groups and history, which mini-im has over HTTP only and for registered users.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Write;

use petrel_protocol::token::{Claims, Secret};
use petrel_types::{Clock, SystemClock, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Abilities, Adapter, Frame, FrameWriter, Incoming, MessageName, Seat, Sink};
use crate::ledger::How;
use crate::plan::Plan;
use crate::scenario::Receipts;

pub(super) const ABILITIES: Abilities = Abilities {
    login: true,
    acks: true,
    relays: true,
    history: false,
    retries: true,
    groups: false,
    pings: true,
    receipts: true,
    repeats: true,
    presence: 0,
};

/// The secret of a mini-im that nobody has configured.
const DEFAULT_SECRET: &str = "change-me-please-change-me-please-change-me";
/// Who signs its tokens, if nobody says otherwise.
const DEFAULT_ISSUER: &str = "mini-im";
/// How long a token lasts, in seconds: as long as its own load tools ask for.
const TOKEN_SECONDS: u64 = 86_400;
/// When to send again what the server was too busy for, in milliseconds.
const BUSY_AGAIN_MS: u64 = 1000;

/// The adapter.
#[derive(Debug)]
pub(super) struct MiniIm {
    secret: Secret,
    issuer: String,
    receipts: bool,
    /// Every message is acknowledged by itself, as delivered and as read.
    each: bool,
    devices: Vec<Device>,
    scratch: Vec<u8>,
}

/// What a connection has to remember.
#[derive(Debug, Default)]
struct Device {
    is_in: bool,
    /// Pings without a pong. Pongs name no ping, but come in their order.
    pings: VecDeque<u64>,
    /// The server has sent a ping of its own.
    owes_pong: bool,
    owed: Vec<Owed>,
}

/// A message that is to be acknowledged.
#[derive(Clone, Copy, Debug)]
struct Owed {
    from: u64,
    server_msg_id: u64,
    msg_seq: u64,
}

/// The fields that matter of the frames that matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    ack_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    client_msg_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    server_msg_id: Option<&'a RawValue>,
    msg_seq: Option<u64>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

/// A number, or a string of digits: both are legal.
fn number(raw: Option<&RawValue>) -> Option<u64> {
    raw?.get().trim_matches('"').parse().ok()
}

impl MiniIm {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let secret = plan.jwt_secret.as_deref().unwrap_or(DEFAULT_SECRET);
        let secret = Secret::new(secret.as_bytes())
            .map_err(|error| format!("--jwt-secret: {error}; mini-im refuses it as well"))?;
        Ok(Self {
            secret,
            issuer: plan.jwt_issuer.clone().unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
            receipts: plan.receipts,
            each: plan.behaviour().receipts == Receipts::EveryMessage,
            devices: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn device(&mut self, seat: Seat) -> &mut Device {
        let index = seat.local as usize;
        if self.devices.len() <= index {
            self.devices.resize_with(index + 1, Device::default);
        }
        &mut self.devices[index]
    }

    fn delivered(&mut self, seat: Seat, envelope: &Envelope<'_>, sink: &mut Sink<'_>) {
        let each = self.each;
        if let (Some(from), Some(server_msg_id)) =
            (number(envelope.from), number(envelope.server_msg_id))
        {
            let owed = Owed { from, server_msg_id, msg_seq: envelope.msg_seq.unwrap_or(0) };
            let list = &mut self.device(seat).owed;
            match list.first_mut() {
                // A receipt moves a cursor: the last message stands for those before it.
                Some(other) if !each => {
                    if owed.msg_seq > other.msg_seq {
                        *other = owed;
                    }
                }
                _ => list.push(owed),
            }
        }
        let body = envelope.body.as_deref().unwrap_or_default();
        sink(Incoming::Delivery {
            payload: body.as_bytes(),
            place: envelope.msg_seq,
            how: How::Live,
        });
    }

    fn error(&mut self, seat: Seat, envelope: &Envelope<'_>, sink: &mut Sink<'_>) {
        let reason = envelope.reason.as_deref().unwrap_or("error");
        let Some(name) = envelope.client_msg_id.as_deref() else {
            return sink(match self.device(seat).is_in {
                true => Incoming::ServerError(reason),
                false => Incoming::LoginRefused(reason),
            });
        };
        let again_after_ms = (reason == "server_busy").then_some(BUSY_AGAIN_MS);
        sink(Incoming::Refused {
            name: MessageName::parse(name.as_bytes()),
            reason,
            again_after_ms,
        });
    }

    fn acknowledge(&mut self, owed: Owed, kind: &str, writer: &mut FrameWriter<'_>) {
        let Owed { from, server_msg_id, .. } = owed;
        self.scratch.clear();
        #[cfg(feature = "mutants")]
        if crate::mutants::is("bench-receipts-name-nobody") {
            let _ = write!(
                self.scratch,
                r#"{{"type":"ACK","ackType":"{kind}","serverMsgId":"{server_msg_id}"}}"#
            );
            return writer.text(&self.scratch);
        }
        // Writing to a vector can't fail.
        let _ = write!(
            self.scratch,
            r#"{{"type":"ACK","to":"{from}","ackType":"{kind}","serverMsgId":"{server_msg_id}"}}"#
        );
        writer.text(&self.scratch);
    }
}

impl Adapter for MiniIm {
    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn greet(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) {
        *self.device(seat) = Device::default();
        let user = UserId::new(seat.user);
        let mut claims = Claims::access(&self.issuer, user, SystemClock.now(), TOKEN_SECONDS);
        claims.jti = Some(format!("wsbench-{}", seat.user));
        let token = self.secret.sign(&claims);
        writer.text(format!(r#"{{"type":"AUTH","token":"{token}"}}"#).as_bytes());
    }

    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        _: bool,
        writer: &mut FrameWriter<'_>,
    ) {
        let frame = &mut self.scratch;
        frame.clear();
        frame.extend_from_slice(br#"{"type":"SINGLE_CHAT","clientMsgId":""#);
        name.write(frame);
        // Writing to a vector can't fail.
        let _ = write!(frame, r#"","to":"{}","msgType":"TEXT","body":""#, seat.peer);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(b"\"}");
        writer.text(frame);
    }

    fn ping(&mut self, seat: Seat, token: u64, writer: &mut FrameWriter<'_>) {
        self.device(seat).pings.push_back(token);
        writer.text(br#"{"type":"PING"}"#);
    }

    fn receive(&mut self, seat: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        let Frame::Text(text) = frame else {
            return sink(Incoming::Unrecognised);
        };
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return sink(Incoming::Unrecognised);
        };
        match &*envelope.r#type {
            "SINGLE_CHAT" => self.delivered(seat, &envelope, sink),
            "ACK" => match envelope.ack_type.as_deref() {
                Some("saved") => sink(Incoming::Ack {
                    name: envelope
                        .client_msg_id
                        .as_deref()
                        .and_then(|name| MessageName::parse(name.as_bytes())),
                    // The answer to a message that was known has no body.
                    duplicate: envelope.body.is_none(),
                }),
                Some("delivered" | "read" | "ack_read") => sink(Incoming::Receipt),
                _ => sink(Incoming::Other),
            },
            "PONG" => match self.device(seat).pings.pop_front() {
                Some(token) => sink(Incoming::Pong(token)),
                None => sink(Incoming::Other),
            },
            "PING" => {
                self.device(seat).owes_pong = true;
                sink(Incoming::Owes);
            }
            "AUTH_OK" => {
                self.device(seat).is_in = true;
                sink(Incoming::Ready);
            }
            "AUTH_FAIL" => {
                sink(Incoming::LoginRefused(envelope.reason.as_deref().unwrap_or("auth_fail")));
            }
            "ERROR" => self.error(seat, &envelope, sink),
            _ => sink(Incoming::Other),
        }
    }

    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) -> u32 {
        let device = self.device(seat);
        if std::mem::take(&mut device.owes_pong) {
            writer.text(br#"{"type":"PONG"}"#);
        }
        let owed = std::mem::take(&mut device.owed);
        if !self.receipts {
            return 0;
        }
        let kinds: &[&str] = if self.each { &["delivered", "read"] } else { &["delivered"] };
        for owed in &owed {
            for kind in kinds {
                self.acknowledge(*owed, kind, writer);
            }
        }
        (owed.len() * kinds.len()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::testing::{Heard, plan, seat, texts};

    fn adapter(scenario: &str) -> MiniIm {
        MiniIm::new(&plan(scenario, "mini-im")).unwrap()
    }

    const PUSH: &str = r#"{"type":"SINGLE_CHAT","from":"10","to":"11","clientMsgId":"x","serverMsgId":"NN","msgSeq":SS,"msgType":"TEXT","body":"b","ts":1}"#;

    fn push(adapter: &mut MiniIm, id: u64, seq: u64) {
        let text = PUSH.replace("NN", &id.to_string()).replace("SS", &seq.to_string());
        adapter.receive(seat(1), Frame::Text(&text), &mut |_| {});
    }

    #[test]
    fn the_first_frame_has_a_token_with_the_claims_that_mini_im_wants() {
        let frames = texts(|writer| adapter("single-e2e").greet(seat(0), writer));
        let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
        assert_eq!(frame["type"], "AUTH");
        let token = frame["token"].as_str().unwrap();
        let secret = Secret::new(DEFAULT_SECRET.as_bytes()).unwrap();
        let claims = secret.verify(token, "mini-im", SystemClock.now()).unwrap();
        assert_eq!((claims.uid.get(), &*claims.typ), (10, "access"));
        assert!(claims.jti.is_some());
    }

    #[test]
    fn a_receipt_names_the_sender_and_stands_for_what_came_before() {
        let mut adapter = adapter("single-e2e");
        push(&mut adapter, 901, 4);
        push(&mut adapter, 900, 3);
        let frames = texts(|writer| assert_eq!(adapter.receipt(seat(1), writer), 1));
        let wanted = r#"{"type":"ACK","to":"10","ackType":"delivered","serverMsgId":"901"}"#;
        assert_eq!(frames, [wanted]);
        assert!(texts(|writer| assert_eq!(adapter.receipt(seat(1), writer), 0)).is_empty());
    }

    #[test]
    fn under_stress_every_message_gets_two() {
        let mut adapter = adapter("ack-stress");
        push(&mut adapter, 901, 4);
        push(&mut adapter, 902, 5);
        let frames = texts(|writer| assert_eq!(adapter.receipt(seat(1), writer), 4));
        let words: Vec<_> = frames
            .iter()
            .map(|frame| (frame.contains("901"), frame.contains(r#""read""#)))
            .collect();
        assert_eq!(words, [(true, false), (true, true), (false, false), (false, true)]);
    }

    #[test]
    fn frames_mean_what_the_protocol_says() {
        let mut adapter = adapter("single-e2e");
        let mut hear = |text: &str| Heard::of(&mut adapter, seat(0), Frame::Text(text));
        assert_eq!(hear(r#"{"type":"ERROR","reason":"auth_timeout"}"#), Heard::LoginRefused);
        assert_eq!(hear(r#"{"type":"AUTH_OK","from":"10","ts":1}"#), Heard::Ready);
        assert_eq!(hear(r#"{"type":"ERROR","reason":"kicked"}"#), Heard::ServerError);
        let name = "wb-000000010000000200000003";
        let saved = format!(
            r#"{{"type":"ACK","from":"10","clientMsgId":"{name}","serverMsgId":"7","msgSeq":1,"ackType":"saved","body":"echo","ts":1}}"#
        );
        assert_eq!(hear(&saved), Heard::Ack { seq: 3, duplicate: false });
        let again = saved.replace(r#""body":"echo","#, "");
        assert_eq!(hear(&again), Heard::Ack { seq: 3, duplicate: true });
        let busy = format!(r#"{{"type":"ERROR","reason":"server_busy","clientMsgId":"{name}"}}"#);
        assert_eq!(hear(&busy), Heard::Refused { again: true });
        let internal = busy.replace("server_busy", "internal_error");
        assert_eq!(hear(&internal), Heard::Refused { again: false });
        let delivered = r#"{"type":"ACK","from":"11","to":"10","ackType":"delivered","serverMsgId":"7","msgSeq":1}"#;
        assert_eq!(hear(delivered), Heard::Receipt);
        assert_eq!(hear(r#"{"type":"PING"}"#), Heard::Owes);
        let frames = texts(|writer| assert_eq!(adapter.receipt(seat(0), writer), 0));
        assert_eq!(frames, [r#"{"type":"PONG"}"#]);
    }
}
