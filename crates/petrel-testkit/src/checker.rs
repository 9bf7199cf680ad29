//! Did delivery keep its promises? Pure checks over what clients saw.
//!
//! A [`History`] is what was sent, acknowledged and pushed, and what the timelines held
//! in the end. [`History::check`] runs every check below and returns what is wrong, each
//! with the stretch of the timeline it is about. Each check is public, so that a test
//! with less to show can use it alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use petrel_protocol::frame::{SavedAck, SingleChatPush};
use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, UserId};

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

#[cfg(test)]
mod tests {
    use petrel_protocol::frame::{Durability, MessageType, SavedTag};
    use petrel_types::TimestampMs;

    use super::*;

    const ALICE: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const CONVERSATION: ConversationId = ConversationId::new(4096);

    fn name(number: u64) -> ClientMessageId {
        ClientMessageId::new(format!("m{number}")).unwrap()
    }

    fn event(seq: u64) -> SingleChatPush {
        SingleChatPush {
            from: ALICE,
            to: BOB,
            client_msg_id: name(seq),
            server_msg_id: RowId::new(100 + seq),
            conversation_id: CONVERSATION,
            msg_seq: Seq::new(seq),
            msg_type: MessageType::Text,
            body: format!("body {seq}"),
            ts: TimestampMs::new(1),
            rev: None,
            edited: false,
            recalled: false,
            redelivered: false,
        }
    }

    fn timeline(length: u64) -> Timeline {
        Timeline {
            conversation: CONVERSATION,
            head: Seq::new(length),
            events: (1..=length).map(event).collect(),
        }
    }

    fn sent(number: u64) -> Sent {
        Sent { from: ALICE, to: BOB, name: name(number), body: format!("body {number}") }
    }

    fn acked(number: u64) -> Acked {
        Acked {
            sender: ALICE,
            ack: SavedAck {
                ack_type: SavedTag::Saved,
                client_msg_id: name(number),
                server_msg_id: RowId::new(100 + number),
                conversation_id: CONVERSATION,
                msg_seq: Seq::new(number),
                durability: Durability::Fsync,
                ts: TimestampMs::new(1),
                duplicate: false,
                body_differs: false,
            },
        }
    }

    /// Five messages, sent, acknowledged, pushed and seen by both members.
    fn good() -> History {
        let view = |member| View { member, timeline: timeline(5) };
        History {
            sent: (1..=5).map(sent).collect(),
            acks: (1..=5).map(acked).collect(),
            pushes: (1..=5).map(event).collect(),
            views: vec![view(ALICE), view(BOB)],
        }
    }

    /// Spoils the timeline of all views.
    fn spoilt(spoil: impl Fn(&mut Timeline)) -> History {
        let mut history = good();
        for view in &mut history.views {
            spoil(&mut view.timeline);
        }
        history
    }

    /// The history is complained about, in these words among others.
    fn assert_complains(history: &History, words: &str) {
        let faults = history.check();
        assert!(
            faults.0.iter().any(|fault| fault.what.contains(words)),
            "expected {words:?}, got: {faults}"
        );
    }

    #[test]
    fn a_good_history_is_good() {
        let faults = good().check();
        assert!(faults.is_empty(), "{faults}");
    }

    #[test]
    fn a_hole_is_found() {
        let history = spoilt(|timeline| {
            timeline.events.remove(2);
        });
        assert_complains(&history, "after 2 came 4");
        let history = spoilt(|timeline| {
            timeline.events.remove(0);
        });
        assert_complains(&history, "after 0 came 2");
    }

    #[test]
    fn a_missing_end_is_found() {
        let history = spoilt(|timeline| {
            timeline.events.pop();
        });
        assert_complains(&history, "the head is 5, but the last event is 4");
        let empty = spoilt(|timeline| timeline.events.clear());
        assert_complains(&empty, "the head is 5, but the last event is 0");
    }

    #[test]
    fn an_event_that_comes_twice_is_found() {
        let history = spoilt(|timeline| timeline.events.insert(3, event(3)));
        assert_complains(&history, "after 3 came 3");
        assert_complains(&history, "row 103 is given to two events");
    }

    #[test]
    fn an_event_of_elsewhere_is_found() {
        let history = spoilt(|timeline| {
            timeline.events[1].conversation_id = ConversationId::new(5);
        });
        assert_complains(&history, "an event of conversation 5");
    }

