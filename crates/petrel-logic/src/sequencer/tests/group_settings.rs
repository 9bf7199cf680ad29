//! Groups beyond who is in them: settings, muting, joining by a code, mentions.

use petrel_log::{GroupChange, NewMessage};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{GroupRequests, Joining, Role};

use super::*;
use crate::Refusal;
use crate::contacts::Contacts;
use crate::sync::Catchup;

const CAROL: UserId = UserId::new(4);
const CODE: &str = "ABCDEFGHJKLM";

fn say(actor: UserId, group: ConversationId, name: &str) -> Command {
    send(actor, Destination::Conversation(group), name, Content::Text(name.to_owned()))
}

fn change(joining: Option<Joining>) -> GroupChange {
    GroupChange { joining, new_code: CODE.to_owned(), ..GroupChange::default() }
}

impl Fixture {
    /// A group of Alice, its owner, Bob, an admin, and Mallory, a member.
    pub(super) async fn harbour(&mut self) -> ConversationId {
        let content = Content::CreateGroup {
            title: "harbour".to_owned(),
            members: vec![BOB, MALLORY],
            history: Default::default(),
        };
        let group = self.send(send(ALICE, Destination::NewGroup, "g", content)).await;
        let group = group.conversation_id;
        self.changes(ALICE, group, Content::SetRole { user: BOB, role: Role::Admin }).await;
        group
    }

    pub(super) async fn changes(
        &mut self,
        actor: UserId,
        group: ConversationId,
        content: Content,
    ) -> SavedAck {
        let name = format!("c{}", self.next_position);
        self.send(again(send(actor, Destination::Conversation(group), &name, content))).await
    }

    async fn forbids(
        &mut self,
        actor: UserId,
        group: ConversationId,
        content: Content,
    ) -> ErrorReason {
        let name = format!("c{}", self.next_position);
        let command = again(send(actor, Destination::Conversation(group), &name, content));
        let effects = self.decide(vec![command]).await;
        assert_eq!(effects.len(), 1, "{effects:?}");
        refusals(&effects).remove(0)
    }

    async fn waiting(&self, user: UserId, group_id: ConversationId) -> Result<Vec<u64>, Refusal> {
        let request = GroupRequests { group_id, users_after: None, limit: None };
        let page = Catchup::new(Arc::clone(&self.store)).requests(user, &request).await?;
        Ok(page.requests.iter().map(|request| request.user.get()).collect())
    }

    async fn mentioned(&self, user: UserId, group: ConversationId) -> (u64, u64) {
        let catchup = Catchup::new(Arc::clone(&self.store));
        let state = catchup.sync(user, &Default::default()).await.unwrap();
        let told = state.conversations.iter().find(|it| it.conversation_id == group).unwrap();
        (told.unread, told.unread_mentions)
    }
}

fn mute(user: UserId, mute_ms: u64) -> Content {
    Content::ChangeMember { user, nickname: None, mute_ms: Some(mute_ms) }
}

fn join() -> Content {
    Content::Join { code: CODE.to_owned(), message: Some("let me in".to_owned()) }
}

#[tokio::test]
async fn a_muted_member_is_silent_until_the_time_is_over() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let said = fixture.send(say(MALLORY, group, "m1")).await;
    for (actor, user) in [(MALLORY, BOB), (MALLORY, MALLORY), (BOB, ALICE), (BOB, BOB)] {
        assert_eq!(fixture.forbids(actor, group, mute(user, 1)).await, ErrorReason::NotAllowed);
    }
    fixture.changes(BOB, group, mute(MALLORY, 1_000)).await;
    let text = || Content::Text("hello".to_owned());
    assert_eq!(fixture.forbids(MALLORY, group, text()).await, ErrorReason::Muted);
    let edit = || Content::Edit { target: said.msg_seq, body: "worse".to_owned() };
    assert_eq!(fixture.forbids(MALLORY, group, edit()).await, ErrorReason::Muted);
    // The time is that of the server's clock, and a restart changes nothing.
    fixture.clock.advance(Duration::from_millis(999));
    fixture.restart().await;
    assert_eq!(fixture.forbids(MALLORY, group, text()).await, ErrorReason::Muted);
    fixture.clock.advance(Duration::from_millis(1));
    fixture.changes(MALLORY, group, text()).await;
    fixture.changes(MALLORY, group, edit()).await;

    fixture.changes(BOB, group, mute(MALLORY, 1_000_000)).await;
    fixture.changes(ALICE, group, mute(MALLORY, 0)).await;
    fixture.changes(MALLORY, group, text()).await;
    let beyond = mute(MALLORY, petrel_types::limits::MUTE_MS_MAX + 1);
    assert_eq!(fixture.forbids(BOB, group, beyond).await, ErrorReason::InvalidField);
}

