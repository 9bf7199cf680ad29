//! Files that go with messages: whose they must be, what is told of them, and when they go.

use petrel_log::NewMessage;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Attachment, AttachmentRef, Forward, MessageType};
use petrel_store::{BegunUpload, FileFacts, NewUpload, Quota};
use petrel_types::FileId;

use super::compose::say;
use super::*;

const QUOTA: Quota = Quota { bytes: 1 << 40, uploads: 100 };

impl Fixture {
    async fn upload(&self, owner: UserId) -> FileId {
        let upload = NewUpload {
            owner,
            object: format!("object of {owner} {}", self.next_position.get()),
            name: "harbour.jpg".to_owned(),
            content_type: "text/html".to_owned(),
            size: Some(5),
            created: TimestampMs::new(1),
            expires: TimestampMs::new(2),
        };
        match self.store.begin_upload(upload, QUOTA).await.unwrap() {
            BegunUpload::Begun(file) => file,
            other => panic!("no room: {other:?}"),
        }
    }

    /// A complete file.
    pub(super) async fn file(&self, owner: UserId, content_type: &str) -> FileId {
        let file = self.upload(owner).await;
        let facts = FileFacts {
            size: 5,
            content_type: content_type.to_owned(),
            sha256: [7; 32],
            dimensions: content_type.starts_with("image/").then_some((640, 480)),
            thumbnail: content_type.starts_with("image/").then(|| "image/jpeg".to_owned()),
        };
        assert!(self.store.complete_upload(file, facts, TimestampMs::new(2), QUOTA).await.unwrap());
        file
    }

    pub(super) async fn is_there(&self, file: FileId) -> bool {
        self.store.file(file).await.unwrap().is_some()
    }
}

fn with(kind: MessageType, file_id: impl ToString) -> NewMessage {
    NewMessage {
        msg_type: kind,
        attachment: Some(Box::new(AttachmentRef {
            file_id: file_id.to_string(),
            duration_ms: Some(9_000),
            width: Some(1),
            height: Some(2),
        })),
        ..NewMessage::default()
    }
}

fn to_bob(name: &str, new: NewMessage) -> Command {
    say(ALICE, Destination::User(BOB), name, new)
}

fn recall(name: &str, conversation: ConversationId, seq: u64) -> Command {
    let target = Seq::new(seq);
    send(ALICE, Destination::Conversation(conversation), name, Content::Recall { target })
}

#[tokio::test]
async fn what_is_told_of_a_file_is_what_the_server_knows() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let picture = fixture.file(ALICE, "image/jpeg").await;
    let id = fixture.send(to_bob("m1", with(MessageType::Image, picture))).await.conversation_id;
    let expected = Attachment {
        file_id: picture.to_string(),
        name: "harbour.jpg".to_owned(),
        size: 5,
        content_type: "image/jpeg".to_owned(),
        width: Some(640),
        height: Some(480),
        duration_ms: None,
        thumbnail: true,
    };
    assert_eq!(fixture.message(id, 1).await.attachment.as_deref(), Some(&expected));
    let known = fixture.store.file(picture).await.unwrap().unwrap();
    assert_eq!(known.expires, None);
    let places = fixture.store.references_for(picture, BOB, 10).await.unwrap();
    assert_eq!(places, [(id, Seq::new(1))]);

    // Of a film nobody has looked at more than the beginning.
    let film = fixture.file(ALICE, "video/mp4").await;
    fixture.send(to_bob("m2", with(MessageType::Video, film))).await;
    let told = fixture.message(id, 2).await.attachment.unwrap();
    assert_eq!((told.duration_ms, told.width, told.height), (Some(9_000), Some(1), Some(2)));
    assert!(!told.thumbnail);
}

#[tokio::test]
async fn a_file_must_be_ones_own_complete_and_of_the_kind() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let bobs = fixture.file(BOB, "image/jpeg").await;
    let upload = fixture.upload(ALICE).await;
    let html = fixture.file(ALICE, "text/html").await;
    let film = fixture.file(ALICE, "video/mp4").await;
    for (new, reason) in [
        (with(MessageType::Image, bobs), ErrorReason::FileNotFound),
        (with(MessageType::Image, 999), ErrorReason::FileNotFound),
        (with(MessageType::Image, "f1"), ErrorReason::FileNotFound),
        (with(MessageType::Image, "+1"), ErrorReason::FileNotFound),
        (with(MessageType::Image, u128::MAX), ErrorReason::FileNotFound),
        (with(MessageType::File, upload), ErrorReason::UploadUnfinished),
        (with(MessageType::Image, html), ErrorReason::WrongFileKind),
        (with(MessageType::Image, film), ErrorReason::WrongFileKind),
        (with(MessageType::Audio, film), ErrorReason::WrongFileKind),
    ] {
        assert_eq!(fixture.refusal(to_bob("m", new.clone())).await, reason, "{new:?}");
    }
    fixture.send(to_bob("m1", with(MessageType::File, html))).await;
    fixture.send(to_bob("m2", with(MessageType::File, film))).await;
}

#[tokio::test]
async fn a_file_goes_with_the_last_message_that_refers_to_it() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let file = fixture.file(ALICE, "image/png").await;
    let id = fixture.send(to_bob("m1", with(MessageType::Image, file))).await.conversation_id;
    // Bob may read it, so he may send it on, to somebody who then may have it.
    let forward = Some(Forward { conversation_id: id, msg_seq: Seq::new(1) });
    let on = NewMessage { forward, ..NewMessage::default() };
    let there = say(BOB, Destination::User(MALLORY), "f1", on.clone());
    let there = fixture.send(there).await.conversation_id;
    assert_eq!(fixture.store.references_for(file, MALLORY, 10).await.unwrap().len(), 1);

    fixture.send(recall("r1", id, 1)).await;
    assert!(fixture.is_there(file).await);
    assert_eq!(fixture.store.references_for(file, ALICE, 10).await.unwrap(), []);
    let refused = fixture.refusal(say(BOB, Destination::User(MALLORY), "f2", on)).await;
    assert_eq!(refused, ErrorReason::MessageNotFound);
    let target = Seq::new(1);
    let content = Content::Recall { target };
    fixture.send(send(BOB, Destination::Conversation(there), "r2", content)).await;
    assert!(!fixture.is_there(file).await);
    assert_eq!(fixture.store.garbage(10).await.unwrap().len(), 1);

    // Also if it came and went in one commit.
    let brief = fixture.file(ALICE, "image/png").await;
    let said = to_bob("m2", with(MessageType::Image, brief));
    fixture.decide(vec![said, recall("r3", id, 3)]).await;
    assert!(fixture.message(id, 3).await.recalled);
    assert!(!fixture.is_there(brief).await);
}

#[tokio::test]
async fn a_retry_does_not_ask_for_the_file_again() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let file = fixture.file(ALICE, "image/png").await;
    let said = || again(to_bob("m1", with(MessageType::Image, file)));
    let first = fixture.send(said()).await;
    fixture.send(recall("r1", first.conversation_id, 1)).await;
    fixture.restart().await;
    let again = fixture.send(said()).await;
    assert_eq!((again.duplicate, again.msg_seq), (true, first.msg_seq));
}
