//! The sequencer over a store in memory, without a network.

mod attachment;
mod call;
mod clearing;
mod compose;
mod contact;
mod group;
mod group_settings;
mod inviting;
mod message;
mod order;
mod own_view;

use std::collections::HashMap;
use std::time::Duration;

use petrel_log::{Content, Destination, ReceiptKind, SendRequest};
use petrel_protocol::frame::{ReceiptKind as WireReceiptKind, SavedAck, ServerAck};
use petrel_store::memory::MemoryStore;
use petrel_types::{Epoch, ManualClock, NodeId, Seq};
use proptest::prelude::*;

use super::*;

const ALICE: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const MALLORY: UserId = UserId::new(3);
const EXTERNAL: Rules =
    Rules { external_users: true, unstored_local_users: false, chats_need_friendship: false };

struct Fixture {
    sequencer: Sequencer,
    clock: Arc<ManualClock>,
    next_position: LogPosition,
    store: Arc<dyn Store>,
}

impl Fixture {
    async fn new(rules: Rules) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Epoch::new(1)));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000)));
        let (sequencer, next_position) = claim(&store, &clock, rules).await;
        Self { sequencer, clock, next_position, store }
    }

    /// A new owner of the same store, as after a restart.
    async fn restart(&mut self) {
        (self.sequencer, self.next_position) = claim(&self.store, &self.clock, EXTERNAL).await;
    }

    async fn decide(&mut self, commands: Vec<Command>) -> Vec<Effect> {
        let logged = commands
            .into_iter()
            .map(|command| {
                let position = self.next_position;
                self.next_position = position.next();
                LoggedCommand { position, partition: Partition::new(0), command }
            })
            .collect();
        self.sequencer.decide(logged).await.unwrap().effects
    }

    async fn send(&mut self, command: Command) -> SavedAck {
        let effects = self.decide(vec![command]).await;
        acks(&effects).remove(0)
    }
}

async fn claim(
    store: &Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    rules: Rules,
) -> (Sequencer, LogPosition) {
    let clock: Arc<dyn Clock> = clock.clone();
    Sequencer::claim(Arc::clone(store), clock, rules, Partition::new(0)).await.unwrap()
}

fn command(actor: UserId, request: Request) -> Command {
    // One session a user, named after the user.
    let session = SessionId::new(actor.get());
    Command { origin: Origin { node: NodeId::new(1), session, tag: 1 }, actor, request }
}

fn text(from: UserId, to: UserId, name: &str, body: &str) -> Command {
    send(from, Destination::User(to), name, Content::Text(body.to_owned()))
}

fn send(from: UserId, to: Destination, name: &str, content: Content) -> Command {
    let client_message_id = ClientMessageId::new(name).unwrap();
    let send = SendRequest { to, client_message_id, content, retry: false, first_sent: None };
    command(from, Request::Send(send))
}

fn again(mut sent: Command) -> Command {
    if let Request::Send(send) = &mut sent.request {
        send.retry = true;
    }
    sent
}

fn receipt(from: UserId, conversation: ConversationId, kind: ReceiptKind, seq: u64) -> Command {
    command(from, Request::AdvanceCursor { conversation, kind, seq: Seq::new(seq) })
}

fn acks(effects: &[Effect]) -> Vec<SavedAck> {
    let ack = |effect: &Effect| match effect {
        Effect::Answer { frame: Some(ServerFrame::Ack(ServerAck::Saved(ack))), .. } => {
            Some(ack.clone())
        }
        _ => None,
    };
    effects.iter().filter_map(ack).collect()
}

fn refusals(effects: &[Effect]) -> Vec<ErrorReasonOf> {
    let reason = |effect: &Effect| match effect {
        Effect::Answer { frame: Some(ServerFrame::Error(error)), .. } => Some(error.reason),
        _ => None,
    };
    effects.iter().filter_map(reason).collect()
}

fn receipts(effects: &[Effect]) -> Vec<(Vec<UserId>, WireReceiptKind, u64)> {
    let receipt = |effect: &Effect| match effect {
        Effect::Deliver {
            recipients, frame: ServerFrame::Ack(ServerAck::Receipt(ack)), ..
        } => Some((recipients.to_vec(), ack.ack_type, ack.msg_seq.get())),
        _ => None,
    };
    effects.iter().filter_map(receipt).collect()
}

type ErrorReasonOf = petrel_protocol::ErrorReason;

