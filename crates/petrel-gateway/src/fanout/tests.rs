use petrel_protocol::frame::{
    Durability, GroupChatPush, MessageType, SavedAck, SavedTag, ServerAck, SingleChatPush,
};
use petrel_types::{ClientMessageId, NodeId, RowId, TimestampMs};

use super::*;
use crate::WaterMarks;
use crate::outbox::Outgoing;
use crate::replacement::{Bearer, SessionPolicy};

const GROUP: ConversationId = ConversationId::new(7);
const OTHER_GROUP: ConversationId = ConversationId::new(8);
const CHAT: ConversationId = ConversationId::new(9);
const MEMBERS: u64 = 10_000;

struct World {
    registry: Registry,
    outboxes: Vec<Arc<Outbox>>,
    members: Arc<[UserId]>,
}

/// One session for each of many users; user and session have the same number.
fn world(of: impl Fn(SessionId, Bearer, WaterMarks) -> Outbox) -> World {
    let registry = Registry::default();
    let bearer = |n| Bearer { user: UserId::new(n), ..Bearer::default() };
    let outboxes: Vec<_> = (1..=MEMBERS)
        .map(|n| Arc::new(of(SessionId::new(n), bearer(n), WaterMarks::default())))
        .collect();
    let policy = SessionPolicy::default();
    outboxes.iter().for_each(|outbox| registry.insert(Arc::clone(outbox), policy));
    let members = outboxes.iter().map(|outbox| outbox.user()).collect();
    World { registry, outboxes, members }
}

fn name() -> ClientMessageId {
    ClientMessageId::new("m").unwrap()
}

fn group_chat(group: ConversationId, seq: u64, recipients: &Arc<[UserId]>) -> Effect {
    let frame = ServerFrame::GroupChat(GroupChatPush {
        mentions: Vec::new(),
        mention_all: false,
        from: UserId::new(1),
        group_id: group,
        client_msg_id: name(),
        server_msg_id: RowId::new(seq),
        conversation_id: group,
        msg_seq: Seq::new(seq),
        msg_type: MessageType::Text,
        body: "hello".to_owned(),
        attachment: None,
        location: None,
        custom: None,
        reply_to: None,
        forwarded_from: None,
        reactions: Vec::new(),
        ts: TimestampMs::new(1),
        rev: None,
        edited: false,
        recalled: false,
        redelivered: false,
    });
    let except = Some(SessionId::new(1));
    Effect::Deliver { recipients: Arc::clone(recipients), except, frame }
}

fn single_chat(seq: u64) -> Effect {
    let (from, to) = (UserId::new(1), UserId::new(MEMBERS));
    let frame = ServerFrame::SingleChat(SingleChatPush {
        from,
        to,
        client_msg_id: name(),
        server_msg_id: RowId::new(seq),
        conversation_id: CHAT,
        msg_seq: Seq::new(seq),
        msg_type: MessageType::Text,
        body: "hello".to_owned(),
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
    });
    Effect::Deliver { recipients: Arc::new([from, to]), except: None, frame }
}

fn saved(session: u64, group: ConversationId, seq: u64) -> Effect {
    let origin = Origin { node: NodeId::new(1), session: SessionId::new(session), tag: seq };
    let ack = SavedAck {
        ack_type: SavedTag::Saved,
        client_msg_id: name(),
        server_msg_id: RowId::new(seq),
        conversation_id: group,
        msg_seq: Seq::new(seq),
        durability: Durability::Fsync,
        ts: TimestampMs::new(1),
        duplicate: false,
        body_differs: false,
        words_replaced: false,
    };
    Effect::Answer { origin, frame: Some(ServerFrame::Ack(ServerAck::Saved(ack))) }
}

fn batch(effects: Vec<Effect>) -> CommittedBatch {
    CommittedBatch { effects, ..CommittedBatch::default() }
}

