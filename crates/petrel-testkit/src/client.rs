//! A client over a real socket.
//!
//! It keeps no state of its own but the frames that came while it waited for the
//! answer to a request; whoever asks for the next frame gets those first.

mod group;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::{FutureExt, SinkExt, StreamExt};
pub use group::{add, edit, found, leave, pin, react, recall, remove, say, set_role, set_title};
use petrel_protocol::close::{CloseCode, CloseReason};
use petrel_protocol::frame::{
    Ack, AckItem, Auth, AuthOk, ClientAckType, ClientFrame, Decoded, Error as ErrorFrame, Events,
    Ping, Pull, ReceiptAck, RequestId, SavedAck, ServerAck, ServerFrame, SingleChat,
    SingleChatPush, Sync, SyncConversation, SyncState,
};
use petrel_protocol::{ErrorReason, PROTOCOL_VERSION};
use petrel_types::limits::{FRAME_BYTES_MAX, PULL_EVENTS_MAX};
use petrel_types::{ClientMessageId, ConversationId, Epoch, Seq, UserId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::checker::Timeline;
use crate::http::Answer;
use crate::in_time;

/// Small: a test may hold hundreds of clients.
const BUFFER_BYTES: usize = 4 * 1024;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    address: SocketAddr,
    query: Vec<String>,
    headers: Vec<(&'static str, String)>,
    device: Option<String>,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Frames that came while something else was waited for.
    waiting: VecDeque<String>,
    last_id: u64,
    auth_ok: Option<AuthOk>,
    /// Repeats of what was not acknowledged are passed over, as a real client does, unless
    /// a test is about them: on a slow machine any test may meet them.
    shows_repeats: bool,
}

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A text frame.
    Text(String),
    /// The server said goodbye.
    Closed(Closed),
}

/// The server's goodbye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The code; none if the close frame was empty.
    pub code: Option<u16>,
    /// The text beside it.
    pub reason: String,
}

/// In an error: there is no server at the other end, or no longer. What else goes wrong
/// on a connection has other causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnected;

/// What a device learns by syncing to the end.
#[derive(Clone, Debug)]
pub struct Synced {
    /// The conversations that changed, newest first.
    pub conversations: Vec<SyncConversation>,
    /// For the next sync.
    pub token: String,
    /// The server asked to start anew.
    pub resync: bool,
    /// The epoch of all answers.
    pub epoch: Epoch,
}

impl Connect {
    /// To `/ws` on a port.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, query: Vec::new(), headers: Vec::new(), device: None }
    }

    /// Adds a query parameter. The value must need no escaping.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(format!("{name}={value}"));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names the device in the AUTH frame.
    #[must_use]
    pub fn device(mut self, device: &str) -> Self {
        self.device = Some(device.to_owned());
        self
    }

    /// Connects, and says nothing.
    pub async fn open(&self) -> Result<Client> {
        match self.try_open().await? {
            Ok(client) => Ok(client),
            Err(answer) => bail!("the upgrade was refused: {answer:?}"),
        }
    }

    /// Connects when the upgrade may be refused; then returns the refusal.
    pub async fn try_open(&self) -> Result<Result<Client, Answer>> {
        Ok(self.upgrade().await?.map(|socket| Client {
            socket,
            waiting: VecDeque::new(),
            last_id: 0,
            auth_ok: None,
            shows_repeats: false,
        }))
    }

    /// Connects when the upgrade is expected to be refused, and returns the refusal.
    pub async fn refused(&self) -> Result<Answer> {
        match self.upgrade().await? {
            Ok(_) => bail!("the upgrade was not refused"),
            Err(answer) => Ok(answer),
        }
    }

    /// Connects with a token that came with the upgrade, and waits for AUTH_OK.
    pub async fn open_authenticated(&self) -> Result<Client> {
        let mut client = self.open().await?;
        client.expect_auth_ok().await?;
        Ok(client)
    }

    /// Connects, authenticates with an AUTH frame and waits for AUTH_OK.
    pub async fn authenticate(&self, token: &str) -> Result<Client> {
        let mut client = self.open().await?;
        client.send(&self.auth(token)).await?;
        client.expect_auth_ok().await?;
        Ok(client)
    }

    /// The AUTH frame with a token.
    pub fn auth(&self, token: &str) -> ClientFrame {
        ClientFrame::Auth(Auth {
            token: token.to_owned(),
            v: Some(PROTOCOL_VERSION),
            device_id: self.device.clone(),
            ..Auth::default()
        })
    }

    async fn upgrade(&self) -> Result<Result<WebSocketStream<TcpStream>, Answer>> {
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query.join("&"))
        };
        let mut request = format!("ws://{}/ws{query}", self.address).into_client_request()?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        // The server keeps to the cap that it demands of clients.
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let connected = in_time("a connection", async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            client_async_with_config(request, stream, Some(config)).await
        });
        match connected.await? {
            Ok((socket, _)) => Ok(Ok(socket)),
            Err(SocketError::Http(response)) => {
                let (head, body) = response.into_parts();
                let body = String::from_utf8(body.unwrap_or_default())?;
                let length = head.headers.get("content-length");
                let length: usize = length.context("no content-length")?.to_str()?.parse()?;
                ensure!(body.len() == length, "the refusal's body has {length} bytes: {body:?}");
                Ok(Err(Answer { status: head.status.as_u16(), headers: head.headers, body }))
            }
            Err(error) => Err(told(error)),
        }
    }
}

