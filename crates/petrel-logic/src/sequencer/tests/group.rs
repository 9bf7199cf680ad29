//! Groups: who may do what, who sees what, and what follows elsewhere.

use petrel_log::Origin;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Conversation, History, Pull, Role};
use petrel_types::limits::GROUP_CHANGE_MEMBERS_MAX;

use super::*;
use crate::deriver::command_of;
use crate::event::EventBody;
use crate::sync::Catchup;

const CAROL: UserId = UserId::new(4);

pub(super) fn create(owner: UserId, name: &str, members: &[UserId], history: History) -> Command {
    let content =
        Content::CreateGroup { title: "storm".to_owned(), members: members.to_vec(), history };
    send(owner, Destination::NewGroup, name, content)
}

pub(super) fn in_group(
    actor: UserId,
    group: ConversationId,
    name: &str,
    content: Content,
) -> Command {
    send(actor, Destination::Conversation(group), name, content)
}

fn say(actor: UserId, group: ConversationId, name: &str) -> Command {
    in_group(actor, group, name, Content::Text(format!("{name} says hello")))
}

impl Fixture {
    /// A group of Alice, its owner, and Bob.
    async fn group(&mut self) -> ConversationId {
        self.send(create(ALICE, "g", &[BOB], History::Joined)).await.conversation_id
    }

    /// Carries out everything that has followed from earlier batches.
    async fn settle(&mut self) -> Vec<Effect> {
        let mut commands = Vec::new();
        for derivation in self.store.unsettled(None, 1000).await.unwrap() {
            let command = command_of(&derivation).unwrap();
            // At least once may be twice.
            commands.extend([command.clone(), command]);
        }
        self.decide(commands).await
    }

    async fn seen(&self, user: UserId, group: ConversationId) -> Vec<u64> {
        let request =
            Pull { conversation_id: group, after_seq: None, before_seq: None, limit: None };
        let catchup = Catchup::new(Arc::clone(&self.store));
        match catchup.pull(user, &request).await {
            Ok(events) => {
                let seq = |event: &serde_json::value::RawValue| {
                    let event: serde_json::Value = serde_json::from_str(event.get()).unwrap();
                    event["msgSeq"].as_u64().unwrap()
                };
                events.events.iter().map(|event| seq(event)).collect()
            }
            Err(_) => Vec::new(),
        }
    }
}

fn recipients_of(effects: &[Effect]) -> Vec<Vec<UserId>> {
    let recipients = |effect: &Effect| match effect {
        Effect::Deliver { recipients, .. } => Some(recipients.to_vec()),
        Effect::Answer { .. } => None,
    };
    effects.iter().filter_map(recipients).collect()
}

#[tokio::test]
async fn a_group_is_founded_once_however_often_it_is_asked_for() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let command = create(ALICE, "g", &[BOB], History::Joined);
    let effects = fixture.decide(vec![command.clone(), command.clone()]).await;
    let both = acks(&effects);
    let first = both[0].clone();
    assert_eq!(first.msg_seq, Seq::new(1));
    assert_eq!(both[1], SavedAck { duplicate: true, ..first.clone() });
    let again = fixture.send(command.clone()).await;
    assert_eq!(again, SavedAck { duplicate: true, ..first.clone() });
    fixture.restart().await;
    fixture.sequencer.memory.recent = RecentMessages::default();
    assert_eq!(fixture.send(command).await, SavedAck { duplicate: true, ..first.clone() });

    let other = fixture.send(create(ALICE, "g2", &[BOB], History::Joined)).await;
    assert_ne!(other.conversation_id, first.conversation_id);
}

#[tokio::test]
async fn messages_go_to_everybody_who_is_in_and_to_nobody_else() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    let effects = fixture.decide(vec![say(BOB, group, "m1")]).await;
    assert_eq!(recipients_of(&effects), [vec![ALICE, BOB]]);
    let refused = fixture.refusal(say(MALLORY, group, "m2")).await;
    assert_eq!(refused, ErrorReason::ConversationNotFound);
}

