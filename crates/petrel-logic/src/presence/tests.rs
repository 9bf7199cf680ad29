//! Presence over a store in memory, round by round.

use std::collections::BTreeMap;

use petrel_directory::InProcessDirectory;
use petrel_protocol::frame::ContactAction;
use petrel_store::memory::MemoryStore;
use petrel_store::{
    Batch, ConversationKind, Interval, MemberUpdate, NewConversation, ProfileUpdate,
};
use petrel_types::{
    ConversationId, Epoch, LogPosition, ManualClock, OwnerEpoch, Partition, Seq, Slot,
};

use super::*;
use crate::own::Own;
use crate::pair::Pair;

const ANN: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const CLEO: UserId = UserId::new(3);
const PHONE: SessionId = SessionId::new(101);
const LAPTOP: SessionId = SessionId::new(102);

const GRACE: Duration = Duration::from_secs(10);

/// What sessions were told, the last thing of each user.
#[derive(Debug, Default)]
struct Heard {
    items: BTreeMap<(u64, u64), UserPresence>,
    times: usize,
}

impl Told for Heard {
    fn tell(&mut self, session: SessionId, presence: UserPresence) {
        self.items.insert((session.get(), presence.user.get()), presence);
        self.times += 1;
    }

    fn flush(&mut self) {}
}

impl Heard {
    /// What a session was told since this was asked before: whether each user is online.
    fn take(&mut self, session: SessionId) -> Vec<(u64, bool, Option<u64>)> {
        let items = std::mem::take(&mut self.items);
        let told = items.into_iter().filter(|((to, _), _)| *to == session.get());
        told.map(|((_, user), it)| (user, it.online, it.last_seen_ts.map(TimestampMs::get)))
            .collect()
    }
}

struct World {
    store: Arc<MemoryStore>,
    directory: Arc<InProcessDirectory>,
    clock: Arc<ManualClock>,
    presence: Presence,
    heard: Heard,
    now: Instant,
    owner_epoch: OwnerEpoch,
    position: LogPosition,
    conversations: BTreeMap<String, ConversationId>,
    pairs: BTreeMap<(UserId, UserId), Pair>,
}

impl World {
    async fn new() -> Self {
        Self::with_grace(GRACE).await
    }

    async fn with_grace(offline_after: Duration) -> Self {
        let store = Arc::new(MemoryStore::new(Epoch::new(1)));
        let clock = Arc::new(ManualClock::default());
        clock.set(TimestampMs::new(1_000));
        let directory = Arc::new(InProcessDirectory::new(clock.clone()));
        let settings = Settings { offline_after };
        let claim = store.claim(Partition::new(0)).await.unwrap();
        let presence =
            Presence::new(store.clone(), directory.clone(), settings, Metrics::default());
        Self {
            store,
            directory,
            clock,
            presence,
            heard: Heard::default(),
            now: Instant::now(),
            owner_epoch: claim.owner_epoch,
            position: claim.next_position,
            conversations: BTreeMap::new(),
            pairs: BTreeMap::new(),
        }
    }

    async fn commit(&mut self, batch: Batch) {
        self.position = self.position.next();
        let (partition, owner) = (Partition::new(0), self.owner_epoch);
        self.store.commit(partition, batch, self.position, owner).await.unwrap();
    }

    /// The conversation of a kind with a profile, begun if it is not there.
    async fn set(&mut self, name: String, kind: ConversationKind, profile: bytes::Bytes) {
        if let Some(conversation) = self.conversations.get(&name).copied() {
            let profiles = vec![ProfileUpdate { conversation, profile }];
            return self.commit(Batch { profiles, ..Batch::default() }).await;
        }
        let number = self.conversations.len() as u64 + 1;
        let id = ConversationId::compose(Slot::from_low_bits(1), number);
        self.conversations.insert(name, id);
        let conversations = vec![NewConversation { id, kind, profile }];
        self.commit(Batch { conversations, ..Batch::default() }).await;
    }

