//! Which protocol a server speaks. One file per protocol, behind [`Adapter`].
//!
//! An adapter turns what a session wants into frames and frames into what they mean. It
//! does no I/O, keeps no time and judges nothing: whether a message is lost is decided
//! in the ledger.

mod echo;
mod ethanqc;
mod frame;
mod mini_im;
mod name;
mod petrel;
mod raw;
#[cfg(test)]
mod testing;
mod xzll;

use serde::{Deserialize, Serialize};

use crate::http::Request;
use crate::plan::Plan;

pub use frame::{Frame, FrameWriter, Incoming, Sink};
pub use name::MessageName;
pub use petrel::load_key;
pub use raw::Templates;
pub use xzll::TEXT_BYTES_MAX as XZLL_TEXT_BYTES_MAX;

/// The protocols there are.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// Petrel's client protocol v1: pairs, groups, history, receipts.
    Petrel,
    /// mini-im: JSON frames, tokens signed with --jwt-secret; pairs, receipts, no groups.
    MiniIm,
    /// EthanQC/IM: messages in by HTTP (--http-base), out by WebSocket; pairs, groups, history.
    #[value(name = "ethanqc")]
    #[serde(rename = "ethanqc")]
    EthanQc,
    /// xzll-im: Protocol Buffers in binary frames; pairs, receipts, no groups.
    Xzll,
    /// A server that sends back whatever it gets.
    Echo,
    /// Any server: what to send and what to look for are templates.
    Raw,
}

impl AdapterKind {
    /// Its name on the command line.
    pub fn name(self) -> String {
        use clap::ValueEnum;
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What a protocol, and the server behind it, can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// A connection is logged in before it is used.
    pub login: bool,
    /// Messages are acknowledged to their sender.
    pub acks: bool,
    /// A message can go to another connection; without it, it comes back to the sender.
    pub relays: bool,
    /// The server keeps messages for those who are away, and they can be read.
    pub history: bool,
    /// A message whose fate is unknown can be sent again without being stored twice.
    pub retries: bool,
    /// There are groups.
    pub groups: bool,
    /// There is a ping of the protocol's own, above WebSocket's.
    pub pings: bool,
    /// Recipients can acknowledge what they get.
    pub receipts: bool,
    /// After a connection has come back the server delivers again what it does not know to
    /// have arrived, unmarked: clients are to drop what they have.
    pub repeats: bool,
    /// How many users one connection can follow, to be told when they come and go; 0 if the
    /// protocol does not know that.
    pub presence: u32,
}

/// One connection, as an adapter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its index among the worker's connections.
    pub local: u32,
    /// The user behind it.
    pub user: u64,
    /// The conversation it is in, by its index among the worker's.
    pub conversation: u32,
    /// The other user of a pair; its own if there is none.
    pub peer: u64,
    /// The first user of those that it talks with: what a group is called where names are
    /// given by clients.
    pub group: u64,
}

/// A group that is to be brought into being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The run.
    pub run: u32,
    /// Which of the plan's groups.
    pub number: u32,
    /// The users who are in it.
    pub users: std::ops::Range<u64>,
}

/// What goes into the upgrade request besides what the plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// To be appended to the query, as `name=value` pairs.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
}

/// Where to read history from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFrom {
    /// The first message of this run.
    Start,
    /// The connection's position: up to where it has everything.
    Position,
    /// The end of the page before.
    LastPage,
}

/// What a user needs whom the server has to know before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The server's id of the user.
    pub user: u64,
    /// What lets the user in.
    pub token: String,
    /// The server's id of the conversation that the user's connection is in.
    pub conversation: i64,
}

/// A request that an adapter wants made beside the WebSockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The connection that it is for, by its index among the worker's.
    pub local: u32,
    /// What it is for, in the adapter's own terms.
    pub kind: u32,
    /// The message it carries, by its place in the sender's stream.
    pub seq: u32,
    /// The request.
    pub request: Request,
}

