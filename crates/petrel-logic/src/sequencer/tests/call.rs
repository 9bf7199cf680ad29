//! What stays of a call: a message that nobody can change, and that says nothing of who has
//! read what.

use petrel_log::NewMessage;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    CallMedia, CallOutcome, CallRecord, ContactAction, Forward, MessageType,
};

use super::*;

fn record(outcome: CallOutcome) -> CallRecord {
    let call_id = ClientMessageId::new("ringing").unwrap();
    CallRecord { call_id, media: CallMedia::Video, outcome, duration_ms: None }
}

/// As the system sends it.
fn recorded(from: UserId, to: UserId, name: &str, outcome: CallOutcome) -> Command {
    let mut command =
        again(send(from, Destination::User(to), name, Content::Call(record(outcome))));
    command.origin.session = Origin::REQUESTER;
    command
}

impl Fixture {
    /// What a user has received and read of a conversation, and how many messages not.
    async fn standing(&self, conversation: ConversationId, user: UserId) -> (u64, u64, u64) {
        let state = self.store.conversation(conversation).await.unwrap().unwrap();
        let member = state.members.iter().find(|member| member.user == user).unwrap();
        let page = self.store.events_after(conversation, Seq::ZERO, 100).await.unwrap();
        let read = page.events.iter().find(|event| event.seq == member.cursors.read);
        let read_number = read.map_or(0, |event| event.message_number.get());
        let unread = page.head.message_number.get() - read_number;
        (member.cursors.delivered.get(), member.cursors.read.get(), unread)
    }
}

#[tokio::test]
async fn the_record_of_a_call_begins_the_chat_goes_to_both_and_is_stored_once() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let command = recorded(ALICE, BOB, "a name", CallOutcome::Missed);
    let effects = fixture.decide(vec![command.clone()]).await;
    let first = acks(&effects).remove(0);
    let push = effects.iter().find_map(|effect| match effect {
        Effect::Deliver { recipients, frame: ServerFrame::SingleChat(push), .. } => {
            Some((recipients.to_vec(), push.clone()))
        }
        _ => None,
    });
    let (recipients, push) = push.expect("it is told");
    assert_eq!(recipients, [ALICE, BOB]);
    assert_eq!((push.msg_type, push.body.as_str()), (MessageType::Call, ""));
    assert_eq!(push.call.as_deref(), Some(&record(CallOutcome::Missed)));
    fixture.restart().await;
    let second = fixture.send(command).await;
    assert!(second.duplicate);
    assert_eq!((first.msg_seq, first.server_msg_id), (second.msg_seq, second.server_msg_id));
    assert_eq!(fixture.stored(first.conversation_id).await.len(), 1);
}

#[tokio::test]
async fn who_calls_need_not_have_read_what_was_said_before() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(BOB, ALICE, "m1", "are you there?")).await.conversation_id;
    fixture.send(recorded(ALICE, BOB, "c1", CallOutcome::Answered)).await;
    // Both took part in it: it is news to neither.
    assert_eq!(fixture.standing(id, ALICE).await, (0, 0, 1));
    assert_eq!(fixture.standing(id, BOB).await, (1, 1, 0));
    fixture.send(recorded(ALICE, BOB, "c2", CallOutcome::Missed)).await;
    assert_eq!(fixture.standing(id, ALICE).await, (0, 0, 2));
    assert_eq!(fixture.standing(id, BOB).await, (1, 1, 1));
    fixture.send(text(ALICE, BOB, "m2", "as I said")).await;
    assert_eq!(fixture.standing(id, ALICE).await, (4, 4, 0));
}

#[tokio::test]
async fn nobody_changes_the_record_of_a_call_or_sends_it_on() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(recorded(ALICE, BOB, "c1", CallOutcome::Missed)).await.conversation_id;
    let (here, target) = (Destination::Conversation(id), Seq::new(1));
    for actor in [ALICE, BOB] {
        let recall = send(actor, here, "r", Content::Recall { target });
        assert_eq!(fixture.refusal(recall).await, ErrorReason::NotAllowed);
        let edit = send(actor, here, "e", Content::Edit { target, body: "never".to_owned() });
        assert_eq!(fixture.refusal(edit).await, ErrorReason::NotAllowed);
        let forward = Some(Forward { conversation_id: id, msg_seq: target });
        let forward = Content::Message(Box::new(NewMessage { forward, ..NewMessage::default() }));
        let forward = send(actor, Destination::User(MALLORY), "f", forward);
        assert_eq!(fixture.refusal(forward).await, ErrorReason::MessageNotFound);
    }
    assert_eq!(fixture.stored(id).await.len(), 1);
}

#[tokio::test]
async fn the_record_of_a_call_that_was_allowed_is_stored_across_a_block() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let action = ContactAction::Block;
    let block = Content::Contact { action, text: None };
    fixture.decide(vec![send(BOB, Destination::Pair(ALICE), "b", block)]).await;
    assert_eq!(fixture.refusal(text(ALICE, BOB, "m", "hello?")).await, ErrorReason::NotReachable);
    let ack = fixture.send(recorded(ALICE, BOB, "c1", CallOutcome::Rejected)).await;
    assert_eq!(ack.msg_seq.get(), 1);
}

#[tokio::test]
async fn there_are_no_calls_in_groups() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m", "hello")).await.conversation_id;
    let content = Content::Call(record(CallOutcome::Missed));
    let command = send(ALICE, Destination::Conversation(id), "c", content);
    let refused = fixture.decide(vec![command]).await;
    assert_eq!(refusals(&refused).len(), 1);
    assert_eq!(fixture.stored(id).await.len(), 1);
}
