//! What becomes of messages: recall, edit, and retries that come late.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Change;
use petrel_types::limits::{EDIT_WINDOW_MS, RECALL_WINDOW_MS, RETRY_WINDOW_MS};

use super::*;
use crate::event::EventBody;

fn recall(from: UserId, conversation: ConversationId, name: &str, target: u64) -> Command {
    let content = Content::Recall { target: Seq::new(target) };
    send(from, Destination::Conversation(conversation), name, content)
}

fn edit(
    from: UserId,
    conversation: ConversationId,
    name: &str,
    target: u64,
    body: &str,
) -> Command {
    let content = Content::Edit { target: Seq::new(target), body: body.to_owned() };
    send(from, Destination::Conversation(conversation), name, content)
}

impl Fixture {
    /// What is stored of a timeline.
    pub(super) async fn stored(&self, conversation: ConversationId) -> Vec<EventBody> {
        let page = self.store.events_after(conversation, Seq::ZERO, 10_000).await.unwrap();
        page.events.iter().map(|event| EventBody::decode(&event.payload).unwrap()).collect()
    }

    pub(super) async fn refusal(&mut self, command: Command) -> ErrorReason {
        let effects = self.decide(vec![command]).await;
        refusals(&effects).remove(0)
    }

    fn pass(&self, milliseconds: u64) {
        self.clock.advance(Duration::from_millis(milliseconds));
    }
}

fn message(body: &EventBody) -> &crate::event::MessageBody {
    match body {
        EventBody::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}

#[tokio::test]
async fn a_recalled_text_is_nowhere_and_its_place_stays() {
    for in_one_batch in [false, true] {
        let mut fixture = Fixture::new(EXTERNAL).await;
        let first = fixture.send(text(ALICE, BOB, "m1", "the secret")).await;
        let id = first.conversation_id;
        let commands = vec![
            edit(ALICE, id, "e1", 1, "another secret"),
            edit(ALICE, id, "e2", 1, "a third secret"),
            recall(ALICE, id, "r1", 1),
        ];
        if in_one_batch {
            fixture.decide(commands).await;
        } else {
            for command in commands {
                fixture.decide(vec![command]).await;
            }
        }
        let stored = fixture.stored(id).await;
        assert_eq!(stored.len(), 4);
        assert!(!format!("{stored:?}").contains("secret"), "{stored:?}");
        assert!(message(&stored[0]).recalled);
        assert_eq!(message(&stored[0]).rev, Some(Seq::new(4)));
        let recalled = EventBody::Change(Change::Recalled { target_seq: Seq::new(1) });
        assert_eq!(stored[3], recalled);
    }
}

#[tokio::test]
async fn an_edit_replaces_the_text_and_makes_the_edit_before_void() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "one")).await.conversation_id;
    fixture.send(edit(ALICE, id, "e1", 1, "two")).await;
    fixture.send(edit(ALICE, id, "e2", 1, "three")).await;
    let stored = fixture.stored(id).await;
    assert_eq!(message(&stored[0]).body, "three");
    assert_eq!(message(&stored[0]).rev, Some(Seq::new(3)));
    let target_seq = Seq::new(1);
    assert_eq!(stored[1], EventBody::Change(Change::Edited { target_seq, body: None }));
    let body = Some("three".to_owned());
    assert_eq!(stored[2], EventBody::Change(Change::Edited { target_seq, body }));
}

#[tokio::test]
async fn a_message_and_its_recall_in_one_batch_leave_no_text_behind() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "hello")).await.conversation_id;
    let commands = vec![text(ALICE, BOB, "m2", "the secret"), recall(ALICE, id, "r", 2)];
    fixture.decide(commands).await;
    assert!(!format!("{:?}", fixture.stored(id).await).contains("secret"));
}

