//! What messages are beside plain texts, and what they refer to.

use petrel_log::NewMessage;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    AttachmentRef, Custom, Degrees, Forward, ForwardedFrom, Location, MessageType, ReplyTo,
};

use super::*;
use crate::event::{EventBody, MessageBody};

const CAROL: UserId = UserId::new(4);

pub(super) fn say(from: UserId, to: Destination, name: &str, new: NewMessage) -> Command {
    send(from, to, name, Content::Message(Box::new(new)))
}

fn to_bob(name: &str, new: NewMessage) -> Command {
    say(ALICE, Destination::User(BOB), name, new)
}

fn place() -> NewMessage {
    NewMessage {
        msg_type: MessageType::Location,
        location: Some(Box::new(Location {
            latitude: Degrees::new(54.3).unwrap(),
            longitude: Degrees::new(10.1).unwrap(),
            name: Some("the pier".to_owned()),
            address: None,
        })),
        ..NewMessage::default()
    }
}

fn poll() -> NewMessage {
    let data = [("question".to_owned(), "tea?".into())].into_iter().collect();
    NewMessage {
        msg_type: MessageType::Custom,
        custom: Some(Box::new(Custom { kind: "poll".to_owned(), data })),
        ..NewMessage::default()
    }
}

fn reply(seq: u64) -> NewMessage {
    NewMessage { body: "yes".to_owned(), reply_to: Some(Seq::new(seq)), ..NewMessage::default() }
}

fn forward(conversation_id: ConversationId, seq: u64) -> NewMessage {
    let forward = Some(Forward { conversation_id, msg_seq: Seq::new(seq) });
    NewMessage { forward, ..NewMessage::default() }
}

impl Fixture {
    /// A message as it is stored.
    pub(super) async fn message(&self, conversation: ConversationId, seq: u64) -> MessageBody {
        let index = usize::try_from(seq - 1).unwrap();
        match self.stored(conversation).await.swap_remove(index) {
            EventBody::Message(message) => message,
            other => panic!("not a message: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_a_text_is_kept_delivered_and_gone_once_it_is_recalled() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects = fixture.decide(vec![to_bob("m1", place()), to_bob("m2", poll())]).await;
    let id = acks(&effects)[0].conversation_id;
    match &effects[1] {
        Effect::Deliver { frame: ServerFrame::SingleChat(push), .. } => {
            assert_eq!((push.msg_type, &push.location), (MessageType::Location, &place().location));
        }
        other => panic!("expected a delivery, got {other:?}"),
    }
    assert_eq!(fixture.message(id, 2).await.custom, poll().custom);
    for (name, target) in [("r1", 1), ("r2", 2)] {
        let content = Content::Recall { target: Seq::new(target) };
        fixture.send(send(ALICE, Destination::Conversation(id), name, content)).await;
        let left = fixture.message(id, target).await;
        let rev = left.rev.unwrap();
        assert_eq!(left, MessageBody::recalled(left.msg_type, rev));
    }
}

#[tokio::test]
async fn a_retry_is_compared_in_everything_that_is_said() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.send(to_bob("m1", place())).await;
    let same = fixture.send(to_bob("m1", place())).await;
    assert_eq!((same.duplicate, same.body_differs), (true, false));
    fixture.restart().await;
    let same = fixture.send(to_bob("m1", place())).await;
    assert_eq!((same.duplicate, same.body_differs), (true, false));
    let other = fixture.send(to_bob("m1", poll())).await;
    assert_eq!((other.duplicate, other.body_differs), (true, true));
}

#[tokio::test]
async fn a_retry_that_replies_to_something_else_differs() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.decide(vec![text(BOB, ALICE, "b1", "tea?"), text(BOB, ALICE, "b2", "cake?")]).await;
    fixture.send(to_bob("m1", reply(1))).await;
    for _ in 0..2 {
        let same = fixture.send(to_bob("m1", reply(1))).await;
        assert_eq!((same.duplicate, same.body_differs), (true, false));
        let other = fixture.send(to_bob("m1", reply(2))).await;
        assert_eq!((other.duplicate, other.body_differs), (true, true));
        // From the store, too.
        fixture.restart().await;
    }
}

#[tokio::test]
async fn no_file_goes_with_a_message_that_the_server_does_not_keep() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let attachment =
        AttachmentRef { file_id: "f1".to_owned(), duration_ms: None, width: None, height: None };
    let picture = NewMessage {
        msg_type: MessageType::Image,
        attachment: Some(Box::new(attachment)),
        ..NewMessage::default()
    };
    assert_eq!(fixture.refusal(to_bob("m1", picture)).await, ErrorReason::FileNotFound);
}

