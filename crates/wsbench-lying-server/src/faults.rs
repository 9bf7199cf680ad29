//! Which messages meet which fault, and the log of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

/// What can happen to a message, an ack or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop,
    AckAndDrop,
    Duplicate,
    Reorder,
    WrongUser,
    Corrupt,
    Delay,
    Stall,
    SlowAccept,
    Reset,
    WrongAnswer,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::AckAndDrop => "ack_and_drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::WrongUser => "wrong_user",
            Self::Corrupt => "corrupt",
            Self::Delay => "delay",
            Self::Stall => "stall",
            Self::SlowAccept => "slow_accept",
            Self::Reset => "reset",
            Self::WrongAnswer => "wrong_answer",
        }
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durations {
    pub(crate) delay_ms: u64,
    pub(crate) delay_all_ms: u64,
    pub(crate) stall_ms: u64,
    pub(crate) slow_accept_ms: u64,
}

/// The plan of all misdeeds.
#[derive(Debug)]
pub(crate) struct Faults {
    every: Vec<(Fault, u64)>,
    pub(crate) durations: Durations,
    messages: AtomicU64,
    connections: AtomicU64,
    log: Mutex<File>,
}

impl Faults {
    pub(crate) fn new(
        every: Vec<(Fault, u64)>,
        durations: Durations,
        log: &Path,
    ) -> io::Result<Self> {
        Ok(Self {
            every,
            durations,
            messages: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            log: Mutex::new(File::create(log)?),
        })
    }

    /// The fault of the next message, if it has one.
    pub(crate) fn of_message(&self) -> Option<Fault> {
        let number = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let hit = |(fault, every): &(Fault, u64)| match fault {
            Fault::SlowAccept => false,
            Fault::Stall => number == *every,
            _ => number.is_multiple_of(*every),
        };
        self.every.iter().find(|entry| hit(entry)).map(|(fault, _)| *fault)
    }

    /// Whether the next connection is slow to be accepted.
    pub(crate) fn of_connection(&self) -> Option<Fault> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let slow = self.every.iter().find(|(fault, _)| *fault == Fault::SlowAccept)?;
        number.is_multiple_of(slow.1).then_some(Fault::SlowAccept)
    }

    /// Whether connections are to be reset.
    pub(crate) fn resets(&self) -> bool {
        self.every.iter().any(|(fault, _)| *fault == Fault::Reset)
    }

    /// Writes down that it happened.
    pub(crate) fn log(&self, fault: Fault) {
        self.write(json!({ "fault": fault.name() }));
    }

    /// Writes down how long a message really waited.
    pub(crate) fn log_delay(&self, fault: Option<Fault>, waited_us: u64) {
        let name = fault.map_or("delay_all", Fault::name);
        self.write(json!({ "fault": name, "waited_us": waited_us }));
    }

    fn write(&self, line: serde_json::Value) {
        let mut log = self.log.lock().expect("nothing panics while it writes the log");
        writeln!(log, "{line}").expect("the log can be written");
    }
}
