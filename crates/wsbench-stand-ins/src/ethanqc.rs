//! EthanQC/IM: a gateway that takes messages by HTTP, and replicas of a delivery service
//! that push them by WebSocket, each to the users connected to itself.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::log::{Every, Log};
use crate::peers::{Outbox, Peer, accept};
use crate::token;
use crate::web::{self, Request, Site};

const SECRET: &[u8] = b"dev-secret-of-the-stand-in-server";
/// How long an access token lasts, in seconds.
const TOKEN_SECONDS: u64 = 900;
/// The most offline messages that are pushed on connecting.
const OFFLINE_MAX: usize = 100;

/// What it does wrong, and how it is set.
#[derive(clap::Args, Debug)]
pub(crate) struct Faults {
    /// Replicas of the delivery service. Each reads a share of the conversations, and pushes
    /// to nobody who is connected to another
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replicas: usize,
    /// Every N-th message is stored, its sender is told of an error, and it is never pushed;
    /// the same again is found and answered as if all were well
    #[arg(long, value_name = "N")]
    fail_after_insert: Option<u64>,
    /// A device that connects again while its older connection is known loses both
    #[arg(long)]
    same_device_kills_both: bool,
}

struct Server {
    faults: Faults,
    fail_after_insert: Every,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    users: Vec<(String, String)>,
    conversations: Vec<Conversation>,
    /// By sender and `client_msg_id`: where the message is.
    known: HashMap<(u64, String), usize>,
    messages: Vec<Stored>,
    /// By user: device, connection, replica, outbox.
    online: HashMap<u64, Vec<Online>>,
    offline: HashMap<u64, Vec<Value>>,
    connections: u64,
}

struct Conversation {
    kind: u64,
    members: HashSet<u64>,
    messages: Vec<usize>,
}

#[derive(Clone)]
struct Stored {
    conversation: i64,
    sender: u64,
    seq: u64,
    text: String,
}

struct Online {
    device: String,
    connection: u64,
    replica: usize,
    outbox: Outbox,
}

/// Serves until the process ends.
pub(crate) async fn serve(
    mut listeners: Vec<TcpListener>,
    faults: Faults,
    log: Arc<Log>,
) -> std::io::Result<()> {
    let server = Arc::new(Server {
        fail_after_insert: Every::new(faults.fail_after_insert),
        faults,
        log,
        state: Mutex::default(),
    });
    let gateway = listeners.remove(0);
    for (replica, listener) in listeners.into_iter().enumerate() {
        let server = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.connection(socket, replica).await });
            }
        });
    }
    web::serve(gateway, server).await
}