#[tokio::test]
async fn a_message_is_numbered_answered_and_delivered_to_both_users() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects = fixture.decide(vec![text(ALICE, BOB, "m1", "hello")]).await;
    let ack = acks(&effects).remove(0);
    assert_eq!((ack.msg_seq.get(), ack.duplicate), (1, false));
    match &effects[1] {
        Effect::Deliver { recipients, except, frame: ServerFrame::SingleChat(push) } => {
            assert_eq!(**recipients, [ALICE, BOB]);
            assert_eq!(*except, Some(SessionId::new(ALICE.get())));
            assert_eq!((push.from, push.to, push.body.as_str()), (ALICE, BOB, "hello"));
            assert_eq!(push.server_msg_id, ack.server_msg_id);
        }
        other => panic!("expected a delivery, got {other:?}"),
    }
}

#[tokio::test]
async fn both_directions_share_one_timeline() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects =
        fixture.decide(vec![text(ALICE, BOB, "a1", "ping"), text(BOB, ALICE, "b1", "pong")]).await;
    let acks = acks(&effects);
    assert_eq!(acks[0].conversation_id, acks[1].conversation_id);
    assert_eq!([acks[0].msg_seq.get(), acks[1].msg_seq.get()], [1, 2]);
}

#[tokio::test]
async fn the_same_name_again_is_the_same_message() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let sent = text(ALICE, BOB, "m1", "hello");

    // Within one batch, from memory, and after a restart.
    let effects = fixture.decide(vec![sent.clone(), sent.clone()]).await;
    let both = acks(&effects);
    let first = both[0].clone();
    assert_eq!(both[1], SavedAck { duplicate: true, ..first.clone() });
    assert_eq!(effects.len(), 3, "one delivery for two sends");

    assert_eq!(fixture.send(sent.clone()).await, SavedAck { duplicate: true, ..first.clone() });
    fixture.restart().await;
    assert_eq!(fixture.send(sent).await, SavedAck { duplicate: true, ..first.clone() });

    let other_body = fixture.send(text(ALICE, BOB, "m1", "goodbye")).await;
    assert_eq!(other_body, SavedAck { duplicate: true, body_differs: true, ..first });
}

#[tokio::test]
async fn a_retry_is_recognised_beyond_the_recent_messages() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let sent = text(ALICE, BOB, "m1", "hello");
    let first = fixture.send(sent.clone()).await;
    fixture.sequencer.memory.recent = RecentMessages::default();
    let retried = fixture.send(again(sent)).await;
    assert_eq!(retried, SavedAck { duplicate: true, ..first });
}

/// A client may forget to say that it sends again; that must not stop the sequencer.
#[tokio::test]
async fn a_name_that_only_the_store_remembers_is_recognised_also_without_a_retry() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let sent = text(ALICE, BOB, "m1", "hello");
    let first = fixture.send(sent.clone()).await;
    fixture.sequencer.memory.recent = RecentMessages::default();
    let effects = fixture.decide(vec![text(BOB, ALICE, "m2", "new"), sent]).await;
    let acks = acks(&effects);
    assert_eq!((acks[0].msg_seq.get(), acks[0].duplicate), (2, false));
    assert_eq!(acks[1], SavedAck { duplicate: true, ..first });
}

#[tokio::test]
async fn names_belong_to_their_sender_and_conversation() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects = fixture
        .decide(vec![
            text(ALICE, BOB, "m1", "x"),
            text(BOB, ALICE, "m1", "x"),
            text(ALICE, MALLORY, "m1", "x"),
        ])
        .await;
    assert!(acks(&effects).iter().all(|ack| !ack.duplicate));
}

#[tokio::test]
async fn nobody_talks_to_themselves_or_to_nobody() {
    let mut fixture = Fixture::new(Rules::default()).await;
    let registered =
        fixture.store.create_user("bob", "hash", TimestampMs::new(1)).await.unwrap().id;
    let stranger = UserId::new(registered.get() + 1);
    let effects = fixture
        .decide(vec![
            text(registered, registered, "m1", "x"),
            text(registered, stranger, "m2", "x"),
            text(registered, ALICE, "m3", "x"),
            text(registered, UserId::new(0), "m4", "x"),
        ])
        .await;
    use petrel_protocol::ErrorReason::{CannotSendToSelf, UserNotFound};
    assert_eq!(refusals(&effects), [CannotSendToSelf, UserNotFound, UserNotFound, UserNotFound]);
    assert_eq!(acks(&effects), []);
}

