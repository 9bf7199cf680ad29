//! What users think of messages, what they pin, and what they delete for themselves.

use petrel_log::NewMessage;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Pull};
use petrel_types::limits::{HIDDEN_MESSAGES_MAX, PINS_MAX, REACTION_KINDS_MAX};

use super::compose::say;
use super::*;
use crate::deriver::command_of;
use crate::event::EventBody;
use crate::sync::Catchup;

fn at(conversation: ConversationId) -> Destination {
    Destination::Conversation(conversation)
}

fn react(target: u64, emoji: &str, remove: bool) -> Content {
    Content::React { target: Seq::new(target), emoji: emoji.to_owned(), remove }
}

fn pin(target: u64, remove: bool) -> Content {
    Content::Pin { target: Seq::new(target), remove }
}

fn hide(targets: &[u64], up_to: Option<u64>) -> Content {
    let targets = targets.iter().copied().map(Seq::new).collect();
    Content::Hide { targets, up_to: up_to.map(Seq::new) }
}

fn is_done(effects: &[Effect]) -> Option<bool> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer { frame: Some(ServerFrame::Ack(ServerAck::Done(ack))), .. } => {
            Some(ack.duplicate)
        }
        _ => None,
    })
}

impl Fixture {
    async fn group_of_three(&mut self) -> ConversationId {
        let content = Content::CreateGroup {
            title: "Harbour".to_owned(),
            members: vec![BOB, MALLORY],
            history: Default::default(),
        };
        self.send(send(ALICE, Destination::NewGroup, "g", content)).await.conversation_id
    }

    async fn shown(&self, user: UserId, conversation_id: ConversationId) -> Vec<u64> {
        let pull =
            Pull { conversation_id, after_seq: Some(Seq::ZERO), before_seq: None, limit: None };
        let events = Catchup::new(Arc::clone(&self.store)).pull(user, &pull).await.unwrap().events;
        let seq = |text: &str| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["msgSeq"].as_u64()
        };
        events.iter().map(|event| seq(event.get()).unwrap()).collect()
    }

    async fn unread(&self, user: UserId, conversation: ConversationId) -> (u64, u64) {
        let catchup = Catchup::new(Arc::clone(&self.store));
        let state = catchup.sync(user, &Default::default()).await.unwrap();
        let told = state.conversations.iter().find(|it| it.conversation_id == conversation);
        let told = told.unwrap();
        (told.unread, told.unread_mentions)
    }

    /// Carries out what follows, and says what was told in the user's personal timeline.
    async fn derived(&mut self, user: UserId) -> Vec<Change> {
        for derivation in self.store.unsettled(None, 100).await.unwrap() {
            self.decide(vec![command_of(&derivation).unwrap()]).await;
        }
        let Some(timeline) = self.store.personal_timeline(user).await.unwrap() else {
            return Vec::new();
        };
        let stored = self.stored(timeline).await.into_iter();
        stored
            .filter_map(|body| match body {
                EventBody::Change(change) => Some(change),
                _ => None,
            })
            .collect()
    }
}

#[tokio::test]
async fn reactions_are_bounded_and_name_everybody_in_order() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m", "hello")).await.conversation_id;
    for kind in 0..REACTION_KINDS_MAX {
        fixture
            .send(again(send(
                BOB,
                at(id),
                &format!("r{kind}"),
                react(1, &format!("e{kind}"), false),
            )))
            .await;
    }
    let more = again(send(ALICE, at(id), "more", react(1, "another", false)));
    assert_eq!(fixture.refusal(more).await, ErrorReason::LimitReached);
    fixture.send(again(send(ALICE, at(id), "same", react(1, "e0", false)))).await;
    let message = fixture.message(id, 1).await;
    assert_eq!(message.reactions[0].users, [BOB, ALICE]);
    fixture.send(again(send(BOB, at(id), "back", react(1, "e0", true)))).await;
    fixture.send(again(send(ALICE, at(id), "gone", react(1, "e0", true)))).await;
    let message = fixture.message(id, 1).await;
    assert_eq!(message.reactions.len(), REACTION_KINDS_MAX - 1);
    for odd in ["", "a b", "\u{7}", &"x".repeat(33)] {
        let odd = again(send(ALICE, at(id), "odd", react(1, odd, false)));
        assert_eq!(fixture.refusal(odd).await, ErrorReason::InvalidField);
    }
    // An edit leaves them; a recall does not.
    let edit = Content::Edit { target: Seq::new(1), body: "hello!".to_owned() };
    fixture.send(again(send(ALICE, at(id), "e", edit))).await;
    assert_eq!(fixture.message(id, 1).await.reactions, message.reactions);
    fixture.send(again(send(ALICE, at(id), "x", Content::Recall { target: Seq::new(1) }))).await;
    assert_eq!(fixture.message(id, 1).await.reactions, []);
}

