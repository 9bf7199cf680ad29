//! Petrel's client protocol v1 (`docs/protocol.md`).
//!
//! Users are load-test users of `petrel serve --bench-issuer`: this adapter signs their
//! tokens with the key of the server's data directory. It keeps, per connection, what a
//! real device keeps: its position in the conversation, for receipts and for reading
//! what it missed.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use petrel_protocol::token::{BENCH_ISSUER, Claims, Secret};
use petrel_types::{Clock, SystemClock, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Abilities, Adapter, Frame, FrameWriter, HistoryFrom, Incoming, MessageName, Seat, Sink, Upgrade,
};
use crate::ledger::{How, Window};
use crate::plan::{LoginBy, Plan};

pub(super) const ABILITIES: Abilities = Abilities {
    login: true,
    acks: true,
    relays: true,
    history: true,
    retries: true,
    groups: false,
    pings: true,
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
    /// How far its history has been read.
    pulled: u32,
}

/// What all connections of a conversation know about it.
#[derive(Clone, Copy, Debug, Default)]
struct Conversation {
    /// Its id; 0 until somebody has heard it.
    id: u64,
    /// The lowest seq of this run, less one: what came before is nobody's business here.
    base: Option<u64>,
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
    client_msg_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    conversation_id: Option<Cow<'a, str>>,
    msg_seq: Option<u64>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    redelivered: bool,
    #[serde(default)]
    duplicate: bool,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    retry_after_ms: Option<u64>,
    id: Option<&'a RawValue>,
    to_seq: Option<u64>,
    #[serde(default)]
    has_more: bool,
    #[serde(default, borrow)]
    events: Vec<&'a RawValue>,
}

impl Petrel {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        Ok(Self {
            secret: load_key(plan.token_key.as_deref(), &plan.data_dir)?,
            login_by: plan.login_by,
            receipts: plan.receipts,
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

    /// A connection has seen an event of its conversation.
    fn saw(&mut self, seat: Seat, envelope: &Envelope<'_>) {
        let id = envelope.conversation_id.as_deref().and_then(|id| id.parse().ok());
        let (Some(id), Some(seq)) = (id, envelope.msg_seq) else {
            return;
        };
        let conversation = self.conversation(seat);
        conversation.id = id;
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
                self.saw(seat, &envelope);
                let how = how.unwrap_or(if envelope.redelivered { How::Repeat } else { How::Live });
                let body = envelope.body.as_deref().unwrap_or_default();
                sink(Incoming::Delivery { payload: body.as_bytes(), place: envelope.msg_seq, how });
            }
            "ACK" if envelope.ack_type.as_deref() == Some("saved") => {
                self.saw(seat, &envelope);
                let name = name.and_then(MessageName::parse);
                sink(Incoming::Ack { name, duplicate: envelope.duplicate });
            }
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
            copy.pulled = covered;
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
        let frame = &mut self.scratch;
        frame.clear();
        frame.extend_from_slice(br#"{"type":"SINGLE_CHAT","clientMsgId":""#);
        name.write(frame);
        // Writing to a vector can't fail.
        let _ = write!(frame, r#"","to":"{}","body":""#, seat.peer);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(if retry { br#"","retry":true}"# } else { br#""}"# });
        writer.text(frame);
    }

    fn ping(&mut self, token: u64, writer: &mut FrameWriter<'_>) {
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

    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) {
        if !self.receipts {
            return;
        }
        let conversation = *self.conversation(seat);
        let copy = self.copy(seat);
        let position = copy.seen.contiguous();
        if position <= copy.receipted {
            return;
        }
        copy.receipted = position;
        let seq = conversation.base.unwrap_or_default() + u64::from(position);
        self.scratch.clear();
        let _ = write!(
            self.scratch,
            r#"{{"type":"ACK","ackType":"delivered","conversationId":"{}","msgSeq":{seq}}}"#,
            conversation.id
        );
        writer.text(&self.scratch);
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
        let after = match from {
            HistoryFrom::Start => 0,
            HistoryFrom::Position => copy.seen.contiguous(),
            HistoryFrom::LastPage => copy.pulled,
        };
        let after = conversation.base.unwrap_or_default() + u64::from(after);
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

/// The key that signs the tokens of load-test users: a file, or that of a data directory.
pub fn load_key(key: Option<&Path>, data_dir: &Path) -> Result<Secret, String> {
    let path: PathBuf = match key {
        Some(path) => path.to_owned(),
        None => data_dir.join("secrets").join("bench-issuer.key"),
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "can't read the key of the load-test users, {}: {error}\n  Start `petrel serve \
             --bench-issuer`, and name its data directory with --data-dir or the key file with \
             --token-key. For a server that needs no login, use --adapter echo.",
            path.display()
        )
    })?;
    let bytes = STANDARD.decode(text.trim());
    bytes.ok().and_then(|bytes| Secret::new(&bytes).ok()).ok_or_else(|| {
        format!("{} is not a key: it should be base64 of at least 32 bytes", path.display())
    })
}