/// Sending.
impl Client {
    /// Sends a frame.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        self.send_text(frame.encode(None)).await
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<()> {
        self.send_message(Message::text(text.into())).await
    }

    /// Sends any WebSocket message.
    pub async fn send_message(&mut self, message: Message) -> Result<()> {
        in_time("a write", self.socket.send(message)).await?.map_err(told)
    }

    /// Sends many frames without waiting for answers. What comes meanwhile is kept, so
    /// that neither side waits for the other to read.
    pub async fn send_all(&mut self, frames: impl IntoIterator<Item = ClientFrame>) -> Result<()> {
        for frame in frames {
            let message = Message::text(frame.encode(None));
            in_time("a write", self.socket.feed(message)).await?.map_err(told)?;
            while let Some(received) = self.socket.next().now_or_never() {
                if let Some(Received::Text(text)) = received_of(received)? {
                    self.waiting.push_back(text);
                }
            }
        }
        in_time("a write", self.socket.flush()).await?.map_err(told)
    }

    /// Sends a text message under a `clientMsgId`.
    pub async fn chat(&mut self, to: UserId, name: &str, body: &str) -> Result<()> {
        self.send(&chat(to, name, body)).await
    }

    /// Says that everything up to a place was received or read.
    pub async fn acknowledge(
        &mut self,
        kind: ClientAckType,
        conversation: ConversationId,
        seq: u64,
    ) -> Result<()> {
        let item = AckItem { conversation_id: conversation, msg_seq: Seq::new(seq) };
        self.send(&ack(kind, vec![item])).await
    }

    /// Says goodbye and waits until the server has.
    pub async fn close(mut self) -> Result<()> {
        in_time("a goodbye", async {
            self.socket.close(None).await?;
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok(())
        })
        .await?
    }
}

/// Receiving.
impl Client {
    /// The next thing from the server, whatever it is.
    pub async fn receive(&mut self) -> Result<Received> {
        if let Some(text) = self.waiting.pop_front() {
            return Ok(Received::Text(text));
        }
        self.receive_new().await
    }

    async fn receive_new(&mut self) -> Result<Received> {
        let read = async {
            loop {
                let received = received_of(self.socket.next().await)?;
                match received {
                    Some(Received::Text(text)) if !self.shows_repeats && is_repeat(&text) => {}
                    Some(received) => return anyhow::Ok(received),
                    None => {}
                }
            }
        };
        in_time("a frame", read).await?
    }

    /// From now on repeats come like everything else.
    pub fn show_repeats(&mut self) {
        self.shows_repeats = true;
    }

    /// The next frame, as the text that came.
    pub async fn next_text(&mut self) -> Result<String> {
        match self.receive().await? {
            Received::Text(text) => Ok(text),
            Received::Closed(closed) => bail!("the server said goodbye: {closed:?}"),
        }
    }

