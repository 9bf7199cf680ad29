//! What was sent, acknowledged and pushed is what is stored.

use std::collections::HashMap;

use petrel_protocol::frame::SingleChatPush;
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

use super::{Acked, Fault, Sent, Timeline, fault_at, line, shown};

/// Every event is a message that was sent, with its body and its receiver, and the
/// messages of one sender are in the order of sending. (A message may be missing here:
/// whether that is wrong depends on its ack.)
pub fn as_sent(sent: &[Sent], timeline: &Timeline) -> Vec<Fault> {
    let mut by_name: HashMap<(UserId, &ClientMessageId), (usize, &Sent)> = HashMap::new();
    for (place, message) in sent.iter().enumerate() {
        by_name.insert((message.from, &message.name), (place, message));
    }
    let mut last_place: HashMap<UserId, (usize, Seq)> = HashMap::new();
    let mut faults = Vec::new();
    for event in &timeline.events {
        let mut fault = |what| faults.push(timeline.fault(event.msg_seq, what));
        let name = &event.client_msg_id;
        let Some((place, message)) = by_name.get(&(event.from, name)) else {
            fault(format!("{} never sent {name}", event.from));
            continue;
        };
        if (message.to, &message.body) != (event.to, &event.body) {
            fault(format!(
                "{name} was sent to {} as {}, but is here to {} as {}",
                message.to,
                shown(&message.body),
                event.to,
                shown(&event.body)
            ));
        }
        if let Some((before, seq)) = last_place.insert(event.from, (*place, event.msg_seq))
            && before > *place
        {
            fault(format!(
                "{name} of {} was sent before {}, which is at {seq}",
                event.from, sent[before].name
            ));
        }
    }
    faults
}

/// Every acknowledged message is there exactly once, at the place and under the id that
/// its ack said, with the body that was sent.
pub fn acked_are_stored(acks: &[Acked], sent: &[Sent], timelines: &[&Timeline]) -> Vec<Fault> {
    let bodies: HashMap<(UserId, &ClientMessageId), &str> =
        sent.iter().map(|message| ((message.from, &message.name), message.body.as_str())).collect();
    let mut stored: HashMap<(ConversationId, UserId, &ClientMessageId), Vec<&SingleChatPush>> =
        HashMap::new();
    for timeline in timelines {
        for event in &timeline.events {
            let key = (timeline.conversation, event.from, &event.client_msg_id);
            stored.entry(key).or_default().push(event);
        }
    }
    let mut faults = Vec::new();
    for Acked { sender, ack } in acks {
        let name = &ack.client_msg_id;
        let mut fault = |what: String| {
            let what = format!("{name} of {sender} was acknowledged at {}, {what}", ack.msg_seq);
            faults.push(fault_at(timelines, ack.conversation_id, ack.msg_seq, what));
        };
        let key = (ack.conversation_id, *sender, name);
        match stored.get(&key).map(Vec::as_slice) {
            None | Some([]) => fault("but is not there".to_owned()),
            Some([event]) => {
                if (event.msg_seq, event.server_msg_id) != (ack.msg_seq, ack.server_msg_id) {
                    fault(format!(
                        "row {}, but is at {}, row {}",
                        ack.server_msg_id, event.msg_seq, event.server_msg_id
                    ));
                }
                match bodies.get(&(*sender, name)) {
                    Some(body) if *body == event.body => {}
                    Some(body) => fault(format!(
                        "was {}, but is stored as {}",
                        shown(body),
                        shown(&event.body)
                    )),
                    None => fault("but was never sent".to_owned()),
                }
            }
            Some(several) => {
                let seqs: Vec<_> = several.iter().map(|event| event.msg_seq.get()).collect();
                fault(format!("but is there several times, at {seqs:?}"));
            }
        }
        if ack.body_differs {
            fault("whose body was said to differ".to_owned());
        }
    }
    faults
}

/// Nothing was pushed that is not in the timeline, just as it was pushed but for the mark
/// of a repeat.
pub fn pushed_are_stored(pushes: &[SingleChatPush], timelines: &[&Timeline]) -> Vec<Fault> {
    let stored: HashMap<(ConversationId, Seq), &SingleChatPush> = timelines
        .iter()
        .flat_map(|timeline| &timeline.events)
        .map(|event| ((event.conversation_id, event.msg_seq), event))
        .collect();
    pushes
        .iter()
        .filter(|push| {
            let place = (push.conversation_id, push.msg_seq);
            stored.get(&place) != Some(&&without_mark(push))
        })
        .map(|push| {
            let what = format!("was pushed, but is not stored so: {}", line(push));
            fault_at(timelines, push.conversation_id, push.msg_seq, what)
        })
        .collect()
}

/// A push as the timeline has it: there nothing is marked as a repeat.
pub fn without_mark(push: &SingleChatPush) -> SingleChatPush {
    SingleChatPush { redelivered: false, ..push.clone() }
}
