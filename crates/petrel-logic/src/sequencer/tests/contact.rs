//! What users are to each other, decided and told.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Change, Contact, ContactAction, ContactList, ContactsRequest, DoneAck, EventPush,
};
use petrel_store::Derivation;
use petrel_store::faulty::FaultyStore;
use petrel_types::limits::APPLICATION_LIFETIME_MS;

use super::*;
use crate::contacts::Contacts;
use crate::deriver::command_of;

fn contact(actor: UserId, other: UserId, name: &str, action: ContactAction) -> Command {
    let content = Content::Contact { action, text: None };
    again(send(actor, Destination::Pair(other), name, content))
}

fn dones(effects: &[Effect]) -> Vec<DoneAck> {
    let done = |effect: &Effect| match effect {
        Effect::Answer { frame: Some(ServerFrame::Ack(ServerAck::Done(ack))), .. } => {
            Some(ack.clone())
        }
        _ => None,
    };
    effects.iter().filter_map(done).collect()
}

fn told(effects: &[Effect]) -> Vec<(UserId, Contact, ContactAction)> {
    let told = |effect: &Effect| match effect {
        Effect::Deliver {
            recipients,
            frame:
                ServerFrame::Event(EventPush {
                    change: Change::ContactChanged { contact, action }, ..
                }),
            ..
        } => Some((recipients[0], contact.clone(), *action)),
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

fn derived(derivation: &Derivation) -> Command {
    command_of(derivation).unwrap()
}

impl Fixture {
    async fn does(&mut self, actor: UserId, other: UserId, action: ContactAction) {
        let name = format!("{actor} {action:?} {}", self.next_position);
        let effects = self.decide(vec![contact(actor, other, &name, action)]).await;
        assert_eq!(dones(&effects).len(), 1, "{effects:?}");
        assert_eq!(effects.len(), 1, "nobody is shown the pair itself: {effects:?}");
    }

    async fn refuses(&mut self, command: Command) -> ErrorReason {
        let effects = self.decide(vec![command]).await;
        assert_eq!(effects.len(), 1, "{effects:?}");
        refusals(&effects).remove(0)
    }

    async fn carry_out_all(&mut self) -> Vec<(UserId, Contact, ContactAction)> {
        let waiting = self.store.unsettled(None, 100).await.unwrap();
        told(&self.decide(waiting.iter().map(derived).collect()).await)
    }

    async fn list(&self, user: UserId, list: ContactList) -> Vec<u64> {
        let request = ContactsRequest { list, users_after: None, limit: None };
        let contacts = Contacts::new(Arc::clone(&self.store));
        let page = contacts.list(user, &request).await.unwrap();
        page.contacts.iter().map(|contact| contact.user.get()).collect()
    }
}

#[tokio::test]
async fn an_application_goes_to_both_and_so_does_its_answer() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.does(ALICE, BOB, ContactAction::Apply).await;
    let both = fixture.carry_out_all().await;
    let users: Vec<_> = both.iter().map(|(user, contact, _)| (*user, contact.user)).collect();
    assert_eq!(users, [(ALICE, BOB), (BOB, ALICE)]);
    assert_eq!(fixture.list(ALICE, ContactList::Outgoing).await, [BOB.get()]);
    assert_eq!(fixture.list(BOB, ContactList::Incoming).await, [ALICE.get()]);

    fixture.does(BOB, ALICE, ContactAction::Accept).await;
    assert_eq!(fixture.carry_out_all().await.len(), 2);
    for (user, other) in [(ALICE, BOB), (BOB, ALICE)] {
        assert_eq!(fixture.list(user, ContactList::Friends).await, [other.get()]);
        for empty in [ContactList::Incoming, ContactList::Outgoing, ContactList::Blocked] {
            assert_eq!(fixture.list(user, empty).await, [0; 0]);
        }
        assert_eq!(fixture.list(MALLORY, ContactList::Friends).await, [0; 0]);
    }
}

#[tokio::test]
async fn two_who_apply_at_once_are_friends_and_an_accept_loses_against_a_withdrawal() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let at_once = vec![
        contact(ALICE, BOB, "a", ContactAction::Apply),
        contact(BOB, ALICE, "a", ContactAction::Apply),
        contact(ALICE, MALLORY, "b", ContactAction::Apply),
        contact(ALICE, MALLORY, "c", ContactAction::Withdraw),
        contact(MALLORY, ALICE, "c", ContactAction::Accept),
    ];
    let effects = fixture.decide(at_once).await;
    assert_eq!(dones(&effects).len(), 4);
    assert_eq!(refusals(&effects), [ErrorReason::ApplicationNotFound]);
    fixture.carry_out_all().await;
    assert_eq!(fixture.list(ALICE, ContactList::Friends).await, [BOB.get()]);
    assert_eq!(fixture.list(ALICE, ContactList::Outgoing).await, [0; 0]);
    assert_eq!(fixture.list(MALLORY, ContactList::Incoming).await, [0; 0]);
}