#[tokio::test]
async fn in_a_muted_group_only_the_owner_and_admins_speak() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let muted = |muted| Content::ChangeGroup(GroupChange { muted: Some(muted), ..change(None) });
    assert_eq!(fixture.forbids(MALLORY, group, muted(true)).await, ErrorReason::NotAllowed);
    assert_eq!(fixture.forbids(CAROL, group, muted(true)).await, ErrorReason::ConversationNotFound);
    fixture.changes(BOB, group, muted(true)).await;
    assert_eq!(fixture.forbids(BOB, group, muted(true)).await, ErrorReason::NothingToChange);
    let text = || Content::Text("hello".to_owned());
    assert_eq!(fixture.forbids(MALLORY, group, text()).await, ErrorReason::Muted);
    fixture.changes(ALICE, group, text()).await;
    fixture.changes(BOB, group, text()).await;
    fixture.changes(BOB, group, muted(false)).await;
    fixture.changes(MALLORY, group, text()).await;
}

#[tokio::test]
async fn who_has_the_code_of_an_open_group_joins_and_who_has_not_learns_nothing() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let unknown = ErrorReason::ConversationNotFound;
    assert_eq!(fixture.forbids(CAROL, group, join()).await, unknown);
    fixture.changes(ALICE, group, Content::ChangeGroup(change(Some(Joining::Open)))).await;
    assert_eq!(fixture.store.code_holder(CODE).await.unwrap(), Some(group));
    let wrong = Content::Join { code: "2222AAAABBBB".to_owned(), message: None };
    assert_eq!(fixture.forbids(CAROL, group, wrong).await, unknown);
    let joined = again(send(CAROL, Destination::Conversation(group), "j", join()));
    let first = fixture.send(joined.clone()).await;
    assert_eq!(fixture.send(joined).await, SavedAck { duplicate: true, ..first });
    assert_eq!(fixture.forbids(CAROL, group, join()).await, ErrorReason::NothingToChange);
    fixture.send(say(CAROL, group, "m")).await;

    // Another code, and the old one is worth nothing.
    let renew = GroupChange {
        renew_code: true,
        new_code: "22222ABCDEFG".to_owned(),
        ..GroupChange::default()
    };
    fixture.changes(ALICE, group, Content::ChangeGroup(renew)).await;
    fixture.changes(CAROL, group, Content::Leave).await;
    assert_eq!(fixture.forbids(CAROL, group, join()).await, unknown);
    assert_eq!(fixture.store.code_holder(CODE).await.unwrap(), None);
    fixture.changes(ALICE, group, Content::Dissolve).await;
    assert_eq!(fixture.store.code_holder("22222ABCDEFG").await.unwrap(), None);
}

