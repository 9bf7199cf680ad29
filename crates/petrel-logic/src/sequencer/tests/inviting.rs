//! Invitations: what is listed and told at last, in whatever order it follows from the group.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, GroupAdds, GroupInvitations, GroupInvited};
use petrel_types::limits::INVITATION_LIFETIME_MS;

use super::group::{create, in_group};
use super::*;
use crate::contacts::Contacts;
use crate::deriver::command_of;
use crate::event::EventBody;
use crate::lists::INVITED;
use crate::sync::Catchup;

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Fixture {
    /// A group of Alice, who is its owner; Bob is asked before he is taken in.
    async fn group_beside_bob(&mut self) -> ConversationId {
        let settings = Content::Settings {
            findable: None,
            presence_hidden: None,
            group_adds: Some(GroupAdds::Ask),
            friend_code: None,
        };
        self.send(send(BOB, Destination::Own, "s", settings)).await;
        let group = create(ALICE, "g", &[], petrel_protocol::frame::History::Joined);
        self.send(group).await.conversation_id
    }

    /// What follows from what was decided, not carried out yet, in the order of the decisions.
    async fn follows(&self) -> Vec<Command> {
        let waiting = self.store.unsettled(None, 1_000).await.unwrap();
        waiting.iter().map(|derivation| command_of(derivation).unwrap()).collect()
    }

    /// The groups into which Bob is invited, as he is shown them.
    async fn invites_bob(&self) -> Vec<(ConversationId, TimestampMs)> {
        let contacts = Contacts::new(Arc::clone(&self.store));
        let request = GroupInvitations { groups_after: None, limit: None };
        let state = contacts.invitations(BOB, &request).await.unwrap();
        state.invitations.iter().map(|it| (it.group_id, it.expires_ts)).collect()
    }

    /// What Bob's devices were told of invitations: until when each lasts, or its end.
    async fn told_bob(&self) -> Vec<Option<TimestampMs>> {
        let timeline = self.store.personal_timeline(BOB).await.unwrap().unwrap();
        let page = self.store.events_after(timeline, Seq::ZERO, 1_000).await.unwrap();
        let told = |event: &StoredEvent| match EventBody::decode(&event.payload).unwrap() {
            EventBody::Change(Change::GroupInvited { expires_ts, .. }) => Some(Some(expires_ts)),
            EventBody::Change(Change::GroupInvitationEnded { .. }) => Some(None),
            _ => None,
        };
        page.events.iter().filter_map(told).collect()
    }

    fn expiry(&self) -> TimestampMs {
        TimestampMs::new(self.clock.now().get() + INVITATION_LIFETIME_MS)
    }
}

fn add_bob(group: ConversationId, name: &str) -> Command {
    in_group(ALICE, group, name, Content::AddMembers(vec![BOB]))
}

fn answer(group: ConversationId, name: &str, accept: bool) -> Command {
    in_group(BOB, group, name, Content::AnswerInvitation { accept })
}

fn orders<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.len() <= 1 {
        return vec![all.to_vec()];
    }
    let begin_with = |first: usize| {
        let mut rest = all.to_vec();
        let first = rest.remove(first);
        orders(&rest).into_iter().map(move |rest| [vec![first.clone()], rest].concat())
    };
    (0..all.len()).flat_map(begin_with).collect()
}

#[tokio::test]
async fn an_invitation_of_the_batch_that_ends_its_group_is_over_with_it() {
    for before in [false, true] {
        let mut fixture = Fixture::new(EXTERNAL).await;
        let group = fixture.group_beside_bob().await;
        let dissolve = in_group(ALICE, group, "x", Content::Dissolve);
        // For comparison: the invitation is stored before the group ends.
        let batches = match before {
            true => vec![vec![add_bob(group, "a")], vec![dissolve]],
            false => vec![vec![add_bob(group, "a"), dissolve]],
        };
        for batch in batches {
            let decided = batch.len();
            assert_eq!(acks(&fixture.decide(batch).await).len(), decided);
        }
        let follows = fixture.follows().await;
        fixture.decide(follows).await;
        assert_eq!(fixture.invites_bob().await, [], "stored before: {before}");
        assert_eq!(fixture.told_bob().await.last(), Some(&None), "stored before: {before}");
        let refused = fixture.refusal(answer(group, "b", true)).await;
        assert_eq!(refused, ErrorReason::ConversationNotFound);
    }
}