#[tokio::test]
async fn cursors_move_forward_are_told_once_and_only_by_members() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let ack = fixture.send(text(ALICE, BOB, "m1", "hello")).await;
    fixture.send(text(ALICE, BOB, "m2", "there")).await;
    let conversation = ack.conversation_id;

    let delivered = receipt(BOB, conversation, ReceiptKind::Delivered, 2);
    let effects = fixture.decide(vec![delivered.clone(), delivered]).await;
    assert_eq!(receipts(&effects), [(vec![ALICE], WireReceiptKind::Delivered, 2)]);

    let effects = fixture
        .decide(vec![
            receipt(BOB, conversation, ReceiptKind::Read, 2),
            receipt(BOB, conversation, ReceiptKind::Read, 1),
        ])
        .await;
    assert_eq!(receipts(&effects), [(vec![BOB, ALICE], WireReceiptKind::Read, 2)]);

    let effects = fixture
        .decide(vec![
            receipt(MALLORY, conversation, ReceiptKind::Read, 1),
            receipt(BOB, ConversationId::new(99), ReceiptKind::Read, 1),
            receipt(BOB, conversation, ReceiptKind::Read, 3),
        ])
        .await;
    use petrel_protocol::ErrorReason::{ConversationNotFound, InvalidField};
    assert_eq!(refusals(&effects), [ConversationNotFound, ConversationNotFound, InvalidField]);
    assert_eq!(receipts(&effects), []);
}

#[tokio::test]
async fn time_never_runs_backwards_in_a_timeline() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.clock.advance(Duration::from_secs(60));
    let before = fixture.send(text(ALICE, BOB, "m1", "x")).await;
    // The system's clock was set back, and the node restarted.
    fixture.clock = Arc::new(ManualClock::new(TimestampMs::new(1_000)));
    fixture.restart().await;
    let after = fixture.send(text(ALICE, BOB, "m2", "x")).await;
    assert!(after.ts >= before.ts);
}

#[tokio::test]
async fn a_deposed_owner_tells_nobody_anything() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let (mut deposed, position) = claim(&fixture.store, &fixture.clock, EXTERNAL).await;
    fixture.restart().await;
    let command = text(ALICE, BOB, "m1", "x");
    let logged = LoggedCommand { position, partition: Partition::new(0), command };
    let error = deposed.decide(vec![logged]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Fenced);
}

/// What a test does to a sequencer.
#[derive(Clone, Debug)]
enum Step {
    Send { from: u64, to: u64, name: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (1..5_u64, 1..5_u64, 0..40_u8)
            .prop_filter("another user", |(from, to, _)| from != to)
            .prop_map(|(from, to, name)| Step::Send { from, to, name }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is sent in whatever batches, with repeats and restarts: every timeline is
    /// contiguous, and every ack's message is there once, at the acked place.
    #[test]
    fn timelines_are_contiguous_and_hold_each_acked_message_once(
        batches in prop::collection::vec(prop::collection::vec(step(), 1..30), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_history(batches))?;
    }
}

async fn check_history(batches: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let mut acked: HashMap<(ConversationId, Seq), SavedAck> = HashMap::new();
    for batch in batches {
        let mut commands = Vec::new();
        for step in batch {
            match step {
                Step::Send { from, to, name } => commands.push(again(text(
                    UserId::new(from),
                    UserId::new(to),
                    &format!("{from}-{name}"),
                    "x",
                ))),
                Step::Restart => {
                    let effects = fixture.decide(std::mem::take(&mut commands)).await;
                    note(&mut acked, &effects)?;
                    fixture.restart().await;
                }
            }
        }
        let effects = fixture.decide(commands).await;
        note(&mut acked, &effects)?;
    }

    let conversations: std::collections::HashSet<_> = acked.keys().map(|(id, _)| *id).collect();
    for conversation in conversations {
        let page = fixture.store.events_after(conversation, Seq::ZERO, 10_000).await.unwrap();
        let seqs: Vec<_> = page.events.iter().map(|event| event.seq.get()).collect();
        let contiguous: Vec<_> = (1..=page.head.seq.get()).collect();
        prop_assert_eq!(seqs, contiguous);
        for event in page.events {
            let ack = acked.get(&(conversation, event.seq));
            let named = ack.map(|ack| (Some(&ack.client_msg_id), ack.server_msg_id));
            prop_assert_eq!(named, Some((event.client_message_id.as_ref(), event.row)));
        }
    }
    Ok(())
}

/// Notes the acks of a batch: one place has one message, whoever asks how often.
fn note(
    acked: &mut HashMap<(ConversationId, Seq), SavedAck>,
    effects: &[Effect],
) -> Result<(), TestCaseError> {
    for ack in acks(effects) {
        let place = (ack.conversation_id, ack.msg_seq);
        let first = SavedAck { duplicate: false, body_differs: false, ..ack.clone() };
        match acked.get(&place) {
            Some(known) => {
                prop_assert!(ack.duplicate, "{place:?} was given twice");
                prop_assert_eq!(known, &first);
            }
            None => {
                prop_assert!(!ack.duplicate, "{ack:?} repeats an ack that was never given");
                acked.insert(place, first);
            }
        }
    }
    Ok(())
}