/// What came of a [`Call`].
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// A status and a body.
    Status(u16, &'a [u8]),
    /// None, for this cause.
    None(&'a str),
}

/// A server's protocol.
pub trait Adapter {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// What goes into the upgrade request of a connection.
    fn upgrade(&mut self, seat: Seat) -> Upgrade {
        let _ = seat;
        Upgrade::default()
    }

    /// The connection is new: writes what comes first. Whatever was known about an
    /// earlier connection of this seat's place is void.
    fn greet(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) {
        let _ = (seat, writer);
    }

    /// Writes the next request of those that bring the group of a connection into being;
    /// with `again`, the last one once more. The next is asked for when
    /// [`Incoming::GroupStep`] has come. False when there is nothing (more) to ask for.
    fn found_group(
        &mut self,
        seat: Seat,
        group: &Group,
        again: bool,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        let _ = (seat, group, again, writer);
        false
    }

    /// Writes a message. `payload` is ASCII that needs no escaping.
    fn send(
        &mut self,
        seat: Seat,
        name: MessageName,
        payload: &[u8],
        retry: bool,
        writer: &mut FrameWriter<'_>,
    );

    /// Writes a ping of the protocol's own.
    fn ping(&mut self, seat: Seat, token: u64, writer: &mut FrameWriter<'_>) {
        let _ = (seat, token, writer);
    }

    /// Asks to be told from now on who of these users comes and goes; asked only if the
    /// protocol knows that ([`Abilities::presence`]), and for no more than it can follow.
    fn follow(
        &mut self,
        seat: Seat,
        users: &mut dyn Iterator<Item = u64>,
        writer: &mut FrameWriter<'_>,
    ) {
        let _ = (seat, users, writer);
    }

    /// Says what a frame means.
    fn receive(&mut self, seat: Seat, frame: Frame<'_>, sink: &mut Sink<'_>);

    /// Writes the receipts that are owed for what has been received, if any, and says how
    /// many there were.
    fn receipt(&mut self, seat: Seat, writer: &mut FrameWriter<'_>) -> u32 {
        let _ = (seat, writer);
        0
    }

    /// Asks for a page of the conversation's history. False if there is nothing to ask
    /// for.
    fn read_history(
        &mut self,
        seat: Seat,
        from: HistoryFrom,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        let _ = (seat, from, writer);
        false
    }

    /// The next request that is to be made beside the WebSockets, if there is one.
    fn take_call(&mut self) -> Option<Call> {
        None
    }

    /// Says what the answer to a request means.
    fn answered(&mut self, seat: Seat, call: &Call, answer: Answer<'_>, sink: &mut Sink<'_>) {
        let _ = (seat, call, answer, sink);
    }
}

/// Opens what accounts the plan's users need, in the order of the connections; none where
/// the server need not know its users. `progress` is told how many of how many there are.
pub fn open_accounts(
    plan: &Plan,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Account>, String> {
    match plan.adapter {
        AdapterKind::EthanQc => ethanqc::open_accounts(plan, progress),
        _ => Ok(Vec::new()),
    }
}

/// The adapter of a plan, for the connections that these accounts belong to.
pub fn make(plan: &Plan, accounts: &[Account]) -> Result<Box<dyn Adapter>, String> {
    Ok(match plan.adapter {
        AdapterKind::Petrel => Box::new(petrel::Petrel::new(plan)?),
        AdapterKind::MiniIm => Box::new(mini_im::MiniIm::new(plan)?),
        AdapterKind::EthanQc => Box::new(ethanqc::EthanQc::new(plan, accounts)),
        AdapterKind::Xzll => Box::new(xzll::Xzll::new(plan)),
        AdapterKind::Echo => Box::new(echo::Echo::new(plan.binary)),
        AdapterKind::Raw => Box::new(raw::Raw::new(&plan.raw, plan.binary)?),
    })
}

/// What a protocol can do, without making an adapter.
pub fn abilities(kind: AdapterKind, templates: &Templates) -> Abilities {
    match kind {
        AdapterKind::Petrel => petrel::ABILITIES,
        AdapterKind::MiniIm => mini_im::ABILITIES,
        AdapterKind::EthanQc => ethanqc::ABILITIES,
        AdapterKind::Xzll => xzll::ABILITIES,
        AdapterKind::Echo => echo::ABILITIES,
        AdapterKind::Raw => templates.abilities(),
    }
}
