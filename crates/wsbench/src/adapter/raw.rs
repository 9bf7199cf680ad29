//! Any server: what to send, and what to look for in what comes.
//!
//! A message is recognised by its stamp, wherever in a frame it is, so that a delivery
//! needs no template. With `{group}` in the message connections talk in groups: whatever
//! the server calls a room or a channel, which `join` enters. An ack is a frame that contains `ack` and, anywhere, the message's
//! `{id}`.

use petrel_websocket::Opcode;
use serde::{Deserialize, Serialize};

use super::{Abilities, Adapter, Frame, FrameWriter, Incoming, MessageName, Seat, Sink, Upgrade};
use crate::ledger::How;
use crate::stamp::Stamp;

/// What to send and what to look for. Placeholders: `{user}`, `{to}`, `{group}`, `{id}`,
/// `{body}`, `{token}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Templates {
    /// Appended to the query of the upgrade, as `user={user}`.
    pub query: Option<String>,
    /// The first frame of a connection, with `{user}`.
    pub login: Option<String>,
    /// A frame with this text says that the login stands.
    pub login_ok: Option<String>,
    /// The frame by which a connection enters its group, with `{group}`.
    pub join: Option<String>,
    /// A frame with this text says that it is in its group.
    pub join_ok: Option<String>,
    /// A message, with `{body}`, and perhaps `{user}`, `{to}` or `{group}`, and `{id}`.
    pub send: Option<String>,
    /// A frame with this text, and an `{id}` in it, acknowledges that message.
    pub ack: Option<String>,
    /// A ping of the protocol's own, with `{token}`.
    pub ping: Option<String>,
}

impl Templates {
    pub(super) fn abilities(&self) -> Abilities {
        Abilities {
            login: self.login_ok.is_some() || self.join_ok.is_some(),
            acks: self.ack.is_some(),
            relays: self.send.as_ref().is_some_and(|send| send.contains("{to}")),
            groups: self.send.as_ref().is_some_and(|send| send.contains("{group}")),
            pings: self.ping.is_some(),
            ..Abilities::default()
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(send) = &self.send
            && !send.contains("{body}")
        {
            return Err("--raw-send needs a {body}: without it no message can be recognised".into());
        }
        let has_id = self.send.as_ref().is_some_and(|send| send.contains("{id}"));
        if self.ack.is_some() && !has_id {
            return Err("--raw-ack needs an {id} in --raw-send to tell acks apart".into());
        }
        if self.ping.as_ref().is_some_and(|ping| !ping.contains("{token}")) {
            return Err("--raw-ping needs a {token}: without it no pong can be recognised".into());
        }
        if self.login_ok.is_some() && self.login.is_none() {
            return Err("--raw-login-ok without --raw-login: nothing would be answered".into());
        }
        if self.join_ok.is_some() && self.join.is_none() {
            return Err("--raw-join-ok without --raw-join: nothing would be answered".into());
        }
        if self.join.as_ref().is_some_and(|join| !join.contains("{group}")) {
            return Err("--raw-join needs a {group}: which one is to be entered?".into());
        }
        Ok(())
    }
}

/// How a ping's token looks: a mark, and twenty digits.
const TOKEN_MARK: &[u8] = b"wbtoken-";
const TOKEN_DIGITS: usize = 20;

/// The adapter.
#[derive(Debug)]
pub(super) struct Raw {
    templates: Templates,
    opcode: Opcode,
    send: Vec<Piece>,
    scratch: Vec<u8>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    User,
    To,
    Group,
    Id,
    Body,
}

impl Raw {
    pub(super) fn new(templates: &Templates, binary: bool) -> Result<Self, String> {
        templates.check()?;
        Ok(Self {
            send: pieces(templates.send.as_deref().unwrap_or("{body}")),
            templates: templates.clone(),
            opcode: if binary { Opcode::Binary } else { Opcode::Text },
            scratch: Vec::new(),
        })
    }
}

impl Adapter for Raw {
    fn abilities(&self) -> Abilities {
        self.templates.abilities()
    }

    fn upgrade(&mut self, seat: Seat) -> Upgrade {
        let mut upgrade = Upgrade::default();
        if let Some(query) = &self.templates.query {
            for pair in query.replace("{user}", &seat.user.to_string()).split('&') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                upgrade.query.push((name.to_owned(), value.to_owned()));
            }
        }
        upgrade
    }

