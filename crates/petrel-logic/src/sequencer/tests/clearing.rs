//! What admins of the system clear: by whom it may be asked, and what is left.

use petrel_log::{GroupChange, GroupRuling, ProfileChange};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, UserSettings};
use petrel_protocol::http::admin::{GroupPart, ProfilePart};
use petrel_types::FileId;

use super::*;
use crate::event::EventBody;
use crate::own::Own;

impl Fixture {
    /// Alice, with a name and a picture; her personal timeline.
    async fn alice_shows(&mut self, name: &str, picture: FileId) -> ConversationId {
        let change = ProfileChange {
            display_name: Some(Some("Alice".to_owned())),
            avatar: Some(Some(picture)),
        };
        let change = send(ALICE, Destination::Own, name, Content::Profile(change));
        self.send(change).await.conversation_id
    }

    async fn own(&self, timeline: ConversationId) -> (Option<String>, Option<FileId>) {
        let summary = self.store.summary(timeline).await.unwrap().unwrap();
        let Own { display_name, avatar, .. } = Own::decode(&summary.profile).unwrap();
        (display_name, avatar)
    }

    async fn reason(&mut self, command: Command) -> ErrorReason {
        let effects = self.decide(vec![command]).await;
        assert_eq!(effects.len(), 1, "{effects:?}");
        refusals(&effects).remove(0)
    }
}

fn clear(by: UserId, timeline: ConversationId, name: &str, part: ProfilePart) -> Command {
    let content = Content::ClearProfile(part);
    again(send(by, Destination::Conversation(timeline), name, content))
}

fn clear_group(by: UserId, group: ConversationId, name: &str, part: GroupPart) -> Command {
    let content = Content::Rule(GroupRuling::Clear(part));
    again(send(by, Destination::Conversation(group), name, content))
}

#[tokio::test]
async fn a_name_and_a_picture_are_cleared_apart_once_and_by_the_system_alone() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let picture = fixture.file(ALICE, "image/png").await;
    // Whatever a user calls her own changes, it is none of the system's.
    let timeline = fixture.alice_shows("audit-1", picture).await;
    for by in [ALICE, BOB] {
        for part in [ProfilePart::DisplayName, ProfilePart::Avatar] {
            let refused = fixture.reason(clear(by, timeline, "mine", part)).await;
            assert_eq!(refused, ErrorReason::ConversationNotFound);
        }
    }
    let name = || clear(UserId::SYSTEM, timeline, "audit-1", ProfilePart::DisplayName);
    let effects = fixture.decide(vec![name()]).await;
    let ack = acks(&effects).remove(0);
    assert!(!ack.duplicate);
    match &effects[1] {
        Effect::Deliver { recipients, frame: ServerFrame::Event(event), .. } => {
            assert_eq!((&**recipients, event.from), (&[ALICE][..], UserId::SYSTEM));
            let settings = UserSettings { avatar: Some(picture), ..Own::default().shown() };
            assert_eq!(event.change, Change::SettingsChanged { settings });
        }
        other => panic!("expected a delivery, got {other:?}"),
    }
    assert_eq!(fixture.own(timeline).await, (None, Some(picture)));

    let picture_gone = || clear(UserId::SYSTEM, timeline, "audit-2", ProfilePart::Avatar);
    fixture.send(picture_gone()).await;
    assert_eq!(fixture.own(timeline).await, (None, None));
    assert!(!fixture.is_there(picture).await, "nothing refers to it any more");

    // Asked again, it is what was done; asked anew, there is nothing to do.
    fixture.alice_shows("again", fixture.file(ALICE, "image/png").await).await;
    fixture.restart().await;
    for command in [name(), picture_gone()] {
        assert!(fixture.send(command).await.duplicate);
    }
    assert!(fixture.own(timeline).await.1.is_some(), "the new ones stay");
    // The other way round: neither goes with the other.
    for part in [ProfilePart::Avatar, ProfilePart::DisplayName] {
        fixture.send(clear(UserId::SYSTEM, timeline, &format!("{part:?}"), part)).await;
        let refused = fixture.reason(clear(UserId::SYSTEM, timeline, "anew", part)).await;
        assert_eq!(refused, ErrorReason::NothingToChange);
    }
}

#[tokio::test]
async fn a_group_without_a_title_is_called_by_its_id_and_keeps_what_was_not_cleared() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let picture = fixture.file(ALICE, "image/png").await;
    let change = GroupChange {
        description: Some("d".to_owned()),
        announcement: Some("a".to_owned()),
        avatar: Some(picture.to_string()),
        ..GroupChange::default()
    };
    fixture.changes(ALICE, group, Content::ChangeGroup(change)).await;
    let info = async |fixture: &Fixture| {
        let summary = fixture.store.summary(group).await.unwrap().unwrap();
        let profile = crate::profile::Profile::decode(&summary.profile).unwrap();
        (profile.title, profile.info.description, profile.info.announcement, profile.info.avatar)
    };
    // Neither its owner nor anybody else asks in the system's name.
    for by in [ALICE, UserId::new(77)] {
        let refused = fixture.reason(clear_group(by, group, "x", GroupPart::Title)).await;
        assert_eq!(refused, ErrorReason::ConversationNotFound);
    }
    fixture.send(clear_group(UserId::SYSTEM, group, "t", GroupPart::Title)).await;
    let (a, d) = (|| Some("a".to_owned()), || Some("d".to_owned()));
    let title = group.to_string();
    assert_eq!(info(&fixture).await, (title.clone(), d(), a(), Some(picture.to_string())));
    fixture.send(clear_group(UserId::SYSTEM, group, "a", GroupPart::Avatar)).await;
    assert!(!fixture.is_there(picture).await);
    fixture.send(clear_group(UserId::SYSTEM, group, "d", GroupPart::Description)).await;
    assert_eq!(info(&fixture).await, (title.clone(), None, a(), None));
    fixture.send(clear_group(UserId::SYSTEM, group, "n", GroupPart::Announcement)).await;
    assert_eq!(info(&fixture).await, (title, None, None, None));
    let timeline = fixture.alice_shows("p", fixture.file(ALICE, "image/png").await).await;
    let parts =
        [GroupPart::Title, GroupPart::Description, GroupPart::Announcement, GroupPart::Avatar];
    for part in parts {
        let nothing = fixture.reason(clear_group(UserId::SYSTEM, group, "again", part)).await;
        assert_eq!(nothing, ErrorReason::NothingToChange);
        // What is for groups is for nothing else, and the other way round.
        let wrong = fixture.reason(clear_group(UserId::SYSTEM, timeline, "wrong", part)).await;
        assert_eq!(wrong, ErrorReason::ConversationNotFound);
    }
    let wrong = clear(UserId::SYSTEM, group, "wrong", ProfilePart::Avatar);
    assert_eq!(fixture.reason(wrong).await, ErrorReason::ConversationNotFound);
}

/// What somebody sees who was in it stays what it was, so that nothing is pretended.
#[tokio::test]
async fn of_a_dissolved_group_nothing_is_cleared() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    fixture.changes(ALICE, group, Content::Dissolve).await;
    let refused = fixture.reason(clear_group(UserId::SYSTEM, group, "t", GroupPart::Title)).await;
    assert_eq!(refused, ErrorReason::NothingToChange);
    let page = fixture.store.events_after(group, Seq::ZERO, 100).await.unwrap();
    let last = EventBody::decode(&page.events.last().unwrap().payload).unwrap();
    assert_eq!(last, EventBody::Change(Change::GroupDissolved));
}