#[tokio::test]
async fn only_the_sender_recalls_and_edits_and_only_in_time() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "hello")).await.conversation_id;
    use ErrorReason::{
        ConversationNotFound, MessageNotFound, NotAllowed, NothingToChange, TooLate,
    };
    assert_eq!(fixture.refusal(recall(BOB, id, "r", 1)).await, NotAllowed);
    assert_eq!(fixture.refusal(edit(BOB, id, "e", 1, "x")).await, NotAllowed);
    assert_eq!(fixture.refusal(recall(MALLORY, id, "r", 1)).await, ConversationNotFound);
    assert_eq!(fixture.refusal(recall(ALICE, id, "r", 2)).await, MessageNotFound);
    assert_eq!(fixture.refusal(recall(ALICE, id, "r", 0)).await, MessageNotFound);
    assert_eq!(fixture.refusal(edit(ALICE, id, "e", 1, "hello")).await, NothingToChange);

    fixture.pass(RECALL_WINDOW_MS);
    fixture.send(edit(ALICE, id, "e1", 1, "hello there")).await;
    // An event that is no message can't be changed.
    assert_eq!(fixture.refusal(recall(ALICE, id, "r", 2)).await, MessageNotFound);
    fixture.pass(1);
    assert_eq!(fixture.refusal(recall(ALICE, id, "r", 1)).await, TooLate);
    fixture.pass(EDIT_WINDOW_MS);
    assert_eq!(fixture.refusal(edit(ALICE, id, "e2", 1, "x")).await, TooLate);
}

#[tokio::test]
async fn a_change_again_is_the_same_change() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "hello")).await.conversation_id;
    let first = fixture.send(recall(ALICE, id, "r", 1)).await;
    let again = fixture.send(recall(ALICE, id, "r", 1)).await;
    assert_eq!(again, SavedAck { duplicate: true, ..first.clone() });
    fixture.restart().await;
    fixture.sequencer.memory.recent = RecentMessages::default();
    let again = fixture.send(recall(ALICE, id, "r", 1)).await;
    assert_eq!(again, SavedAck { duplicate: true, ..first });
    // Under another name it is another change, and there is nothing left to do.
    let refused = fixture.refusal(recall(ALICE, id, "r2", 1)).await;
    assert_eq!(refused, ErrorReason::NothingToChange);
}

#[tokio::test]
async fn a_message_sent_again_after_its_recall_stays_recalled() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let sent = text(ALICE, BOB, "m1", "hello");
    let first = fixture.send(sent.clone()).await;
    fixture.send(recall(ALICE, first.conversation_id, "r", 1)).await;
    fixture.restart().await;
    let retried = fixture.send(again(sent)).await;
    assert_eq!(retried, SavedAck { duplicate: true, ..first });
    assert_eq!(fixture.stored(retried.conversation_id).await.len(), 2);
}

#[tokio::test]
async fn a_retry_from_beyond_the_window_is_not_stored() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let first = fixture.send(text(ALICE, BOB, "m1", "hello")).await;
    fixture.pass(RETRY_WINDOW_MS + 1);
    let old = |name| {
        let mut command = again(text(ALICE, BOB, name, "hello"));
        if let Request::Send(send) = &mut command.request {
            send.first_sent = Some(first.ts);
        }
        command
    };
    assert_eq!(fixture.refusal(old("m2")).await, ErrorReason::RetryTooOld);
    // What is still remembered is still recognised.
    assert_eq!(fixture.send(old("m1")).await, SavedAck { duplicate: true, ..first });
}

#[tokio::test]
async fn of_several_receipts_in_a_batch_only_the_last_is_told() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "one")).await.conversation_id;
    fixture.send(text(ALICE, BOB, "m2", "two")).await;
    let effects = fixture
        .decide(vec![
            receipt(BOB, id, ReceiptKind::Delivered, 1),
            receipt(BOB, id, ReceiptKind::Delivered, 2),
            text(ALICE, BOB, "m3", "three"),
        ])
        .await;
    assert_eq!(receipts(&effects), [(vec![ALICE], WireReceiptKind::Delivered, 2)]);
}