#[tokio::test]
async fn who_asks_waits_and_is_let_in_or_not() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    fixture.changes(BOB, group, Content::ChangeGroup(change(Some(Joining::Approval)))).await;
    let asks = again(send(CAROL, Destination::Conversation(group), "j1", join()));
    for is_again in [false, true] {
        let effects = fixture.decide(vec![asks.clone()]).await;
        let done = effects.iter().find_map(|effect| match effect {
            Effect::Answer { frame: Some(ServerFrame::Ack(ServerAck::Done(ack))), .. } => {
                Some(ack.duplicate)
            }
            _ => None,
        });
        assert_eq!(done, Some(is_again), "who asks is told no place: {effects:?}");
    }
    assert_eq!(fixture.forbids(CAROL, group, join()).await, ErrorReason::NothingToChange);
    for steward in [ALICE, BOB] {
        assert_eq!(fixture.waiting(steward, group).await.unwrap(), [CAROL.get()]);
    }
    let refusal = fixture.waiting(MALLORY, group).await.unwrap_err();
    assert_eq!(refusal.reason, ErrorReason::NotAllowed);
    let refusal = fixture.waiting(CAROL, group).await.unwrap_err();
    assert_eq!(refusal.reason, ErrorReason::ConversationNotFound);

    let answer = |accept| Content::AnswerJoin { user: CAROL, accept };
    assert_eq!(fixture.forbids(MALLORY, group, answer(true)).await, ErrorReason::NotAllowed);
    assert_eq!(
        fixture.forbids(CAROL, group, answer(true)).await,
        ErrorReason::ConversationNotFound
    );
    fixture.changes(BOB, group, answer(false)).await;
    assert_eq!(fixture.forbids(BOB, group, answer(true)).await, ErrorReason::UserNotFound);
    assert_eq!(fixture.waiting(BOB, group).await.unwrap(), [0; 0]);
    fixture.decide(vec![again(send(CAROL, Destination::Conversation(group), "j2", join()))]).await;
    fixture.changes(BOB, group, answer(true)).await;
    fixture.send(say(CAROL, group, "m")).await;
    assert_eq!(fixture.waiting(BOB, group).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn the_name_of_who_asks_is_for_those_who_decide_now() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    fixture.changes(BOB, group, Content::ChangeGroup(change(Some(Joining::Approval)))).await;
    // An admin until then, and for ever in what is stored of the membership.
    fixture.changes(BOB, group, Content::Leave).await;
    fixture.decide(vec![again(send(CAROL, Destination::Conversation(group), "j", join()))]).await;
    let contacts = Contacts::new(Arc::clone(&fixture.store));
    for (asker, knows) in [(ALICE, true), (BOB, false), (MALLORY, false)] {
        let known =
            contacts.names(asker, &[CAROL], Some(group), TimestampMs::default()).await.unwrap();
        assert_eq!(!known.is_empty(), knows, "{asker}");
    }
}

#[tokio::test]
async fn a_mute_is_not_shaken_off_by_leaving_and_a_limit_holds_for_all_ways_in() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    fixture.changes(ALICE, group, Content::ChangeGroup(change(Some(Joining::Open)))).await;
    fixture.changes(ALICE, group, mute(MALLORY, 1_000)).await;
    fixture.changes(MALLORY, group, Content::Leave).await;
    fixture.restart().await;
    assert_eq!(fixture.forbids(MALLORY, group, join()).await, ErrorReason::Muted);
    fixture.clock.advance(Duration::from_secs(1));
    fixture.changes(MALLORY, group, join()).await;
    fixture.send(say(MALLORY, group, "m")).await;

    let limit = |limit| GroupChange { member_limit: Some(limit), ..change(None) };
    let small = Content::ChangeGroup(limit(2));
    assert_eq!(fixture.forbids(ALICE, group, small).await, ErrorReason::InvalidField);
    fixture.changes(ALICE, group, Content::ChangeGroup(limit(3))).await;
    assert_eq!(fixture.forbids(CAROL, group, join()).await, ErrorReason::GroupFull);
    let add = Content::AddMembers(vec![CAROL]);
    assert_eq!(fixture.forbids(ALICE, group, add).await, ErrorReason::GroupFull);
}

