//! A sender's order, when commits fail.

use petrel_protocol::ErrorReason;
use petrel_store::faulty::{CommitFault, FaultyStore};

use super::*;

struct Faulty {
    fixture: Fixture,
    store: Arc<FaultyStore>,
}

impl Faulty {
    async fn new() -> Self {
        let mut fixture = Fixture::new(EXTERNAL).await;
        let store = Arc::new(FaultyStore::new(Arc::clone(&fixture.store)));
        fixture.store = store.clone();
        fixture.restart().await;
        Self { fixture, store }
    }

    async fn decide_on_a_full_disk(&mut self, commands: Vec<Command>) -> Vec<ErrorReason> {
        self.store.fail_next_commit(CommitFault::Refused(StoreErrorKind::Full));
        refusals(&self.fixture.decide(commands).await)
    }
}

fn names(effects: &[Effect]) -> Vec<String> {
    acks(effects).iter().map(|ack| ack.client_msg_id.to_string()).collect()
}

#[tokio::test]
async fn what_was_sent_later_does_not_overtake_what_a_failing_commit_refused() {
    let mut faulty = Faulty::new().await;
    let first = text(BOB, MALLORY, "first", "1");
    let second = text(BOB, MALLORY, "second", "2");
    let third = text(BOB, MALLORY, "third", "3");
    let full = faulty.decide_on_a_full_disk(vec![first.clone()]).await;
    assert_eq!(full, [ErrorReason::StorageFull]);

    // These were in the queue when the disk was full. Now it isn't, and yet they wait.
    let elsewhere = text(BOB, ALICE, "elsewhere", "x");
    let other = text(MALLORY, BOB, "other", "y");
    let effects = faulty.fixture.decide(vec![second.clone(), elsewhere, other]).await;
    assert_eq!(names(&effects), ["elsewhere", "other"], "nobody else waits");
    assert_eq!(refusals(&effects), [ErrorReason::AfterRefused]);

    // In the right order everything is taken, in one batch or in several.
    let effects = faulty.fixture.decide(vec![first, second]).await;
    assert_eq!(names(&effects), ["first", "second"]);
    let effects = faulty.fixture.decide(vec![third]).await;
    assert_eq!(names(&effects), ["third"]);
}

#[tokio::test]
async fn after_several_refusals_the_first_one_is_waited_for() {
    let mut faulty = Faulty::new().await;
    let first = text(BOB, MALLORY, "first", "1");
    let second = text(BOB, MALLORY, "second", "2");
    faulty.decide_on_a_full_disk(vec![first.clone(), second.clone()]).await;
    let refused = refusals(&faulty.fixture.decide(vec![second.clone()]).await);
    assert_eq!(refused, [ErrorReason::AfterRefused]);
    // The first comes again, is refused again, and is waited for again.
    faulty.decide_on_a_full_disk(vec![first.clone()]).await;
    let refused = refusals(&faulty.fixture.decide(vec![second.clone()]).await);
    assert_eq!(refused, [ErrorReason::AfterRefused]);
    assert_eq!(names(&faulty.fixture.decide(vec![first, second]).await), ["first", "second"]);
}

#[tokio::test]
async fn another_session_and_requests_without_one_have_an_order_of_their_own() {
    let mut faulty = Faulty::new().await;
    faulty.decide_on_a_full_disk(vec![text(BOB, MALLORY, "first", "1")]).await;
    let mut other_session = text(BOB, MALLORY, "laptop", "2");
    other_session.origin.session = SessionId::new(99);
    assert_eq!(names(&faulty.fixture.decide(vec![other_session]).await), ["laptop"]);

    // Alice's requests come without a session.
    let by_call = |name: &str| {
        let mut command = text(ALICE, BOB, name, "3");
        command.origin.session = Origin::REQUESTER;
        command
    };
    faulty.decide_on_a_full_disk(vec![by_call("given up")]).await;
    assert_eq!(names(&faulty.fixture.decide(vec![by_call("later")]).await), ["later"]);
}

#[tokio::test]
async fn who_gives_a_refused_message_up_sends_the_next_one_again() {
    let mut faulty = Faulty::new().await;
    let full = faulty.decide_on_a_full_disk(vec![text(BOB, MALLORY, "given up", "1")]).await;
    assert_eq!(full, [ErrorReason::StorageFull]);
    let second = text(BOB, MALLORY, "second", "2");
    let third = text(BOB, MALLORY, "third", "3");
    let both = vec![second.clone(), third.clone()];
    let refused = refusals(&faulty.fixture.decide(both.clone()).await);
    assert_eq!(refused, [ErrorReason::AfterRefused, ErrorReason::AfterRefused]);
    // Not the third: the second was before it.
    let refused = refusals(&faulty.fixture.decide(vec![third]).await);
    assert_eq!(refused, [ErrorReason::AfterRefused]);
    assert_eq!(names(&faulty.fixture.decide(both).await), ["second", "third"]);
}