    /// Something that one does to another, known to presence like a commit.
    async fn does(&mut self, actor: UserId, other: UserId, action: ContactAction) {
        let users = (actor.min(other), actor.max(other));
        let before = self.pairs.get(&users).cloned().unwrap_or_default();
        let text = Some("words");
        let pair = before.after(actor, other, action, text, TimestampMs::new(1)).unwrap();
        self.pairs.insert(users, pair.clone());
        let kind = ConversationKind::Pair { low: users.0, high: users.1 };
        self.set(format!("{users:?}"), kind, pair.encode()).await;
        self.presence.affected(&Affected { pairs: vec![users], ..Affected::default() });
    }

    async fn befriend(&mut self, one: UserId, other: UserId) {
        self.does(one, other, ContactAction::Apply).await;
        self.does(other, one, ContactAction::Accept).await;
    }

    async fn hide(&mut self, user: UserId, presence_hidden: bool) {
        let own = Own { presence_hidden, ..Own::default() };
        self.set(format!("own {user}"), ConversationKind::Personal { user }, own.encode()).await;
        self.presence.affected(&Affected { owners: vec![user], ..Affected::default() });
    }

    /// A group in which these users are.
    async fn group(&mut self, users: &[UserId]) {
        self.set("group".to_owned(), ConversationKind::Group, bytes::Bytes::new()).await;
        let conversation = self.conversations["group"];
        for user in users {
            self.membership(conversation, *user, None).await;
        }
    }

    async fn membership(&mut self, conversation: ConversationId, user: UserId, last: Option<u64>) {
        let intervals = vec![Interval { first: Seq::new(1), last: last.map(Seq::new) }];
        let attributes = bytes::Bytes::new();
        let members = vec![MemberUpdate { conversation, user, attributes, intervals }];
        self.commit(Batch { members, ..Batch::default() }).await;
        let memberships = vec![(conversation, user)];
        self.presence.affected(&Affected { memberships, ..Affected::default() });
    }

    async fn watch(&self, session: SessionId, user: UserId, users: &[UserId]) -> Vec<(u64, bool)> {
        let watched = self.presence.watch(session, user, users.to_vec(), || {}).await.unwrap();
        watched.into_iter().map(|it| (it.user.get(), it.online)).collect()
    }

    async fn round(&mut self, later: Duration) {
        self.now += later;
        self.presence.round(self.now, &mut self.heard).await;
    }
}

#[tokio::test]
async fn friends_are_told_who_comes_and_who_has_been_gone_for_a_while() {
    let mut world = World::new().await;
    world.befriend(ANN, BOB).await;
    assert_eq!(world.watch(PHONE, ANN, &[BOB, CLEO]).await, [(2, false), (3, false)]);
    world.directory.attach(BOB);
    world.directory.attach(CLEO);
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, true, None)], "and nothing of a stranger");

    world.clock.set(TimestampMs::new(5_000));
    world.directory.detach(BOB);
    world.round(GRACE / 2).await;
    assert_eq!(world.heard.take(PHONE), [], "not at once");
    world.round(GRACE / 2 - Duration::from_millis(1)).await;
    assert_eq!(world.heard.take(PHONE), []);
    world.round(Duration::from_millis(1) + GRACE / 2).await;
    assert_eq!(world.heard.take(PHONE), [(2, false, Some(5_000))]);
}

#[tokio::test]
async fn a_device_that_comes_and_goes_is_no_news() {
    let mut world = World::new().await;
    world.befriend(ANN, BOB).await;
    world.watch(PHONE, ANN, &[BOB]).await;
    for _ in 0..1_000 {
        world.directory.attach(BOB);
        world.round(Duration::from_millis(250)).await;
        world.directory.detach(BOB);
        world.round(Duration::from_millis(250)).await;
    }
    assert_eq!(world.heard.times, 1, "{:?}", world.heard);
    world.round(GRACE).await;
    assert_eq!(world.heard.times, 2);
    assert_eq!(world.presence.board().next_due(), None, "nothing is left behind");
}