#[tokio::test]
async fn who_is_muted_does_not_react_but_a_muted_group_does() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_of_three().await;
    let said = send(ALICE, at(group), "m", Content::Text("hello".to_owned()));
    let seq = fixture.send(said).await.msg_seq.get();
    let quiet = petrel_log::GroupChange { muted: Some(true), ..Default::default() };
    fixture.send(again(send(ALICE, at(group), "q", Content::ChangeGroup(quiet)))).await;
    fixture.send(again(send(BOB, at(group), "r", react(seq, "+1", false)))).await;
    let mute = Content::ChangeMember { user: BOB, nickname: None, mute_ms: Some(60_000) };
    fixture.send(again(send(ALICE, at(group), "s", mute))).await;
    let other = again(send(BOB, at(group), "t", react(seq, "-1", false)));
    assert_eq!(fixture.refusal(other).await, ErrorReason::Muted);
    // What is one's own may be taken back.
    fixture.send(again(send(BOB, at(group), "u", react(seq, "+1", true)))).await;
}

#[tokio::test]
async fn pins_are_bounded_and_go_with_a_recall() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m0", "hello")).await.conversation_id;
    for number in 1..=PINS_MAX {
        fixture.send(text(ALICE, BOB, &format!("m{number}"), "hello")).await;
    }
    for seq in 1..=PINS_MAX as u64 {
        fixture.send(again(send(BOB, at(id), &format!("p{seq}"), pin(seq, false)))).await;
    }
    let more = PINS_MAX as u64 + 1;
    let one_more = || again(send(BOB, at(id), "more", pin(more, false)));
    assert_eq!(fixture.refusal(one_more()).await, ErrorReason::LimitReached);
    fixture.send(again(send(ALICE, at(id), "x", Content::Recall { target: Seq::new(2) }))).await;
    fixture.restart().await;
    fixture.send(one_more()).await;
    let gone = again(send(BOB, at(id), "gone", pin(2, false)));
    assert_eq!(fixture.refusal(gone).await, ErrorReason::TooLate);
}

