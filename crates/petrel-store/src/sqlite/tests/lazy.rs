//! Flushes, crashes between their slices, and reads beside them.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::model::{Change, Model, id};
use super::*;

/// Small enough that a few commits fill a tail, large enough that its flush takes several
/// slices. Nothing is flushed but by writes, so that a test decides when.
fn options() -> Options {
    Options { tail_rows: 8, slice_rows: 1, flush_idle_after: None, ..Options::default() }
}

fn open_small(directory: &Path) -> SqliteStore {
    SqliteStore::open_with(directory, options()).unwrap()
}

/// What a crash at this moment would leave.
fn crash(directory: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in ["petrel.db", "petrel.db-wal"] {
        fs::copy(directory.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

/// Does one slice, if there is one to do, and tells what the tables hold afterwards.
async fn step(store: &SqliteStore) -> Tables {
    store.write(|_| Ok(())).await.unwrap();
    store.write(|transaction| Ok(Tables::of(transaction.connection)?)).await.unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tables {
    watermark_row: u64,
    timeline: u64,
    idempotency: u64,
    journal: u64,
}

impl Tables {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT (SELECT watermark_row FROM meta), (SELECT count(*) FROM timeline),
                          (SELECT count(*) FROM idempotency), (SELECT count(*) FROM journal)";
        connection.query_row(sql, [], |row| {
            Ok(Self {
                watermark_row: row.get(0)?,
                timeline: row.get(1)?,
                idempotency: row.get(2)?,
                journal: row.get(3)?,
            })
        })
    }
}

async fn owner(store: &SqliteStore) -> OwnerEpoch {
    store.claim(PARTITION).await.unwrap().owner_epoch
}

#[tokio::test]
async fn a_crash_between_any_two_slices_loses_nothing() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    let mut model = Model::default();
    let owner_epoch = owner(&store).await;
    let mut steps = Vec::new();
    for round in 0..2 {
        let changes: Vec<_> = (0..7).map(|number| (1 + (number + round) % 4, true)).collect();
        model.commit(&store, owner_epoch, &changes).await;
        for _ in 0..12 {
            let copy = crash(place.path());
            assert_eq!(verify(copy.path()).unwrap().problems, [""; 0]);
            let recovered = open_small(copy.path());
            model.check(&recovered).await;
            model.check_retries(&recovered).await;
            steps.push(step(&store).await);
            model.check(&store).await;
        }
    }
    steps.dedup();
    assert!(steps.len() > 12, "the crashes were not between slices: {steps:?}");
}

#[tokio::test]
async fn a_recovered_store_goes_on_as_if_nothing_had_happened() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    let mut model = Model::default();
    model.commit(&store, owner(&store).await, &[(1, true), (1, true), (2, true), (3, false)]).await;
    model.commit(&store, owner(&store).await, &[(1, true), (2, true), (3, true)]).await;
    step(&store).await;
    let copy = crash(place.path());
    let recovered = open_small(copy.path());
    for round in 0..6 {
        let owner_epoch = model.check_retries(&recovered).await;
        model.commit(&recovered, owner_epoch, &[(1, true), (4 + round, true)]).await;
        step(&recovered).await;
        model.check(&recovered).await;
    }
}

#[tokio::test]
async fn the_watermark_moves_last_and_the_journal_is_trimmed_after_it() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    let mut model = Model::default();
    let owner_epoch = owner(&store).await;
    let all = [(1, true), (2, true), (3, true), (1, false), (2, false), (1, false), (3, false)];
    model.commit(&store, owner_epoch, &all).await;
    let mut tables = step(&store).await;
    let mut seen = Vec::new();
    for _ in 0..60 {
        if tables.watermark_row > 0 {
            assert_eq!((tables.timeline, tables.idempotency), (7, 7), "before the watermark");
        } else {
            assert_eq!(tables.journal, 1);
        }
        seen.push(tables);
        tables = step(&store).await;
    }
    seen.dedup();
    assert!(seen.len() > 5, "{seen:?}");
    assert!(tables.watermark_row > 7);
    assert_eq!(tables.journal, 0);
    model.check(&store).await;
    drop(store);
    let store = open_small(place.path());
    model.check(&store).await;
    model.check_retries(&store).await;
}

#[tokio::test]
async fn a_journal_of_nothing_but_positions_is_trimmed_too() {
    let place = TempDir::new().unwrap();
    let store = open_small(place.path());
    let owner_epoch = owner(&store).await;
    let mut journal_max = 0;
    for position in 1..=100 {
        let position = LogPosition::new(position);
        store.commit(PARTITION, Batch::default(), position, owner_epoch).await.unwrap();
        journal_max = journal_max.max(step(&store).await.journal);
    }
    assert!(journal_max < 30, "{journal_max}");
    drop(store);
    let claim = open_small(place.path()).claim(PARTITION).await.unwrap();
    assert_eq!(claim.next_position, LogPosition::new(100));
}

