//! What is true of a timeline whatever was sent: no hole, nothing twice, the same for all.

use std::collections::{HashMap, HashSet};

use petrel_types::{ClientMessageId, RowId, Seq, UserId};

use super::{Fault, Timeline, line};

/// The events have the seqs 1, 2, 3, … up to the head, and their rows ascend.
pub fn contiguous(timeline: &Timeline) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut expected = Seq::new(1);
    let mut last_row = RowId::new(0);
    for event in &timeline.events {
        if event.msg_seq != expected {
            let what = format!("after {} came {}", expected.get() - 1, event.msg_seq);
            faults.push(timeline.fault(event.msg_seq, what));
        }
        if event.server_msg_id <= last_row {
            let what = format!("row {} came after row {last_row}", event.server_msg_id);
            faults.push(timeline.fault(event.msg_seq, what));
        }
        if event.conversation_id != timeline.conversation {
            let what = format!("an event of conversation {}", event.conversation_id);
            faults.push(timeline.fault(event.msg_seq, what));
        }
        expected = event.msg_seq.next();
        last_row = event.server_msg_id;
    }
    if expected != timeline.head.next() {
        let what =
            format!("the head is {}, but the last event is {}", timeline.head, expected.get() - 1);
        faults.push(timeline.fault(timeline.head, what));
    }
    faults
}

/// No sender's name for a message is there twice.
pub fn stored_once(timeline: &Timeline) -> Vec<Fault> {
    let mut seen: HashMap<(UserId, &ClientMessageId), Seq> = HashMap::new();
    let mut faults = Vec::new();
    for event in &timeline.events {
        let key = (event.from, &event.client_msg_id);
        if let Some(first) = seen.insert(key, event.msg_seq) {
            let what = format!(
                "{} of {} is stored twice: at {first} and at {}",
                event.client_msg_id, event.from, event.msg_seq
            );
            faults.push(timeline.fault(event.msg_seq, what));
        }
    }
    faults
}

/// No row is given to two events.
pub fn rows_are_unique(timelines: &[&Timeline]) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for timeline in timelines {
        for event in &timeline.events {
            if !seen.insert(event.server_msg_id) {
                let what = format!("row {} is given to two events", event.server_msg_id);
                faults.push(timeline.fault(event.msg_seq, what));
            }
        }
    }
    faults
}

/// A member sees the same timeline as another one.
pub fn same(first: &Timeline, second: &Timeline, member: UserId) -> Vec<Fault> {
    if first == second {
        return Vec::new();
    }
    let different = first.events.iter().zip(&second.events).find(|(one, other)| one != other);
    let (seq, what) = match different {
        Some((one, other)) => (
            one.msg_seq,
            format!("{member} sees {} where another member sees it as below", line(other)),
        ),
        None => (
            first.head.min(second.head),
            format!(
                "{member} sees {} events and the head {}, another member {} and {}",
                second.events.len(),
                second.head,
                first.events.len(),
                first.head
            ),
        ),
    };
    vec![first.fault(seq, what)]
}