    /// The next frame as plain JSON, for tests of its exact form.
    pub async fn next_json(&mut self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.next_text().await?)?)
    }

    /// The next frame and the `id` it echoes.
    pub async fn next_decoded(&mut self) -> Result<Decoded<ServerFrame>> {
        decode(&self.next_text().await?)
    }

    /// The next frame.
    pub async fn next_frame(&mut self) -> Result<ServerFrame> {
        Ok(self.next_decoded().await?.frame)
    }

    /// Sends a request and returns the answer to it, found by its `id`. Other frames
    /// that come before it wait for their turn.
    pub async fn request(&mut self, request: &ClientFrame) -> Result<ServerFrame> {
        self.last_id += 1;
        let id = RequestId::Number(self.last_id);
        self.send_text(request.encode(Some(&id))).await?;
        loop {
            match self.receive_new().await? {
                Received::Text(text) => {
                    let decoded = decode(&text)?;
                    if decoded.id.as_ref() == Some(&id) {
                        return Ok(decoded.frame);
                    }
                    self.waiting.push_back(text);
                }
                Received::Closed(closed) => bail!("no answer but a goodbye: {closed:?}"),
            }
        }
    }

    /// Everything that the server had in store for this session when this was called.
    ///
    /// Two round trips: what waited in the session's outbox is written at the latest
    /// together with the first PONG, and so comes before the second.
    pub async fn settle(&mut self) -> Result<Vec<ServerFrame>> {
        for _ in 0..2 {
            let answer = self.request(&ClientFrame::Ping(Ping {})).await?;
            ensure!(matches!(answer, ServerFrame::Pong(_)), "no PONG: {answer:?}");
        }
        self.waiting.drain(..).map(|text| Ok(decode(&text)?.frame)).collect()
    }

    /// Makes sure that the server had nothing in store for this session.
    pub async fn expect_silence(&mut self) -> Result<()> {
        let frames = self.settle().await?;
        ensure!(frames.is_empty(), "expected nothing, but got {frames:?}");
        Ok(())
    }

    /// AUTH_OK.
    pub async fn expect_auth_ok(&mut self) -> Result<AuthOk> {
        match self.next_frame().await? {
            ServerFrame::AuthOk(auth_ok) => {
                self.auth_ok = Some(auth_ok.clone());
                Ok(auth_ok)
            }
            other => Err(unexpected("AUTH_OK", &other)),
        }
    }

    /// `ACK saved`.
    pub async fn expect_saved(&mut self) -> Result<SavedAck> {
        match self.next_frame().await? {
            ServerFrame::Ack(ServerAck::Saved(ack)) => Ok(ack),
            other => Err(unexpected("ACK saved", &other)),
        }
    }

    /// A pushed message.
    pub async fn expect_chat(&mut self) -> Result<SingleChatPush> {
        match self.next_frame().await? {
            ServerFrame::SingleChat(push) => Ok(push),
            other => Err(unexpected("SINGLE_CHAT", &other)),
        }
    }

    /// `ACK delivered` or `ACK read` of somebody.
    pub async fn expect_receipt(&mut self) -> Result<ReceiptAck> {
        match self.next_frame().await? {
            ServerFrame::Ack(ServerAck::Receipt(receipt)) => Ok(receipt),
            other => Err(unexpected("a receipt", &other)),
        }
    }

    /// `ERROR` with this reason.
    pub async fn expect_error(&mut self, reason: ErrorReason) -> Result<ErrorFrame> {
        match self.next_frame().await? {
            ServerFrame::Error(error) if error.reason == reason => Ok(error),
            other => Err(unexpected(reason.as_str(), &other)),
        }
    }

    /// The server's goodbye, and nothing before it.
    pub async fn expect_closed(&mut self) -> Result<Closed> {
        match self.receive().await? {
            Received::Closed(closed) => Ok(closed),
            Received::Text(text) => bail!("expected a goodbye, but got {text}"),
        }
    }

    /// A goodbye with one of our own codes and a reason that fits it.
    pub async fn expect_closed_with(&mut self, code: CloseCode) -> Result<CloseReason> {
        let closed = self.expect_closed().await?;
        ensure!(closed.code == Some(code.get()), "{closed:?}");
        let reason: CloseReason =
            serde_json::from_str(&closed.reason).with_context(|| format!("{closed:?}"))?;
        ensure!(reason.reason == code.as_str(), "{closed:?}");
        Ok(reason)
    }
}

/// Catching up.
impl Client {
    /// What AUTH_OK said, if it has come.
    pub fn auth_ok(&self) -> Option<&AuthOk> {
        self.auth_ok.as_ref()
    }

    /// One `SYNC`.
    pub async fn sync(&mut self, token: Option<&str>, limit: Option<u32>) -> Result<SyncState> {
        let request = ClientFrame::Sync(Sync { token: token.map(str::to_owned), limit });
        match self.request(&request).await? {
            ServerFrame::SyncState(state) => Ok(state),
            other => Err(unexpected("SYNC_STATE", &other)),
        }
    }

    /// `SYNC` until there is no more.
    pub async fn sync_all(&mut self, token: Option<&str>) -> Result<Synced> {
        let first = self.sync(token, None).await?;
        let mut synced = Synced {
            conversations: first.conversations,
            token: first.token,
            resync: first.resync,
            epoch: first.epoch,
        };
        let mut more = first.more;
        while more {
            let next = self.sync(Some(&synced.token), None).await?;
            ensure!(next.epoch == synced.epoch, "the epoch changed in a pass");
            synced.conversations.extend(next.conversations);
            synced.token = next.token;
            more = next.more;
        }
        Ok(synced)
    }

