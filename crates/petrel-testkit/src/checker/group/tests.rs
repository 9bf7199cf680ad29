//! Each check is shown a bad history.

use petrel_protocol::frame::{Durability, History, Reaction, ReplyTo, SavedTag};
use petrel_types::{ClientMessageId, RowId, TimestampMs};

use super::*;

const GROUP: ConversationId = ConversationId::new(4096);
const OWNER: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const CAROL: UserId = UserId::new(3);

fn event(seq: u64, from: UserId, said: Said) -> Event {
    Event {
        conversation: GROUP,
        seq: Seq::new(seq),
        row: RowId::new(100 + seq),
        from,
        name: Some(format!("c{seq}")),
        ts: TimestampMs::new(seq),
        said,
    }
}

fn change(seq: u64, change: Change) -> Event {
    event(seq, OWNER, Said::Change(change))
}

fn message(seq: u64, from: UserId, text: &str) -> Event {
    event(seq, from, Said::Message(Message::text(text)))
}

/// Founded with Bob, who speaks, is recalled, goes and comes again; Carol sees nothing
/// but her own joining.
fn truth() -> Vec<Event> {
    let created = Change::GroupCreated {
        title: "storm watch".to_owned(),
        members: vec![BOB],
        history: History::Joined,
    };
    let recall = change(3, Change::Recalled { target_seq: Seq::new(2) });
    let mut recalled = message(2, BOB, "the secret");
    recalled.change(&recall);
    vec![
        change(1, created),
        recalled,
        recall,
        change(4, Change::MembersRemoved { members: vec![BOB] }),
        message(5, OWNER, "without Bob"),
        change(6, Change::MembersAdded { members: vec![BOB] }),
        message(7, BOB, "back"),
        change(8, Change::MembersAdded { members: vec![CAROL] }),
    ]
}

fn seen_by(user: UserId) -> Vec<Event> {
    let may = |event: &Event| match user {
        BOB => event.seq.get() != 5,
        CAROL => event.seq.get() == 8,
        _ => true,
    };
    truth().into_iter().filter(may).collect()
}

fn acked(event: &Event) -> (UserId, SavedAck) {
    let ack = SavedAck {
        ack_type: SavedTag::Saved,
        client_msg_id: ClientMessageId::new(event.name.clone().unwrap()).unwrap(),
        server_msg_id: event.row,
        conversation_id: GROUP,
        msg_seq: event.seq,
        durability: Durability::Fsync,
        ts: event.ts,
        duplicate: false,
        body_differs: false,
        words_replaced: false,
    };
    (event.from, ack)
}

fn good() -> GroupHistory {
    let asked = |event: &Event| match &event.said {
        Said::Message(message) if message.recalled => {
            Asked::Message(Message { file: Some("7".to_owned()), ..Message::text("the secret") })
        }
        Said::Message(message) => Asked::Message(message.clone()),
        Said::Change(change) => Asked::Change(change.clone()),
    };
    let key = |event: &Event| (event.from, event.name.clone().unwrap());
    let roles = BTreeMap::from([(OWNER, Role::Owner), (BOB, Role::Member), (CAROL, Role::Member)]);
    GroupHistory {
        group: GROUP,
        owner: OWNER,
        asked: truth().iter().map(|event| (key(event), asked(event))).collect(),
        acks: truth().iter().map(acked).collect(),
        refused: vec![(BOB, "while away".to_owned())],
        pushes: vec![seen_by(BOB).into_iter().map(|event| (BOB, event)).collect()],
        views: [OWNER, BOB, CAROL].into_iter().map(|user| (user, seen_by(user))).collect(),
        copies: vec![(BOB, seen_by(BOB))],
        expected: roles.clone(),
        members: roles,
        pins: Vec::new(),
    }
}

#[track_caller]
fn assert_complains(spoil: impl Fn(&mut GroupHistory), words: &str) {
    let mut history = good();
    spoil(&mut history);
    let faults = history.check();
    assert!(faults.iter().any(|fault| fault.contains(words)), "not {words:?}: {faults:#?}");
}

fn view(history: &mut GroupHistory, user: UserId) -> &mut Vec<Event> {
    history.views.get_mut(&user).unwrap()
}

#[test]
fn a_good_history_is_good() {
    assert_eq!(good().check(), Vec::<String>::new());
    assert_eq!(good().erased_texts().into_iter().collect::<Vec<_>>(), ["the secret"]);
    assert_eq!(good().files(), (BTreeSet::new(), BTreeSet::from(["7".to_owned()])));
}

#[test]
fn a_gap_and_a_row_out_of_order_are_found() {
    assert_complains(|it| drop(view(it, OWNER).remove(4)), "a gap: at 5");
    assert_complains(|it| view(it, OWNER)[4].row = RowId::new(1), "rows do not ascend");
}