    #[test]
    fn a_message_that_is_stored_twice_is_found() {
        let history = spoilt(|timeline| {
            let mut again = event(6);
            again.client_msg_id = name(2);
            again.body = "body 2".to_owned();
            timeline.events.push(again);
            timeline.head = Seq::new(6);
        });
        assert_complains(&history, "m2 of 1 is stored twice: at 2 and at 6");
        assert_complains(&history, "several times, at [2, 6]");
    }

    #[test]
    fn an_acknowledged_message_that_is_lost_is_found() {
        let history = spoilt(|timeline| {
            timeline.events.pop();
            timeline.head = Seq::new(4);
        });
        assert_complains(&history, "m5 of 1 was acknowledged at 5, but is not there");
        let mut history = good();
        history.views.clear();
        assert_complains(&history, "m1 of 1 was acknowledged at 1, but is not there");
    }

    #[test]
    fn an_ack_that_says_another_place_or_id_is_found() {
        let mut history = good();
        history.acks[3].ack.msg_seq = Seq::new(9);
        assert_complains(&history, "m4 of 1 was acknowledged at 9, row 104, but is at 4");
        let mut history = good();
        history.acks[3].ack.server_msg_id = RowId::new(9);
        assert_complains(&history, "acknowledged at 4, row 9, but is at 4, row 104");
        let mut history = good();
        history.acks[3].sender = BOB;
        assert_complains(&history, "m4 of 2 was acknowledged at 4, but is not there");
        let mut history = good();
        history.acks[3].ack.body_differs = true;
        assert_complains(&history, "whose body was said to differ");
    }

    #[test]
    fn another_body_or_receiver_is_found() {
        let history = spoilt(|timeline| timeline.events[1].body = "else".to_owned());
        assert_complains(&history, "m2 was sent to 2 as \"body 2\"");
        assert_complains(&history, "but is stored as \"else\"");
        let history = spoilt(|timeline| timeline.events[1].to = ALICE);
        assert_complains(&history, "but is here to 1");
    }

    #[test]
    fn a_message_that_nobody_sent_is_found() {
        let mut history = good();
        history.sent.remove(1);
        assert_complains(&history, "1 never sent m2");
        assert_complains(&history, "but was never sent");
    }

    #[test]
    fn another_order_than_the_sender_s_is_found() {
        let mut history = good();
        history.sent.swap(1, 2);
        assert_complains(&history, "m3 of 1 was sent before m2, which is at 2");
    }

    #[test]
    fn a_push_of_something_that_is_not_stored_is_found() {
        let mut history = good();
        history.pushes.push(event(6));
        assert_complains(&history, "was pushed, but is not stored so: seq 6");
        let mut history = good();
        history.pushes[0].body = "else".to_owned();
        assert_complains(&history, "was pushed, but is not stored so: seq 1");
    }

    #[test]
    fn a_repeat_is_no_fault_but_in_a_timeline() {
        let mut history = good();
        history.pushes.push(SingleChatPush { redelivered: true, ..event(2) });
        let faults = history.check();
        assert!(faults.is_empty(), "{faults}");
        history.views[1].timeline.events[1].redelivered = true;
        assert_complains(&history, "2 sees seq 2");
    }

    #[test]
    fn members_who_see_different_timelines_are_found() {
        let mut history = good();
        history.views[1].timeline.events[2].ts = TimestampMs::new(2);
        assert_complains(&history, "2 sees seq 3");
        let mut history = good();
        history.views[1].timeline = timeline(4);
        assert_complains(&history, "2 sees 4 events and the head 4, another member 5 and 5");
    }

    #[test]
    fn rows_that_descend_or_are_shared_are_found() {
        let history = spoilt(|timeline| timeline.events[2].server_msg_id = RowId::new(5));
        assert_complains(&history, "row 5 came after row 102");

        let mut history = good();
        let mut elsewhere = timeline(1);
        elsewhere.conversation = ConversationId::new(8192);
        elsewhere.events[0].conversation_id = elsewhere.conversation;
        history.views.push(View { member: ALICE, timeline: elsewhere });
        assert_complains(&history, "row 101 is given to two events");
    }

    #[test]
    fn a_fault_shows_the_timeline_around_it() {
        let history = spoilt(|timeline| {
            timeline.events.remove(2);
        });
        let text = history.check().to_string();
        assert!(
            text.contains("conversation 4096, seq 4: after 2 came 4\n    seq 1 row 101 from 1"),
            "{text}"
        );
    }
}
