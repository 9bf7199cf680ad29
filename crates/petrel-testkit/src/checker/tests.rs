//! Each check is shown a bad history.

use petrel_protocol::frame::{Durability, MessageType, SavedTag};
use petrel_types::{RowId, TimestampMs};

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
        attachment: None,
        location: None,
        custom: None,
        call: None,
        reply_to: None,
        forwarded_from: None,
        reactions: Vec::new(),
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
            words_replaced: false,
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