#[tokio::test]
async fn members_of_a_group_see_each_other_as_long_as_both_are_in_it() {
    let mut world = World::with_grace(Duration::ZERO).await;
    world.directory.attach(BOB);
    world.watch(PHONE, ANN, &[BOB]).await;
    world.group(&[ANN, BOB]).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, true, None)]);
    let group = world.conversations["group"];
    world.membership(group, CLEO, None).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [], "another member is nothing new");
    // One event, up to which the membership goes.
    world.commit(Batch { events: vec![event(group)], ..Batch::default() }).await;
    world.membership(group, ANN, Some(1)).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, false, None)]);
    world.directory.detach(BOB);
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), []);
}

fn event(conversation: ConversationId) -> petrel_store::NewEvent {
    petrel_store::NewEvent {
        conversation,
        seq: Seq::new(1),
        message_number: petrel_types::MessageNumber::new(1),
        sender: ANN,
        client_message_id: None,
        timestamp: TimestampMs::new(1),
        payload: bytes::Bytes::new(),
    }
}

/// Whoever blocks, is blocked, hides or is a stranger looks the same: offline, never seen.
#[tokio::test]
async fn a_block_looks_like_hiding_and_like_a_stranger() {
    for reason in ["blocks", "is blocked", "hides", "stranger"] {
        let mut world = World::with_grace(Duration::ZERO).await;
        if reason != "stranger" {
            world.befriend(ANN, BOB).await;
        }
        match reason {
            "blocks" => world.does(BOB, ANN, ContactAction::Block).await,
            "is blocked" => world.does(ANN, BOB, ContactAction::Block).await,
            "hides" => world.hide(BOB, true).await,
            _ => {}
        }
        let offline = UserPresence { user: BOB, online: false, last_seen_ts: None };
        world.directory.attach(BOB);
        world.directory.detach(BOB);
        let asked = world.presence.query(ANN, vec![BOB]).await.unwrap();
        assert_eq!(asked, [offline], "{reason}");
        world.directory.attach(BOB);
        let asked = world.presence.query(ANN, vec![BOB]).await.unwrap();
        assert_eq!(asked, [offline], "{reason}");
        let watched = world.presence.watch(PHONE, ANN, vec![BOB], || {}).await.unwrap();
        assert_eq!(watched, [offline], "{reason}");
        for _ in 0..3 {
            world.directory.detach(BOB);
            world.round(Duration::ZERO).await;
            world.directory.attach(BOB);
            world.round(Duration::ZERO).await;
        }
        assert_eq!(world.heard.times, 0, "{reason}");
    }
}

#[tokio::test]
async fn who_begins_to_block_or_hide_goes_offline_at_once_and_comes_back() {
    let mut world = World::with_grace(Duration::ZERO).await;
    world.befriend(ANN, BOB).await;
    world.directory.attach(BOB);
    assert_eq!(world.watch(PHONE, ANN, &[BOB]).await, [(2, true)]);
    assert_eq!(world.watch(LAPTOP, BOB, &[ANN]).await, [(1, false)]);
    world.does(BOB, ANN, ContactAction::Block).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, false, None)]);
    world.does(BOB, ANN, ContactAction::Remark).await;
    world.does(BOB, ANN, ContactAction::Unblock).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, true, None)]);
    world.hide(BOB, true).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, false, None)]);
    world.hide(BOB, false).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(2, true, None)]);
}

/// A remark is a change of the pair that its other side must not notice.
#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let mut world = World::new().await;
    world.befriend(ANN, BOB).await;
    world.directory.attach(BOB);
    world.watch(PHONE, ANN, &[BOB]).await;
    world.does(BOB, ANN, ContactAction::Remark).await;
    world.hide(BOB, false).await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.times, 0);
}

/// Between a commit and the next look nothing is told, whoever comes or goes.
#[tokio::test]
async fn nothing_is_told_while_it_is_in_doubt() {
    let mut world = World::with_grace(Duration::ZERO).await;
    world.befriend(ANN, BOB).await;
    world.watch(PHONE, ANN, &[BOB]).await;
    world.does(BOB, ANN, ContactAction::Block).await;
    let presence = UserPresence { user: BOB, online: true, last_seen_ts: None };
    let told = world.presence.board().change(BOB, presence, &mut world.heard);
    assert_eq!((told, world.heard.times), (0, 0));
}