#[tokio::test]
async fn a_removed_member_sees_the_removal_and_nothing_after() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    fixture.send(say(ALICE, group, "m2")).await;
    let remove = in_group(ALICE, group, "out", Content::RemoveMembers(vec![BOB]));
    let effects = fixture.decide(vec![remove, say(ALICE, group, "m4")]).await;
    assert_eq!(recipients_of(&effects), [vec![ALICE, BOB], vec![ALICE]]);
    assert_eq!(fixture.seen(BOB, group).await, [1, 2, 3]);
    assert_eq!(fixture.seen(ALICE, group).await, [1, 2, 3, 4]);
    let refused = fixture.refusal(say(BOB, group, "b")).await;
    assert_eq!(refused, ErrorReason::ConversationNotFound);
    // The removal can be acknowledged, and nothing beyond it.
    let refused = fixture.refusal(receipt(BOB, group, ReceiptKind::Read, 4)).await;
    assert_eq!(refused, ErrorReason::InvalidField);
    let effects = fixture.decide(vec![receipt(BOB, group, ReceiptKind::Read, 3)]).await;
    assert_eq!(receipts(&effects), [(vec![BOB], WireReceiptKind::Read, 3)]);

    // Coming back opens a second interval; what was said meanwhile stays hidden.
    let back = in_group(ALICE, group, "in", Content::AddMembers(vec![BOB]));
    fixture.decide(vec![back, say(ALICE, group, "m6")]).await;
    assert_eq!(fixture.seen(BOB, group).await, [1, 2, 3, 5, 6]);
    fixture.restart().await;
    assert_eq!(fixture.seen(BOB, group).await, [1, 2, 3, 5, 6]);
}

#[tokio::test]
async fn removed_and_added_in_one_batch_keeps_both_intervals() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    fixture
        .decide(vec![
            in_group(ALICE, group, "out", Content::RemoveMembers(vec![BOB])),
            say(ALICE, group, "m3"),
            in_group(ALICE, group, "in", Content::AddMembers(vec![BOB])),
        ])
        .await;
    assert_eq!(fixture.seen(BOB, group).await, [1, 2, 4]);
}

#[tokio::test]
async fn history_before_joining_is_a_setting_of_the_group() {
    for (history, seen) in [(History::Joined, vec![3]), (History::All, vec![1, 2, 3])] {
        let mut fixture = Fixture::new(EXTERNAL).await;
        let group = fixture.send(create(ALICE, "g", &[], history)).await.conversation_id;
        fixture.send(say(ALICE, group, "m2")).await;
        fixture.send(in_group(ALICE, group, "in", Content::AddMembers(vec![CAROL]))).await;
        assert_eq!(fixture.seen(CAROL, group).await, seen, "{history:?}");
    }
}

#[tokio::test]
async fn roles_decide_who_may_change_what() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    let add = |actor, name| in_group(actor, group, name, Content::AddMembers(vec![CAROL]));
    let remove =
        |actor, name, user| in_group(actor, group, name, Content::RemoveMembers(vec![user]));
    let role =
        |actor, name, user, role| in_group(actor, group, name, Content::SetRole { user, role });
    use ErrorReason::{ConversationNotFound, NotAllowed, NothingToChange, UserNotFound};

    assert_eq!(fixture.refusal(add(BOB, "1")).await, NotAllowed);
    assert_eq!(fixture.refusal(add(MALLORY, "1")).await, ConversationNotFound);
    assert_eq!(fixture.refusal(role(BOB, "2", BOB, Role::Admin)).await, NotAllowed);
    assert_eq!(fixture.refusal(role(ALICE, "3", CAROL, Role::Admin)).await, UserNotFound);
    assert_eq!(fixture.refusal(role(ALICE, "3", ALICE, Role::Member)).await, NotAllowed);
    assert_eq!(fixture.refusal(role(ALICE, "3", BOB, Role::Member)).await, NothingToChange);

    fixture.send(role(ALICE, "4", BOB, Role::Admin)).await;
    fixture.send(add(BOB, "5")).await;
    assert_eq!(fixture.refusal(add(BOB, "6")).await, NothingToChange);
    assert_eq!(fixture.refusal(remove(BOB, "7", ALICE)).await, NotAllowed);
    assert_eq!(fixture.refusal(remove(BOB, "7", BOB)).await, NotAllowed);
    assert_eq!(fixture.refusal(remove(BOB, "7", MALLORY)).await, NothingToChange);
    fixture.send(in_group(BOB, group, "8", Content::SetTitle("gale".to_owned()))).await;
    fixture.send(remove(BOB, "9", CAROL)).await;

    assert_eq!(fixture.refusal(in_group(ALICE, group, "a", Content::Leave)).await, NotAllowed);
    assert_eq!(fixture.refusal(in_group(BOB, group, "b", Content::Dissolve)).await, NotAllowed);
    fixture.send(role(ALICE, "c", BOB, Role::Owner)).await;
    // There is one owner, and the former one is an admin, also after a restart.
    fixture.restart().await;
    assert_eq!(fixture.refusal(role(ALICE, "d", BOB, Role::Member)).await, NotAllowed);
    assert_eq!(fixture.refusal(remove(ALICE, "e", BOB)).await, NotAllowed);
    fixture.send(in_group(ALICE, group, "f", Content::Leave)).await;
    assert_eq!(fixture.refusal(say(ALICE, group, "h")).await, ConversationNotFound);
}