    fn greet(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) {
        if let Some(login) = &self.templates.login {
            writer.frame(self.opcode, login.replace("{user}", &seat.user.to_string()).as_bytes());
        }
        if let Some(join) = &self.templates.join {
            let join = join.replace("{group}", &seat.group.to_string());
            writer.frame(self.opcode, join.replace("{user}", &seat.user.to_string()).as_bytes());
        }
    }

    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        _: bool,
        writer: &mut FrameWriter<'_>,
    ) {
        self.scratch.clear();
        for piece in &self.send {
            match piece {
                Piece::Text(text) => self.scratch.extend_from_slice(text.as_bytes()),
                Piece::User => self.scratch.extend_from_slice(seat.user.to_string().as_bytes()),
                Piece::To => self.scratch.extend_from_slice(seat.peer.to_string().as_bytes()),
                Piece::Group => {
                    self.scratch.extend_from_slice(seat.group.to_string().as_bytes());
                }
                Piece::Id => name.write(&mut self.scratch),
                Piece::Body => self.scratch.extend_from_slice(payload),
            }
        }
        writer.frame(self.opcode, &self.scratch);
    }

    fn ping(&mut self, _: Seat, token: u64, writer: &mut FrameWriter<'_>) {
        if let Some(ping) = &self.templates.ping {
            let token = format!("wbtoken-{token:020}");
            writer.frame(self.opcode, ping.replace("{token}", &token).as_bytes());
        }
    }

    fn receive(&mut self, _: Seat, frame: Frame<'_>, sink: &mut Sink<'_>) {
        let bytes = frame.bytes();
        let contains = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| memchr::memmem::find(bytes, text.as_bytes()).is_some())
        };
        if contains(&self.templates.ack) {
            sink(Incoming::Ack { name: MessageName::find(bytes), duplicate: false });
        } else if Stamp::find(bytes) != Err(crate::stamp::Unreadable::NoStamp) {
            sink(Incoming::Delivery { payload: bytes, place: None, how: How::Live });
        } else if contains(&self.templates.join_ok) {
            sink(Incoming::Ready);
        } else if contains(&self.templates.login_ok) {
            // With a word for having joined, that is what is waited for.
            let joins = self.templates.join_ok.is_some();
            sink(if joins { Incoming::Other } else { Incoming::Ready });
        } else if let Some(token) = find_token(bytes) {
            sink(Incoming::Pong(token));
        } else if self.templates.send.is_none() {
            // An echo: what is as long as a message, and none, is a spoiled one.
            sink(Incoming::Delivery { payload: bytes, place: None, how: How::Live });
        } else if has_spoiled_stamp(bytes) {
            sink(Incoming::Spoiled);
        } else {
            sink(Incoming::Unrecognised);
        }
    }
}

/// The end of a stamp without its beginning: the beginning was changed on the way.
fn has_spoiled_stamp(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"bw~").is_some()
}

fn find_token(bytes: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(bytes, TOKEN_MARK)? + TOKEN_MARK.len();
    std::str::from_utf8(bytes.get(at..at + TOKEN_DIGITS)?).ok()?.parse().ok()
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let found = [
            ("{user}", Piece::User),
            ("{to}", Piece::To),
            ("{group}", Piece::Group),
            ("{id}", Piece::Id),
            ("{body}", Piece::Body),
        ]
        .into_iter()
        .filter_map(|(name, piece)| rest.find(name).map(|at| (at, name.len(), piece)))
        .min_by_key(|(at, ..)| *at);
        let Some((at, length, piece)) = found else {
            pieces.push(Piece::Text(rest.to_owned()));
            break;
        };
        if at > 0 {
            pieces.push(Piece::Text(rest[..at].to_owned()));
        }
        pieces.push(piece);
        rest = &rest[at + length..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_cut_at_their_placeholders() {
        assert_eq!(
            pieces(r#"{"to":"{to}","id":"{id}","b":"{body}"}"#),
            [
                Piece::Text(r#"{"to":""#.into()),
                Piece::To,
                Piece::Text(r#"","id":""#.into()),
                Piece::Id,
                Piece::Text(r#"","b":""#.into()),
                Piece::Body,
                Piece::Text(r#""}"#.into()),
            ]
        );
    }

    #[test]
    fn templates_that_could_not_work_are_refused() {
        let with = |change: fn(&mut Templates)| {
            let mut templates = Templates::default();
            change(&mut templates);
            Raw::new(&templates, false).map(|_| ()).unwrap_err()
        };
        assert!(with(|t| t.send = Some("x".into())).contains("{body}"));
        assert!(with(|t| t.ack = Some("x".into())).contains("{id}"));
        assert!(with(|t| t.ping = Some("x".into())).contains("{token}"));
        assert!(with(|t| t.login_ok = Some("x".into())).contains("--raw-login"));
        assert!(with(|t| t.join_ok = Some("x".into())).contains("--raw-join"));
        assert!(with(|t| t.join = Some("x".into())).contains("{group}"));
    }

    #[test]
    fn a_pong_is_found_by_its_token() {
        assert_eq!(find_token(b"{\"p\":\"wbtoken-00000000000000001234\"}"), Some(1234));
        assert_eq!(find_token(b"wbtoken-12"), None);
    }
}