#[tokio::test]
async fn what_is_hidden_is_not_read_counted_or_acted_upon_by_that_user() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_of_three().await;
    let naming = |all| NewMessage {
        body: "look".to_owned(),
        mentions: vec![BOB],
        mention_all: all,
        ..NewMessage::default()
    };
    fixture.send(say(ALICE, at(group), "m2", naming(false))).await;
    fixture.send(say(ALICE, at(group), "m3", naming(true))).await;
    fixture.send(say(ALICE, at(group), "m4", naming(false))).await;
    assert_eq!(fixture.unread(BOB, group).await, (3, 3));
    let command = again(send(BOB, at(group), "h", hide(&[2, 3], None)));
    assert_eq!(is_done(&fixture.decide(vec![command.clone()]).await), Some(false));
    assert_eq!(is_done(&fixture.decide(vec![command]).await), Some(true));
    assert_eq!(fixture.unread(BOB, group).await, (1, 1));
    assert_eq!(fixture.shown(BOB, group).await, [1, 4]);
    assert_eq!(fixture.shown(MALLORY, group).await, [1, 2, 3, 4]);
    let hidden = || again(send(BOB, at(group), "r", react(3, "+1", false)));
    assert_eq!(fixture.refusal(hidden()).await, ErrorReason::MessageNotFound);
    fixture.restart().await;
    assert_eq!(fixture.refusal(hidden()).await, ErrorReason::MessageNotFound);
    // Recalled, what named everybody is no mention any more, and is not left out twice.
    fixture.send(again(send(ALICE, at(group), "x", Content::Recall { target: Seq::new(3) }))).await;
    assert_eq!(fixture.unread(BOB, group).await, (1, 1));

    // Who goes and comes back finds it as it was left; who has gone may still clear the rest.
    fixture.send(again(send(BOB, at(group), "l", Content::Leave))).await;
    let clear = again(send(BOB, at(group), "c", hide(&[], Some(4))));
    assert_eq!(is_done(&fixture.decide(vec![clear]).await), Some(false));
    assert_eq!(fixture.shown(BOB, group).await, [5, 6]);
    fixture.send(again(send(ALICE, at(group), "a", Content::AddMembers(vec![BOB])))).await;
    assert_eq!(fixture.shown(BOB, group).await, [5, 6, 7]);
    let beyond = again(send(BOB, at(group), "b", hide(&[], Some(8))));
    assert_eq!(fixture.refusal(beyond).await, ErrorReason::InvalidField);
    let nothing = again(send(BOB, at(group), "n", hide(&[], None)));
    assert_eq!(fixture.refusal(nothing).await, ErrorReason::InvalidField);
    let told = fixture.derived(BOB).await;
    let hidden = told.iter().filter(|it| matches!(it, Change::MessagesHidden { .. }));
    assert_eq!(hidden.count(), 2, "{told:?}");
}

#[tokio::test]
async fn the_list_of_what_is_hidden_is_bounded() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let most = HIDDEN_MESSAGES_MAX as u64;
    let commands = (0..=most).map(|it| text(ALICE, BOB, &format!("m{it}"), "hello")).collect();
    let id = acks(&fixture.decide(commands).await)[0].conversation_id;
    for first in (1..=most).step_by(100) {
        let targets: Vec<_> = (first..first + 100).collect();
        let command = again(send(BOB, at(id), &format!("h{first}"), hide(&targets, None)));
        assert_eq!(is_done(&fixture.decide(vec![command]).await), Some(false));
    }
    let more = again(send(BOB, at(id), "more", hide(&[most + 1], None)));
    assert_eq!(fixture.refusal(more).await, ErrorReason::LimitReached);
    assert_eq!(fixture.shown(BOB, id).await, [most + 1]);
    let clear = again(send(BOB, at(id), "clear", hide(&[], Some(most))));
    let effects = fixture.decide(vec![clear]).await;
    assert_eq!(is_done(&effects), Some(false));
    assert_eq!(receipts(&effects), [(vec![BOB, ALICE], WireReceiptKind::Read, most)]);
    let command = again(send(BOB, at(id), "now", hide(&[most + 1], None)));
    assert_eq!(is_done(&fixture.decide(vec![command]).await), Some(false));
    assert_eq!(fixture.unread(BOB, id).await, (0, 0));
}

#[tokio::test]
async fn settings_that_others_have_overtaken_are_not_told() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let id = fixture.send(text(ALICE, BOB, "m", "hello")).await.conversation_id;
    let set = |muted| Content::SetConversation { muted: Some(muted), pinned: None, archived: None };
    for (name, muted) in [("s1", true), ("s2", false)] {
        let command = again(send(BOB, at(id), name, set(muted)));
        assert_eq!(is_done(&fixture.decide(vec![command]).await), Some(false));
    }
    let waiting = fixture.store.unsettled(None, 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    // The later one first, and then what is late.
    for derivation in waiting.into_iter().rev() {
        fixture.decide(vec![command_of(&derivation).unwrap()]).await;
    }
    let told = fixture.derived(BOB).await;
    let settings = Default::default();
    assert_eq!(told, [Change::ConversationSettingsChanged { conversation_id: id, settings }]);
    assert_eq!(fixture.store.unsettled(None, 10).await.unwrap(), []);
}