#[tokio::test]
async fn an_admin_recalls_what_others_said_at_any_time() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    fixture.send(say(BOB, group, "m2")).await;
    fixture.clock.advance(Duration::from_secs(1_000_000));
    let recall = Content::Recall { target: Seq::new(2) };
    fixture.send(in_group(ALICE, group, "r", recall)).await;
    assert!(!format!("{:?}", fixture.stored(group).await).contains("hello"));
}

#[tokio::test]
async fn a_dissolved_group_is_over_for_everybody() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    let effects = fixture.decide(vec![in_group(ALICE, group, "x", Content::Dissolve)]).await;
    assert_eq!(recipients_of(&effects), [vec![ALICE, BOB]]);
    for user in [ALICE, BOB] {
        let refused = fixture.refusal(say(user, group, "m")).await;
        assert_eq!(refused, ErrorReason::ConversationNotFound);
        assert_eq!(fixture.seen(user, group).await, [1, 2]);
    }
}

#[tokio::test]
async fn single_chats_and_personal_timelines_are_no_groups() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let single = fixture.send(text(ALICE, BOB, "m1", "hello")).await.conversation_id;
    fixture.group().await;
    let personal = fixture.store.personal_timeline(ALICE).await.unwrap().unwrap();
    for conversation in [single, personal] {
        for content in [
            Content::Text("x".to_owned()),
            Content::AddMembers(vec![CAROL]),
            Content::RemoveMembers(vec![BOB]),
            Content::Leave,
            Content::SetRole { user: BOB, role: Role::Admin },
            Content::SetTitle("x".to_owned()),
            Content::Dissolve,
        ] {
            let refused = fixture.refusal(in_group(ALICE, conversation, "c", content)).await;
            assert_eq!(refused, ErrorReason::ConversationNotFound);
        }
    }
}

#[tokio::test]
async fn what_a_membership_means_for_a_user_is_told_once_in_the_personal_timeline() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    let effects = fixture.settle().await;
    assert_eq!(recipients_of(&effects), [vec![BOB]]);
    fixture.send(in_group(ALICE, group, "out", Content::RemoveMembers(vec![BOB]))).await;
    fixture.settle().await;
    assert_eq!(fixture.settle().await, []);

    let timeline = fixture.store.personal_timeline(BOB).await.unwrap().unwrap();
    let conversation_id = group;
    assert_eq!(
        fixture.stored(timeline).await,
        [
            EventBody::Change(Change::ConversationAdded { conversation_id }),
            EventBody::Change(Change::ConversationRemoved { conversation_id }),
        ]
    );
}

