//! The port for ordered commands: what sessions ask for, in the order in which the
//! owner of each partition will decide on it.
//!
//! A command is a *wish*. It becomes a fact when the sequencer (`petrel-logic`) has
//! numbered it and the store has committed it. The log promises order and bounds,
//! not durability: what was appended but not committed when a process ends was never
//! acknowledged, and its sender will ask again.

mod command;
mod fair_queue;
mod in_process;

use async_trait::async_trait;
use petrel_types::{LogPosition, Partition};

pub use command::{
    Command, Content, Destination, GroupChange, GroupRuling, NewMessage, Origin, ProfileChange,
    ReceiptKind, Request, SendRequest,
};
pub use in_process::InProcessLog;

/// The appending end.
pub trait CommandLog: Send + Sync + 'static {
    /// Appends a command to its partition.
    ///
    /// Commands of one user in one partition keep their order; between users there is
    /// none, so that a backend can be fair. Never waits: a partition that is full, or
    /// that holds too much of this user while it is filling up, refuses.
    fn append(&self, command: Command) -> Result<(), AppendError>;

    /// Takes no more commands. Streams end after they have handed out the rest.
    fn close(&self);

    /// Commands appended but not yet handed to a consumer, over all partitions.
    fn depth(&self) -> usize;
}

/// The consuming end of one partition.
#[async_trait]
pub trait CommandStream: Send + 'static {
    /// Waits for commands and returns up to `max` of them in order; empty when the
    /// log was closed and everything was handed out.
    async fn next_commands(&mut self, max: usize) -> Vec<LoggedCommand>;
}

/// A command and its place.
#[derive(Debug)]
pub struct LoggedCommand {
    /// Its place in the partition.
    pub position: LogPosition,
    /// The partition.
    pub partition: Partition,
    /// The command.
    pub command: Command,
}

/// Why a command was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The partition's queue is full, or has no room left for this user: try again later.
    #[error("the command queue is full")]
    Full,
    /// The log was closed: the node is going down.
    #[error("the command log is closed")]
    Closed,
}