#[tokio::test]
async fn the_same_change_again_is_done_already() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let apply = contact(ALICE, BOB, "a", ContactAction::Apply);
    let effects = fixture.decide(vec![apply.clone(), apply.clone()]).await;
    let first = dones(&effects)[0].clone();
    assert_eq!(dones(&effects)[1], DoneAck { duplicate: true, ..first.clone() });
    for restarts in [false, true] {
        if restarts {
            fixture.restart().await;
        }
        let effects = fixture.decide(vec![apply.clone()]).await;
        assert_eq!(dones(&effects), [DoneAck { duplicate: true, ..first.clone() }]);
    }
    fixture.sequencer.memory.recent = RecentMessages::default();
    assert!(dones(&fixture.decide(vec![apply]).await)[0].duplicate);
    assert_eq!(fixture.store.unsettled(None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_is_done_about_oneself_or_nobody() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let nobody = UserId::new(UserId::LOCAL_FIRST.get() + 5);
    for action in ContactAction::ALL {
        let oneself = contact(ALICE, ALICE, "a", action);
        assert_eq!(fixture.refuses(oneself).await, ErrorReason::CannotSendToSelf);
        let reason = fixture.refuses(contact(ALICE, nobody, "b", action)).await;
        assert_eq!(reason, ErrorReason::UserNotFound);
    }
    assert_eq!(fixture.store.pair(ALICE, nobody).await.unwrap(), None);
}

#[tokio::test]
async fn a_block_stops_messages_and_edits_and_nothing_is_told_of_it() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let said = fixture.send(text(MALLORY, ALICE, "m1", "hello")).await;
    fixture.does(ALICE, MALLORY, ContactAction::Block).await;
    let told = fixture.carry_out_all().await;
    assert_eq!(told.iter().map(|(user, ..)| *user).collect::<Vec<_>>(), [ALICE]);

    for restarts in [false, true] {
        if restarts {
            fixture.restart().await;
        }
        let message = text(MALLORY, ALICE, "m2", "hello?");
        assert_eq!(fixture.refuses(message).await, ErrorReason::NotReachable);
        let message = text(ALICE, MALLORY, "m2", "hello?");
        assert_eq!(fixture.refuses(message).await, ErrorReason::BlockedByYou);
        let edit = Content::Edit { target: said.msg_seq, body: "worse".to_owned() };
        let edit = send(MALLORY, Destination::Conversation(said.conversation_id), "e1", edit);
        assert_eq!(fixture.refuses(edit).await, ErrorReason::NotReachable);
        let apply = contact(MALLORY, ALICE, "a1", ContactAction::Apply);
        assert_eq!(fixture.refuses(apply).await, ErrorReason::NotReachable);
    }
    // What was said may be taken back, and others are not concerned.
    let recall = Content::Recall { target: said.msg_seq };
    let at = Destination::Conversation(said.conversation_id);
    fixture.send(send(MALLORY, at, "r1", recall)).await;
    fixture.send(text(MALLORY, BOB, "m3", "hello")).await;
    // What was stored before the block is still recognised.
    assert!(fixture.send(text(MALLORY, ALICE, "m1", "hello")).await.duplicate);

    fixture.does(ALICE, MALLORY, ContactAction::Unblock).await;
    fixture.send(text(MALLORY, ALICE, "m4", "hello")).await;
    fixture.carry_out_all().await;
    assert_eq!(fixture.list(ALICE, ContactList::Friends).await, [0; 0]);
    assert_eq!(fixture.list(MALLORY, ContactList::Blocked).await, [0; 0]);
}