fn say(outbox: &Outbox, value: &Value) {
    // Who does not read loses it.
    let _ = outbox.try_send(Message::text(value.to_string()));
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this")
    }

    async fn connection(self: Arc<Self>, socket: TcpStream, replica: usize) {
        let known = |query: &std::collections::BTreeMap<String, String>| {
            query.get("user_id").and_then(|user| user.parse::<u64>().ok()).filter(|user| *user > 0)
        };
        let judge = |opening: &crate::peers::Opening| known(&opening.query).map(drop).ok_or(401);
        let Some(Peer { opening, mut frames, outbox }) = accept(socket, judge).await else {
            return;
        };
        let Some(user) = known(&opening.query) else { return };
        let device =
            opening.query.get("device_id").cloned().unwrap_or_else(|| "default".to_owned());
        let connection = self.arrive(user, &device, replica, &outbox);
        while let Some(Ok(message)) = frames.next().await {
            match message {
                Message::Text(text) => self.frame(&text, &outbox),
                Message::Binary(bytes) => self.frame(&String::from_utf8_lossy(&bytes), &outbox),
                Message::Close(_) => break,
                _ => {}
            }
        }
        let mut state = self.state();
        if let Some(online) = state.online.get_mut(&user) {
            online.retain(|other| other.connection != connection);
        }
        let _ = outbox.try_send(Message::Close(None));
    }

    fn arrive(&self, user: u64, device: &str, replica: usize, outbox: &Outbox) -> u64 {
        let mut state = self.state();
        state.connections += 1;
        let connection = state.connections;
        let online = state.online.entry(user).or_default();
        let older = online.iter().position(|other| other.device == device);
        if let Some(older) = older.map(|place| online.remove(place)) {
            let _ = older.outbox.try_send(Message::Close(None));
            if self.faults.same_device_kills_both {
                // The end of the older one takes the newer one off the list, too.
                self.log.write("both_killed");
                let _ = outbox.try_send(Message::Close(None));
                return connection;
            }
        }
        let device = device.to_owned();
        let hello = json!({"type": "notify", "data": {"status": "connected", "user_id": user,
                           "device_id": device, "server_time": token::now_ms()}});
        say(outbox, &hello);
        online.push(Online { device, connection, replica, outbox: outbox.clone() });
        let waiting = state.offline.get_mut(&user);
        let waiting: Vec<_> = waiting
            .map(|waiting| waiting.drain(..waiting.len().min(OFFLINE_MAX)).collect())
            .unwrap_or_default();
        for frame in &waiting {
            say(outbox, frame);
        }
        connection
    }

    fn frame(&self, text: &str, outbox: &Outbox) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let id = &frame["id"];
        match frame["type"].as_str().unwrap_or_default() {
            "ping" => say(outbox, &json!({"type": "pong", "id": id, "ts": token::now_ms()})),
            "ack" if frame["data"]["message_id"].is_u64() => {
                self.log.write("ack");
                say(outbox, &json!({"type": "notify", "id": id, "data": {"status": "ok"}}));
            }
            _ => {
                let data = json!({"error": "unknown message type"});
                say(
                    outbox,
                    &json!({"type": "error", "id": id, "data": data, "ts": token::now_ms()}),
                );
            }
        }
    }

    fn user_of(&self, request: &Request) -> Option<u64> {
        let claims = token::verify(SECRET, request.bearer.as_ref()?)?;
        let user = claims["sub"].as_str()?.parse().ok()?;
        (claims["exp"].as_u64()? * 1000 > token::now_ms()).then_some(user)
    }

    fn logged_in(name: &str, user: u64) -> Value {
        let now = token::now_ms() / 1000;
        let claims = json!({"jti": format!("j{user}"), "sub": user.to_string(), "iat": now,
                            "exp": now + TOKEN_SECONDS});
        json!({"access_token": token::sign(SECRET, &claims), "refresh_token": "r", "expires_in": 899,
               "profile": {"user": {"id": user, "username": name, "display_name": name, "avatar_url": ""},
                           "status": "active"}})
    }

    fn register(&self, body: &Value) -> (u16, Value) {
        let (Some(name), Some(password)) = (body["username"].as_str(), body["password"].as_str())
        else {
            return (400, json!({"error": "invalid request"}));
        };
        let mut state = self.state();
        if state.users.iter().any(|(other, _)| other == name) {
            return (400, json!({"error": "username exists"}));
        }
        state.users.push((name.to_owned(), password.to_owned()));
        let user = state.users.len() as u64;
        (200, json!({"code": 0, "message": "success", "data": Self::logged_in(name, user)}))
    }

    /// Not in an envelope, unlike the answer to a registration.
    fn log_in(&self, body: &Value) -> (u16, Value) {
        let state = self.state();
        let place = state.users.iter().position(|(name, password)| {
            body["username"] == name.as_str() && body["password"] == password.as_str()
        });
        match place {
            Some(place) => (200, Self::logged_in(&state.users[place].0, place as u64 + 1)),
            None => (401, json!({"error": "invalid credentials"})),
        }
    }

    fn found(&self, user: u64, body: &Value) -> (u16, Value) {
        let kind = body["type"].as_u64().unwrap_or(0);
        let others = body["member_ids"].as_array().cloned().unwrap_or_default();
        let members: HashSet<u64> = others.iter().filter_map(Value::as_u64).chain([user]).collect();
        if !matches!(kind, 1 | 2) || kind == 1 && members.len() != 2 {
            return (500, json!({"error": "rpc error: code = InvalidArgument desc = members"}));
        }
        let mut state = self.state();
        let existing = state
            .conversations
            .iter()
            .position(|other| kind == 1 && other.kind == 1 && other.members == members);
        let place = existing.unwrap_or_else(|| {
            state.conversations.push(Conversation { kind, members, messages: Vec::new() });
            state.conversations.len() - 1
        });
        (200, json!({"code": 0, "data": {"id": place + 1, "type": kind, "title": body["title"]}}))
    }

    fn send(&self, user: u64, body: &Value) -> (u16, Value) {
        let (Some(id), Some(client_msg_id), Some(_)) = (
            body["conversation_id"].as_i64(),
            body["client_msg_id"].as_str(),
            body["content_type"].as_i64(),
        ) else {
            return (400, json!({"error": "invalid request"}));
        };
        let key = (user, client_msg_id.to_owned());
        let mut state = self.state();
        if let Some(place) = state.known.get(&key) {
            return (200, json!({"code": 0, "data": item(*place, &state.messages[*place])}));
        }
        let place = state.messages.len();
        let conversation = usize::try_from(id - 1).ok();
        let found = conversation.and_then(|index| state.conversations.get_mut(index));
        let Some(found) = found.filter(|found| found.members.contains(&user)) else {
            return (
                500,
                json!({"error": "rpc error: code = PermissionDenied desc = not a member"}),
            );
        };
        found.messages.push(place);
        let (seq, members) = (found.messages.len() as u64, found.members.clone());
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let message = Stored { conversation: id, sender: user, seq, text };
        state.messages.push(message.clone());
        state.known.insert(key, place);
        if self.fail_after_insert.is_due() {
            self.log.write("fail_after_insert");
            return (500, json!({"error": "rpc error: code = Unknown desc = inbox"}));
        }
        self.publish(&mut state, place, &message, &members);
        (200, json!({"code": 0, "data": item(place, &message)}))
    }

    /// One replica reads the conversation's partition, and pushes to whoever is connected
    /// to itself.
    fn publish(&self, state: &mut State, place: usize, message: &Stored, members: &HashSet<u64>) {
        let content = json!({"text": {"text": message.text}}).to_string();
        let frame = json!({"type": "new_message", "data": {
            "message_id": place + 1, "conversation_id": message.conversation,
            "sender_id": message.sender, "seq": message.seq, "content_type": 1,
            "content": content, "created_at": token::now_ms() / 1000}});
        let reader = (message.conversation as usize - 1) % self.faults.replicas;
        for member in members.iter().filter(|member| **member != message.sender) {
            match state.online.get(member).filter(|online| !online.is_empty()) {
                None => state.offline.entry(*member).or_default().push(frame.clone()),
                Some(online) => {
                    for connection in online {
                        if connection.replica == reader {
                            say(&connection.outbox, &frame);
                        } else {
                            // Nobody is told, and nobody notices.
                            self.log.write("other_replica");
                        }
                    }
                }
            }
        }
    }

    fn history(&self, query: &str) -> (u16, Value) {
        let value = |name: &str| {
            let pair = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name);
            pair.and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let limit = value("limit").filter(|limit| (1..=100).contains(limit)).unwrap_or(50) as usize;
        let after = value("after_seq").unwrap_or(0);
        let state = self.state();
        let place =
            value("conversation_id").and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
        let found = place.and_then(|place| state.conversations.get(place));
        let items: Vec<Value> = found
            .into_iter()
            .flat_map(|found| &found.messages)
            .map(|place| (*place, &state.messages[*place]))
            .filter(|(_, message)| message.seq > after)
            .take(limit)
            .map(|(place, message)| item(place, message))
            .collect();
        // Nothing is null, not an empty list.
        let data = if items.is_empty() { Value::Null } else { items.into() };
        (200, json!({"code": 0, "data": data}))
    }
}

fn item(place: usize, message: &Stored) -> Value {
    json!({"id": place + 1, "conversation_id": message.conversation, "sender_id": message.sender,
           "seq": message.seq, "content_type": 1, "body": {"Body": {"Text": {"text": message.text}}},
           "create_time": {"seconds": token::now_ms() / 1000}})
}

impl Site for Server {
    fn answer(&self, request: &Request) -> (u16, Value) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match (request.method.as_str(), path) {
            ("POST", "/api/auth/register") => return self.register(&request.body),
            ("POST", "/api/auth/login") => return self.log_in(&request.body),
            _ => {}
        }
        let Some(user) = self.user_of(request) else {
            return (401, json!({"error": "invalid token"}));
        };
        match (request.method.as_str(), path) {
            ("POST", "/api/conversations") => self.found(user, &request.body),
            ("POST", "/api/messages") => self.send(user, &request.body),
            ("POST", "/api/messages/read") => {
                self.log.write("read");
                (200, json!({"code": 0, "message": "success"}))
            }
            // Anybody who is logged in may read anything.
            ("GET", "/api/messages/history") => self.history(query),
            _ => (404, json!({"error": "not found"})),
        }
    }
}