/// What follows from changes of a group is carried out in any order, one by one or together.
#[tokio::test]
async fn an_invitation_is_not_told_after_its_end_in_whatever_order_it_comes() {
    // What becomes of a first invitation, and whether there is a second one after that.
    type Ending = fn(ConversationId) -> Vec<Command>;
    let refused: Ending = |group| vec![answer(group, "1", false)];
    let came_and_went: Ending = |group| {
        let leave = in_group(BOB, group, "2", Content::Leave);
        vec![answer(group, "1", true), leave]
    };
    let dissolved: Ending = |group| vec![in_group(ALICE, group, "1", Content::Dissolve)];
    for (ending, invited_again) in
        [(refused, false), (refused, true), (came_and_went, true), (dissolved, false)]
    {
        let mut number = 0;
        loop {
            let mut fixture = Fixture::new(EXTERNAL).await;
            let group = fixture.group_beside_bob().await;
            fixture.send(add_bob(group, "a")).await;
            fixture.clock.advance(HOUR);
            for command in ending(group) {
                fixture.decide(vec![command]).await;
            }
            let mut expected = Vec::new();
            if invited_again {
                fixture.clock.advance(HOUR);
                expected = vec![(group, fixture.expiry())];
                fixture.send(add_bob(group, "b")).await;
            }
            let all = orders(&fixture.follows().await);
            let Some(order) = all.get(number / 2) else { break };
            assert!(all.len() > 1, "nothing follows that could come in another order");
            if number % 2 == 0 {
                fixture.decide(order.clone()).await;
            } else {
                for command in order.clone() {
                    fixture.decide(vec![command]).await;
                }
            }
            let context = format!("order {number} of {}: {order:?}", all.len());
            assert_eq!(fixture.invites_bob().await, expected, "{context}");
            let told = fixture.told_bob().await;
            match expected.first() {
                Some((_, until)) => assert_eq!(told.last(), Some(&Some(*until)), "{context}"),
                None => assert_eq!(told.last(), Some(&None), "{context}"),
            }
            number += 1;
        }
    }
}

/// Or the list of somebody who never answers would grow for ever, and what waits in it could
/// not be counted any more.
#[tokio::test]
async fn invitations_whose_time_is_over_go_when_another_one_comes() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_beside_bob().await;
    fixture.send(add_bob(group, "a")).await;
    let follows = fixture.follows().await;
    fixture.decide(follows).await;
    assert_eq!(fixture.invites_bob().await.len(), 1);
    fixture.clock.advance(Duration::from_millis(INVITATION_LIFETIME_MS));
    let refused = fixture.refusal(answer(group, "late", true)).await;
    assert_eq!(refused, ErrorReason::ConversationNotFound);
    let other = create(ALICE, "g2", &[BOB], petrel_protocol::frame::History::Joined);
    let other = fixture.send(other).await.conversation_id;
    let follows = fixture.follows().await;
    fixture.decide(follows).await;
    assert_eq!(fixture.invites_bob().await, [(other, fixture.expiry())]);
    // And one may be asked again by the same group.
    fixture.send(add_bob(group, "b")).await;
}

/// To everybody who could see it, it is as if it had never been.
#[tokio::test]
async fn an_invitation_whose_time_is_over_is_listed_to_nobody_and_makes_nobody_known() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_beside_bob().await;
    fixture.send(add_bob(group, "a")).await;
    let follows = fixture.follows().await;
    fixture.decide(follows).await;
    let catchup = Catchup::new(Arc::clone(&fixture.store));
    let contacts = Contacts::new(Arc::clone(&fixture.store));
    for is_over in [false, true] {
        if is_over {
            fixture.clock.advance(Duration::from_millis(INVITATION_LIFETIME_MS));
        }
        let (now, expected) = (fixture.clock.now(), usize::from(!is_over));
        let list = GroupInvited { group_id: group, users_after: None, limit: None };
        let listed = catchup.invited(ALICE, &list, now).await.unwrap().invited;
        assert_eq!(listed.len(), expected, "over: {is_over}");
        for (asker, other, place) in
            [(ALICE, BOB, None), (BOB, ALICE, None), (ALICE, BOB, Some(group))]
        {
            let known = contacts.names(asker, &[other], place, now).await.unwrap();
            assert_eq!(known.len(), expected, "{other} to {asker} in {place:?}, over: {is_over}");
        }
    }
}