#[test]
fn what_is_stored_twice_or_was_never_asked_is_found() {
    assert_complains(|it| view(it, OWNER)[6].name = Some("c2".to_owned()), "stored twice");
    assert_complains(|it| it.asked.clear(), "asked was None");
    assert_complains(|it| view(it, OWNER)[4] = message(5, OWNER, "else"), "asked was Some");
}

#[test]
fn what_was_acked_and_is_lost_or_refused_and_is_stored_is_found() {
    assert_complains(|it| drop(view(it, OWNER).pop()), "acked and lost");
    assert_complains(|it| it.acks[2].1.msg_seq = Seq::new(9), "acked and lost");
    assert_complains(|it| it.refused.push((BOB, "c7".to_owned())), "refused and stored");
}

#[test]
fn other_members_than_those_of_the_events_are_found() {
    assert_complains(|it| it.expected = BTreeMap::new(), "members by acks");
    assert_complains(|it| it.members.extend([(BOB, Role::Admin)]), "members by the server");
}

#[test]
fn whoever_sees_too_much_or_too_little_is_found() {
    let hidden = || truth().remove(4);
    assert_complains(|it| view(it, BOB).insert(4, hidden()), "has too much [5]");
    assert_complains(|it| drop(view(it, BOB).pop()), "lacks [8]");
    assert_complains(|it| it.copies[0].1.insert(4, hidden()), "a device of 2 has too much [5]");
    assert_complains(|it| drop(it.views.remove(&CAROL)), "has seen nothing");
}

#[test]
fn other_content_is_found() {
    assert_complains(|it| view(it, BOB)[5] = message(7, BOB, "else"), "a pull of 2 shows");
    let old = || message(2, BOB, "the secret");
    assert_complains(|it| it.copies[0].1[1] = old(), "a device of 2 shows");
}

#[test]
fn a_text_that_lingers_is_found() {
    let lingering = |it: &mut GroupHistory| {
        let edit = Change::Edited { target_seq: Seq::new(7), body: Some("first".to_owned()) };
        let again = Change::Edited { target_seq: Seq::new(7), body: Some("second".to_owned()) };
        for (seq, change) in [(9, edit), (10, again)] {
            let event = event(seq, BOB, Said::Change(change.clone()));
            it.asked.insert((BOB, event.name.clone().unwrap()), Asked::Change(change.clone()));
            view(it, OWNER)[6].change(&event);
            view(it, OWNER).push(event);
        }
    };
    assert_complains(lingering, "says \"first\" and should say \"\"");
    let mut history = good();
    lingering(&mut history);
    assert!(history.erased_texts().contains("first"));
}

#[test]
fn pushes_out_of_order_to_strangers_or_of_nothing_are_found() {
    assert_complains(|it| it.pushes[0].swap(0, 1), "pushed out of order");
    assert_complains(|it| it.pushes.push(vec![(BOB, truth().remove(4))]), "who may not see it");
    assert_complains(|it| it.pushes.push(vec![(CAROL, truth().remove(3))]), "who may not see it");
    let strange = || Event { row: RowId::new(1), ..truth().remove(6) };
    assert_complains(|it| it.pushes.push(vec![(BOB, strange())]), "pushed and not stored");
}

#[test]
fn a_reaction_or_a_pin_that_is_lost_or_made_up_is_found() {
    let reacted = |it: &mut GroupHistory, changes_the_message: bool| {
        let target_seq = Seq::new(7);
        let change = Change::Reacted { target_seq, emoji: "+1".to_owned(), removed: false };
        let event = event(9, OWNER, Said::Change(change.clone()));
        it.asked.insert((OWNER, event.name.clone().unwrap()), Asked::Change(change));
        for user in [OWNER, BOB] {
            if changes_the_message {
                view(it, user).iter_mut().find(|it| it.seq == target_seq).unwrap().change(&event);
            }
            view(it, user).push(event.clone());
        }
        view(it, CAROL).push(event);
        it.copies.clear();
    };
    let mut history = good();
    reacted(&mut history, true);
    assert_eq!(history.check(), Vec::<String>::new());
    assert_complains(|it| reacted(it, false), "is not Some");
    let made_up = |it: &mut GroupHistory| {
        let Said::Message(message) = &mut view(it, OWNER)[6].said else { unreachable!() };
        message.reactions.push(Reaction { emoji: "+1".to_owned(), users: vec![BOB] });
    };
    assert_complains(made_up, "is not Some");
    assert_complains(|it| it.pins.push(Seq::new(7)), "pins by the server are");
}

#[test]
fn another_reply_or_file_than_was_asked_is_found() {
    let other = |change: fn(&mut Message)| {
        move |it: &mut GroupHistory| {
            let Said::Message(message) = &mut view(it, OWNER)[6].said else { unreachable!() };
            change(message);
        }
    };
    assert_complains(other(|it| it.file = Some("7".to_owned())), "is not Some");
    assert_complains(
        other(|it| it.reply_to = Some(ReplyTo { msg_seq: Seq::new(5), from: OWNER })),
        "is not Some",
    );
    assert_complains(other(|it| it.forwarded_from = Some(CAROL)), "is not Some");
}