#[tokio::test]
async fn a_reply_names_a_message_of_the_conversation_and_repeats_nothing_of_it() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    // Before there is a conversation, there is nothing to reply to.
    assert_eq!(fixture.refusal(to_bob("m0", reply(1))).await, ErrorReason::MessageNotFound);
    let effects =
        fixture.decide(vec![text(BOB, ALICE, "m1", "tea?"), to_bob("m2", reply(1))]).await;
    let id = acks(&effects)[1].conversation_id;
    let expected = Some(ReplyTo { msg_seq: Seq::new(1), from: BOB });
    assert_eq!(fixture.message(id, 2).await.reply_to, expected);
    // From the store, too.
    fixture.restart().await;
    fixture.send(to_bob("m3", reply(1))).await;
    assert_eq!(fixture.message(id, 3).await.reply_to, expected);

    assert_eq!(fixture.refusal(to_bob("m4", reply(9))).await, ErrorReason::MessageNotFound);
    fixture
        .send(send(
            BOB,
            Destination::Conversation(id),
            "r",
            Content::Recall { target: Seq::new(1) },
        ))
        .await;
    assert_eq!(
        fixture.refusal(to_bob("m5", reply(4))).await,
        ErrorReason::MessageNotFound,
        "a change is no message"
    );
}

#[tokio::test]
async fn only_what_one_may_read_is_sent_on_and_it_keeps_its_first_sender() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m1", "the storm is over")).await.conversation_id;
    let on = |name: &str, from, to| say(from, Destination::User(to), name, forward(id, 1));
    assert_eq!(fixture.refusal(on("f0", MALLORY, CAROL)).await, ErrorReason::MessageNotFound);
    let there = fixture.send(on("f1", BOB, CAROL)).await.conversation_id;
    let sent_on = fixture.message(there, 1).await;
    assert_eq!(sent_on.body, "the storm is over");
    assert_eq!(sent_on.forwarded_from, Some(ForwardedFrom { user: ALICE }));

    // Sent on again it is still Alice's, and nobody puts other words into it.
    let further = say(CAROL, Destination::User(MALLORY), "f2", forward(there, 1));
    let further = fixture.send(further).await.conversation_id;
    let sent_on = fixture.message(further, 1).await;
    assert_eq!(sent_on.forwarded_from, Some(ForwardedFrom { user: ALICE }));
    let edit = Content::Edit { target: Seq::new(1), body: "the storm is coming".to_owned() };
    let edit = send(CAROL, Destination::Conversation(further), "e1", edit);
    assert_eq!(fixture.refusal(edit).await, ErrorReason::NotAllowed);

    // What is recalled is not sent on; what was sent on before stays.
    let recall = Content::Recall { target: Seq::new(1) };
    fixture.send(send(ALICE, Destination::Conversation(id), "r1", recall)).await;
    assert_eq!(fixture.refusal(on("f3", BOB, CAROL)).await, ErrorReason::MessageNotFound);
    assert_eq!(
        fixture.refusal(say(BOB, Destination::User(CAROL), "f4", forward(id, 2))).await,
        ErrorReason::MessageNotFound
    );
    assert_eq!(fixture.message(there, 1).await.body, "the storm is over");
}

#[tokio::test]
async fn a_former_member_sends_on_what_was_said_until_the_end_and_nothing_after() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let content = Content::CreateGroup {
        title: "Harbour".to_owned(),
        members: vec![BOB],
        history: Default::default(),
    };
    let group =
        fixture.send(send(ALICE, Destination::NewGroup, "g", content)).await.conversation_id;
    let to = Destination::Conversation(group);
    let hello = || Content::Text("hello".to_owned());
    fixture.send(send(ALICE, to, "m2", hello())).await;
    fixture.send(again(send(BOB, to, "l", Content::Leave))).await;
    fixture.send(send(ALICE, to, "m4", hello())).await;
    let on = |name: &str, seq| say(BOB, Destination::User(CAROL), name, forward(group, seq));
    fixture.send(on("f1", 2)).await;
    assert_eq!(fixture.refusal(on("f2", 4)).await, ErrorReason::MessageNotFound);
}

#[tokio::test]
async fn who_is_named_and_no_member_is_passed_over() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let content = Content::CreateGroup {
        title: "Harbour".to_owned(),
        members: vec![BOB],
        history: Default::default(),
    };
    let group = fixture.send(send(ALICE, Destination::NewGroup, "g", content)).await;
    let group = group.conversation_id;
    let naming = NewMessage {
        body: "look".to_owned(),
        mentions: vec![CAROL, BOB, MALLORY, BOB],
        ..NewMessage::default()
    };
    let said = say(ALICE, Destination::Conversation(group), "m1", naming);
    let seq = fixture.send(said).await.msg_seq.get();
    assert_eq!(fixture.message(group, seq).await.mentions, [BOB]);
}