#[tokio::test]
async fn mentions_count_until_they_are_read_or_recalled() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let names = |users: &[UserId], everybody| {
        Content::Message(Box::new(NewMessage {
            body: "look".to_owned(),
            mentions: users.to_vec(),
            mention_all: everybody,
            ..NewMessage::default()
        }))
    };
    fixture.changes(MALLORY, group, names(&[BOB, BOB], false)).await;
    fixture.changes(ALICE, group, names(&[BOB], true)).await;
    assert_eq!(fixture.mentioned(BOB, group).await, (2, 2));
    // Who speaks has read what is above.
    assert_eq!(fixture.mentioned(MALLORY, group).await, (1, 1));
    assert_eq!(fixture.mentioned(ALICE, group).await, (0, 0));

    assert_eq!(fixture.forbids(MALLORY, group, names(&[], true)).await, ErrorReason::NotAllowed);
    let many = names(&vec![BOB; petrel_types::limits::MENTIONS_MAX + 1], false);
    assert_eq!(fixture.forbids(MALLORY, group, many).await, ErrorReason::InvalidField);
    let stranger = names(&[BOB], false);
    assert_eq!(fixture.forbids(CAROL, group, stranger).await, ErrorReason::ConversationNotFound);

    let last = fixture.changes(ALICE, group, names(&[MALLORY], false)).await.msg_seq;
    assert_eq!(fixture.mentioned(MALLORY, group).await, (2, 2));
    fixture.changes(ALICE, group, Content::Recall { target: last }).await;
    assert_eq!(fixture.mentioned(MALLORY, group).await, (2, 1), "still a message, not a mention");
    fixture.decide(vec![receipt(MALLORY, group, ReceiptKind::Read, last.get())]).await;
    assert_eq!(fixture.mentioned(MALLORY, group).await, (0, 0));
    assert_eq!(fixture.mentioned(BOB, group).await, (3, 2));

    // Said and recalled within one batch.
    let at = Destination::Conversation(group);
    let target = fixture.store.summary(group).await.unwrap().unwrap().head.seq.next();
    let both = vec![
        send(ALICE, at, "x1", names(&[MALLORY], true)),
        again(send(ALICE, at, "x2", Content::Recall { target })),
    ];
    assert_eq!(acks(&fixture.decide(both).await).len(), 2);
    assert_eq!(fixture.mentioned(MALLORY, group).await, (1, 0));
}

#[tokio::test]
async fn members_have_names_of_their_own() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.harbour().await;
    let name = |user, name: &str| Content::ChangeMember {
        user,
        nickname: Some(name.to_owned()),
        mute_ms: None,
    };
    fixture.changes(MALLORY, group, name(MALLORY, "Skipper")).await;
    assert_eq!(fixture.forbids(MALLORY, group, name(BOB, "Bo")).await, ErrorReason::NotAllowed);
    assert_eq!(fixture.forbids(BOB, group, name(CAROL, "C")).await, ErrorReason::UserNotFound);
    assert_eq!(
        fixture.forbids(MALLORY, group, name(MALLORY, "Skipper")).await,
        ErrorReason::NothingToChange
    );
    let long = "x".repeat(petrel_types::limits::NICKNAME_UTF16_UNITS_MAX + 1);
    assert_eq!(
        fixture.forbids(MALLORY, group, name(MALLORY, &long)).await,
        ErrorReason::InvalidField
    );
    // A role changes nothing about the name.
    fixture.changes(ALICE, group, Content::SetRole { user: MALLORY, role: Role::Admin }).await;
    let catchup = Catchup::new(Arc::clone(&fixture.store));
    let request = petrel_protocol::frame::Conversation {
        conversation_id: group,
        members_after: None,
        limit: None,
    };
    let state = catchup.conversation(BOB, &request).await.unwrap();
    let mallory = state.members.iter().find(|member| member.user == MALLORY).unwrap();
    assert_eq!((mallory.nickname.as_deref(), mallory.role), (Some("Skipper"), Role::Admin));
    fixture
        .changes(
            BOB,
            group,
            Content::ChangeGroup(GroupChange {
                announcement: Some("No sailing today".to_owned()),
                description: Some("Sundays".to_owned()),
                ..change(None)
            }),
        )
        .await;
    let state = catchup.conversation(BOB, &request).await.unwrap();
    let info = state.group.unwrap();
    assert_eq!(info.announcement.as_deref(), Some("No sailing today"));
    assert_eq!((info.description.as_deref(), info.code), (Some("Sundays"), None));
}