/// Those who are listed as invited into a group, also those whose time is over.
async fn listed(fixture: &Fixture, group: ConversationId) -> Vec<u64> {
    let page = fixture.store.entries_after(group, INVITED, None, 10_000).await.unwrap();
    page.entries.iter().map(|entry| entry.key).collect()
}

/// Or the list of a group to which few come would grow for ever.
#[tokio::test]
async fn a_group_forgets_whom_it_invited_in_vain_as_it_invites_others() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_beside_bob().await;
    let guests: Vec<_> = (100..400).map(UserId::new).collect();
    for guest in guests.iter().chain([&MALLORY]) {
        let settings = Content::Settings {
            findable: None,
            presence_hidden: None,
            group_adds: Some(GroupAdds::Ask),
            friend_code: None,
        };
        fixture.send(send(*guest, Destination::Own, "s", settings)).await;
    }
    let add =
        |users: Vec<UserId>, name: &str| in_group(ALICE, group, name, Content::AddMembers(users));
    fixture.send(add(guests, "all")).await;
    fixture.clock.advance(Duration::from_millis(INVITATION_LIFETIME_MS - 1));
    // As long as their time is not over they are left, however many others come.
    for round in 0..20 {
        let others = vec![if round % 2 == 0 { BOB } else { MALLORY }];
        fixture.send(add(others.clone(), &format!("before {round}"))).await;
        let withdraw = Content::WithdrawInvitation { user: others[0] };
        fixture.send(in_group(ALICE, group, &format!("w {round}"), withdraw)).await;
    }
    assert_eq!(listed(&fixture, group).await.len(), 300);

    fixture.clock.advance(Duration::from_millis(1));
    fixture.send(add(vec![MALLORY], "after")).await;
    let left = listed(&fixture, group).await;
    // A few at a time: those nearest to who is invited now.
    assert!((200..300).contains(&left.len()), "{}", left.len());
    assert_eq!((left[0], left.last()), (MALLORY.get(), Some(&399)));
    let mut rounds = 0;
    while listed(&fixture, group).await.len() > 2 {
        let again = [BOB, UserId::new(399), UserId::new(250)][rounds % 3];
        fixture.decide(vec![add(vec![again], &format!("round {rounds}"))]).await;
        let withdraw = Content::WithdrawInvitation { user: again };
        fixture.decide(vec![in_group(ALICE, group, &format!("wr {rounds}"), withdraw)]).await;
        rounds += 1;
        assert!(rounds < 20, "{:?} are left", listed(&fixture, group).await);
    }
    // Who was invited in the meantime still is.
    fixture.send(in_group(MALLORY, group, "yes", Content::AnswerInvitation { accept: true })).await;
}

/// What is decided a second time was not done the first time.
#[tokio::test]
async fn invitations_count_once_however_often_their_batch_is_decided() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_beside_bob().await;
    let limits = petrel_types::OperatingLimits {
        user_invitations_per_minute: 1,
        user_invitations_burst: 2,
        ..Default::default()
    };
    let pace = Arc::new(InvitationPace::new(&limits));
    fixture.sequencer.invitation_pace = Some(Arc::clone(&pace));
    let sent = text(ALICE, BOB, "m1", "hello");
    fixture.send(sent.clone()).await;
    // Only the store remembers the message that comes again without saying so.
    fixture.sequencer.memory.recent = RecentMessages::default();
    let effects = fixture.decide(vec![add_bob(group, "a"), sent]).await;
    let acks = acks(&effects);
    assert_eq!((acks.len(), acks[0].duplicate, acks[1].duplicate), (2, false, true));
    let now = fixture.clock.now();
    assert!(pace.count(ALICE, 1, now).is_ok(), "one was counted, and there is room for two");
    assert!(pace.count(ALICE, 1, now).is_err());
}

#[tokio::test]
async fn an_invitation_into_a_full_group_waits_until_there_is_room() {
    let mut fixture = Fixture::new(EXTERNAL).await;
    let group = fixture.group_beside_bob().await;
    fixture.send(add_bob(group, "a")).await;
    let limit = |most: u64| {
        let change = petrel_log::GroupChange { member_limit: Some(most), ..Default::default() };
        in_group(ALICE, group, &format!("l{most}"), Content::ChangeGroup(change))
    };
    fixture.send(limit(1)).await;
    assert_eq!(fixture.refusal(answer(group, "full", true)).await, ErrorReason::GroupFull);
    fixture.send(limit(2)).await;
    fixture.send(answer(group, "yes", true)).await;
}
