//! xzll-im's connection tier: Protocol Buffers in binary frames, single chat, with its
//! retry of what recipients do not acknowledge.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::log::{Every, Log};
use crate::peers::{Opening, Outbox, Peer, accept};

/// The largest frame; a larger one closes the connection.
const FRAME_MAX: usize = 10_240;

/// What it does wrong, and how it is set.
#[derive(clap::Args, Debug)]
pub(crate) struct Faults {
    /// Every N-th push waits until the next to the same recipient has gone: pushes run on a
    /// pool, and nothing keeps two messages of one sender in order
    #[arg(long, value_name = "N")]
    reorder: Option<u64>,
    /// Every N-th message is acknowledged and neither pushed nor retried: what happens to a
    /// message for another node
    #[arg(long, value_name = "N")]
    other_node: Option<u64>,
    /// How long until what is not acknowledged is pushed again
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    retry_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    payload: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    payload: Vec<u8>,
    #[prost(int32, tag = "3")]
    code: i32,
    #[prost(string, tag = "4")]
    msg: String,
}

/// `C2CSendReq`, and `C2CMsgPush`, which has the same fields.
#[derive(Clone, PartialEq, prost::Message)]
struct Chat {
    #[prost(bytes = "vec", tag = "1")]
    client_msg_id: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    msg_id: u64,
    #[prost(fixed64, tag = "3")]
    from: u64,
    #[prost(fixed64, tag = "4")]
    to: u64,
    #[prost(int32, tag = "5")]
    format: i32,
    #[prost(string, tag = "6")]
    content: String,
    #[prost(fixed64, tag = "7")]
    time: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ack {
    #[prost(bytes = "vec", tag = "1")]
    client_msg_id: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    msg_id: u64,
    #[prost(fixed64, tag = "3")]
    from: u64,
    #[prost(fixed64, tag = "4")]
    to: u64,
    #[prost(int32, tag = "5")]
    status: i32,
}

const C2C_SEND: i32 = 1;
const C2C_ACK: i32 = 2;
const C2C_PUSH: i32 = 5;
const SERVER_RECEIVED: i32 = 1;
const OFFLINE: i32 = 2;

struct Server {
    faults: Faults,
    reorder: Every,
    other_node: Every,
    log: Arc<Log>,
    next_id: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One connection for each user: the last.
    users: HashMap<u64, (u64, Outbox)>,
    connections: u64,
    /// What was pushed and not acknowledged.
    waiting: HashSet<u64>,
    /// Pushes that wait for the next one to the same user.
    late: HashMap<u64, Vec<u8>>,
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    faults: Faults,
    log: Arc<Log>,
) -> std::io::Result<()> {
    let server = Arc::new(Server {
        reorder: Every::new(faults.reorder),
        other_node: Every::new(faults.other_node),
        faults,
        log,
        next_id: AtomicU64::new(7_000_000),
        state: Mutex::default(),
    });
    loop {
        let (socket, _) = listener.accept().await?;
        let server = server.clone();
        tokio::spawn(async move { server.connection(socket).await });
    }
}

/// nginx asks for the query, the gateway for the exact word, and who it is is said by the
/// header where authentication is off.
fn judge(opening: &Opening) -> Result<(), u16> {
    let header = |name: &str| opening.headers.get(name).map(String::as_str);
    let good = opening.query.contains_key("userId")
        && header("upgrade") == Some("websocket")
        && header("token").is_some_and(|token| !token.is_empty())
        && header("uid").is_some_and(|uid| uid.parse::<u64>().is_ok());
    if good { Ok(()) } else { Err(400) }
}

fn response(kind: i32, payload: &impl prost::Message) -> Vec<u8> {
    Response { kind, payload: payload.encode_to_vec(), code: 1, msg: String::new() }.encode_to_vec()
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this")
    }

    async fn connection(self: Arc<Self>, socket: TcpStream) {
        let Some(Peer { opening, mut frames, outbox }) = accept(socket, judge).await else {
            return;
        };
        let Ok(user) = opening.headers["uid"].parse::<u64>() else { return };
        let connection = {
            let mut state = self.state();
            state.connections += 1;
            let connection = state.connections;
            if let Some((_, old)) = state.users.insert(user, (connection, outbox.clone())) {
                let _ = old.try_send(Message::Close(None));
            }
            connection
        };
        while let Some(Ok(message)) = frames.next().await {
            match message {
                Message::Binary(bytes) if bytes.len() <= FRAME_MAX => self.frame(&bytes, &outbox),
                // Pings are answered by the library.
                Message::Ping(_) | Message::Pong(_) => {}
                _ => break,
            }
        }
        let mut state = self.state();
        if state.users.get(&user).is_some_and(|(other, _)| *other == connection) {
            state.users.remove(&user);
        }
        let _ = outbox.try_send(Message::Close(None));
    }

    fn frame(self: &Arc<Self>, bytes: &[u8], outbox: &Outbox) {
        let Ok(request) = Request::decode(bytes) else { return self.log.write("unreadable") };
        match request.kind {
            C2C_SEND => match Chat::decode(&*request.payload) {
                Ok(chat) => self.send(chat, outbox),
                Err(_) => self.log.write("unreadable"),
            },
            C2C_ACK => match Ack::decode(&*request.payload) {
                Ok(ack) => self.acknowledge(ack),
                Err(_) => self.log.write("unreadable"),
            },
            // An empty frame is a heartbeat: a message of no kind that nobody handles.
            _ => self.log.write("no_handler"),
        }
    }

    fn send(self: &Arc<Self>, mut chat: Chat, outbox: &Outbox) {
        chat.msg_id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let ack = |status| Ack {
            client_msg_id: chat.client_msg_id.clone(),
            msg_id: chat.msg_id,
            from: 0,
            to: chat.from,
            status,
        };
        let say = |status| {
            let _ = outbox.try_send(Message::binary(response(C2C_ACK, &ack(status))));
        };
        say(SERVER_RECEIVED);
        if self.other_node.is_due() {
            return self.log.write("other_node");
        }
        if !self.state().users.contains_key(&chat.to) {
            // Who is offline costs the sender two acks.
            self.log.write("offline");
            return say(OFFLINE);
        }
        self.push(&chat);
        let server = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(server.faults.retry_ms)).await;
            if server.state().waiting.contains(&chat.msg_id) {
                server.log.write("retry");
                server.push(&chat);
            }
        });
    }

    fn push(&self, chat: &Chat) {
        let frame = response(C2C_PUSH, chat);
        let mut state = self.state();
        state.waiting.insert(chat.msg_id);
        if !state.late.contains_key(&chat.to) && self.reorder.is_due() {
            state.late.insert(chat.to, frame);
            return;
        }
        let late = state.late.remove(&chat.to);
        let Some((_, outbox)) = state.users.get(&chat.to) else { return };
        let _ = outbox.try_send(Message::binary(frame));
        if let Some(late) = late {
            self.log.write("reorder");
            let _ = outbox.try_send(Message::binary(late));
        }
    }

    fn acknowledge(&self, ack: Ack) {
        self.log.write(if ack.status == 4 { "read" } else { "delivered" });
        let mut state = self.state();
        state.waiting.remove(&ack.msg_id);
        // It goes to whom the recipient names, which is not checked.
        if let Some((_, outbox)) = state.users.get(&ack.to) {
            let relayed = Ack { from: 0, ..ack };
            let _ = outbox.try_send(Message::binary(response(C2C_ACK, &relayed)));
        }
    }
}