#[tokio::test]
async fn a_block_in_the_same_batch_stops_what_comes_after_it() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let effects = fixture
        .decide(vec![
            text(MALLORY, ALICE, "m1", "before"),
            contact(ALICE, MALLORY, "b", ContactAction::Block),
            text(MALLORY, ALICE, "m2", "after"),
        ])
        .await;
    assert_eq!((acks(&effects).len(), refusals(&effects)), (1, vec![ErrorReason::NotReachable]));
}

#[tokio::test]
async fn who_has_blocked_somebody_is_not_brought_into_a_group_by_the_blocked() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.does(ALICE, MALLORY, ContactAction::Block).await;
    let found = |members: &[UserId]| Content::CreateGroup {
        title: "title".to_owned(),
        members: members.to_vec(),
        history: Default::default(),
    };
    let create = |actor, name: &str, members: &[UserId]| {
        again(send(actor, Destination::NewGroup, name, found(members)))
    };
    let refused = create(MALLORY, "g1", &[BOB, ALICE]);
    assert_eq!(fixture.refuses(refused).await, ErrorReason::NotReachable);
    let group = fixture.send(create(MALLORY, "g2", &[BOB])).await.conversation_id;
    let add = |actor, name: &str| {
        let content = Content::AddMembers(vec![ALICE]);
        again(send(actor, Destination::Conversation(group), name, content))
    };
    assert_eq!(fixture.refuses(add(MALLORY, "a1")).await, ErrorReason::NotReachable);
    // Nor does it tell who has not blocked whom: others may bring Alice in.
    let role = Content::SetRole { user: BOB, role: petrel_protocol::frame::Role::Admin };
    fixture.send(again(send(MALLORY, Destination::Conversation(group), "r", role))).await;
    fixture.send(add(BOB, "a2")).await;
    // In a group both may speak.
    let say = |actor, name: &str| {
        send(actor, Destination::Conversation(group), name, Content::Text("hello".to_owned()))
    };
    fixture.send(say(MALLORY, "m1")).await;
    fixture.send(say(ALICE, "m2")).await;
}

#[tokio::test]
async fn only_friends_can_chat_where_the_server_says_so() {
    let mut fixture = Fixture::new(Rules { chats_need_friendship: true, ..EXTERNAL }).await;
    let message = |name: &str| text(ALICE, BOB, name, "hello");
    assert_eq!(fixture.refuses(message("m1")).await, ErrorReason::NotFriends);
    fixture.does(ALICE, BOB, ContactAction::Apply).await;
    assert_eq!(fixture.refuses(message("m1")).await, ErrorReason::NotFriends);
    fixture.does(BOB, ALICE, ContactAction::Accept).await;
    fixture.send(message("m1")).await;
    fixture.does(BOB, ALICE, ContactAction::Remove).await;
    assert_eq!(fixture.refuses(message("m2")).await, ErrorReason::NotFriends);
}

/// Derivations may come late and in another order; what was overtaken is not told.
#[tokio::test]
async fn a_contact_is_never_told_as_it_was_before() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.does(ALICE, BOB, ContactAction::Apply).await;
    fixture.does(BOB, ALICE, ContactAction::Accept).await;
    let mut waiting = fixture.store.unsettled(None, 10).await.unwrap();
    waiting.reverse();
    let (late, early) = waiting.split_at(2);
    let first = told(&fixture.decide(late.iter().map(derived).collect()).await);
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|(_, contact, _)| contact.friend_since_ts.is_some()));
    assert_eq!(told(&fixture.decide(early.iter().map(derived).collect()).await), []);
    assert_eq!(fixture.store.unsettled(None, 10).await.unwrap(), []);
    assert_eq!(fixture.list(ALICE, ContactList::Friends).await, [BOB.get()]);
    assert_eq!(fixture.list(BOB, ContactList::Incoming).await, [0; 0]);

    // The same within one batch.
    fixture.does(ALICE, BOB, ContactAction::Block).await;
    fixture.does(ALICE, BOB, ContactAction::Unblock).await;
    let mut waiting = fixture.store.unsettled(None, 10).await.unwrap();
    waiting.reverse();
    let told = told(&fixture.decide(waiting.iter().map(derived).collect()).await);
    assert_eq!(told.len(), 1);
    assert!(!told[0].1.blocked);
}

