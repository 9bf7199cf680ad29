//! Did delivery keep its promises? Pure checks over what clients saw.
//!
//! A [`History`] is what was sent, acknowledged and pushed, and what the timelines held
//! in the end. [`History::check`] runs every check below and returns what is wrong, each
//! with the stretch of the timeline it is about. Each check is public, so that a test
//! with less to show can use it alone.
//!
//! [`timeline`] has what is true of any timeline, [`sends`] what ties it to what was sent;
//! [`group`] is about conversations whose members and messages change.

mod event;
pub mod group;
mod sends;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::BTreeMap;
use std::fmt;

use petrel_protocol::frame::{SavedAck, SingleChatPush};
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

pub use event::{Event, Message, Said, target_of};
pub use sends::{acked_are_stored, as_sent, pushed_are_stored, without_mark};
pub use timeline::{contiguous, rows_are_unique, same, stored_once};

/// How many events before and after a fault are shown.
const EXCERPT_EVENTS: u64 = 3;

/// How many faults are written out; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 8;

/// How much of a body is shown, in characters.
const BODY_CHARS_SHOWN: usize = 24;

/// A conversation as it was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The conversation.
    pub conversation: ConversationId,
    /// The last event, as the server said with the last page.
    pub head: Seq,
    /// The events in the order in which they came.
    pub events: Vec<SingleChatPush>,
}

/// A message as its sender meant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The sender.
    pub from: UserId,
    /// The receiver.
    pub to: UserId,
    /// The sender's name for it.
    pub name: ClientMessageId,
    /// The text.
    pub body: String,
}

/// An `ACK saved` and who got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// The sender.
    pub sender: UserId,
    /// The ack.
    pub ack: SavedAck,
}

/// A whole timeline as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The member.
    pub member: UserId,
    /// What the member pulled.
    pub timeline: Timeline,
}

/// Everything that clients did and saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What was sent, each once, in the order of each sender.
    pub sent: Vec<Sent>,
    /// What was acknowledged.
    pub acks: Vec<Acked>,
    /// What was pushed to somebody.
    pub pushes: Vec<SingleChatPush>,
    /// Every timeline as every member saw it in the end.
    pub views: Vec<View>,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// Where.
    pub conversation: ConversationId,
    /// Where.
    pub seq: Seq,
    /// The timeline around it.
    pub excerpt: String,
}

/// All that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl History {
    /// Runs every check.
    pub fn check(&self) -> Faults {
        let mut faults = Vec::new();
        let mut timelines: BTreeMap<ConversationId, &Timeline> = BTreeMap::new();
        for view in &self.views {
            let timeline = &view.timeline;
            match timelines.get(&timeline.conversation) {
                None => {
                    timelines.insert(timeline.conversation, timeline);
                }
                Some(first) => faults.extend(same(first, timeline, view.member)),
            }
        }
        let timelines: Vec<&Timeline> = timelines.into_values().collect();
        for timeline in &timelines {
            faults.extend(contiguous(timeline));
            faults.extend(stored_once(timeline));
            faults.extend(as_sent(&self.sent, timeline));
        }
        faults.extend(acked_are_stored(&self.acks, &self.sent, &timelines));
        faults.extend(pushed_are_stored(&self.pushes, &timelines));
        faults.extend(rows_are_unique(&timelines));
        Faults(faults)
    }
}

impl Timeline {
    fn fault(&self, seq: Seq, what: String) -> Fault {
        let nearby =
            |event: &&SingleChatPush| event.msg_seq.get().abs_diff(seq.get()) <= EXCERPT_EVENTS;
        let excerpt: Vec<_> = self.events.iter().filter(nearby).map(line).collect();
        Fault { what, conversation: self.conversation, seq, excerpt: excerpt.join("\n") }
    }
}

impl Faults {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn fault_at(
    timelines: &[&Timeline],
    conversation: ConversationId,
    seq: Seq,
    what: String,
) -> Fault {
    let timeline = timelines.iter().find(|timeline| timeline.conversation == conversation);
    match timeline {
        Some(timeline) => timeline.fault(seq, what),
        None => {
            Fault { what, conversation, seq, excerpt: "there is no such conversation".to_owned() }
        }
    }
}

fn line(event: &SingleChatPush) -> String {
    format!(
        "seq {} row {} from {} to {} {} {}",
        event.msg_seq,
        event.server_msg_id,
        event.from,
        event.to,
        event.client_msg_id,
        shown(&event.body)
    )
}

fn shown(body: &str) -> String {
    let start: String = body.chars().take(BODY_CHARS_SHOWN).collect();
    let rest = if start.len() < body.len() { "…" } else { "" };
    format!("{start:?}{rest}")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, conversation, seq, excerpt } = self;
        write!(f, "conversation {conversation}, seq {seq}: {what}")?;
        for line in excerpt.lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(faults) = self;
        write!(f, "{} broken promises", faults.len())?;
        for fault in faults.iter().take(FAULTS_SHOWN_MAX) {
            write!(f, "\n{fault}")?;
        }
        if faults.len() > FAULTS_SHOWN_MAX {
            write!(f, "\n… and {} more", faults.len() - FAULTS_SHOWN_MAX)?;
        }
        Ok(())
    }
}