/// The places of what waits in an outbox, acks among them.
fn seen(outbox: &Outbox) -> Vec<(ConversationId, u64)> {
    std::iter::from_fn(|| outbox.take())
        .map(|next| match next {
            Outgoing::Push { place: Some((conversation, seq)), .. } => (conversation, seq.get()),
            Outgoing::Answer { frame: Some(frame), .. } => match *frame {
                ServerFrame::Ack(ServerAck::Saved(ack)) => (ack.conversation_id, ack.msg_seq.get()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect()
}

fn finish(fanout: &mut Fanout<'_>) -> usize {
    let mut steps = 0;
    while !fanout.is_idle() {
        fanout.advance();
        steps += 1;
    }
    steps
}

#[test]
fn a_message_to_very_many_lets_another_conversation_overtake() {
    let world = world(Outbox::new);
    let last = world.outboxes.last().unwrap();
    let metrics = Metrics::default();
    let mut fanout = Fanout::new(&world.registry, &metrics, 0);
    fanout.take(batch(vec![group_chat(GROUP, 1, &world.members)]));
    fanout.advance();
    fanout.take(batch(vec![single_chat(1)]));
    assert_eq!(seen(last), [(CHAT, 1)], "at once, although the group's message came before");

    let steps = 1 + finish(&mut fanout);
    assert_eq!(steps, (MEMBERS as usize).div_ceil(STEP_USERS), "no step does more than its share");
    assert_eq!(seen(last), [(GROUP, 1)]);
}

#[test]
fn within_a_conversation_the_order_stays_and_everybody_gets_everything_once() {
    let world = world(Outbox::new);
    let few: Arc<[UserId]> = world.members[5..9].into();
    let metrics = Metrics::default();
    let mut fanout = Fanout::new(&world.registry, &metrics, 0);
    for seq in (1..=9).step_by(3) {
        fanout.take(batch(vec![
            group_chat(GROUP, seq, &world.members),
            group_chat(OTHER_GROUP, seq, &world.members),
        ]));
        fanout.advance();
        // These go to few, but not before what was there earlier.
        fanout.take(batch(vec![
            group_chat(GROUP, seq + 1, &few),
            saved(3, GROUP, seq + 2),
            group_chat(GROUP, seq + 2, &few),
            group_chat(OTHER_GROUP, seq + 1, &world.members),
            group_chat(OTHER_GROUP, seq + 2, &world.members),
        ]));
        fanout.advance();
    }
    finish(&mut fanout);
    for (number, outbox) in (1..).zip(&world.outboxes) {
        let all = seen(outbox);
        let of =
            |id| all.iter().filter(|(it, _)| *it == id).map(|(_, seq)| *seq).collect::<Vec<_>>();
        let group: &[u64] = match number {
            1 => &[],
            3 => &[1, 3, 4, 6, 7, 9],
            6..=9 => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            _ => &[1, 4, 7],
        };
        assert_eq!(of(GROUP), group, "user {number}");
        let other: Vec<u64> = if number == 1 { Vec::new() } else { (1..=9).collect() };
        assert_eq!(of(OTHER_GROUP), other, "user {number}");
    }
}

#[test]
fn large_groups_take_turns() {
    let world = world(Outbox::new);
    let last = world.outboxes.last().unwrap();
    let metrics = Metrics::default();
    let mut fanout = Fanout::new(&world.registry, &metrics, 0);
    fanout.take(batch((1..=50).map(|seq| group_chat(GROUP, seq, &world.members)).collect()));
    fanout.take(batch(vec![group_chat(OTHER_GROUP, 1, &world.members)]));
    let one = (MEMBERS as usize).div_ceil(STEP_USERS);
    (0..2 * one).for_each(|_| fanout.advance());
    let early = seen(last);
    assert!(early.contains(&(OTHER_GROUP, 1)), "it does not wait for all fifty: {early:?}");
    finish(&mut fanout);
}

#[test]
fn what_waits_is_bounded_and_then_no_more_is_taken() {
    let world = world(Outbox::new);
    let metrics = Metrics::default();
    let mut fanout = Fanout::new(&world.registry, &metrics, 0);
    let mut seq = 0;
    while fanout.has_room() {
        seq += 1;
        fanout.take(batch(vec![group_chat(GROUP, seq, &world.members)]));
        assert!(seq < 1_000, "there is always room");
    }
    // The last one got them all; the bound counts users.
    assert_eq!(seq, 200);
    while !fanout.has_room() {
        fanout.advance();
    }
    finish(&mut fanout);
    assert!(fanout.has_room());
}

#[test]
fn devices_that_do_not_look_get_one_head_and_those_that_do_get_bodies() {
    let world = world(|session, bearer, marks| match bearer.user.get() {
        5 => Outbox::new(session, bearer, marks),
        _ => Outbox::with_heads(session, bearer, marks),
    });
    let (cannot, looks, away) = (&world.outboxes[4], &world.outboxes[5], &world.outboxes[6]);
    assert_eq!(looks.focus(&[GROUP], 9), Some(vec![GROUP]));
    let metrics = Metrics::default();
    let mut fanout = Fanout::new(&world.registry, &metrics, MEMBERS as usize);
    for seq in 1..=3 {
        fanout.take(batch(vec![group_chat(GROUP, seq, &world.members)]));
        finish(&mut fanout);
    }
    let all = [(GROUP, 1), (GROUP, 2), (GROUP, 3)];
    assert_eq!(seen(cannot), all, "without the capability");
    assert_eq!(seen(looks), all, "in focus");
    assert_eq!(seen(away), []);
    assert_eq!(away.take_heads(|_| false), []);
    assert_eq!(away.take_heads(|_| true), [(GROUP, Seq::new(3))]);
    assert_eq!(away.take_heads(|_| true), [], "once");

    // One member fewer, and the group is not very large.
    let fewer: Arc<[UserId]> = world.members[1..].into();
    fanout.take(batch(vec![group_chat(GROUP, 4, &fewer)]));
    finish(&mut fanout);
    assert_eq!(seen(away), [(GROUP, 4)]);
    // Looking away again.
    looks.look_away(&[GROUP]);
    assert_eq!(looks.note_head(GROUP, Seq::new(5)), Some(true));
    assert_eq!(looks.note_head(GROUP, Seq::new(6)), Some(false), "no second waking");
}