/// What a block costs messages: one question to the store for each pair, and none for each
/// message.
#[tokio::test]
async fn the_store_is_asked_once_for_each_pair() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let counting = Arc::new(FaultyStore::new(Arc::clone(&fixture.store)));
    let store: Arc<dyn Store> = counting.clone();
    (fixture.sequencer, fixture.next_position) = claim(&store, &fixture.clock, EXTERNAL).await;
    for number in 0..10 {
        fixture.send(text(ALICE, BOB, &format!("a{number}"), "hello")).await;
        fixture.send(text(BOB, ALICE, &format!("b{number}"), "hello")).await;
    }
    assert_eq!(counting.pairs_asked(), 1);
    fixture.does(ALICE, BOB, ContactAction::Block).await;
    fixture.does(ALICE, BOB, ContactAction::Unblock).await;
    fixture.send(text(ALICE, BOB, "m", "hello")).await;
    assert_eq!(counting.pairs_asked(), 1);
    fixture.send(text(ALICE, MALLORY, "m", "hello")).await;
    assert_eq!(counting.pairs_asked(), 2);
}

#[tokio::test]
async fn settings_and_friend_codes_are_ones_own() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let settings = |actor, name: &str, findable, code: Option<&str>| {
        let friend_code = code.map(str::to_owned);
        let content =
            Content::Settings { findable, presence_hidden: None, group_adds: None, friend_code };
        again(send(actor, Destination::Own, name, content))
    };
    let contacts = Contacts::new(Arc::clone(&fixture.store));
    let nothing = settings(ALICE, "s0", Some(true), None);
    assert_eq!(fixture.refuses(nothing).await, ErrorReason::NothingToChange);
    fixture.send(settings(ALICE, "s1", Some(false), Some("ABCDEFGHJKLM"))).await;
    let known = contacts.settings(ALICE).await.unwrap();
    assert_eq!((known.findable, known.friend_code.as_deref()), (false, Some("ABCDEFGHJKLM")));
    let found = contacts.find_by_code(BOB, "abcd-efgh-jklm").await.unwrap();
    assert_eq!(found.user, ALICE);

    let taken = settings(BOB, "s1", None, Some("ABCDEFGHJKLM"));
    assert_eq!(fixture.refuses(taken).await, ErrorReason::ServerBusy);
    let both = vec![
        settings(ALICE, "s2", None, Some("22222ABCDEFG")),
        settings(BOB, "s2", None, Some("22222ABCDEFG")),
    ];
    let effects = fixture.decide(both).await;
    assert_eq!((acks(&effects).len(), refusals(&effects)), (1, vec![ErrorReason::ServerBusy]));
    assert!(contacts.find_by_code(BOB, "ABCDEFGHJKLM").await.is_err());
    assert_eq!(contacts.find_by_code(BOB, "22222ABCDEFG").await.unwrap().user, ALICE);
    // The old code is free again.
    fixture.send(settings(BOB, "s3", None, Some("ABCDEFGHJKLM"))).await;
    assert_eq!(contacts.find_by_code(ALICE, "ABCDEFGHJKLM").await.unwrap().user, BOB);
    assert_eq!(contacts.settings(MALLORY).await.unwrap(), Default::default());
}

#[tokio::test]
async fn an_application_that_is_sent_again_counts_for_nothing_while_it_waits_and_says_the_same() {
    const MORE_THAN_ALLOWED: usize = 100;
    let mut fixture = Fixture::new(EXTERNAL).await;
    fixture.does(ALICE, BOB, ContactAction::Apply).await;
    let now = fixture.clock.now();
    let over = TimestampMs::new(now.get() + APPLICATION_LIFETIME_MS);
    for (applicant, to, message, at, counts) in [
        (ALICE, BOB, None, now, false),
        (ALICE, BOB, Some("It is Alice."), now, true),
        (ALICE, BOB, None, over, true),
        (BOB, ALICE, None, now, true),
    ] {
        let contacts = Contacts::new(Arc::clone(&fixture.store));
        let mut refused = false;
        for _ in 0..MORE_THAN_ALLOWED {
            let counted = contacts.count_application(applicant, to, message, at).await;
            refused |= counted.is_err();
        }
        assert_eq!(refused, counts, "{applicant} to {to}, {message:?}, at {at:?}");
    }
}