#[tokio::test]
async fn an_idle_store_brings_its_indexes_up_to_date() {
    let place = TempDir::new().unwrap();
    let idle = Options { flush_idle_after: Some(Duration::ZERO), ..Options::default() };
    let store = SqliteStore::open_with(place.path(), idle).unwrap();
    let mut model = Model::default();
    model.commit(&store, owner(&store).await, &[(1, true), (2, false)]).await;
    while step(&store).await.watermark_row == 0 {
        model.check(&store).await;
    }
    model.check(&store).await;
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>),
    Slice,
    Reopen,
    Crash,
}

/// A chat, or one of two groups.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..4, 10_u64..12]
}

fn message_change() -> impl Strategy<Value = Change> {
    (number(), any::<bool>()).prop_map(|(number, moves)| Change::Message { number, moves })
}

fn change() -> impl Strategy<Value = Change> {
    let length = prop_oneof![Just(0), 1_usize..60, Just(20_000)];
    prop_oneof![
        6 => (0_u64..2, 2_u64..5, any::<bool>())
            .prop_map(|(group, user, joins)| Change::JoinOrLeave { group, user, joins }),
        1 => (number(), 0_usize..50)
            .prop_map(|(number, length)| Change::Profile { number, length }),
        3 => (number(), 0_u64..6, length)
            .prop_map(|(number, back, length)| Change::Overwrite { number, back, length }),
        2 => (number(), 0_u64..5).prop_map(|(number, kept)| Change::Trim { number, kept }),
        2 => (number(), any::<bool>())
            .prop_map(|(number, settles)| Change::DeriveOrSettle { number, settles }),
        1 => (1_u64..4).prop_map(|user| Change::Personal { user }),
        1 => (2_u64..4).prop_map(|user| Change::Pair { user }),
        2 => (number(), 0_u8..2, 0_u64..4, any::<bool>())
            .prop_map(|(number, list, key, is_there)| {
                Change::Entry { number, list, key, is_there }
            }),
        1 => (number(), 0_u8..3, any::<bool>())
            .prop_map(|(number, code, is_there)| Change::Code { number, code, is_there }),
        2 => (number(), 0_u64..6, any::<bool>())
            .prop_map(|(number, user, is_there)| Change::Mention { number, user, is_there }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let messages = prop::collection::vec(message_change(), 1..6);
    let changes = (prop::collection::vec(message_change(), 0..3), change())
        .prop_map(|(messages, change)| messages.into_iter().chain([change]).collect());
    let step = prop_oneof![
        3 => messages.prop_map(Step::Commit),
        5 => changes.prop_map(Step::Commit),
        4 => Just(Step::Slice),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

#[test]
fn whatever_happens_every_read_is_that_of_a_naive_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let configuration = Config { cases: 32, failure_persistence: None, ..Config::default() };
    TestRunner::new(configuration)
        .run(&steps(), |steps| {
            runtime.block_on(run(steps));
            Ok(())
        })
        .unwrap();
}

async fn run(steps: Vec<Step>) {
    let mut place = TempDir::new().unwrap();
    let mut store = open_small(place.path());
    let mut owner_epoch = owner(&store).await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Commit(changes) => {
                model.change(&store, owner_epoch, &changes).await;
            }
            Step::Slice => store.write(|_| Ok(())).await.unwrap(),
            Step::Reopen => {
                store.close().await.unwrap();
                store = open_small(place.path());
                owner_epoch = model.check_retries(&store).await;
            }
            Step::Crash => {
                let copy = crash(place.path());
                drop(std::mem::replace(&mut store, open_small(copy.path())));
                place = copy;
                owner_epoch = model.check_retries(&store).await;
            }
        }
        model.check(&store).await;
    }
    drop(store);
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}

/// Readers that never wait for anything check that each read shows every commit that
/// returned before it, and agrees with itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_race_with_flushes() {
    const COMMITS: u64 = 600;
    let place = TempDir::new().unwrap();
    let racing = Options {
        tail_rows: 12,
        slice_rows: 2,
        flush_idle_after: Some(Duration::ZERO),
        ..Options::default()
    };
    let store = Arc::new(SqliteStore::open_with(place.path(), racing).unwrap());
    let owner_epoch = owner(&store).await;
    let mut first = Model::default();
    first.commit(&store, owner_epoch, &[(1, false), (2, false)]).await;
    let committed = Arc::new(AtomicU64::new(1));
    let readers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(race(Arc::clone(&store), Arc::clone(&committed), COMMITS)))
        .collect();
    for seq in 2..=COMMITS {
        let events = [1, 2].map(|number| message(number, seq, &format!("{number}-{seq}")));
        let (conversation, user) = (id(1), UserId::new(2));
        let (delivered, read) = (Seq::new(seq), Seq::new(seq));
        let moved = crate::CursorUpdate { conversation, user, delivered, read };
        let batch = Batch { events: events.to_vec(), cursors: vec![moved], ..Batch::default() };
        store.commit(PARTITION, batch, LogPosition::new(seq), owner_epoch).await.unwrap();
        committed.store(seq, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn race(store: Arc<SqliteStore>, committed: Arc<AtomicU64>, commits: u64) {
    let user = UserId::new(2);
    loop {
        let seen = committed.load(Ordering::SeqCst);
        let number = 1 + seen % 2;
        let page = store.events_before(id(number), Seq::new(u64::MAX), 5).await.unwrap();
        let seqs: Vec<_> = page.events.iter().map(|event| event.seq.get()).collect();
        let head = page.head.seq.get();
        assert!(head >= seen, "{head} does not show commit {seen}");
        assert_eq!(seqs, (head.saturating_sub(5) + 1..=head).collect::<Vec<_>>());
        let page = store.events_after(id(number), Seq::new(seen - 1), 1000).await.unwrap();
        assert_eq!(page.events[0].seq.get(), seen);
        assert_eq!(page.events.last().unwrap().seq, page.head.seq);
        let name = ClientMessageId::new(format!("{number}-{seen}")).unwrap();
        if seen > 1 {
            let found = store.find_message(id(number), UserId::new(1), &name).await.unwrap();
            assert_eq!(found.unwrap().seq.get(), seen);
            let member = store.member(id(1), user).await.unwrap().unwrap();
            assert!(member.cursors.read.get() >= seen);
        }
        let page = store.sync_page(user, RowId::new(0), None, 10).await.unwrap();
        let entry = &page.entries[0];
        assert!(entry.head.seq.get() >= seen && page.last_row >= entry.stamp);
        // One commit moves both, so one snapshot shows both.
        assert!(seen == 1 || entry.own.read == entry.head.seq);
        assert!(seen == 1 || entry.read_message_number.get() == entry.own.read.get());
        if seen == commits {
            break;
        }
    }
}

/// As [`readers_race_with_flushes`], but for what is changed in place: each commit says its
/// number in an event, the profile, a member's attributes, a payload and a trim.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_half_of_a_change_in_place() {
    const COMMITS: u64 = 400;
    let place = TempDir::new().unwrap();
    let store = Arc::new(open_small(place.path()));
    let owner_epoch = owner(&store).await;
    let committed = Arc::new(AtomicU64::new(0));
    let group = NewConversation {
        id: id(1),
        kind: ConversationKind::Group,
        profile: Bytes::from_static(b"1"),
    };
    let change = |seq: u64| crate::MemberUpdate {
        conversation: id(1),
        user: UserId::new(2),
        attributes: seq.to_string().into(),
        intervals: vec![crate::Interval { first: Seq::new(1), last: None }],
    };
    let first = Batch {
        conversations: vec![group],
        events: vec![message(1, 1, "1")],
        members: vec![change(1)],
        ..Batch::default()
    };
    store.commit(PARTITION, first, LogPosition::new(1), owner_epoch).await.unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(race_in_place(Arc::clone(&store), Arc::clone(&committed), COMMITS)))
        .collect();
    for seq in 2..=COMMITS {
        let before = Seq::new(seq - 1);
        let last = store.events_after(id(1), Seq::new(seq - 2), 1).await.unwrap().events[0].row;
        let payload = Bytes::from(format!("overwritten with {seq}"));
        let batch = Batch {
            events: vec![message(1, seq, &seq.to_string())],
            overwrites: vec![crate::Overwrite { row: last, payload }],
            profiles: vec![crate::ProfileUpdate {
                conversation: id(1),
                profile: seq.to_string().into(),
            }],
            members: vec![change(seq)],
            trims: vec![crate::Trim { conversation: id(1), before }],
            ..Batch::default()
        };
        store.commit(PARTITION, batch, LogPosition::new(seq), owner_epoch).await.unwrap();
        committed.store(seq, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn race_in_place(store: Arc<SqliteStore>, committed: Arc<AtomicU64>, commits: u64) {
    loop {
        let seen = committed.load(Ordering::SeqCst);
        let state = store.conversation(id(1)).await.unwrap().unwrap();
        let head = state.summary.head.seq.get();
        assert!(head >= seen);
        assert_eq!(state.summary.profile, head.to_string());
        assert_eq!(state.members[0].attributes, head.to_string());
        assert_eq!(state.summary.trimmed_before.get(), (head - 1).max(1));
        let page = store.events_after(id(1), Seq::ZERO, 10).await.unwrap();
        let head = page.head.seq.get();
        assert_eq!(page.trimmed_before.get(), (head - 1).max(1));
        if head > 1 {
            assert_eq!(page.events.len(), 2);
            assert_eq!(page.events[0].payload, format!("overwritten with {head}"));
        }
        let entry = &store.sync_page(UserId::new(2), RowId::new(0), None, 1).await.unwrap();
        let entry = &entry.entries[0];
        assert_eq!(entry.profile, entry.head.seq.to_string());
        if seen == commits {
            break;
        }
    }
}
