//! mini-im's gateway: log-in by the first frame, single chat, receipts by `serverMsgId`,
//! what was missed again after the log-in.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::log::{Every, Log};
use crate::peers::{Outbox, Peer, accept};
use crate::token;

/// The secret of a server that nobody has configured.
const SECRET: &str = "change-me-please-change-me-please-change-me";
/// How long a connection may take to log in.
const AUTH_PATIENCE: Duration = Duration::from_secs(3);
/// The most messages that are delivered again after a log-in.
const RESEND_MAX: usize = 200;
/// The longest text, in UTF-16 units.
const BODY_MAX: usize = 4096;

/// What it does wrong, and how it is set.
#[derive(clap::Args, Debug)]
pub(crate) struct Faults {
    /// Every N-th message is stored and acknowledged, and its push is lost
    #[arg(long, value_name = "N")]
    drop_push: Option<u64>,
    /// Every N-th message is refused: server_busy
    #[arg(long, value_name = "N")]
    busy: Option<u64>,
    /// Every N-th message is pushed twice
    #[arg(long, value_name = "N")]
    push_twice: Option<u64>,
    /// After a log-in nothing is delivered again to that user for so long: the lock that is
    /// never released
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    resend_lock_ms: u64,
    /// How often what is not acknowledged is delivered again to whoever is online; off as in
    /// its default configuration
    #[arg(long, value_name = "MS")]
    cron_resend_ms: Option<u64>,
    /// For how long receipts are collected
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    ack_window_ms: u64,
}

struct Server {
    faults: Faults,
    drop_push: Every,
    busy: Every,
    push_twice: Every,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<u64, (u64, Outbox)>,
    connections: u64,
    messages: Vec<Stored>,
    chats: HashMap<(u64, u64), Chat>,
    /// By sender and `clientMsgId`: where the message is.
    known: HashMap<(u64, String), usize>,
    resend_locks: HashMap<u64, Instant>,
    /// Receipts that wait for their window to end: by who acknowledges, kind and chat.
    receipts: HashMap<(u64, &'static str, (u64, u64)), usize>,
}

#[derive(Clone)]
struct Stored {
    from: u64,
    to: u64,
    client_msg_id: String,
    seq: u64,
    body: String,
}

#[derive(Default)]
struct Chat {
    messages: Vec<usize>,
    delivered: HashMap<u64, u64>,
}

/// A connection that has logged in.
struct LoggedIn {
    user: u64,
    /// When its token is over, in milliseconds.
    expires: u64,
}

/// Who a frame's token lets in, and until when.
fn claims_of(frame: &Value) -> Option<(u64, u64)> {
    let claims = token::verify(SECRET.as_bytes(), frame["token"].as_str()?)?;
    let expires = claims["exp"].as_u64()? * 1000;
    let good = claims["iss"] == "mini-im"
        && claims["typ"] == "access"
        && claims["sv"].as_u64().unwrap_or(0) == 0
        && expires > token::now_ms();
    good.then(|| Some((claims["uid"].as_u64()?, expires)))?
}

/// A token bucket, as the gateway has two for each connection.
struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, left: burst, at: Instant::now() }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = (now - self.at).as_secs_f64() * self.rate;
        (self.left, self.at) = ((self.left + gained).min(self.burst), now);
        self.left -= 1.0;
        self.left >= 0.0
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    faults: Faults,
    log: Arc<Log>,
) -> std::io::Result<()> {
    let server = Arc::new(Server {
        drop_push: Every::new(faults.drop_push),
        busy: Every::new(faults.busy),
        push_twice: Every::new(faults.push_twice),
        faults,
        log,
        state: Mutex::default(),
    });
    if let Some(every) = server.faults.cron_resend_ms {
        let server = server.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(every)).await;
                let mut state = server.state();
                let online: Vec<_> = state
                    .sessions
                    .iter()
                    .map(|(user, (_, outbox))| (*user, outbox.clone()))
                    .collect();
                for (user, outbox) in online {
                    // This one knows no lock.
                    state.resend_locks.remove(&user);
                    server.resend(&mut state, user, &outbox);
                    state.resend_locks.remove(&user);
                }
            }
        });
    }
    loop {
        let (socket, _) = listener.accept().await?;
        let server = server.clone();
        tokio::spawn(async move { server.connection(socket).await });
    }
}