/// The founder's own entry is found by the name of the founding, which is shown to nobody.
#[tokio::test]
async fn events_of_personal_timelines_show_no_name() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects = fixture.decide(vec![create(ALICE, "g", &[BOB], History::Joined)]).await;
    let names = effects.iter().filter_map(|effect| match effect {
        Effect::Deliver { frame: ServerFrame::Event(push), .. } => Some(push.client_msg_id.clone()),
        _ => None,
    });
    let names: Vec<_> = names.map(|name| name.map(|name| name.as_str().to_owned())).collect();
    assert_eq!(names, [Some("g".to_owned()), None]);

    let timeline = fixture.store.personal_timeline(ALICE).await.unwrap().unwrap();
    let request =
        Pull { conversation_id: timeline, after_seq: None, before_seq: None, limit: None };
    let pulled = Catchup::new(Arc::clone(&fixture.store)).pull(ALICE, &request).await.unwrap();
    assert!(!pulled.events[0].get().contains("clientMsgId"), "{:?}", pulled.events);
}

#[tokio::test]
async fn whoever_joins_has_nothing_unread_but_what_comes_after() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    for name in ["m2", "m3"] {
        fixture.send(say(ALICE, group, name)).await;
    }
    fixture.send(in_group(ALICE, group, "in", Content::AddMembers(vec![CAROL]))).await;
    fixture.send(say(ALICE, group, "m5")).await;
    let catchup = Catchup::new(Arc::clone(&fixture.store));
    let state = catchup.sync(CAROL, &Default::default()).await.unwrap();
    let entry = &state.conversations[0];
    assert_eq!((entry.unread, entry.head_seq.get(), entry.read_seq.get()), (1, 5, 4));
}

#[tokio::test]
async fn the_state_of_a_group_is_for_its_members() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    let catchup = Catchup::new(Arc::clone(&fixture.store));
    let request =
        |after| Conversation { conversation_id: group, members_after: after, limit: Some(1) };
    let first = catchup.conversation(BOB, &request(None)).await.unwrap();
    assert_eq!((first.title.as_deref(), first.member_count, first.more), (Some("storm"), 2, true));
    assert_eq!((first.members[0].user, first.members[0].role), (ALICE, Role::Owner));
    let second = catchup.conversation(BOB, &request(Some(ALICE))).await.unwrap();
    assert_eq!((second.members[0].user, second.more), (BOB, false));

    assert!(catchup.conversation(MALLORY, &request(None)).await.is_err());
    fixture.send(in_group(BOB, group, "l", Content::Leave)).await;
    assert!(catchup.conversation(BOB, &request(None)).await.is_err());
}

#[tokio::test]
async fn a_group_is_asked_for_within_its_bounds() {
    let mut fixture = Fixture::new(Rules::default()).await;
    let owner = fixture.store.create_user("al", "hash", TimestampMs::new(1)).await.unwrap().id;
    let nobody = UserId::new(owner.get() + 1);
    let with = |title: &str, members: Vec<UserId>| {
        let content =
            Content::CreateGroup { title: title.to_owned(), members, history: History::All };
        send(owner, Destination::NewGroup, "g", content)
    };
    use ErrorReason::{BadTitle, InvalidField, UserNotFound};
    assert_eq!(fixture.refusal(with(" ", vec![])).await, BadTitle);
    assert_eq!(fixture.refusal(with(&"x".repeat(65), vec![])).await, BadTitle);
    assert_eq!(fixture.refusal(with("a\nb", vec![])).await, BadTitle);
    assert_eq!(fixture.refusal(with("x", vec![nobody])).await, UserNotFound);
    let many = (1..=GROUP_CHANGE_MEMBERS_MAX as u64 + 1).map(UserId::new).collect();
    assert_eq!(fixture.refusal(with("x", many)).await, InvalidField);
    let founded = fixture.send(with("x", vec![owner])).await;
    assert_eq!(founded.msg_seq, Seq::new(1));
}

#[tokio::test]
async fn a_trimmed_beginning_is_not_shown_and_not_changed() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group().await;
    for name in ["m2", "m3", "m4"] {
        fixture.send(say(ALICE, group, name)).await;
    }
    let trim = Request::Trim { conversation: group, before: Seq::new(3) };
    fixture.decide(vec![Command { origin: Origin::NOBODY, actor: ALICE, request: trim }]).await;
    assert_eq!(fixture.seen(BOB, group).await, [3, 4]);
    let recall = Content::Recall { target: Seq::new(2) };
    let refused = fixture.refusal(in_group(ALICE, group, "r", recall)).await;
    assert_eq!(refused, ErrorReason::MessageNotFound);
}