/// What was read before a block does not outlive it, whoever is faster.
#[tokio::test]
async fn a_first_answer_does_not_overtake_a_block() {
    let mut world = World::with_grace(Duration::ZERO).await;
    world.befriend(ANN, BOB).await;
    world.directory.attach(BOB);
    // As `watch` does it, with a block in the middle.
    for looked_up in [false, true] {
        assert!(world.presence.board().watch(PHONE, ANN, &[BOB]));
        let seen = who_is_seen(&*world.store, ANN, &[BOB]).await.unwrap();
        world.does(BOB, ANN, ContactAction::Block).await;
        if looked_up {
            world.round(Duration::ZERO).await;
        }
        let shown = world.presence.board().settle_one(PHONE, BOB, seen[0], true);
        assert!(seen[0] && !shown, "looked up: {looked_up}");
        world.round(Duration::ZERO).await;
        assert!(world.heard.items.values().all(|it| !it.online), "{:?}", world.heard);
        world.does(BOB, ANN, ContactAction::Unblock).await;
        world.round(Duration::ZERO).await;
        assert_eq!(world.heard.take(PHONE), [(2, true, None)]);
    }
}

#[tokio::test]
async fn a_list_takes_the_place_of_the_one_before_and_ends_with_the_session() {
    let mut world = World::with_grace(Duration::ZERO).await;
    world.befriend(ANN, BOB).await;
    world.befriend(ANN, CLEO).await;
    world.watch(PHONE, ANN, &[BOB, BOB]).await;
    world.watch(PHONE, ANN, &[CLEO]).await;
    world.directory.attach(BOB);
    world.directory.attach(CLEO);
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), [(3, true, None)]);
    world.presence.end(PHONE);
    world.directory.detach(CLEO);
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.take(PHONE), []);
    let board = world.presence.board();
    assert_eq!(board.watches(), 0);
    assert!(board.all_watched().is_empty());
}

#[tokio::test]
async fn lists_are_bounded_each_and_together() {
    let world = World::new().await;
    let many = |count: usize| (0..count as u64).map(|id| UserId::new(1_000 + id)).collect();
    let refused = world.presence.query(ANN, many(PRESENCE_USERS_MAX + 1)).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidField);
    assert!(world.presence.query(ANN, many(PRESENCE_USERS_MAX)).await.is_ok());

    let mut board = Board::new(GRACE, 3);
    assert!(board.watch(PHONE, ANN, &[BOB, CLEO]));
    assert!(!board.watch(LAPTOP, BOB, &[ANN, CLEO]));
    assert!(board.watch(PHONE, ANN, &[BOB]), "one's own list makes room");
    assert!(board.watch(LAPTOP, BOB, &[ANN, CLEO]));
    assert_eq!(board.watches(), 3);
}

/// Ten thousand come at once; whoever watches them gets one thing for each, in one round.
#[tokio::test]
async fn a_storm_is_told_once() {
    let mut world = World::new().await;
    let users: Vec<_> = (0..10_000).map(|id| UserId::new(1_000 + id)).collect();
    world.group(&[ANN]).await;
    let conversation = world.conversations["group"];
    let members = users.iter().map(|user| MemberUpdate {
        conversation,
        user: *user,
        attributes: bytes::Bytes::new(),
        intervals: vec![Interval { first: Seq::new(1), last: None }],
    });
    let members = members.collect();
    world.commit(Batch { members, ..Batch::default() }).await;
    let watched = &users[..8];
    world.watch(PHONE, ANN, watched).await;
    for _ in 0..3 {
        users.iter().for_each(|user| world.directory.attach(*user));
        users.iter().for_each(|user| world.directory.detach(*user));
    }
    users.iter().for_each(|user| world.directory.attach(*user));
    world.round(Duration::ZERO).await;
    assert_eq!(world.heard.times, watched.len());
}