/// A number, or a string of digits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn say(outbox: &Outbox, value: &Value) {
    // Who does not read is not waited for.
    let _ = outbox.try_send(Message::text(value.to_string()));
}

fn error(outbox: &Outbox, reason: &str) {
    say(outbox, &json!({"type": "ERROR", "reason": reason, "ts": token::now_ms()}));
}

fn refuse(outbox: &Outbox, frame: &Value, reason: &str) {
    let id = &frame["clientMsgId"];
    say(
        outbox,
        &json!({"type": "ERROR", "reason": reason, "clientMsgId": id, "ts": token::now_ms()}),
    );
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this")
    }

    async fn connection(self: Arc<Self>, socket: TcpStream) {
        let Some(Peer { mut frames, outbox, .. }) = accept(socket, |_| Ok(())).await else {
            return;
        };
        let connection = {
            let mut state = self.state();
            state.connections += 1;
            state.connections
        };
        let deadline = Instant::now() + AUTH_PATIENCE;
        let (mut all, mut business) = (Bucket::new(60.0, 120.0), Bucket::new(30.0, 60.0));
        let mut user = None;
        loop {
            let next = match user {
                None => match timeout_at(deadline, frames.next()).await {
                    Ok(next) => next,
                    Err(_) => {
                        error(&outbox, "auth_timeout");
                        break;
                    }
                },
                Some(_) => frames.next().await,
            };
            let text = match next {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => break,
            };
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            let kind = frame["type"].as_str().unwrap_or_default().to_ascii_uppercase();
            let is_business = !matches!(&*kind, "AUTH" | "REAUTH" | "PING" | "PONG");
            if !all.take() || is_business && !business.take() {
                self.log.write("too_many_requests");
                error(&outbox, "too_many_requests");
                break;
            }
            let goes_on = match &mut user {
                None => match self.log_in(&kind, &frame, connection, &outbox) {
                    ControlFlow::Continue(session) => {
                        user = Some(session);
                        ControlFlow::Continue(())
                    }
                    ControlFlow::Break(()) => ControlFlow::Break(()),
                },
                Some(session) => self.talk(session, &kind, &frame, &outbox),
            };
            if goes_on.is_break() {
                break;
            }
        }
        if let Some(LoggedIn { user, .. }) = user {
            let mut state = self.state();
            if state.sessions.get(&user).is_some_and(|(other, _)| *other == connection) {
                state.sessions.remove(&user);
            }
        }
        // It closes after what was written before.
        let _ = outbox.try_send(Message::Close(None));
    }

    fn log_in(
        self: &Arc<Self>,
        kind: &str,
        frame: &Value,
        connection: u64,
        outbox: &Outbox,
    ) -> ControlFlow<(), LoggedIn> {
        if kind != "AUTH" {
            error(outbox, "unauthorized");
            return ControlFlow::Break(());
        }
        let Some((user, expires)) = claims_of(frame) else {
            say(outbox, &json!({"type": "AUTH_FAIL", "reason": "invalid_token"}));
            return ControlFlow::Break(());
        };
        let mut state = self.state();
        if let Some((_, old)) = state.sessions.insert(user, (connection, outbox.clone())) {
            // On the same instance the older connection is closed without a word.
            let _ = old.try_send(Message::Close(None));
        }
        say(outbox, &json!({"type": "AUTH_OK", "from": user.to_string(), "ts": token::now_ms()}));
        self.resend(&mut state, user, outbox);
        ControlFlow::Continue(LoggedIn { user, expires })
    }

    /// Delivers again what the user's cursors do not cover, unless that was done a short
    /// time ago.
    fn resend(&self, state: &mut State, user: u64, outbox: &Outbox) {
        let now = Instant::now();
        let lock = Duration::from_millis(self.faults.resend_lock_ms);
        if state.resend_locks.get(&user).is_some_and(|since| now < *since + lock) {
            return;
        }
        state.resend_locks.insert(user, now);
        let missed: Vec<Stored> = state
            .chats
            .values()
            .flat_map(|chat| {
                let cursor = chat.delivered.get(&user).copied().unwrap_or(0);
                chat.messages.iter().map(move |place| (cursor, *place))
            })
            .filter(|(cursor, place)| {
                let message = &state.messages[*place];
                message.to == user && message.seq > *cursor
            })
            .map(|(_, place)| state.messages[place].clone())
            .take(RESEND_MAX)
            .collect();
        for message in missed {
            let place = state.known[&(message.from, message.client_msg_id.clone())];
            say(outbox, &push(place, &message));
        }
    }

    fn talk(
        self: &Arc<Self>,
        session: &mut LoggedIn,
        kind: &str,
        frame: &Value,
        outbox: &Outbox,
    ) -> ControlFlow<()> {
        let user = session.user;
        match kind {
            "AUTH" => say(
                outbox,
                &json!({"type": "AUTH_OK", "from": user.to_string(), "ts": token::now_ms()}),
            ),
            // Every ping looks whether the token is still good.
            "PING" if session.expires <= token::now_ms() => {
                error(outbox, "token_expired");
                return ControlFlow::Break(());
            }
            "REAUTH" => match claims_of(frame) {
                Some((other, expires)) if other == user => {
                    session.expires = expires;
                    say(
                        outbox,
                        &json!({"type": "AUTH_OK", "from": user.to_string(), "ts": token::now_ms()}),
                    );
                }
                Some(_) => {
                    error(outbox, "reauth_uid_mismatch");
                    return ControlFlow::Break(());
                }
                None => {
                    say(outbox, &json!({"type": "AUTH_FAIL", "reason": "invalid_token"}));
                    return ControlFlow::Break(());
                }
            },
            "FRIEND_REQUEST" => self.friend_request(user, frame, outbox),
            "PING" => say(outbox, &json!({"type": "PONG", "ts": token::now_ms()})),
            "PONG" => {}
            "SINGLE_CHAT" => self.single_chat(user, frame, outbox),
            "ACK" => self.acknowledge(user, frame, outbox),
            _ => error(outbox, "not_implemented"),
        }
        ControlFlow::Continue(())
    }

    /// Stored, and pushed once.
    fn friend_request(&self, user: u64, frame: &Value, outbox: &Outbox) {
        let Some(to) = number(&frame["to"]) else { return refuse(outbox, frame, "missing_to") };
        let id = (FIRST_ID - 1).to_string();
        say(
            outbox,
            &json!({"type": "ACK", "from": user.to_string(), "clientMsgId": frame["clientMsgId"],
                    "serverMsgId": id, "ackType": "saved", "ts": token::now_ms()}),
        );
        if let Some((_, outbox)) = self.state().sessions.get(&to) {
            say(
                outbox,
                &json!({"type": "FRIEND_REQUEST", "from": user.to_string(), "to": to.to_string(),
                        "body": frame["body"], "serverMsgId": id, "ts": token::now_ms()}),
            );
        }
    }

    fn single_chat(&self, user: u64, frame: &Value, outbox: &Outbox) {
        let Some(id) = frame["clientMsgId"].as_str() else {
            return error(outbox, "missing_msg_id");
        };
        let Some(to) = number(&frame["to"]) else { return refuse(outbox, frame, "missing_to") };
        let body = frame["body"].as_str().unwrap_or_default();
        let reason = match body {
            _ if body.trim().is_empty() => Some("missing_body"),
            _ if body.encode_utf16().count() > BODY_MAX => Some("body_too_long"),
            _ if to == user => Some("cannot_send_to_self"),
            _ if self.busy.is_due() => {
                self.log.write("busy");
                Some("server_busy")
            }
            _ => None,
        };
        if let Some(reason) = reason {
            return refuse(outbox, frame, reason);
        }
        let mut state = self.state();
        if let Some(place) = state.known.get(&(user, id.to_owned())) {
            let seq = state.messages[*place].seq;
            return say(outbox, &saved(user, id, *place, seq, None));
        }
        let place = state.messages.len();
        let chat = state.chats.entry((user.min(to), user.max(to))).or_default();
        chat.messages.push(place);
        let seq = chat.messages.len() as u64;
        let message =
            Stored { from: user, to, client_msg_id: id.to_owned(), seq, body: body.to_owned() };
        state.messages.push(message.clone());
        state.known.insert((user, id.to_owned()), place);
        say(outbox, &saved(user, id, place, seq, Some(body)));
        if self.drop_push.is_due() {
            return self.log.write("drop_push");
        }
        if let Some((_, outbox)) = state.sessions.get(&to) {
            say(outbox, &push(place, &message));
            if self.push_twice.is_due() {
                self.log.write("push_twice");
                say(outbox, &push(place, &message));
            }
        }
    }

    fn acknowledge(self: &Arc<Self>, user: u64, frame: &Value, outbox: &Outbox) {
        let kind = match frame["ackType"].as_str().unwrap_or_default().to_ascii_lowercase().as_str()
        {
            "" => return refuse(outbox, frame, "missing_ack_type"),
            "delivered" => "delivered",
            "read" | "ack_read" => "read",
            _ => return refuse(outbox, frame, "unknown_ack_type"),
        };
        // It is not used for anything, and asked for all the same.
        if number(&frame["to"]).is_none() {
            self.log.write("missing_to");
            return refuse(outbox, frame, "missing_to");
        }
        let Some(id) = number(&frame["serverMsgId"]) else {
            return refuse(outbox, frame, "missing_server_msg_id");
        };
        let mut state = self.state();
        let place = id.saturating_sub(FIRST_ID) as usize;
        let Some(message) = state.messages.get(place).cloned() else {
            return refuse(outbox, frame, "message_not_found");
        };
        if message.to != user {
            return refuse(outbox, frame, "ack_not_allowed");
        }
        self.log.write(kind);
        let chat = (user.min(message.from), user.max(message.from));
        let pending = state.receipts.entry((user, kind, chat));
        let is_first = matches!(pending, std::collections::hash_map::Entry::Vacant(_));
        let newest = pending.or_insert(place);
        *newest = place.max(*newest);
        if is_first {
            let server = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(server.faults.ack_window_ms)).await;
                server.relay(user, kind, chat);
            });
        }
    }

    /// Moves the cursor to the highest that was acknowledged, holes or not, and tells the
    /// sender.
    fn relay(&self, user: u64, kind: &'static str, chat: (u64, u64)) {
        let mut state = self.state();
        let Some(place) = state.receipts.remove(&(user, kind, chat)) else { return };
        let message = state.messages[place].clone();
        if let Some(chat) = state.chats.get_mut(&chat) {
            let cursor = chat.delivered.entry(user).or_default();
            *cursor = message.seq.max(*cursor);
        }
        if let Some((_, outbox)) = state.sessions.get(&message.from) {
            let id = (FIRST_ID + place as u64).to_string();
            say(
                outbox,
                &json!({"type": "ACK", "from": user.to_string(), "to": message.from.to_string(),
                        "ackType": kind, "serverMsgId": id, "msgSeq": message.seq, "ts": token::now_ms()}),
            );
        }
    }
}

/// Ids of messages begin somewhere.
const FIRST_ID: u64 = 1_900_000_000_000_000_000;

fn push(place: usize, message: &Stored) -> Value {
    json!({"type": "SINGLE_CHAT", "from": message.from.to_string(), "to": message.to.to_string(),
           "clientMsgId": message.client_msg_id, "serverMsgId": (FIRST_ID + place as u64).to_string(),
           "msgSeq": message.seq, "msgType": "TEXT", "body": message.body, "ts": token::now_ms()})
}

/// The ack of a message that is known already has no body; that of a new one has it all.
fn saved(user: u64, id: &str, place: usize, seq: u64, body: Option<&str>) -> Value {
    let mut ack = json!({"type": "ACK", "from": user.to_string(), "clientMsgId": id,
                         "serverMsgId": (FIRST_ID + place as u64).to_string(), "msgSeq": seq,
                         "ackType": "saved", "ts": token::now_ms()});
    if let Some(body) = body {
        ack["body"] = body.into();
    }
    ack
}