    /// One `PULL`.
    pub async fn pull(&mut self, pull: Pull) -> Result<Events> {
        match self.request(&ClientFrame::Pull(pull)).await? {
            ServerFrame::Events(events) => Ok(events),
            other => Err(unexpected("EVENTS", &other)),
        }
    }

    /// Pulls what comes after a place, to the end. Every answer must cover what was
    /// asked for without a hole.
    pub async fn pull_after(
        &mut self,
        conversation: ConversationId,
        after: Seq,
    ) -> Result<Timeline> {
        let mut timeline = Timeline { conversation, head: after, events: Vec::new() };
        let mut position = after;
        loop {
            let page = self
                .pull(Pull {
                    conversation_id: conversation,
                    after_seq: Some(position),
                    before_seq: None,
                    limit: Some(PULL_EVENTS_MAX),
                })
                .await?;
            ensure!(
                page.conversation_id == conversation && page.from_seq == position.next(),
                "asked for what comes after {position}, got {page:?}"
            );
            ensure!(
                page.has_more == (page.to_seq < page.head_seq),
                "hasMore and coverage don't agree: {page:?}"
            );
            ensure!(
                page.to_seq > position || !page.has_more,
                "there is more, but none came: {page:?}"
            );
            timeline.events.extend(chats_of(&page)?);
            timeline.head = page.head_seq;
            if !page.has_more {
                return Ok(timeline);
            }
            position = page.to_seq;
        }
    }

    /// Pulls a whole conversation.
    pub async fn pull_all(&mut self, conversation: ConversationId) -> Result<Timeline> {
        self.pull_after(conversation, Seq::ZERO).await
    }
}

/// A body can't contain this, as its quotes would be escaped.
fn is_repeat(text: &str) -> bool {
    text.contains("\"redelivered\":true")
}

/// The frame that sends a text message.
///
/// # Panics
///
/// If `name` is no valid `clientMsgId`.
pub fn chat(to: UserId, name: &str, body: &str) -> ClientFrame {
    let name = ClientMessageId::new(name).expect("a test chooses valid names");
    ClientFrame::SingleChat(SingleChat::text(name, to, body.to_owned()))
}

/// The frame that moves one's cursors.
pub fn ack(kind: ClientAckType, items: Vec<AckItem>) -> ClientFrame {
    ClientFrame::Ack(Ack {
        ack_type: kind,
        conversation_id: None,
        msg_seq: None,
        server_msg_id: None,
        items,
    })
}

/// The messages in an `EVENTS`.
pub fn chats_of(events: &Events) -> Result<Vec<SingleChatPush>> {
    let chat_of = |text: &str| match decode(text)?.frame {
        ServerFrame::SingleChat(push) => Ok(push),
        other => Err(unexpected("a message", &other)),
    };
    events.events.iter().map(|event| chat_of(event.get())).collect()
}

fn decode(text: &str) -> Result<Decoded<ServerFrame>> {
    ServerFrame::decode(text).with_context(|| format!("no frame of the protocol: {text}"))
}

fn unexpected(expected: &str, got: &ServerFrame) -> anyhow::Error {
    anyhow!("expected {expected}, but got {}", got.encode(None))
}

/// `None` for WebSocket's own pings and pongs.
fn received_of(message: Option<Result<Message, SocketError>>) -> Result<Option<Received>> {
    match message {
        None => Err(anyhow!("the connection ended without a goodbye").context(Disconnected)),
        Some(Err(error)) => Err(told(error)),
        Some(Ok(Message::Text(text))) => Ok(Some(Received::Text(text.as_str().to_owned()))),
        Some(Ok(Message::Close(frame))) => Ok(Some(Received::Closed(match frame {
            Some(frame) => {
                Closed { code: Some(frame.code.into()), reason: frame.reason.as_str().to_owned() }
            }
            None => Closed { code: None, reason: String::new() },
        }))),
        Some(Ok(Message::Binary(_))) => bail!("the server sent a binary frame"),
        Some(Ok(_)) => Ok(None),
    }
}

/// An error of the library, as [`Disconnected`] if it is no more than that.
fn told(error: SocketError) -> anyhow::Error {
    let is_disconnection = matches!(
        error,
        SocketError::Io(_)
            | SocketError::ConnectionClosed
            | SocketError::AlreadyClosed
            | SocketError::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete
            )
    );
    let error = anyhow!(error);
    if is_disconnection { error.context(Disconnected) } else { error }
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke")
    }
}
