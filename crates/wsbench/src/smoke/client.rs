//! One WebSocket connection that says a frame and waits for another: for a handful of
//! frames, not for load.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use petrel_websocket::handshake::{self, Answer};
use petrel_websocket::{Decoder, Message, Opcode, Role, encode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use super::transcript::Transcript;
use crate::target::Target;

/// The largest message that is taken, in bytes.
const MESSAGE_BYTES_MAX: u32 = 1 << 20;
/// How long one read waits.
const READ: Duration = Duration::from_millis(100);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection of one user.
pub(super) struct Client {
    /// What it is called in the transcript.
    who: String,
    stream: Box<dyn Stream>,
    decoder: Decoder,
    received: VecDeque<Value>,
    /// How it ended, if it has.
    closed: Option<String>,
}

impl Client {
    /// Connects.
    pub(super) fn connect(
        who: &str,
        target: &Target,
        tls: Option<&Arc<ClientConfig>>,
        patience: Duration,
        transcript: &mut Transcript,
    ) -> Result<Self, String> {
        let wrong = |error: std::io::Error| format!("{who} can't connect to {target}: {error}");
        let addresses = target.resolve()?;
        let tcp = TcpStream::connect_timeout(&addresses[0], patience).map_err(wrong)?;
        tcp.set_nodelay(true).map_err(wrong)?;
        tcp.set_read_timeout(Some(READ)).map_err(wrong)?;
        tcp.set_write_timeout(Some(patience)).map_err(wrong)?;
        let mut stream: Box<dyn Stream> = match tls.filter(|_| target.tls) {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| format!("{}: {error}", target.host))?;
                let session = ClientConnection::new(config.clone(), name)
                    .map_err(|error| format!("TLS to {target}: {error}"))?;
                Box::new(StreamOwned::new(session, tcp))
            }
        };
        let key = handshake::key(std::array::from_fn(|_| fastrand::u8(..)));
        let mut request = Vec::new();
        let none: [(&str, &str); 0] = [];
        handshake::write_request(&mut request, &target.authority(), &target.path, &key, none);
        stream.write_all(&request).map_err(wrong)?;
        let deadline = Instant::now() + patience;
        let mut head = Vec::new();
        let rest = loop {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) => return Err(format!("{who}: {target} closed the connection")),
                Ok(bytes) => head.extend_from_slice(&buffer[..bytes]),
                Err(error) if is_wait(&error) && Instant::now() < deadline => continue,
                Err(error) => return Err(wrong(error)),
            }
            match handshake::read_answer(&head, &key) {
                Ok(None) => {}
                Ok(Some(Answer::Upgraded(length))) => break head.split_off(length),
                Ok(Some(Answer::Refused { status, .. })) => {
                    return Err(format!("{who}: {target} answers {status}"));
                }
                Err(error) => return Err(format!("{who}: {target}: {error}")),
            }
        };
        transcript.note(who, "connected", &Value::String(target.to_string()));
        let mut client = Self {
            who: who.to_owned(),
            stream,
            decoder: Decoder::new(Role::Client, MESSAGE_BYTES_MAX),
            received: VecDeque::new(),
            closed: None,
        };
        client.take(rest, transcript);
        Ok(client)
    }

    /// Says a frame.
    pub(super) fn say(&mut self, frame: &Value, transcript: &mut Transcript) -> Result<(), String> {
        transcript.note(&self.who, "sent", frame);
        self.write(Opcode::Text, frame.to_string().as_bytes())
    }

    fn write(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), String> {
        let mut bytes = Vec::new();
        encode(&mut bytes, opcode, payload, Some(fastrand::u32(..).to_ne_bytes()));
        let written = self.stream.write_all(&bytes).and_then(|()| self.stream.flush());
        written.map_err(|error| format!("{} can't send: {error}", self.who))
    }

    /// Waits for the first frame that is wanted; those before it are dropped. `what` is how
    /// it is called when it doesn't come.
    pub(super) fn wait(
        &mut self,
        what: &str,
        patience: Duration,
        transcript: &mut Transcript,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let deadline = Instant::now() + patience;
        let mut seen = Vec::new();
        loop {
            while let Some(frame) = self.received.pop_front() {
                if wanted(&frame) {
                    return Ok(frame);
                }
                seen.push(frame["type"].as_str().unwrap_or("?").to_owned());
            }
            let passed = match seen.is_empty() {
                true => String::new(),
                false => format!("; instead came {}", seen.join(", ")),
            };
            if let Some(closed) = &self.closed {
                return Err(format!(
                    "{}: no {what}: the connection ended ({closed}){passed}",
                    self.who
                ));
            }
            if Instant::now() >= deadline {
                return Err(format!("{}: no {what} within {patience:?}{passed}", self.who));
            }
            self.read(transcript);
        }
    }

    /// Waits until the server has ended the connection, and says how.
    pub(super) fn wait_for_end(
        &mut self,
        patience: Duration,
        transcript: &mut Transcript,
    ) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(closed) = &self.closed {
                return Ok(closed.clone());
            }
            self.read(transcript);
        }
        Err(format!("{}: the connection was not ended within {patience:?}", self.who))
    }

    fn read(&mut self, transcript: &mut Transcript) {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.end("eof", transcript),
            Ok(bytes) => self.take(buffer[..bytes].to_vec(), transcript),
            Err(error) if is_wait(&error) => {}
            Err(error) => self.end(crate::causes::of(&error), transcript),
        }
    }

    fn end(&mut self, how: &str, transcript: &mut Transcript) {
        if self.closed.is_none() {
            transcript.note(&self.who, "ended", &Value::String(how.to_owned()));
            self.closed = Some(how.to_owned());
        }
    }

    fn take(&mut self, mut bytes: Vec<u8>, transcript: &mut Transcript) {
        let (mut pongs, mut end) = (Vec::new(), None);
        let (received, who) = (&mut self.received, &self.who);
        let result = self.decoder.feed(&mut bytes, |message| {
            match message {
                Message::Text(text) => {
                    let frame = serde_json::from_str(text).unwrap_or(Value::Null);
                    transcript.note(who, "received", &frame);
                    received.push_back(frame);
                }
                Message::Ping(payload) => pongs.push(payload.to_vec()),
                Message::Close(code, reason) => {
                    let code = code.map_or(String::new(), |code| code.to_string());
                    end = Some(format!("close {code} {reason}").trim().to_owned());
                }
                Message::Binary(_) | Message::Pong(_) => {}
            }
            ControlFlow::Continue(())
        });
        if result.is_err() {
            end.get_or_insert_with(|| "a breach of the WebSocket protocol".to_owned());
        }
        for payload in pongs {
            // If it can't be written, the next read says why.
            let _ = self.write(Opcode::Pong, &payload);
        }
        if let Some(end) = end {
            self.end(&end, transcript);
        }
    }
}

fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
